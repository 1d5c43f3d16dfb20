"""The node's durable store: one embedded key-value database, one atomic synced write a block.

RocksDB through rocksdict, chosen by measurement (docs/adr/0010-store.md). Keys start with a space's letter.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Protocol

import rocksdict

from ledger.domain.errors import LedgerError

SCHEMA: Final = 1
"""Version of the layout; a store of another one is refused, never guessed at."""


class Space:
    """First byte of a key: what lies there."""

    NODE: Final = b"n"  # hash -> trie node or code
    BLOCK: Final = b"b"  # height -> block
    HEIGHT: Final = b"h"  # block hash -> height
    RECEIPTS: Final = b"r"  # height -> receipts
    TRANSACTION: Final = b"t"  # transaction hash -> height, index
    BATCH: Final = b"d"  # batch digest -> height, index
    SEAL: Final = b"s"  # height -> seal
    HEAD: Final = b"k"  # height, follower -> countersignature
    QUEUE: Final = b"q"  # number -> accepted batch, not yet in a block
    PROMISE: Final = b"a"  # batch digest -> signed receipt
    REFUSED: Final = b"x"  # batch digest -> why it never came into a block
    META: Final = b"m"  # name -> value


class StoreFault(LedgerError):
    """The store cannot be used."""

    code = "store.unusable"


class StoreLocked(StoreFault):
    """Another process has it open."""

    code = "store.locked"


class StoreVersion(StoreFault):
    """It was written by another version."""

    code = "store.version"


class StoreForeign(StoreFault):
    """It belongs to another chain."""

    code = "store.foreign-chain"


class StoreCorrupt(StoreFault):
    """Its files are damaged."""

    code = "store.corrupt"


class StoreFull(StoreFault):
    """The disk is full; nothing of the write was kept."""

    code = "store.full"


class Store(Protocol):
    """What chain and sealer need of a store."""

    def get(self, key: bytes) -> bytes | None:
        """Return the value under a key, or None."""
        ...

    def scan(self, space: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield keys (without the space's letter) and values of a space from `start` in rising order."""
        ...

    def commit(self, writes: Mapping[bytes, bytes | None]) -> None:
        """Write and delete (None) all or nothing, synced to disk before it returns."""
        ...

    def close(self) -> None:
        """Close it."""
        ...


def _translated(error: Exception, path: Path) -> StoreFault:
    text = str(error)
    lowered = text.lower()
    if "lock" in lowered and ("hold" in lowered or "unavailable" in lowered or "lock file" in lowered):
        return StoreLocked(f"{path} is open in another process.", hint="Stop the other node or choose another --home.")
    if "no space" in lowered:
        return StoreFull(f"The disk of {path} is full.", hint="Free space and start again; nothing was lost.")
    if "corruption" in lowered or "checksum" in lowered or "does not exist" in lowered or "not a" in lowered:
        return StoreCorrupt(
            f"The files of {path} are damaged ({text.splitlines()[0][:120]}).",
            hint="Restore a backup, or start with an empty --home and follow another node.",
        )
    return StoreFault(f"{path}: {text.splitlines()[0][:160]}", hint="Check the disk and the rights of the folder.")


class RocksStore:
    """A store on disk."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Open or make the store at a folder; `read_only` opens what is there, even of a running node.

        Raises:
            StoreFault: locked, damaged, of another version, or not writable.
        """
        self._path = path
        options = rocksdict.Options(raw_mode=True)
        options.create_if_missing(True)
        options.set_max_background_jobs(1)
        options.set_write_buffer_size(32 << 20)
        options.set_keep_log_file_num(2)
        table = rocksdict.BlockBasedOptions()
        table.set_block_cache(rocksdict.Cache(128 << 20))
        table.set_bloom_filter(10, False)
        options.set_block_based_table_factory(table)
        self._synced = rocksdict.WriteOptions()
        self._synced.sync = True
        try:
            if read_only:
                if not path.is_dir():
                    raise StoreFault(f"No store at {path}.", hint="Give the --home of a node.")
                self._database = rocksdict.Rdict(str(path), options, access_type=rocksdict.AccessType.read_only())
            else:
                path.mkdir(parents=True, exist_ok=True)
                self._database = rocksdict.Rdict(str(path), options)
        except StoreFault:
            raise
        except OSError as error:
            raise StoreFault(f"{path}: {error.strerror}.", hint="Choose a folder you may write to.") from error
        except Exception as error:  # rocksdict raises bare Exception; its text says what happened
            raise _translated(error, path) from error
        self._check_version(write=not read_only)

    def _check_version(self, *, write: bool) -> None:
        found = self.get(Space.META + b"schema")
        if found is None and write:
            self.commit({Space.META + b"schema": str(SCHEMA).encode()})
        elif found != str(SCHEMA).encode():
            self.close()
            raise StoreVersion(
                f"{self._path} has layout {(found or b'none').decode()}, this version reads {SCHEMA}.",
                hint="Use the version that wrote it, or follow another node into an empty --home.",
            )

    def get(self, key: bytes) -> bytes | None:
        """Return the value under a key, or None."""
        value: bytes | None = self._database.get(key)
        return value

    def node(self, key: bytes) -> bytes | None:
        """Return a trie node or code by hash, or None."""
        return self.get(Space.NODE + key)

    def scan(self, space: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield keys (without the space's letter) and values of a space from `start` in rising order."""
        for key, value in self._database.items(from_key=space + start):
            if key[:1] != space:
                return
            yield key[1:], value

    def commit(self, writes: Mapping[bytes, bytes | None]) -> None:
        """Write and delete all or nothing, synced to disk before it returns.

        Raises:
            StoreFault: nothing was kept.
        """
        batch = rocksdict.WriteBatch(raw_mode=True)
        for key, value in writes.items():
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        try:
            self._database.write(batch, self._synced)
        except Exception as error:  # see __init__
            raise _translated(error, self._path) from error

    def close(self) -> None:
        """Close it; closing twice does no harm."""
        with contextlib.suppress(Exception):
            self._database.close()


class MemoryStore:
    """The same interface without a disk, for tests and throw-away chains."""

    def __init__(self) -> None:
        """Start empty."""
        self._values: dict[bytes, bytes] = {}

    def get(self, key: bytes) -> bytes | None:
        """Return the value under a key, or None."""
        return self._values.get(key)

    def node(self, key: bytes) -> bytes | None:
        """Return a trie node or code by hash, or None."""
        return self._values.get(Space.NODE + key)

    def scan(self, space: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield keys (without the space's letter) and values of a space from `start` in rising order."""
        for key in sorted(key for key in self._values if key[:1] == space and key[1:] >= start):
            yield key[1:], self._values[key]

    def commit(self, writes: Mapping[bytes, bytes | None]) -> None:
        """Write and delete."""
        for key, value in writes.items():
            if value is None:
                self._values.pop(key, None)
            else:
                self._values[key] = value

    def close(self) -> None:
        """Do nothing."""
