"""What a database alone would do: the same signed batches in a hash-chained table, each batch one synced commit.

Every row holds the hash of the row before it, so nobody can change one without changing all that follow. Signature and
sequence are checked as the node checks them; rules, match and decision are not made, and nobody else holds a copy.
The table is written by plain SQL, on SQLite and on PostgreSQL alike.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from ledger.chain.batch import Batch
from ledger.commitments import LedgerDomain
from ledger.keys import recover

TABLE: Final = """
CREATE TABLE entries (
    number BIGINT PRIMARY KEY, previous {blob} NOT NULL, hash {blob} NOT NULL, subject {blob} NOT NULL,
    kind INTEGER NOT NULL, header {blob} NOT NULL, digest {blob} NOT NULL, words {blob} NOT NULL,
    writer {blob} NOT NULL
)"""
BATCHES: Final = """
CREATE TABLE batches (
    writer {blob} NOT NULL, lane NUMERIC(20) NOT NULL, seq BIGINT NOT NULL, last BIGINT NOT NULL,
    signature {blob} NOT NULL, PRIMARY KEY (writer, lane, seq)
)"""
INDEX: Final = "CREATE INDEX entries_of_subject ON entries (subject)"


class HashChain:
    """A chain of rows in one database."""

    def __init__(self, connection: Any, domain: LedgerDomain) -> None:
        """Take a fresh database's connection (DB-API) and make the tables."""
        self.connection = connection
        self._domain = domain
        self._seqs: dict[tuple[bytes, int], int] = {}
        self._number, self._head = 0, bytes(32)
        lite = isinstance(connection, sqlite3.Connection)
        self._mark = "?" if lite else "%s"
        cursor = connection.cursor()
        for statement in (TABLE, BATCHES, INDEX):
            cursor.execute(statement.format(blob="BLOB" if lite else "BYTEA"))
        connection.commit()

    def append(self, batch: Batch) -> int:
        """Check a batch, write a row for each entry, commit; return the number of the last row.

        Raises:
            ValueError: its number is not the next of its key in its lane.
        """
        key = recover(batch.digest(self._domain), batch.signature)
        if batch.seq != self._seqs.get((key, batch.lane), 0):
            raise ValueError("not the next number of this key")
        rows = []
        for entry in batch.unpacked():
            packed = entry.packed()
            previous, self._head = self._head, sha256(self._head + key + packed).digest()
            self._number += 1
            words = packed[:32], entry.kind, packed[32:64], entry.digest, packed[96:]
            row = (self._number, previous, self._head, *words, key)
            rows.append(row)
        cursor = self.connection.cursor()
        cursor.executemany(f"INSERT INTO entries VALUES ({','.join([self._mark] * 9)})", rows)
        sent = (key, str(batch.lane), batch.seq, self._number, batch.signature)
        cursor.execute(f"INSERT INTO batches VALUES ({','.join([self._mark] * 5)})", sent)
        self.connection.commit()
        self._seqs[key, batch.lane] = batch.seq + 1
        return self._number


def in_sqlite(path: Path, domain: LedgerDomain) -> HashChain:
    """Open one in a fresh SQLite file: write-ahead log, synced at every commit."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    return HashChain(connection, domain)


def in_postgres(address: str, domain: LedgerDomain) -> HashChain:
    """Open one in a fresh PostgreSQL database, synced at every commit."""
    import psycopg

    return HashChain(psycopg.connect(address), domain)


def entries_per_second(chain: HashChain, batches: Iterable[Batch]) -> float:
    """Append batches; return entries a second."""
    listed = list(batches)
    began, count = time.perf_counter(), 0
    for batch in listed:
        count = chain.append(batch)
    return round(count / (time.perf_counter() - began), 1)
