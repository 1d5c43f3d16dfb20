"""Stops by a freeze draw no line through one person's parcels: how well an observer of the chain guesses, measured.

The authority's own spreading and cutting under a faked clock: stops of strangers come up all the time, people with
several parcels in the air freeze their numbers. The observer sees every entry with the time and place of its batch,
knows one parcel of a frozen person, and takes those said nearest to it for the others. Chance is to take any of those
said within the longest delay of it. Figures stand in docs/dpia.md.
"""

from __future__ import annotations

import datetime as dt
import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from sqlalchemy import event
from sqlmodel import col, select

from api.identity import authority as at_work
from api.identity.authority import SPREAD, IdentityAuthority
from api.identity.judgement import Cause
from clients.sample.members import HANDLES
from ledger.chain.batch import Batch
from ledger.domain.words import PARCEL
from ledger.store.database import Database, Session
from ledger.store.migrations import migrate
from ledger.store.sealing import Seals
from ledger.store.tables.chain import MasterRow, ParcelRow
from ledger.store.tables.outbox import SubmissionRow
from tests.api.test_submitter import KEYRING, World

MASTER = 7
PEOPLE, EACH = 12, 5
"""People who freeze their number, and parcels each has under way."""
BACKGROUND = 180
"""Stops of strangers over the time: about two a minute, one in 190 of Korea's 200 million parcels a year."""
SPAN = dt.timedelta(minutes=90)
MOST_OVER_CHANCE = 2.2
"""The bound: how many times better than by chance an observer may guess."""


@dataclass(frozen=True)
class Said:
    """An entry as the chain shows it: whose it is only the test knows."""

    at: float
    place: int
    person: int | None


class Sky:
    """An authority over parcels whose flights are in the air, or have landed."""

    def __init__(self, home: Path, *, landed: bool) -> None:
        database = Database(f"sqlite:///{home / 'gateway.db'}")
        event.listen(database.engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous=OFF"))
        migrate(database)
        self.clock = self.start = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
        gateway = World(database, home).gateway
        self.gateway = replace(
            gateway, now=lambda: self.clock, chain_time=lambda: int(self.clock.timestamp())
        )  # fmt: skip
        self.authority = IdentityAuthority(
            self.gateway, Seals(bytes(32)), KEYRING.signer("identity"), HANDLES["identity"],
            X25519PrivateKey.generate(), dice=random.Random(1), pause=dt.timedelta(0),
        )  # fmt: skip
        self.whose: dict[bytes, int | None] = {}
        word = (1 << 22 if landed else 0).to_bytes(32, "big")
        with database.write() as session:
            session.add(MasterRow(id=bytes(32), word=word, handle=MASTER, opener=1, changed_height=0))

    def stop(self, people: Sequence[int | None]) -> None:
        """Stop one parcel for each, in one transaction, as a freeze and a judged batch do."""
        with self.gateway.database.write() as session:
            for person in people:
                row = self._parcel(session)
                self.whose[row.id] = person
                cause = Cause.MISMATCH if person is None else Cause.FROZEN
                self.authority.stop(session, row.id, "a test", cause, self.clock)

    @staticmethod
    def _parcel(session: Session) -> ParcelRow:
        row = ParcelRow(
            id=os.urandom(32), word=PARCEL["master"].put(MASTER).to_bytes(32, "big"), opener=1, office=40,
            clearance="pending", opened_height=0, changed_height=0,
        )  # fmt: skip
        session.add(row)
        session.flush()
        return row

    def run(self, events: Sequence[tuple[dt.datetime, Sequence[int | None]]]) -> list[Said]:
        """Let stops come up at their times, and cut whenever one is due; return what the chain shows."""
        waiting = sorted(events, key=lambda each: each[0])
        while True:
            with self.gateway.database.read() as session:
                due = min((row.not_before for row in at_work.uses.delayed(session, self.clock, 200)), default=None)
            following = [each for each in (due, waiting[0][0] if waiting else None) if each is not None]
            if not following:
                return self.shown()
            self.clock = min(following)
            while waiting and waiting[0][0] <= self.clock:
                self.stop(waiting.pop(0)[1])
            self.authority.step()

    def shown(self) -> list[Said]:
        found: list[Said] = []
        with self.gateway.database.read() as session:
            for row in session.exec(select(SubmissionRow).order_by(col(SubmissionRow.number))):
                batch = Batch(row.lane, row.seq, row.not_after, row.entries, row.signature)
                for entry in batch.unpacked():
                    person = self.whose[entry.subject.to_bytes(32, "big")]
                    found.append(Said(row.accepted_at.timestamp(), len(found), person))
        return found


def guessed(said: Sequence[Said]) -> tuple[float, float]:
    """Return how often the observer's guesses are right, and how often those by chance are."""
    right, chance, cases = 0.0, 0.0, 0
    for known in (each for each in said if each.person is not None):
        others = [each for each in said if each is not known and abs(each.at - known.at) <= SPREAD.total_seconds()]
        near = sorted(others, key=lambda each: (abs(each.at - known.at), abs(each.place - known.place)))[: EACH - 1]
        right += sum(each.person == known.person for each in near) / (EACH - 1)
        chance += sum(each.person == known.person for each in others) / len(others)
        cases += 1
    return right / cases, chance / cases


def over_time(sky: Sky) -> list[tuple[dt.datetime, Sequence[int | None]]]:
    dice = random.Random(2)
    moment: Callable[[], dt.datetime] = lambda: sky.start + SPAN * dice.random()  # noqa: E731
    strangers: list[tuple[dt.datetime, Sequence[int | None]]] = [(moment(), [None]) for _ in range(BACKGROUND)]
    return strangers + [(moment(), [person] * EACH) for person in range(PEOPLE)]


@pytest.mark.slow
def test_spread_stops_link_a_persons_parcels_little_better_than_chance(tmp_path: Path) -> None:
    sky = Sky(tmp_path, landed=False)
    right, chance = guessed(sky.run(over_time(sky)))
    assert right <= MOST_OVER_CHANCE * chance, f"{right:.3f} against {chance:.3f} by chance"
    assert right < 0.2


@pytest.mark.slow
def test_without_spreading_the_same_observer_knows_them_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(at_work, "SPREAD", dt.timedelta(0))
    sky = Sky(tmp_path, landed=False)
    right, chance = guessed(sky.run(over_time(sky)))
    assert right > 0.9, "the measure does not see what spreading hides"
    assert right > MOST_OVER_CHANCE * chance


class NoShuffle(random.Random):
    """Dice that leave things in order."""

    def shuffle(self, x: object) -> None:
        """Do nothing."""


@pytest.mark.parametrize("shuffled", [True, False])
def test_within_a_cut_place_says_nothing(tmp_path: Path, *, shuffled: bool) -> None:
    """Landed parcels are stopped at once, together with whatever came up since the last cut."""
    sky = Sky(tmp_path, landed=True)
    if not shuffled:
        sky.authority._dice = NoShuffle(1)
    moment = sky.start + dt.timedelta(seconds=1)
    people: list[int | None] = [None] * 40
    for person in range(PEOPLE):
        people[10:10] = [person] * EACH
    right, chance = guessed(sky.run([(moment, people)]))
    assert (right <= MOST_OVER_CHANCE * chance) == shuffled, f"{right:.3f} against {chance:.3f} by chance"
