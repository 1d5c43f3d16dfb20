"""A database copied at one moment while others write, put into either kind of database, and counting on from there."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlmodel import SQLModel

from ledger.chain.batch import Batch
from ledger.store import submissions
from ledger.store.backup import BadCopy, check, load, save
from ledger.store.database import Database
from ledger.store.migrations import WrongSchema, migrate
from ledger.store.tables.chain import BlockRow, Cursor

NOW = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
TOP = (1 << 64) - 1


@pytest.fixture
def other(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An SQLite database, the one that a copy of PostgreSQL may go into and the other way round."""
    made = Database(f"sqlite:///{tmp_path / 'other.db'}")
    yield made
    made.close()


def put(database: Database, number: int) -> None:
    """Write a block, the cursor and a submission together."""
    batch = Batch(TOP, TOP - number, TOP, bytes(31) + b"\x01", bytes(65))
    with database.write() as session:
        session.add(BlockRow(height=number, hash=number.to_bytes(32, "big"), time=1_760_918_400 + number))
        cursor = session.get(Cursor, 1) or Cursor(genesis_hash=bytes(32), height=0, block_hash=bytes(32))
        cursor.height, cursor.block_hash = number, number.to_bytes(32, "big")
        session.add(cursor)
        submissions.accept(session, batch, number.to_bytes(32, "big"), bytes(20), 7, NOW)


def rows(database: Database) -> dict[str, list[Any]]:
    """Return every row of every table."""
    with database.engine.connect() as connection:
        return {t.name: sorted(map(repr, connection.execute(select(t)).all())) for t in SQLModel.metadata.sorted_tables}


def test_every_row_comes_back_and_numbers_go_on(database: Database, other: Database, tmp_path: Path) -> None:
    for number in range(1, 4):
        put(database, number)
    place = save(database, tmp_path / "copy.db")
    assert (place.height, place.block_hash) == (3, (3).to_bytes(32, "big"))
    assert check(tmp_path / "copy.db") == place
    load(tmp_path / "copy.db", other)
    assert rows(other) == rows(database)
    put(other, 4)
    assert [path.name for path in tmp_path.glob("copy*")] == ["copy.db"], "a copy is one file"


def test_a_copy_goes_into_an_empty_database_of_either_kind(empty: Database, other: Database, tmp_path: Path) -> None:
    migrate(other)
    for number in range(1, 4):
        put(other, number)
    save(other, tmp_path / "copy.db")
    load(tmp_path / "copy.db", empty)
    assert rows(empty) == rows(other)
    put(empty, 4)  # its number is not one that was copied
    with pytest.raises(BadCopy, match="holds rows already"):
        load(tmp_path / "copy.db", empty)


def test_a_copy_made_while_others_write_is_of_one_moment(database: Database, tmp_path: Path) -> None:
    put(database, 1)
    stop = threading.Event()

    def write() -> None:
        number = 2
        while not stop.is_set():
            put(database, number)
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        places = [save(database, tmp_path / f"{number}.db") for number in range(5)]
    finally:
        stop.set()
        writer.join()
    assert places[-1].height > places[0].height, "nobody wrote meanwhile"
    for number, place in enumerate(places):
        copy = Database(f"sqlite:///{tmp_path / f'{number}.db'}")
        found = rows(copy)
        copy.close()
        assert len(found["block"]) == len(found["submission"]) == place.height


def test_a_database_of_another_version_and_a_damaged_copy_are_refused(empty: Database, tmp_path: Path) -> None:
    with pytest.raises(WrongSchema):
        save(empty, tmp_path / "copy.db")
    migrate(empty)
    put(empty, 1)
    save(empty, tmp_path / "copy.db")
    whole = (tmp_path / "copy.db").read_bytes()
    (tmp_path / "copy.db").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadCopy):
        check(tmp_path / "copy.db")
    (tmp_path / "text.db").write_text("no database\n" * 1_000)
    with pytest.raises(BadCopy, match=r"text\.db"):
        check(tmp_path / "text.db")
