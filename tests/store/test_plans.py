"""What is asked all the time finds its rows by an index: no such statement walks a whole table."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlmodel import Session, select

from ledger.domain.history import Declaration, Purchase
from ledger.store import access, buyers, history, leases, parcels, people, screenings, submissions, uses
from ledger.store.database import Database
from ledger.store.migrations import migrate
from ledger.store.sealing import Seals
from ledger.store.tables.chain import ParcelRow
from ledger.store.tables.identity import UseRow

NOW = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
PERSON, PARCEL, KEY = bytes(16), bytes(32), bytes(20)
DECLARED = Declaration(
    parcel=PARCEL, filing=KEY, person=PERSON, declared_on=NOW.date(), cents=1, limit_cents=1, bill=PARCEL,
    arrived_on=NOW.date(), purchases=(Purchase(PARCEL, NOW.date(), 1),), cluster=PARCEL,
)  # fmt: skip
ROW = ParcelRow(id=PARCEL, filing=KEY)
SEALS = Seals(bytes(32))
ASKED: dict[str, Callable[[Session], object]] = {
    "uses of a number": lambda session: uses.of_person(session, PERSON, limit=20),
    "the next page of them": lambda session: uses.of_person(session, PERSON, before=(NOW, "use_1"), limit=20),
    "one use": lambda session: uses.one(session, PERSON, "use_1"),
    "parcels under way": lambda session: uses.under_way(session, PERSON),
    "reasons": lambda session: uses.causes_of(session, [PARCEL, bytes(31) + b"1"]),
    "consent": lambda session: uses.without_consent(session, [PARCEL, bytes(31) + b"1"]),
    "time line": lambda session: parcels.time_line(session, PARCEL),
    "parcel behind a link": lambda session: uses.by_link(session, "link"),
    "a buyer's session": lambda session: buyers.session_of(session, "token", NOW),
    "a member's session": lambda session: access.caller_of(session, "token", NOW),
    "a submission": lambda session: submissions.find(session, "sub_1"),
    "a batch": lambda session: submissions.find(session, "0x" + "00" * 32),
    "the next number of a lane": lambda session: submissions.next_seq(session, KEY, 1),
    "what waits": lambda session: submissions.waiting(session),
    "what is late": lambda session: submissions.sent_before(session, NOW, 64),
    "entries of a batch": lambda session: parcels.entries_of_batch(session, 1, 0),
    "filings to judge": lambda session: uses.waiting_filings(session, NOW, 10),
    "whether anything is kept of a person": lambda session: history.seen(session, PERSON),
    "what a person declared": lambda session: history.own(session, DECLARED),
    "what was declared for an address": lambda session: history.clustered(session, DECLARED),
    "where filings stand": lambda session: history.filing_places(session, [PARCEL, bytes(31) + b"1"]),
    "who sold": lambda session: history.sold(session, [PARCEL]),
    "what arrived": lambda session: history.arrivals(session, [1]),
    "what was referred": lambda session: history.referred_among(session, [PARCEL, bytes(31) + b"1"]),
    "a lease": lambda session: leases.row_of(session, "job"),
    "what stands about filings": lambda session: uses.known_of(session, [ROW, ROW]),
    "whose numbers these are": lambda session: people.holders(session, SEALS, ["P990000000001", "P990000000002"]),
    "people, locked": lambda session: people.locked(session, [PERSON, bytes(15) + b"1"]),
    "who was sent goods there": lambda session: screenings.numbers_at(session, PARCEL, PARCEL, NOW, 5),
    "who denied goods sent there": lambda session: screenings.deniers_at(session, PARCEL, None, NOW, 2),
    "the same house bill": lambda session: screenings.same_bill(session, PARCEL, PARCEL),
}


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    path: Path = tmp_path_factory.mktemp("plans") / "gateway.db"
    database = Database(f"sqlite:///{path}")
    migrate(database)
    yield database
    database.close()


def plans(database: Database, ask: Callable[[Session], object]) -> list[str]:
    """Ask, and return how SQLite would find the rows of every statement that was sent."""
    sent: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        sent.append((statement, parameters))

    with database.read() as session:
        event.listen(database.engine, "before_cursor_execute", note)
        try:
            ask(session)
        finally:
            event.remove(database.engine, "before_cursor_execute", note)
        connection = session.connection()
        found = []
        for statement, parameters in sent:
            if statement.startswith("SELECT"):
                explained = connection.exec_driver_sql("EXPLAIN QUERY PLAN " + statement, parameters)
                found += [str(row[3]) for row in explained]
        return found


@pytest.mark.parametrize("what", ASKED)
def test_it_is_found_by_an_index(sqlite: Database, what: str) -> None:
    found = plans(sqlite, ASKED[what])
    assert found
    tables = [each for each in found if each != "SCAN CONSTANT ROW"]  # a row that the statement itself spells out
    assert not [each for each in tables if each.startswith("SCAN")], found


def test_a_walk_would_be_seen(sqlite: Database) -> None:
    found = plans(sqlite, lambda session: session.exec(select(UseRow).where(text("receiver_differs"))).all())
    assert [each for each in found if each.startswith("SCAN")]
