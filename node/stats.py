"""What a node's store holds, and the command that makes it small: `clearance node stats`, `clearance node compact`.

Everything is counted, not estimated, so it takes a look at every key: seconds for a million parcels. A running node's
store is read as it stood at one moment.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from node.blocks import Block
from node.retention import Retention
from node.rules import batch_of
from node.store import RocksStore, Space, Store, height_key

SPACES: Final = {value: name.lower() for name, value in vars(Space).items() if name.isupper()}


@dataclass(frozen=True, slots=True)
class Held:
    """What lies in one space of the store.

    Attributes:
        keys: how many.
        bytes: of keys and values, before compression.
    """

    keys: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Stats:
    """What a store holds.

    Attributes:
        height: height of the head.
        oldest_state: height of the oldest block whose state can be read.
        transactions: in all blocks.
        entries: in all batches of all blocks.
        files_bytes: bytes of all files on disk.
        bytes_per_entry: files by entries, None without entries.
        spaces: by name.
        memory: bytes in RocksDB's caches in this process, by name.
    """

    height: int
    oldest_state: int
    transactions: int
    entries: int
    files_bytes: int
    bytes_per_entry: int | None
    spaces: dict[str, Held]
    memory: dict[str, int]

    @property
    def live_nodes(self) -> int:
        """Trie nodes and code of all states that are kept."""
        return self.spaces["node"].keys

    def as_dict(self) -> dict[str, Any]:
        """Return a JSON object."""
        return asdict(self) | {"live_nodes": self.live_nodes}


def stats_of(path: Path) -> Stats:
    """Count what a store holds, of a stopped node or a running one.

    Raises:
        StoreFault: missing or damaged.
    """
    store = RocksStore(path, read_only=True)
    try:
        spaces = {name: _held(store, space) for space, name in SPACES.items()}
        height = height_of(store)
        transactions, entries = carried(store, height)
        oldest, memory = oldest_state(store, height), store.memory()
    finally:
        store.close()
    files = sum(file.stat().st_blocks * 512 for file in path.iterdir() if file.is_file())
    share = round(files / entries) if entries else None
    return Stats(height, oldest, transactions, entries, files, share, spaces, memory)


def height_of(store: Store) -> int:
    """Return the height of the head."""
    return int.from_bytes(store.get(Space.META + b"height") or b"", "big")


def oldest_state(store: Store, head: int) -> int:
    """Return the height of the oldest state that the store still has whole: older ones were let go."""
    for key, _ in store.scan(Space.DEAD, limit=1):
        return int.from_bytes(key, "big") - 1
    return head


def _held(store: Store, space: bytes) -> Held:
    keys = size = 0
    for key, value in store.scan(space):
        keys += 1
        size += 1 + len(key) + len(value)
    return Held(keys, size)


def carried(store: Store, head: int) -> tuple[int, int]:
    """Return how many transactions and entries stand in the blocks."""
    transactions = entries = 0
    for height in range(1, head + 1):
        listed = Block.decode(store.get(Space.BLOCK + height_key(height)) or b"").transactions
        transactions += len(listed)
        for raw in listed:
            carried = batch_of(raw)
            if carried:
                entries += int.from_bytes(carried[0].entries[:32], "big")
    return transactions, entries


def compact(store: Store, window: int | None = None) -> None:
    """Drop from the files what was deleted; with a window, let go of the states below it first.

    Raises:
        StoreFault: damaged, or no room for the new files beside the old.
    """
    if window is not None:
        for writes in Retention(store, window).forget_below(height_of(store)):
            store.commit(writes, sync=False)
    store.commit({})  # synced: with it everything before it is on disk
    store.compact()
