"""A batch whose forerunner becomes visible between two looks at the outbox is accepted all the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from api import outbox
from api.submitter import Submitter
from ledger.store.database import Database
from tests.api.test_submitter import World, database, empty, postgres, world

__all__ = ["database", "empty", "postgres", "world"]


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
