"""Measure embedded stores on the node's write pattern: `python -m benchmarks.stores [--blocks N] [--keys N]`.

One block is one atomic synced commit of random 32-byte keys (trie nodes by hash) with 150-byte values. The figures in
docs/adr/0009-store.md come from here.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

VALUE_BYTES: Final = 150
SAMPLE: Final = 20_000


class Candidate(Protocol):
    """A store that is measured."""

    def commit(self, items: Iterable[tuple[bytes, bytes]]) -> None:
        """Write all or nothing, synced."""

    def get(self, key: bytes) -> bytes | None:
        """Read."""

    def close(self) -> None:
        """Close."""


class Rocks:
    """RocksDB as node.store opens it."""

    def __init__(self, path: Path) -> None:
        from node.store import RocksStore

        self._store = RocksStore(path)
        self.get = self._store.get
        self.close = self._store.close

    def commit(self, items: Iterable[tuple[bytes, bytes]]) -> None:
        """Write all or nothing, synced."""
        self._store.commit(dict(items))


class Lmdb:
    """LMDB: a memory-mapped tree of pages, written twice over by copy."""

    def __init__(self, path: Path) -> None:
        import lmdb

        self._environment: Any = lmdb.open(str(path), map_size=16 << 30, readahead=False, meminit=False)

    def commit(self, items: Iterable[tuple[bytes, bytes]]) -> None:
        """Write all or nothing, synced."""
        with self._environment.begin(write=True) as transaction:
            for key, value in sorted(items):
                transaction.put(key, value)

    def get(self, key: bytes) -> bytes | None:
        """Read."""
        with self._environment.begin() as transaction:
            value: bytes | None = transaction.get(key)
            return value

    def close(self) -> None:
        """Close."""
        self._environment.close()


class Sqlite:
    """SQLite: write-ahead log, synced at every commit, one table without row ids."""

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path / "db", isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute("PRAGMA cache_size=-131072")
        self._connection.execute("CREATE TABLE IF NOT EXISTS kv (k BLOB PRIMARY KEY, v BLOB) WITHOUT ROWID")

    def commit(self, items: Iterable[tuple[bytes, bytes]]) -> None:
        """Write all or nothing, synced."""
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany("INSERT OR REPLACE INTO kv VALUES (?, ?)", sorted(items))
        self._connection.execute("COMMIT")

    def get(self, key: bytes) -> bytes | None:
        """Read."""
        row = self._connection.execute("SELECT v FROM kv WHERE k = ?", (key,)).fetchone()
        return row[0] if row else None

    def close(self) -> None:
        """Close."""
        self._connection.close()


STORES: Final[dict[str, Callable[[Path], Candidate]]] = {"rocksdb": Rocks, "lmdb": Lmdb, "sqlite": Sqlite}


def _timed(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def measure(make: Callable[[Path], Candidate], folder: Path, blocks: int, keys: int) -> dict[str, float]:
    """Return milliseconds a commit (median, 99th per cent, last tenth), microseconds a read, bytes a key, times."""
    dice = random.Random(1)
    store = make(folder)
    known: list[bytes] = []
    times = []
    for _ in range(blocks):
        items = [(dice.randbytes(32), dice.randbytes(VALUE_BYTES)) for _ in range(keys)]
        known.extend(key for key, _ in dice.sample(items, min(len(items), 1 + SAMPLE // blocks)))
        times.append(_timed(lambda items=items: store.commit(items)) * 1e3)  # type: ignore[misc]
    picks = dice.sample(known, min(SAMPLE, len(known)))
    read = _timed(lambda: [store.get(key) for key in picks]) / len(picks) * 1e6
    size = sum(file.stat().st_blocks * 512 for file in folder.rglob("*") if file.is_file())
    closing = _timed(store.close) * 1e3
    opened: list[Candidate] = []
    opening = _timed(lambda: opened.append(make(folder))) * 1e3
    second = subprocess.run(
        [sys.executable, "-m", "benchmarks.stores", "--probe", str(folder), "--store", _name(make)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    opened[0].close()
    times.sort()
    return {
        "commit_ms_median": round(statistics.median(times), 2),
        "commit_ms_p99": round(times[int(len(times) * 0.99)], 2),
        "commit_ms_mean": round(statistics.mean(times), 2),
        "read_us": round(read, 2),
        "bytes_per_key": round(size / (blocks * keys), 1),
        "close_ms": round(closing, 1),
        "open_ms": round(opening, 1),
        "second_process_refused": float(second.returncode != 0),
    }


def _name(make: Callable[[Path], Candidate]) -> str:
    return next(name for name, known in STORES.items() if known is make)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one JSON line a store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=200)
    parser.add_argument("--keys", type=int, default=1_000)
    parser.add_argument("--store", choices=STORES, action="append")
    parser.add_argument("--probe", type=Path, help="only try to open and write, as a second process would")
    options = parser.parse_args(arguments)
    names = options.store or list(STORES)
    if options.probe:
        STORES[names[0]](options.probe).commit([(b"probe", os.urandom(8))])
        return
    for name in names:
        folder = Path(tempfile.mkdtemp(prefix="store-"))
        try:
            print(name, json.dumps(measure(STORES[name], folder / "db", options.blocks, options.keys)), flush=True)
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
