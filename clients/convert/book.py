"""The courier's own book: which house bill is which parcel on the ledger, which master it travels under, which place.

A house bill stands nowhere on the ledger, and a parcel's id is random to everyone else: only who filed it can join the
two. The book is an SQLite file beside the courier's spool; it never leaves the courier.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from clients.convert.meanings import Phase
from ledger.chain.batch import Batch
from ledger.chain.writer import MAIN_LANE
from ledger.domain.errors import LedgerError

MAX_BILL: Final = 80
"""Characters of a bill or place."""
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS parcel (
    house_bill TEXT PRIMARY KEY, id BLOB NOT NULL CHECK (length(id) = 32), master_bill TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS master (
    master_bill TEXT PRIMARY KEY, id BLOB NOT NULL CHECK (length(id) = 32)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS place (name TEXT PRIMARY KEY, phase TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS begun (
    what TEXT NOT NULL, bill TEXT NOT NULL, seq INTEGER NOT NULL, not_after INTEGER NOT NULL, entries BLOB NOT NULL,
    signature BLOB NOT NULL, PRIMARY KEY (what, bill)
) WITHOUT ROWID;
"""
What = Literal["parcel", "master"]
"""What a bill stands for."""


class BookFault(LedgerError):
    """The book of parcels cannot be used."""

    code = "book.unusable"


@dataclass(frozen=True, slots=True)
class Noted:
    """A parcel as the book has it. Ids are those on chain."""

    parcel: int
    master_bill: str = ""


def normal(bill: str) -> str:
    """Return a bill or place as the book spells it: no outer blanks, upper case, since scanners differ in that."""
    return bill.strip().upper()


class Book:
    """Bills to ids. Noting the same again changes nothing."""

    def __init__(self, path: Path | str = ":memory:") -> None:
        """Open or make the file.

        Raises:
            BookFault: it cannot be opened, or is no book.
        """
        try:
            self._db = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
            self._db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;" + _TABLES)
        except sqlite3.Error as error:
            raise BookFault(f"{path}: {error}.", hint="Check the path and that the disk has room.") from error

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def note_parcel(self, house_bill: str, parcel: int, master_bill: str = "") -> None:
        """Note which parcel a house bill is; a master noted later is added.

        Raises:
            BookFault: the bill stands for another parcel already, or the file cannot be written.
        """
        self.note_parcels([(house_bill, parcel, master_bill)])

    def note_parcels(self, rows: Iterable[tuple[str, int, str]]) -> None:
        """Note many parcels (house bill, id, master bill), all or none.

        Raises:
            BookFault: a bill stands for another parcel already, or the file cannot be written.
        """
        try:
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                for house_bill, parcel, master_bill in rows:
                    self._note(_checked(house_bill), parcel.to_bytes(32, "big"), normal(master_bill)[:MAX_BILL])
        except (sqlite3.Error, OverflowError) as error:
            raise BookFault(f"The book cannot be written: {error}.", hint="Check that the disk has room.") from error

    def _note(self, house_bill: str, parcel: bytes, master_bill: str) -> None:
        row = self._db.execute(
            "INSERT INTO parcel VALUES (?, ?, ?) ON CONFLICT (house_bill) DO UPDATE SET master_bill ="
            " CASE excluded.master_bill WHEN '' THEN master_bill ELSE excluded.master_bill END RETURNING id",
            (house_bill, parcel, master_bill),
        ).fetchall()
        if row[0][0] != parcel:
            raise BookFault("A house bill stands for another parcel already.", hint="Use each house bill once.")

    def note_master(self, master_bill: str, master: int) -> None:
        """Note which id a master bill has.

        Raises:
            BookFault: it stands for another id already.
        """
        with self._db:
            self._note_master(_checked(master_bill), master.to_bytes(32, "big"))

    def _note_master(self, master_bill: str, master: bytes) -> None:
        row = self._db.execute(
            "INSERT INTO master VALUES (?, ?) ON CONFLICT DO UPDATE SET id = id RETURNING id", (master_bill, master)
        ).fetchall()
        if row[0][0] != master:
            raise BookFault("A master bill stands for another id already.", hint="Use each master bill once.")

    def begin(self, what: What, bill: str, batch: Batch) -> None:
        """Note a bill with the signed batch that opens its subject, before that is sent: the same may be sent again.

        Raises:
            BookFault: the bill stands for another id already, or the file cannot be written.
        """
        (entry,) = batch.unpacked()
        values = (what, _checked(bill), batch.seq, batch.not_after, batch.entries, batch.signature)
        subject = entry.subject.to_bytes(32, "big")
        try:
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                if what == "parcel":
                    self._note(_checked(bill), subject, "")
                else:
                    self._note_master(_checked(bill), subject)
                self._db.execute("INSERT INTO begun VALUES (?, ?, ?, ?, ?, ?)", values)
        except sqlite3.Error as error:
            raise BookFault(f"The book cannot be written: {error}.", hint="Check that the disk has room.") from error

    def begun(self, what: What, bill: str) -> Batch | None:
        """Return the batch of a bill whose end nobody saw."""
        query = "SELECT seq, not_after, entries, signature FROM begun WHERE what = ? AND bill = ?"
        row = self._one(query, what, normal(bill))
        return Batch(MAIN_LANE, *row) if row else None

    def end(self, what: What, bill: str) -> None:
        """Note that a bill's batch was recorded."""
        self._drop("DELETE FROM begun WHERE what = ? AND bill = ?", what, normal(bill))

    def forget(self, what: What, bill: str) -> bool:
        """Forget a bill whose batch came to nothing; return whether there was one."""
        self.end(what, bill)
        table = "parcel WHERE house_bill" if what == "parcel" else "master WHERE master_bill"
        return self._drop(f"DELETE FROM {table} = ?", normal(bill)) > 0  # noqa: S608  one of two texts of ours

    def _drop(self, query: str, *values: str) -> int:
        try:
            return self._db.execute(query, values).rowcount
        except sqlite3.Error as error:
            raise BookFault(f"The book cannot be written: {error}.", hint="Check that the disk has room.") from error

    def note_place(self, name: str, phase: Phase) -> None:
        """Note where one of the courier's places stands on the way."""
        with self._db:
            self._db.execute("INSERT OR REPLACE INTO place VALUES (?, ?)", (_checked(name), phase.value))

    def parcel(self, house_bill: str) -> Noted | None:
        """Return the parcel of a house bill."""
        row = self._one("SELECT id, master_bill FROM parcel WHERE house_bill = ?", normal(house_bill))
        return Noted(int.from_bytes(row[0], "big"), row[1]) if row else None

    def master(self, master_bill: str) -> int | None:
        """Return the id of a master bill."""
        row = self._one("SELECT id FROM master WHERE master_bill = ?", normal(master_bill))
        return int.from_bytes(row[0], "big") if row else None

    def phase(self, place: str) -> Phase | None:
        """Return where a place stands."""
        row = self._one("SELECT phase FROM place WHERE name = ?", normal(place))
        return Phase(row[0]) if row else None

    def _one(self, query: str, *values: str) -> Any:
        try:
            found: tuple[Any, ...] | None = self._db.execute(query, values).fetchone()
        except sqlite3.Error as error:
            raise BookFault(f"The book cannot be read: {error}.", hint="Check its disk.") from error
        return found


def _checked(bill: str) -> str:
    text = normal(bill)
    if not 1 <= len(text) <= MAX_BILL:
        raise BookFault(f"A bill or place has 1 to {MAX_BILL} characters.", hint="Check the row.")
    return text
