"""Write sessions take turns: nothing is lost among threads, a failed one lets the next in, none waits for ever."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ledger.store import database as module
from ledger.store.database import Database, DatabaseUnavailable
from ledger.store.migrations import migrate
from ledger.store.tables.chain import Cursor


def rise(database: Database) -> None:
    with database.write() as session:
        row = session.get(Cursor, 1, with_for_update=True)
        assert row is not None
        row.height += 1
        session.add(row)


@pytest.fixture
def counting(database: Database) -> Database:
    with database.write() as session:
        session.add(Cursor(genesis_hash=bytes(32), height=0, block_hash=bytes(32)))
    return database


def height(database: Database) -> int:
    with database.read() as session:
        row = session.get(Cursor, 1)
        assert row is not None
        return row.height


def test_many_threads_write_and_nothing_is_lost(counting: Database) -> None:
    with ThreadPoolExecutor(8) as threads:
        for done in [threads.submit(rise, counting) for _ in range(80)]:
            done.result()
    assert height(counting) == 80


def fail(database: Database) -> None:
    with database.write() as session:
        session.add(Cursor(id=1, genesis_hash=bytes(32), height=7, block_hash=bytes(32)))
        raise ZeroDivisionError


def test_a_session_that_fails_lets_the_next_one_in(counting: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        fail(counting)
    rise(counting)
    assert height(counting) == 1


def test_on_sqlite_who_waits_too_long_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database(f"sqlite:///{tmp_path / 'gateway.db'}")
    migrate(database)
    monkeypatch.setattr(module, "BUSY_MILLISECONDS", 50)
    with database.write(), ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(rise, database)
        with pytest.raises(DatabaseUnavailable):
            waiting.result()
    database.close()
