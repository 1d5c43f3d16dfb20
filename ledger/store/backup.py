"""Copies of a gateway's database: always one SQLite file, whatever the database is, made while the gateway runs."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, func, insert, select, text
from sqlmodel import SQLModel

import ledger.store.tables  # noqa: F401  registers every table
from ledger.domain.errors import LedgerError
from ledger.store.database import Database
from ledger.store.migrations import check_current, migrate
from ledger.store.tables.chain import Cursor

PAGE: Final = 1_000


class BadCopy(LedgerError):
    """The copy of a database cannot be used."""

    code = "backup.invalid"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a copied database stands.

    Attributes:
        revision: of its tables.
        genesis_hash, height, block_hash: the read model's cursor; None before the first block.
    """

    revision: str
    genesis_hash: bytes | None = None
    height: int = 0
    block_hash: bytes | None = None


def save(database: Database, path: Path) -> Place:
    """Copy a database into a new SQLite file, as it stands at one moment.

    SQLite copies itself page by page (its online backup). The rows of a PostgreSQL database are read in one
    transaction that sees one moment (repeatable read): no server tool of the right version has to be at hand, and the
    copy can be restored into either.

    Raises:
        WrongSchema: its tables are of another version than this program.
        DatabaseUnavailable: it does not answer.
    """
    check_current(database)
    if database.is_sqlite:
        raw = database.engine.raw_connection()
        try:
            with sqlite3.connect(path) as made:
                raw.driver_connection.backup(made)  # type: ignore[union-attr]
            made.close()
        finally:
            raw.close()
    else:
        copy = Database(f"sqlite:///{path}")
        migrate(copy)
        _copy_rows(database, copy)
        copy.close()
    _one_file(path)
    return check(path)


def check(path: Path) -> Place:
    """Check a copy's pages and keys; return where it stands.

    Raises:
        BadCopy: damaged, or no copy of a gateway's database.
    """
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
            found = [row[0] for row in connection.execute("PRAGMA integrity_check")]
            broken = connection.execute("PRAGMA foreign_key_check").fetchall()
            revision = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        connection.close()
    except sqlite3.Error as error:
        raise BadCopy(f"{path.name} is no copy of a gateway's database.", hint="Use another backup.") from error
    if found != ["ok"] or broken or revision is None:
        raise BadCopy(f"{path.name} is damaged.", hint="Use another backup.")
    copy = Database(f"sqlite:///{path}")
    try:
        with copy.engine.connect() as session:
            wanted = (Cursor.genesis_hash, Cursor.height, Cursor.block_hash)
            cursor = session.execute(select(*wanted)).one_or_none()  # type: ignore[call-overload]
    finally:
        copy.close()
    _one_file(path)
    return Place(revision[0], *cursor) if cursor else Place(revision[0])


def load(path: Path, database: Database) -> None:
    """Put a copy's rows into a database that holds none, and bring its tables up to date.

    Raises:
        BadCopy: the database is in use already.
    """
    copy = Database(f"sqlite:///{path}")
    try:
        migrate(copy)
        migrate(database)
        with database.engine.connect() as connection:
            used = [t.name for t in SQLModel.metadata.sorted_tables if connection.execute(select(t).limit(1)).first()]
        if used:
            raise BadCopy(f"The database holds rows already ({used[0]}).", hint="Restore into an empty database.")
        _copy_rows(copy, database)
    finally:
        copy.close()


def _copy_rows(source: Database, target: Database) -> None:
    level: dict[str, Any] = (
        {} if source.is_sqlite else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    )
    with source.engine.connect().execution_options(**level) as reading, target.write() as session:
        writing = session.connection()
        for table in SQLModel.metadata.sorted_tables:
            rows = reading.execution_options(yield_per=PAGE).execute(select(table)).mappings()
            for page in rows.partitions():
                writing.execute(insert(table), [dict(row) for row in page])
        if not target.is_sqlite:
            _go_on_counting(writing)


def _go_on_counting(connection: Connection) -> None:
    """Set PostgreSQL's sequences behind the highest number that was copied."""
    for table in SQLModel.metadata.sorted_tables:
        column = table.autoincrement_column
        last = connection.execute(select(func.max(column))).scalar() if column is not None else None
        if column is not None and last is not None:
            connection.execute(
                text("SELECT setval(pg_get_serial_sequence(:name, :column), :last)"),
                {"name": table.name, "column": column.name, "last": last},
            )


def _one_file(path: Path) -> None:
    """Leave the copy as one file, without the log beside it that SQLite keeps while it is used."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=DELETE")
    connection.close()
