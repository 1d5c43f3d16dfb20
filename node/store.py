"""The node's durable store: one embedded key-value database, one atomic synced write a block.

RocksDB through rocksdict, chosen by measurement (docs/adr/0009-store.md). Keys start with a space's letter.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Protocol

import rocksdict

from ledger.domain.errors import LedgerError

SCHEMA: Final = 2
"""Version of the layout; a store of another one is refused, never guessed at."""
CURRENT: Final = "CURRENT"
"""File that every RocksDB has."""


class Space:
    """First byte of a key: what lies there."""

    NODE: Final = b"n"  # hash -> trie node or code
    SHARED: Final = b"c"  # hash -> in how many more places the node stands, if in more than one
    DEAD: Final = b"o"  # height -> hashes of the nodes that the block replaced
    BLOCK: Final = b"b"  # height -> block
    HEIGHT: Final = b"h"  # block hash -> height
    RECEIPTS: Final = b"r"  # height -> receipts
    TRANSACTION: Final = b"t"  # transaction hash -> height, index
    BATCH: Final = b"d"  # batch digest -> height, index
    SEAL: Final = b"s"  # height -> seal
    HEAD: Final = b"k"  # height, follower -> countersignature
    QUEUE: Final = b"q"  # number -> accepted batch, not yet in a block
    PROMISE: Final = b"a"  # batch hash -> signed receipt
    REFUSED: Final = b"x"  # batch digest -> why it never came into a block
    META: Final = b"m"  # name -> value


def height_key(height: int) -> bytes:
    """Return a height as the key bytes that sort by number."""
    return height.to_bytes(8, "big")


class StoreFault(LedgerError):
    """The store cannot be used."""

    code = "store.unusable"


class StoreLocked(StoreFault):
    """Another process has it open."""

    code = "store.locked"


class StoreVersion(StoreFault):
    """It was written by another version."""

    code = "store.version"


class StoreMissing(StoreFault):
    """There is no store at the path."""

    code = "store.missing"


class StoreForeign(StoreFault):
    """It belongs to another chain."""

    code = "store.foreign-chain"


class StoreCorrupt(StoreFault):
    """Its files are damaged."""

    code = "store.corrupt"


class StoreFull(StoreFault):
    """The disk is full. What was acknowledged is kept; whether the failed commit is shows when it is opened again."""

    code = "store.full"


class Store(Protocol):
    """What chain and sealer need of a store."""

    def get(self, key: bytes) -> bytes | None:
        """Return the value under a key, or None."""
        ...

    def get_many(self, keys: list[bytes]) -> list[bytes | None]:
        """Return the values under keys, None where there is none."""
        ...

    def node(self, key: bytes) -> bytes | None:
        """Return a trie node or code by hash, or None."""
        ...

    def scan(self, space: bytes, start: bytes = b"", limit: int | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Yield keys (without the space's letter) and values of a space from `start` in rising order."""
        ...

    def compact(self) -> None:
        """Drop from the files what was deleted or replaced."""
        ...

    def commit(self, writes: Mapping[bytes, bytes | None], *, sync: bool = True) -> None:
        """Write and delete (None) all or nothing, synced to disk before it returns.

        Without `sync` it may be lost in a crash, with everything after it: for what can be had again.
        """
        ...

    def close(self) -> None:
        """Close it."""
        ...


LOCKED: Final = ("lock hold", "lock file", "resource temporarily unavailable", "no locks available")
FULL: Final = ("no space left", "file too large", "disk quota exceeded")
DAMAGED: Final = ("corruption", "checksum", "no such file or directory", "bad magic", "does not exist", "truncated")
"""What RocksDB's messages contain; it has no codes in Python."""


def _translated(error: Exception, path: Path) -> StoreFault:
    text = str(error).partition("\n")[0]
    lowered = text.lower()
    if isinstance(error, rocksdict.DbClosedError):
        return StoreFault(f"{path} is closed.", hint="The node is stopping.")
    if any(each in lowered for each in LOCKED):
        return StoreLocked(f"{path} is open in another process.", hint="Stop the other node or choose another --home.")
    if any(each in lowered for each in FULL):
        return StoreFull(
            f"The disk of {path} is full.", hint="Free space and start again; nothing acknowledged is lost."
        )
    if any(each in lowered for each in DAMAGED):
        return StoreCorrupt(
            f"The files of {path} are damaged ({text[:120]}).",
            hint="Restore a backup, or start with an empty --home and follow another node.",
        )
    return StoreFault(f"{path}: {text[:160]}", hint="Check the disk and the rights of the folder.")


CACHE_BYTES: Final = 128 << 20
"""Uncompressed blocks of tables kept in memory."""
BUFFER_BYTES: Final = 32 << 20
"""What is written before it goes from memory into a table; as much is read again after a crash."""


def _options(*, create: bool) -> rocksdict.Options:
    options = rocksdict.Options(raw_mode=True)
    options.create_if_missing(create)
    # a crash may tear the last record of the log; damage before it is no crash, and commits must not vanish silently
    options.set_wal_recovery_mode(rocksdict.DBRecoveryMode.tolerate_corrupted_tail_records())
    options.set_max_background_jobs(1)
    options.set_write_buffer_size(BUFFER_BYTES)
    options.set_memtable_whole_key_filtering(True)  # what is not in the buffer, as nearly everything, is not looked for
    options.set_memtable_prefix_bloom_ratio(0.1)
    options.set_keep_log_file_num(2)
    # chain blocks shrink to a third; trie nodes are hashes, which RocksDB tries once and leaves as they are
    options.set_compression_type(rocksdict.DBCompressionType.lz4())
    options.set_bottommost_compression_type(rocksdict.DBCompressionType.zstd())
    table = rocksdict.BlockBasedOptions()
    table.set_block_cache(rocksdict.Cache(CACHE_BYTES))
    table.set_bloom_filter(10, False)
    options.set_block_based_table_factory(table)
    return options


class RocksStore:
    """A store on disk, held by one process."""

    def __init__(self, path: Path, *, create: bool = True, read_only: bool = False) -> None:
        """Open the store at a folder.

        Args:
            path: its folder.
            create: make it if there is none.
            read_only: open what is there, even of a running node: the state it had at this moment.

        Raises:
            StoreFault: missing, locked, damaged, of another version, or not writable.
        """
        self._path = path
        self._fault: StoreFault | None = None
        self._synced, self._unsynced = rocksdict.WriteOptions(), rocksdict.WriteOptions()
        self._synced.sync = True
        create = create and not read_only
        if not (path / CURRENT).exists():
            if _has_tables(path):  # RocksDB would make a new database beside them
                raise _translated(FileNotFoundError(f"no such file or directory: {CURRENT}"), path)
            if not create:
                raise StoreMissing(f"No store at {path}.", hint="Give the --home of a node.")
        access = rocksdict.AccessType.read_only(False) if read_only else rocksdict.AccessType.read_write()
        try:
            if create:
                path.mkdir(parents=True, exist_ok=True)
            options = _options(create=create)
            # named for the column family too: else that of an existing store is opened without filter and cache
            self._database = rocksdict.Rdict(
                str(path), options, column_families={"default": options}, access_type=access
            )
        except OSError as error:
            raise StoreFault(f"{path}: {error.strerror}.", hint="Choose a folder you may write to.") from error
        except Exception as error:  # rocksdict raises bare Exception; its text says what happened
            raise _translated(error, path) from error
        try:
            self._fresh = self._is_fresh()
        except StoreFault:
            self.close()
            raise

    def _is_fresh(self) -> bool:
        """Check the version; return whether nothing was ever committed.

        The version comes with the first commit, which goes straight into a table file: so losing the log of later
        commits cannot make a used store look like a new one.
        """
        found = self.get(Space.META + b"schema")
        if found is None:
            if _has_tables(self._path) or next(iter(self._database.items()), None) is not None:
                raise StoreCorrupt(
                    f"The files of {self._path} are damaged (no version in them).",
                    hint="Restore a backup, or start with an empty --home and follow another node.",
                )
            return True
        if found != str(SCHEMA).encode():
            older = found.isdigit() and int(found) < SCHEMA
            raise StoreVersion(
                f"{self._path} has layout {found.decode('ascii', 'replace')[:20]}, "
                f"{'older' if older else 'newer'} than {SCHEMA}, which this version reads.",
                hint="Use the version that wrote it, or follow another node into an empty --home.",
            )
        return False

    def get(self, key: bytes) -> bytes | None:
        """Return the value under a key, or None.

        Raises:
            StoreCorrupt: the file that holds it is damaged.
        """
        try:
            value: bytes | None = self._database.get(key)
        except Exception as error:  # see __init__
            raise _translated(error, self._path) from error
        return value

    def get_many(self, keys: list[bytes]) -> list[bytes | None]:
        """Return the values under keys, None where there is none.

        Raises:
            StoreCorrupt: a file that holds one is damaged.
        """
        try:
            values: list[bytes | None] = self._database.get(keys) if keys else []
        except Exception as error:  # see __init__
            raise _translated(error, self._path) from error
        return values

    def node(self, key: bytes) -> bytes | None:
        """Return a trie node or code by hash, or None."""
        return self.get(Space.NODE + key)

    def scan(self, space: bytes, start: bytes = b"", limit: int | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Yield keys (without the space's letter) and values of a space from `start` in rising order.

        Raises:
            StoreCorrupt: a file is damaged.
        """
        try:
            for key, value in itertools.islice(self._database.items(from_key=space + start), limit):
                if key[:1] != space:
                    return
                yield key[1:], value
        except Exception as error:  # see __init__
            raise _translated(error, self._path) from error

    def commit(self, writes: Mapping[bytes, bytes | None], *, sync: bool = True) -> None:
        """Write and delete all or nothing, synced to disk before it returns.

        After a commit that failed the store takes no other: whether its bytes reached the disk shows when it is
        opened again.

        Raises:
            StoreFault: it is not acknowledged; open the store again.
        """
        if self._fault:
            raise self._fault
        batch = rocksdict.WriteBatch(raw_mode=True)
        for key, value in writes.items():
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        if self._fresh:
            batch.put(Space.META + b"schema", str(SCHEMA).encode())
        try:
            self._database.write(batch, self._synced if sync else self._unsynced)
            if self._fresh:
                self._database.flush()
        except Exception as error:  # see __init__
            self._fault = _translated(error, self._path)
            raise self._fault from error
        self._fresh = False

    def compact(self) -> None:
        """Drop what was deleted or replaced from the files, at once and not as RocksDB finds time.

        Raises:
            StoreFault: a file is damaged, or no room: it needs as much again as the largest files take.
        """
        try:
            self._database.compact_range(None, None, _thorough())
        except Exception as error:  # see __init__
            raise _translated(error, self._path) from error

    def memory(self) -> dict[str, int]:
        """Return the bytes that RocksDB holds in memory, by what they are for."""
        names = {
            "block_cache": "block-cache-usage",
            "tables": "estimate-table-readers-mem",
            "buffers": "size-all-mem-tables",
        }
        found = {name: self._database.property_int_value(f"rocksdb.{each}") for name, each in names.items()}
        return {name: size or 0 for name, size in found.items()}

    def close(self) -> None:
        """Close it; closing twice does no harm."""
        with contextlib.suppress(Exception):  # what a failed commit left in its buffers cannot be flushed
            self._database.close()


def _thorough() -> rocksdict.CompactOptions:
    options = rocksdict.CompactOptions()
    options.set_bottommost_level_compaction(rocksdict.BottommostLevelCompaction.force())
    return options


def _has_tables(path: Path) -> bool:
    return any(path.glob("*.sst"))


class MemoryStore:
    """The same interface without a disk, for tests and throw-away chains."""

    def __init__(self) -> None:
        """Start empty."""
        self._values: dict[bytes, bytes] = {}

    def get(self, key: bytes) -> bytes | None:
        """Return the value under a key, or None."""
        return self._values.get(key)

    def get_many(self, keys: list[bytes]) -> list[bytes | None]:
        """Return the values under keys, None where there is none."""
        return [self._values.get(key) for key in keys]

    def node(self, key: bytes) -> bytes | None:
        """Return a trie node or code by hash, or None."""
        return self._values.get(Space.NODE + key)

    def scan(self, space: bytes, start: bytes = b"", limit: int | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Yield keys (without the space's letter) and values of a space from `start` in rising order."""
        keys = sorted(key for key in self._values if key[:1] == space and key[1:] >= start)
        for key in keys[:limit]:
            yield key[1:], self._values[key]

    def commit(self, writes: Mapping[bytes, bytes | None], *, sync: bool = True) -> None:  # noqa: ARG002
        """Write and delete."""
        for key, value in writes.items():
            if value is None:
                self._values.pop(key, None)
            else:
                self._values[key] = value

    def compact(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""
