"""Tables come from migrations alone, and migrations say what the code says."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import inspect
from sqlalchemy.exc import IntegrityError, StatementError

from ledger.store.database import Database
from ledger.store.migrations import WrongSchema, check_current, differences, migrate
from ledger.store.tables.outbox import SubmissionRow

NOW = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)


def submission(**fields: object) -> SubmissionRow:
    values = {
        "id": "sub_1", "hash": bytes(32), "key": bytes(20), "org": 1, "lane": (1 << 64) - 1, "seq": 0,
        "not_after": (1 << 64) - 1, "entries": bytes(32), "signature": bytes(65), "count": 0,
        "accepted_at": NOW, "changed_at": NOW,
    }  # fmt: skip
    return SubmissionRow(**(values | fields))


def test_up_down_up(empty: Database) -> None:
    migrate(empty)
    check_current(empty)
    assert differences(empty) == []
    migrate(empty, "base")
    assert set(inspect(empty.engine).get_table_names()) <= {"alembic_version"}
    migrate(empty)
    check_current(empty)


def test_older_tables_are_refused(empty: Database) -> None:
    with pytest.raises(WrongSchema, match="clearance api migrate"):
        check_current(empty)


def test_numbers_of_64_bits_and_aware_times_come_back_whole(database: Database) -> None:
    with database.write() as session:
        session.add(submission())
    with database.read() as session:
        row = session.get(SubmissionRow, 1)
        assert row is not None
        assert (row.lane, row.not_after) == ((1 << 64) - 1, (1 << 64) - 1)
        assert row.accepted_at == NOW
        assert row.accepted_at.tzinfo is not None


def test_naive_times_are_refused(database: Database) -> None:
    with pytest.raises(StatementError, match="without zone"), database.write() as session:
        session.add(submission(accepted_at=dt.datetime(2026, 1, 1)))  # noqa: DTZ001


@pytest.mark.parametrize("twist", [{"state": "invented"}, {"hash": None}])
def test_rows_that_mean_nothing_are_refused_by_the_database(database: Database, twist: dict[str, object]) -> None:
    with pytest.raises(IntegrityError), database.write() as session:
        session.add(submission(**twist))
    with database.read() as session:
        assert session.get(SubmissionRow, 1) is None


def test_a_batch_stands_once(database: Database) -> None:
    with database.write() as session:
        session.add(submission())
    with pytest.raises(IntegrityError), database.write() as session:
        session.add(submission(id="sub_2"))
