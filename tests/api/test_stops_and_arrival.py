"""A denial, a freeze and a withheld consent each stop the very next carry-in, with or without an arrival report."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from api.identity.answers import Said
from api.identity.authority import SPREAD
from api.problems import APIError
from clients.sample.members import HANDLES
from clients.sample.plan import START
from ledger.chain.batch import Entry
from ledger.chain.state import Parcel
from ledger.chain.writer import Writer
from ledger.domain.findings import Finding
from ledger.domain.kinds import KindNumber as K
from ledger.domain.kinds import Status
from ledger.store import people
from ledger.store.database import Database
from tests.api.test_authority import Desk
from tests.api.test_submitter import KEYRING


class Flight(Desk):
    """A desk with one parcel in the air, filed, checked (unless consent is asked for) and screened."""

    def __init__(self, database: Database, home: Path, *, consent_first: bool = False) -> None:
        super().__init__(database, home)
        with database.write() as session:
            person = people.person(session, self.person)
            person.consent_first = consent_first
            session.add(person)
        self.master = self.courier.open_master("M1", self.node._clock.now())
        self.writes()
        self.handle = next(
            effect.value for batch in self.node.included(1) for each in batch.entries() for effect in each.effects
        )
        self.parcel = self.file("H1", master=self.handle)
        self.run()
        screening = Writer(
            KEYRING.signer("screening"), HANDLES["screening"], self.gateway.genesis.domain, self.node
        )  # fmt: skip
        now = self.node._clock.now()
        screening.write(Entry(self.parcel, K.SCREENED_PASSED, now, names=self.node.filing(self.parcel)))
        screening.flush(now)
        self.settle()

    def writes(self, *entries: tuple[int, K]) -> None:
        """Let the courier write, seal and project it."""
        now = self.node._clock.now()
        for subject, kind in entries:
            self.courier.writer.write(Entry(subject, kind, now))
        self.courier.writer.flush(now)
        self.settle()

    def says(self, what: str) -> None:
        """Let the holder deny the parcel or freeze his number; of a withheld consent he says nothing."""
        if what == "denied":
            self.answers().about_use(self.holder(), self.use().id, "denied", Said())
        elif what == "frozen":
            self.answers().freeze(self.holder(), [], Said())

    def carried_in(self) -> Parcel:
        self.writes((self.parcel, K.CARRIED_IN))
        return Parcel(self.node.word(self.parcel))


@pytest.fixture
def flight(database: Database, tmp_path: Path) -> Flight:
    return Flight(database, tmp_path)


def test_what_nobody_stops_clears_once_its_arrival_is_reported(flight: Flight) -> None:
    flight.writes((flight.master, K.MASTER_ARRIVED))
    assert flight.carried_in().clearance == "cleared"


@pytest.mark.parametrize("what", ["denied", "frozen", "withheld"])
def test_carry_in_before_the_arrival_report_clears_nothing(database: Database, tmp_path: Path, what: str) -> None:
    flight = Flight(database, tmp_path, consent_first=what == "withheld")
    flight.says(what)
    carried = flight.carried_in()  # before any cut of the authority
    assert Status.CLEARED not in carried.status
    assert Finding.ARRIVAL_UNREPORTED in carried.findings
    flight.writes((flight.master, K.MASTER_ARRIVED))
    flight.run()
    settled = Parcel(flight.node.word(flight.parcel))
    assert Status.CLEARED not in settled.status
    assert (Finding.IDENTITY_STOPPED in settled.findings) == (what != "withheld")


@pytest.mark.parametrize("report", [K.MASTER_ARRIVED, K.MASTER_UNLOADED])
@pytest.mark.parametrize("what", ["denied", "frozen", "withheld"])
def test_carry_in_after_the_report_finds_the_stop(database: Database, tmp_path: Path, what: str, report: K) -> None:
    flight = Flight(database, tmp_path, consent_first=what == "withheld")
    flight.says(what)
    flight.run()
    waits = what == "frozen"
    assert flight.said(flight.parcel)["IDENTITY_STOPPED"] == (what == "denied"), "a freeze's stop is spread in the air"
    flight.writes((flight.master, report))
    flight.run()
    assert flight.said(flight.parcel)["IDENTITY_STOPPED"] == (what == "denied" or waits)
    carried = flight.carried_in()
    assert carried.clearance == ("pending" if what == "withheld" else "referred")


def test_a_freeze_in_the_air_is_said_within_the_spread(flight: Flight) -> None:
    flight.says("frozen")
    flight.run()
    assert flight.said(flight.parcel) == Counter(IDENTITY_CHECKED=1)
    flight.node.move_to(START + int(SPREAD.total_seconds()) + 60)
    flight.run()
    assert flight.said(flight.parcel) == Counter(IDENTITY_CHECKED=1, IDENTITY_STOPPED=1)


def test_a_freeze_holds_back_what_is_cleared_and_has_not_left_the_yard(flight: Flight) -> None:
    flight.writes((flight.master, K.MASTER_ARRIVED))
    assert flight.carried_in().clearance == "cleared"
    flight.says("frozen")
    flight.run()
    flight.writes((flight.parcel, K.RELEASED))
    released = Parcel(flight.node.word(flight.parcel))
    assert Status.STOP_OPEN in released.status
    assert Status.RELEASED not in released.status


def test_a_freeze_said_again_is_the_same_answer_after_what_it_let_through_has_left(flight: Flight) -> None:
    said, let = Said(None, int(flight.time.timestamp()), "0" * 32), [flight.use().id]
    first = flight.answers().freeze(flight.holder(), let, said)
    flight.writes((flight.master, K.MASTER_ARRIVED))
    assert flight.carried_in().clearance == "cleared"
    flight.writes((flight.parcel, K.RELEASED))
    assert Status.RELEASED in Parcel(flight.node.word(flight.parcel)).status
    again = flight.answers().freeze(flight.holder(), let, said)
    assert (again.id, again.receipt) == (first.id, first.receipt)
    with pytest.raises(APIError) as refused:
        flight.answers().freeze(flight.holder(), let, Said())
    assert refused.value.code == "api.not-found", "what has left is let through no more"
