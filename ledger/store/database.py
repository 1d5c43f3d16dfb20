"""Opens the gateway's database and hands out sessions, the same on SQLite and PostgreSQL.

SQLite lets one writer in at a time: write sessions begin IMMEDIATE, so that they wait for the lock instead of failing
half way, and every commit is synced (WAL, synchronous FULL). Within a process they wait for a lock of its own first:
who waits for SQLite's own sleeps up to 100 ms between two tries, however soon it is free.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Final

from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlmodel import Session, create_engine

from ledger.domain.errors import LedgerError

__all__ = ["Database", "DatabaseUnavailable", "Session"]

BUSY_MILLISECONDS: Final = 15_000
POOL: Final = 48
"""Connections at most: the threads that serve requests, and the projector's and submitter's own."""


class DatabaseUnavailable(LedgerError):
    """The database does not answer, is full or is locked."""

    code = "database.unavailable"


class Database:
    """One database of a gateway."""

    def __init__(self, url: str) -> None:
        """Take an SQLAlchemy address: `sqlite:///PATH` or `postgresql+psycopg://...`."""
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        # parameters may be names, numbers, tokens: no error shows them
        options: dict[str, Any] = {"pool_size": POOL, "max_overflow": 0, "pool_pre_ping": not self.is_sqlite,
                                   "hide_parameters": True}  # fmt: skip
        self.engine = create_engine(url, **options)
        event.listen(self.engine, "handle_error", _without_row)
        if self.is_sqlite:
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        self._writing = self.engine.execution_options(begin_immediate=True)
        self._turn = threading.Lock()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a session that only reads.

        Raises:
            DatabaseUnavailable: no answer.
        """
        with _translated(), Session(self.engine, autoflush=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Open a session that commits when the block ends well and rolls back when it raises.

        Raises:
            DatabaseUnavailable: no answer, full disk, or a lock held for too long.
        """
        turn: AbstractContextManager[None] = self._own_turn() if self.is_sqlite else nullcontext()
        with turn, _translated(), Session(self._writing) as session, session.begin():
            yield session

    @contextmanager
    def _own_turn(self) -> Iterator[None]:
        if not self._turn.acquire(timeout=BUSY_MILLISECONDS / 1_000):
            raise DatabaseUnavailable("Other writers do not come to an end.", hint="Try again in a moment.")
        try:
            yield
        finally:
            self._turn.release()

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        raise DatabaseUnavailable(
            f"The database does not take this ({type(error.orig).__name__}).",
            hint="Check that it runs, and that its disk has room; then try again.",
        ) from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise DatabaseUnavailable("The database went away.", hint="Check that it runs; then try again.") from error
        raise


def _without_row(context: ExceptionContext) -> None:
    """Leave only the first line of what PostgreSQL says: beside it stands the row that failed, with all its values."""
    error = context.original_exception
    first = getattr(getattr(error, "diag", None), "message_primary", None)
    if first is None:
        return
    whole = str(error)
    for each in (error, context.sqlalchemy_exception):
        if each is not None:
            each.args = tuple(part.replace(whole, first) if isinstance(part, str) else part for part in each.args)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # SQLAlchemy's BEGIN is ours, see _begin_sqlite
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_MILLISECONDS}"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Engine) -> None:
    immediate = connection.get_execution_options().get("begin_immediate", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")  # type: ignore[attr-defined]
