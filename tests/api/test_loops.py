"""Background jobs: a trouble is told once and then ever more rarely, a bell wakes a job, gauges tell the truth."""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
from itertools import pairwise

import pytest
from sqlmodel import select

from api import loops
from api.bells import Bell
from api.gauges import Gauges
from api.loops import HEALED, Job, Loops, Trouble
from api.metrics import REGISTRY
from api.purging import Purge
from api.submitter import Submitter
from ledger.domain.errors import LedgerError
from ledger.store.database import DatabaseUnavailable
from ledger.store.tables.access import ChallengeRow, IdempotencyRow, TokenRow
from ledger.store.tables.identity import CodeRow
from tests.api.test_submitter import World, world

__all__ = ["world"]

FULL = DatabaseUnavailable("The database does not take this (disk is full).")


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(loops, "time", made)
    return made


def test_a_trouble_is_told_at_once_and_then_at_doubling_pauses(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    trouble, caplog.handler.level = Trouble("submitter"), logging.WARNING
    told = []
    for _ in range(36_000):  # an hour, ten times a second
        before = len(caplog.records)
        trouble.failed(FULL)
        trouble.worked()  # other steps of the same job find nothing to do: that heals nothing
        if len(caplog.records) > before:
            told.append(clock.now - 1_000)
        clock.now += 0.1
    assert told[0] == 0
    assert len(told) < 25
    pauses = [round(later - earlier) for earlier, later in pairwise(told)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == 300
    assert "times more" in caplog.records[-1].message


def test_another_trouble_is_told_at_once(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    trouble = Trouble("submitter")
    for error in (FULL, LedgerError("Something else."), FULL, LedgerError("Something else.")):
        trouble.failed(error)
    assert len(caplog.records) == 2


def test_the_pause_grows_until_the_job_was_well_for_a_while(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    trouble = Trouble("submitter")
    first = trouble.failed(FULL)
    assert trouble.failed(FULL) == 2 * first
    for _ in range(20):
        longest = trouble.failed(FULL)
    assert longest == loops.SLOWEST
    clock.now += HEALED
    trouble.worked()
    assert trouble.failed(FULL) == first
    assert len(caplog.records) == 2, "a trouble that comes back is told again"


def test_a_bell_wakes_a_job_that_would_sleep_for_a_minute() -> None:
    bell, steps = Bell(), []
    seen = threading.Semaphore(0)

    def step() -> int:
        steps.append(time.monotonic())
        seen.release()
        return 0

    jobs = Loops([Job("sleeper", step, idle=60.0, bells=(bell,))])
    jobs.start()
    try:
        assert seen.acquire(timeout=10)
        bell.ring()
        assert seen.acquire(timeout=10)
    finally:
        jobs.stop()  # comes back at once although the job sleeps
    assert steps[-1] - steps[0] < 30


def test_gauges_say_what_waits_and_how_far_the_rows_are(world: World) -> None:
    gauges, names = Gauges(world.gateway), ("outbox_waiting", "projection_height", "projection_lag_blocks")

    def told() -> list[float | None]:
        gauges.step()
        return [REGISTRY.get_sample_value(f"clearance_{name}") for name in names]

    world.accept()
    world.accept()
    assert told() == [2, 0, 0]
    Submitter(world.gateway).step()
    world.node.seal()
    assert told() == [2, 0, 1]
    world.project()
    assert told() == [0, 1, 0]


def test_what_is_over_is_forgotten_and_nothing_else(world: World) -> None:
    old, later = world.time - dt.timedelta(days=2), world.time + dt.timedelta(minutes=1)
    with world.gateway.database.write() as session:
        for expires, mark in ((old, b"o"), (later, b"l")):
            session.add(ChallengeRow(challenge=mark * 32, key=bytes(20), expires=expires))
            session.add(TokenRow(hash=mark * 32, key=bytes(20), org=1, roles=1, office=0, expires=expires))
            session.add(CodeRow(ticket=mark * 32, code=bytes(32), expires=expires))
            session.add(IdempotencyRow(caller="a", key=mark.decode(), fingerprint=bytes(32), started=expires))
    purge = Purge(world.gateway)
    purge.step()
    with world.gateway.database.write() as session:
        for name in (ChallengeRow.challenge, TokenRow.hash, CodeRow.ticket):
            assert session.exec(select(name)).all() == [b"l" * 32]
        assert session.exec(select(IdempotencyRow.key)).all() == ["l"]
        session.add(ChallengeRow(challenge=b"x" * 32, key=bytes(20), expires=old))
    purge.step()  # not yet again: looking costs a write
    with world.gateway.database.read() as session:
        assert len(session.exec(select(ChallengeRow)).all()) == 2


def test_a_job_that_rests_does_so_however_often_it_is_rung() -> None:
    bell, done = Bell(), threading.Semaphore(0)
    steps = []

    def step() -> int:
        steps.append(time.monotonic())
        done.release()
        return 1

    jobs = Loops([Job("resting", step, rest=60.0, bells=(bell,))])
    jobs.start()
    try:
        assert done.acquire(timeout=10)
        bell.ring()
        assert not done.acquire(timeout=0.3)
    finally:
        jobs.stop()
    assert len(steps) == 1
