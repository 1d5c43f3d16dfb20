"""The courier's durable spool: entries from the moment they are taken until their batch is final, refused or dropped.

1. `add` keeps entries, each under its event's name, and answers only when they are on disk; an event is kept once.
2. `sign` packs the next entries of a lane, signs them under a number of that lane, and keeps the signed bytes before
   anybody sees them.
3. `clients.sender` hands these bytes over, again and again the same, and notes what it is told.

Every step is one transaction of SQLite (WAL, synced), so a process killed between any two of them finds what it needs.
A batch that expired is signed anew under the same lane and number: only one of the two can ever enter.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from clients.gate import Outcome
from clients.spool_file import Signed, SpoolForeign, SpoolFull, SpoolInUse, SpoolReader, faults, word
from ledger.chain.batch import Batch, Entry
from ledger.commitments import LedgerDomain
from ledger.domain.limits import MAX_BATCH_BYTES, MAX_ENTRIES, TRACE_LANE
from ledger.keys import LocalSigner

SCAN_LANE: Final = 2
"""Lane of a spool's entries: beside lane 1, which commands that send at once use, so that neither takes the other's
number."""
SCAN_TRACE_LANE: Final = TRACE_LANE + SCAN_LANE
MAX_WAITING: Final = 500_000
"""Entries that may wait."""
MAX_FILE: Final = 1 << 30
"""Bytes of the file, what is kept of the past included."""
KEEP_SECONDS: Final = 30 * 86_400
"""How long what ended is kept: until then its events are known as duplicates."""


@dataclass(frozen=True, slots=True)
class Item:
    """An entry to be kept.

    Attributes:
        event: its event's name; the same is kept once. None: it has none.
        place: where it stands in its source, for people.
        name: of its kind or trace.
    """

    entry: Entry
    lane: int
    event: bytes | None = None
    place: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Added:
    """What `add` kept: under which ticket, how many, and the places of events it knew already."""

    ticket: int
    new: int
    known: tuple[str, ...]


class Spool(SpoolReader):
    """One key's spool for one chain. Several processes may add; one sends (see :meth:`sending`)."""

    def __init__(
        self, path: Path, domain: LedgerDomain, signer: LocalSigner,
        *, max_waiting: int = MAX_WAITING, max_file: int = MAX_FILE,
    ) -> None:  # fmt: skip
        """Open or make the file.

        Raises:
            SpoolFault: it cannot be used, or belongs to another key or chain.
        """
        super().__init__(path)
        self.domain, self.signer = domain, signer
        self._max_waiting, self._max_file = max_waiting, max_file
        self._bind("key", signer.address)
        self._bind("chain", domain.self_hash())

    def _bind(self, what: str, value: bytes) -> None:
        with self.write() as db:
            db.execute("INSERT OR IGNORE INTO bound VALUES (?, ?)", (what, value))
            (kept,) = db.execute("SELECT value FROM bound WHERE what = ?", (what,)).fetchone()
        if kept != value:
            raise SpoolForeign(f"{self.path} is the spool of another {what}.", hint="Use one file for each of them.")

    @contextlib.contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Do one step: all of it is on disk when this ends, or nothing.

        Raises:
            SpoolDiskFull: no room; what was kept before is as it was.
            SpoolFault: any other fault of the file.
        """
        with self._lock, faults():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def sending(self) -> Iterator[None]:
        """Be the one process that sends from this spool; the lock goes with the process, even if it is killed.

        Raises:
            SpoolInUse: another one sends.
        """
        with (self.path.with_name(self.path.name + ".lock")).open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise SpoolInUse(f"Another process sends from {self.path}.", hint="It sends this too.") from error
            yield

    # --------------------------------------------------------------------------------------------------- taking in
    def add(self, items: Iterable[Item], source: str = "") -> Added:
        """Keep entries, all or none; they are on disk when this returns. What is known already is left out.

        Raises:
            SpoolFull: too much waits.
            SpoolDiskFull: the disk has no room.
        """
        new, known = 0, []
        now = int(time.time())
        with self.write() as db:
            ticket = db.execute("INSERT INTO ticket (source, at) VALUES (?, ?)", (source[:200], now)).lastrowid or 0
            for item in items:
                done = db.execute(
                    "INSERT INTO entry (ticket, lane, packed, event, place, name) VALUES (?, ?, ?, ?, ?, ?)"
                    " ON CONFLICT DO NOTHING",
                    (ticket, word(item.lane), item.entry.packed(), item.event, item.place[:300], item.name[:40]),
                )
                new += done.rowcount
                if not done.rowcount:
                    known.append(item.place)
                    db.execute(
                        "INSERT OR IGNORE INTO again SELECT ?, id FROM entry"
                        " WHERE event = ? AND outcome IN ('', 'recorded')",
                        (ticket, item.event),
                    )
            self._check_room(db)
        return Added(ticket, new, tuple(known))

    def _check_room(self, db: sqlite3.Connection) -> None:
        (waiting,) = db.execute("SELECT count(*) FROM entry WHERE outcome = ''").fetchone()
        (pages,), (size,) = (db.execute(f"PRAGMA {what}").fetchone() for what in ("page_count", "page_size"))
        (free,) = db.execute("PRAGMA freelist_count").fetchone()
        if waiting > self._max_waiting or (pages - free) * size > self._max_file:
            raise SpoolFull(
                "Too much waits in the spool already.", hint="Let it be sent first; `clearance courier spool` says why."
            )

    # --------------------------------------------------------------------------------------------------- signing
    def lanes(self) -> list[int]:
        """Return the lanes in which something waits or is on its way, oldest first."""
        rows = self._read(
            "SELECT lane, min(id) FROM entry WHERE outcome = '' GROUP BY lane UNION"
            " SELECT lane, 0 FROM batch WHERE state IN ('signed', 'sent', 'included') ORDER BY 2"
        )
        return list(dict.fromkeys(int.from_bytes(lane, "big") for lane, _ in rows))

    def highest(self, lane: int) -> int | None:
        """Return the highest number used, or about to be, in a lane."""
        (row,) = self._read(
            "SELECT max(seq) FROM batch WHERE lane = ? AND state NOT IN ('refused', 'void')", word(lane)
        )
        return None if row[0] is None else int(row[0])

    def sign(self, lane: int, seq: int, not_after: int) -> Signed | None:
        """Pack and sign what waits first in a lane, under a number; None if nothing waits.

        Raises:
            SpoolDiskFull: the disk has no room.
        """
        with self.write() as db:
            rows = db.execute(
                "SELECT id, packed FROM entry WHERE lane = ? AND batch IS NULL AND outcome = '' ORDER BY id LIMIT ?",
                (word(lane), MAX_ENTRIES),
            ).fetchall()
            taken = rows[: _fitting([len(packed) for _, packed in rows])]
            if not taken:
                return None
            found = self._insert(db, lane, seq, not_after, [packed for _, packed in taken])
            numbered = [(found, number, row[0]) for number, row in enumerate(taken)]
            db.executemany("UPDATE entry SET batch = ?, number = ? WHERE id = ?", numbered)
        return self.batch(found)

    def fill(self, lane: int, seq: int, not_after: int) -> Signed:
        """Sign an empty batch for a number that a refused batch has left."""
        with self.write() as db:
            found = self._insert(db, lane, seq, not_after, [])
        return self.batch(found)

    def _insert(self, db: sqlite3.Connection, lane: int, seq: int, not_after: int, packed: Sequence[bytes]) -> int:
        data = len(packed).to_bytes(32, "big") + b"".join(packed)
        added = db.execute(
            "INSERT INTO batch (lane, seq, entries, count, state, at) VALUES (?, ?, ?, ?, 'signed', ?)",
            (word(lane), seq, data, len(packed), int(time.time())),
        )
        number = added.lastrowid or 0
        self._sign(db, number, lane, seq, not_after, data)
        return number

    def _sign(self, db: sqlite3.Connection, number: int, lane: int, seq: int, not_after: int, data: bytes) -> None:
        signature = self.signer.sign_digest(self.domain.batch_digest(lane, seq, not_after, data))
        name = Batch(lane, seq, not_after, data, signature).hash(self.domain)
        (forms,) = db.execute("SELECT count(*) FROM version WHERE batch = ?", (number,)).fetchone()
        db.execute("INSERT INTO version VALUES (?, ?, ?, ?, 0, ?)", (name, number, not_after, signature, forms))

    def sign_again(self, signed: Signed, not_after: int) -> Signed:
        """Sign a batch anew under its lane and number with a later notAfter; the older forms are kept too."""
        batch = signed.batch
        with self.write() as db:
            self._sign(db, signed.id, batch.lane, batch.seq, not_after, batch.entries)
            _set_state(db, signed.id, "signed")
        return self.batch(signed.id)

    # --------------------------------------------------------------------------------------------- how far they came
    def taken(self, lane: int, start: int) -> set[int]:
        """Return the numbers of a lane, from one on, that batches of this spool have or had in the chain."""
        rows = self._read(
            "SELECT seq FROM batch WHERE lane = ? AND seq >= ? AND state NOT IN ('refused', 'void')", word(lane), start
        )
        return {seq for (seq,) in rows}

    def forms(self, signed: Signed) -> list[tuple[bytes, int]]:
        """Return name and notAfter of every form a batch was signed in, newest first."""
        rows = self._read("SELECT name, not_after FROM version WHERE batch = ? ORDER BY number DESC", signed.id)
        return [(name, not_after) for name, not_after in rows]

    def note_tried(self, signed: Signed) -> None:
        """Note that a batch leaves this machine now."""
        if not signed.tried:
            with self.write() as db:
                db.execute("UPDATE version SET tried = 1 WHERE name = ?", (signed.name,))

    def note_state(self, signed: Signed, state: str, receipt: dict[str, Any] | None = None) -> None:
        """Note how far a batch came; the receipt is kept beside it."""
        with self.write() as db:
            _set_state(db, signed.id, state)
            if receipt is not None:
                db.execute("UPDATE batch SET receipt = ? WHERE id = ?", (json.dumps(receipt), signed.id))

    def note_waiting(self, signed: Signed, code: str, reason: str) -> None:
        """Note why a batch does not go on."""
        if (signed.code, signed.reason) != (code, reason):
            with self.write() as db:
                db.execute("UPDATE batch SET code = ?, reason = ? WHERE id = ?", (code, reason[:300], signed.id))

    def note_visible(self, signed: Signed, outcomes: Iterable[Outcome]) -> None:
        """Note that a batch is final, and what each of its entries came to."""
        rows = [
            ("rejected" if each.code else "recorded", each.code, " ".join(each.effects), signed.id, each.number)
            for each in outcomes
        ]
        with self.write() as db:
            _set_state(db, signed.id, "visible")
            db.executemany("UPDATE entry SET outcome = ?, code = ?, effects = ? WHERE batch = ? AND number = ?", rows)
            # a gate that tells no outcomes of some entries tells no rejections of them
            db.execute("UPDATE entry SET outcome = 'recorded' WHERE batch = ? AND outcome = ''", (signed.id,))

    def note_refused(self, signed: Signed, code: str, reason: str) -> None:
        """Note that a batch can never enter, for what it is; its entries are refused with it."""
        with self.write() as db:
            _set_state(db, signed.id, "refused", code, reason)
            db.execute("UPDATE entry SET outcome = 'refused', code = ? WHERE batch = ?", (code, signed.id))

    def note_void(self, signed: Signed) -> None:
        """Note that another batch has the number: the entries wait again and are signed under the next one."""
        with self.write() as db:
            _set_state(db, signed.id, "void", "batch.sequence", "")
            db.execute("UPDATE entry SET batch = NULL, number = NULL WHERE batch = ?", (signed.id,))

    def prune(self, now: int | None = None, keep: int = KEEP_SECONDS) -> int:
        """Forget what ended longer ago than `keep` seconds; return how many entries."""
        before = (int(time.time()) if now is None else now) - keep
        old = "SELECT id FROM batch WHERE state IN ('visible', 'refused', 'void') AND at < ?"
        with self.write() as db:
            gone = db.execute(f"DELETE FROM entry WHERE outcome != '' AND batch IN ({old})", (before,)).rowcount  # noqa: S608
            db.execute(f"DELETE FROM version WHERE batch IN ({old})", (before,))  # noqa: S608
            db.execute(f"DELETE FROM batch WHERE id IN ({old})", (before,))  # noqa: S608
            db.execute("DELETE FROM ticket WHERE at < ? AND id NOT IN (SELECT ticket FROM entry)", (before,))
            db.execute("DELETE FROM again WHERE entry NOT IN (SELECT id FROM entry)")
        return gone


def _fitting(sizes: Sequence[int]) -> int:
    total = 32
    for count, size in enumerate(sizes):
        total += size
        if total > MAX_BATCH_BYTES:
            return count
    return len(sizes)


def _set_state(db: sqlite3.Connection, number: int, state: str, code: str = "", reason: str = "") -> None:
    db.execute(
        "UPDATE batch SET state = ?, code = ?, reason = ?, at = ? WHERE id = ?",
        (state, code, reason[:300], int(time.time()), number),
    )
