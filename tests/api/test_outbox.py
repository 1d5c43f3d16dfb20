"""The outbox's door: what others do between two looks at it, and what a restored database has forgotten."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import delete

from api import outbox
from api.problems import APIError
from api.submitter import Submitter
from clients.sample.plan import START
from ledger.store import submissions
from ledger.store.database import Database
from ledger.store.tables.outbox import SubmissionRow
from tests.api.test_submitter import World, world

__all__ = ["world"]


class Overtaken(Database):
    """A database where others finish their work just before each write begins."""

    def __init__(self, plain: Database, others: Callable[[], None]) -> None:
        self._plain, self._others = plain, others

    @contextmanager
    def read(self) -> Iterator[Any]:
        with self._plain.read() as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Any]:
        self._others()
        with self._plain.write() as session:
            yield session


def test_the_forerunner_becomes_visible_between_two_looks(world: World) -> None:
    world.accept()
    world.accept()
    submitter = Submitter(world.gateway)

    def others() -> None:
        submitter.step()
        world.node.seal()
        world.project()

    overtaken = replace(world.gateway, database=Overtaken(world.gateway.database, others))
    assert outbox.accept(overtaken, world.caller, world.batch()).seq == 2
    others()
    assert world.states() == ["visible"] * 3


@pytest.mark.parametrize("projected", [True, False])
def test_a_batch_that_a_restored_database_has_forgotten_is_a_submission_again(world: World, projected: bool) -> None:
    batches = [world.batch() for _ in range(3)]
    for batch in batches:
        world.accept(batch)
    submitter = Submitter(world.gateway)
    submitter.step()
    world.node.seal()
    if projected:
        world.project()
    with world.gateway.database.write() as session:
        session.execute(delete(SubmissionRow))
    crossed = replace(batches[0], signature=batches[1].signature)
    with pytest.raises(APIError):  # the number is used, by another batch
        world.accept(world.batch(seq=1, not_after=START + 7_201))
    with pytest.raises(APIError):
        world.accept(crossed)
    for batch in batches:
        row = world.accept(batch)
        assert not projected or (row.state, row.height) == ("visible", 1)
    submitter.step()
    world.project()
    assert world.states() == ["visible"] * 3
    world.accept(world.batch(seq=3))
    assert world.on_chain() == 3


def test_a_batch_whose_block_was_projected_before_it_was_known_becomes_visible(world: World) -> None:
    batch, submitter = world.batch(), Submitter(world.gateway)
    world.node.send_batch(batch)
    world.accept(batch)
    submitter.step()
    world.node.seal()
    with world.gateway.database.write() as session:
        session.execute(delete(SubmissionRow))
    world.project()
    with world.gateway.database.write() as session:  # as if it was put in between two looks
        submissions.accept(session, batch, batch.hash(world.gateway.genesis.domain), world.caller.key, 1, world.time)
    submitter.step()
    world.later(3)
    submitter.step()
    assert world.states() == ["visible"]
