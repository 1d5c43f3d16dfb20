"""The file of a spool: its tables, what it tells, and what can go wrong with it."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ledger.chain.batch import Batch
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
CREATE TABLE IF NOT EXISTS again (ticket INTEGER NOT NULL, entry INTEGER NOT NULL, PRIMARY KEY (ticket, entry))
    WITHOUT ROWID;
"""


OF_TICKET: Final = (
    "entry.id IN (SELECT id FROM entry WHERE ticket = ?1"
    " UNION ALL SELECT again.entry FROM again WHERE again.ticket = ?1)"
)
"""Entries of a ticket, those included that another ticket brought first."""
OF_ANY: Final = "?1 IS NULL"


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


def word(value: int) -> bytes:
    """Return a 64-bit number as bytes: SQLite's own integers end at 63 bits."""
    return value.to_bytes(8, "big")


@dataclass(frozen=True, slots=True)
class Signed:
    """A batch of the spool, with the newest form it was signed in.

    Attributes:
        tried: it may have left this machine.
    """

    id: int
    state: str
    batch: Batch
    name: bytes
    tried: bool
    count: int
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Row:
    """An entry and what became of it, for people.

    Attributes:
        outcome: empty while it is on its way, else recorded, rejected (it alone) or refused (with its batch).
        state: of its batch, `waiting` before it has one.
    """

    place: str
    name: str
    subject: int
    state: str
    outcome: str
    code: str
    effects: tuple[str, ...]


class SpoolReader:
    """What a spool tells; it needs no key."""

    def __init__(self, path: Path) -> None:
        """Open or make the file.

        Raises:
            SpoolFault: it cannot be used.
        """
        self.path = path
        self._lock = threading.RLock()
        with faults():
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._db = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
            self._db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;" + TABLES)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _read(self, query: str, *values: Any) -> list[Any]:
        with self._lock, faults():
            return self._db.execute(query, values).fetchall()

    def batch(self, number: int) -> Signed:
        """Return a batch with its newest form."""
        return self._batches("batch.id = ?", number)[0]

    def live(self, lane: int) -> list[Signed]:
        """Return the batches of a lane that are on their way, by number."""
        return self._batches("lane = ? AND state IN ('signed', 'sent', 'included') ORDER BY seq", word(lane))

    def _batches(self, where: str, *values: Any) -> list[Signed]:
        rows = self._read(
            "SELECT batch.id, state, lane, seq, not_after, entries, signature, name, tried, count, code, reason"  # noqa: S608
            " FROM batch JOIN version ON version.batch = batch.id AND version.number ="
            f" (SELECT max(number) FROM version WHERE batch = batch.id) WHERE {where}",
            *values,
        )
        return [
            Signed(row[0], row[1], Batch(int.from_bytes(row[2], "big"), *row[3:7]), row[7], bool(row[8]), *row[9:12])
            for row in rows
        ]

    def has_ticket(self, ticket: int) -> bool:
        """Return whether a file was taken under a number, though nothing of it may have been kept."""
        return bool(self._read("SELECT 1 FROM ticket WHERE id = ?", ticket))

    def rows(self, ticket: int | None = None, *, open_only: bool = False, limit: int = 1_000_000) -> list[Row]:
        """Return entries and what became of them, in the order they came; a ticket's too that another one brought."""
        chosen = OF_ANY if ticket is None else OF_TICKET
        found = self._read(
            "SELECT place, name, packed, coalesce(batch.state, 'waiting'), outcome, entry.code, effects, batch.code"  # noqa: S608
            " FROM entry LEFT JOIN batch ON batch.id = entry.batch"
            f" WHERE {chosen} AND (NOT ?2 OR outcome = '') ORDER BY entry.id LIMIT ?3",
            ticket, open_only, limit,
        )  # fmt: skip
        return [
            Row(row[0], row[1], int.from_bytes(row[2][:32], "big"), row[3], row[4], row[5] or row[7] or "",
                tuple(row[6].split())) for row in found
        ]  # fmt: skip

    def counts(self, ticket: int | None = None) -> dict[str, int]:
        """Return how many entries are open and how many ended, by outcome."""
        chosen = OF_ANY if ticket is None else OF_TICKET
        rows = self._read(f"SELECT outcome, count(*) FROM entry WHERE {chosen} GROUP BY 1", ticket)  # noqa: S608
        found = dict(rows)
        return {name or "open": found.get(name, 0) for name in ("", "recorded", "rejected", "refused")}

    def stuck(self) -> list[Signed]:
        """Return the batches that do not go on, with why."""
        return self._batches("state IN ('signed', 'sent') AND code != '' ORDER BY batch.id")
