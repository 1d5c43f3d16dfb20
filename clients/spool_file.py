"""The file of a spool: its tables, and what can go wrong with it."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from typing import Final

from ledger.domain.errors import LedgerError

TABLES: Final = """
CREATE TABLE IF NOT EXISTS bound (what TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ticket (id INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL, at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS batch (
    id INTEGER PRIMARY KEY AUTOINCREMENT, lane BLOB NOT NULL, seq INTEGER NOT NULL, entries BLOB NOT NULL,
    count INTEGER NOT NULL, state TEXT NOT NULL, code TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT '',
    receipt TEXT NOT NULL DEFAULT '', at INTEGER NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS batch_number ON batch (lane, seq) WHERE state NOT IN ('refused', 'void');
CREATE INDEX IF NOT EXISTS batch_state ON batch (state, id);
CREATE TABLE IF NOT EXISTS version (
    name BLOB PRIMARY KEY, batch INTEGER NOT NULL REFERENCES batch, not_after INTEGER NOT NULL,
    signature BLOB NOT NULL, tried INTEGER NOT NULL DEFAULT 0, number INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS version_batch ON version (batch, number);
CREATE TABLE IF NOT EXISTS entry (
    id INTEGER PRIMARY KEY AUTOINCREMENT, ticket INTEGER NOT NULL REFERENCES ticket, lane BLOB NOT NULL,
    packed BLOB NOT NULL, event BLOB, place TEXT NOT NULL, name TEXT NOT NULL, batch INTEGER REFERENCES batch,
    number INTEGER, outcome TEXT NOT NULL DEFAULT '', code TEXT NOT NULL DEFAULT '', effects TEXT NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX IF NOT EXISTS entry_event ON entry (event)
    WHERE event IS NOT NULL AND outcome IN ('', 'recorded');
CREATE INDEX IF NOT EXISTS entry_waiting ON entry (lane, id) WHERE batch IS NULL AND outcome = '';
CREATE INDEX IF NOT EXISTS entry_open ON entry (id) WHERE outcome = '';
CREATE INDEX IF NOT EXISTS entry_batch ON entry (batch, number);
CREATE INDEX IF NOT EXISTS entry_ticket ON entry (ticket, id);
"""


class SpoolFault(LedgerError):
    """The spool's file cannot be used."""

    code = "spool.unusable"


class SpoolFull(SpoolFault):
    """As much waits as the spool may hold."""

    code = "spool.full"


class SpoolDiskFull(SpoolFault):
    """The disk has no room; nothing that was taken is lost."""

    code = "spool.disk-full"


class SpoolForeign(SpoolFault):
    """The spool is of another key or chain."""

    code = "spool.foreign"


class SpoolInUse(SpoolFault):
    """Another process sends from this spool."""

    code = "spool.in-use"


@contextlib.contextmanager
def faults() -> Iterator[None]:
    """Turn faults of the file into errors that say what to do.

    Raises:
        SpoolDiskFull: the disk has no room.
        SpoolFault: any other fault.
    """
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
            raise SpoolDiskFull(
                "The disk of the spool has no room, or fails.", hint="Make room and start again; nothing taken is lost."
            ) from error
        raise SpoolFault(f"The spool cannot be used: {error}.", hint="Check the path.") from error
    except OSError as error:
        raise SpoolFault(f"The spool cannot be used: {error.strerror}.", hint="Check the path.") from error
