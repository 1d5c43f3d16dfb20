"""How long states are kept: what a block replaced goes when its window has passed, and nothing that is still used.

Nodes lie by hash, so one node can stand in several places: of one state, or of states apart. The store counts them. A
node that comes while it is there adds one; a node that goes takes one away, not now but when the block that let it go
leaves the window. So at any time a node is there as long as any state of the window has it, however often it came and
went meanwhile, and the store holds one state and the changes of a window, whatever the length of the chain.

It does not matter which driver made a block: the fast one counts while it writes, for py-evm's the states before and
after are compared (`node.evm.changes`). Blocks, receipts, seals and code stay: everything can be executed again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from node.blocks import EMPTY_ROOT, ExecutedBlock
from node.evm.executor import state_change
from node.store import Space, Store, height_key

STATE_WINDOW: Final = 128
"""Blocks whose states can still be read; as other clients keep."""
HASH_BYTES: Final = 32
Writes = dict[bytes, bytes | None]


class Retention:
    """Turns the nodes of a block into writes and deletions of its commit."""

    def __init__(self, store: Store, window: int = STATE_WINDOW) -> None:
        """Take the store and how many blocks below the head keep their states."""
        self._store = store
        self.window = window
        self._shared = next(store.scan(Space.SHARED, limit=1), None) is not None

    def writes(self, executed: ExecutedBlock, parent_root: bytes = EMPTY_ROOT) -> Writes:
        """Return what keeps a block's state and forgets the one that leaves the window."""
        height = executed.block.height
        nodes, again, dead = executed.writes, executed.again, executed.dead
        if dead is None:
            change = state_change(self._store, nodes, parent_root, executed.block.header.state_root)
            nodes, again, dead = change.writes, change.again, change.dead
        made = self._births(nodes, again, executed.tips)
        if dead:
            made[Space.DEAD + height_key(height)] = b"".join(dead)
        if height > self.window:
            self._forget(height - self.window, made)
        return made

    def _births(self, nodes: dict[bytes, bytes], again: dict[bytes, int], tips: Sequence[bytes] | None) -> Writes:
        made: Writes = {}
        there = set() if tips is not None and not self._there(tips) else self._there(list(nodes))
        for key, raw in nodes.items():
            if key not in there:
                made[Space.NODE + key] = raw
        for key in again.keys() | there:
            self._add(key, again.get(key, 0) + (key in there), made)
        return made

    def _there(self, keys: Sequence[bytes]) -> set[bytes]:
        """Return which of some nodes are kept already."""
        kept = self._store.get_many([Space.NODE + key for key in keys])
        return {key for key, raw in zip(keys, kept, strict=True) if raw is not None}

    def _more(self, key: bytes, made: Writes) -> int:
        """Return how often beyond the first time a node is there."""
        if not self._shared:
            return 0
        name = Space.SHARED + key
        found = made[name] if name in made else self._store.get(name)
        return int.from_bytes(found or b"", "big")

    def _add(self, key: bytes, number: int, made: Writes) -> None:
        total = self._more(key, made) + number
        self._shared = self._shared or total > 0
        made[Space.SHARED + key] = total.to_bytes(8, "big") if total else None

    def _forget(self, height: int, made: Writes) -> None:
        """Let go what the block of a height replaced."""
        name = Space.DEAD + height_key(height)
        listed = self._store.get(name)
        if listed is None:
            return
        for key in _hashes(listed):
            if self._more(key, made):
                self._add(key, -1, made)
            else:
                made[Space.NODE + key] = None
        made[name] = None

    def forget_below(self, head: int) -> Iterator[Writes]:
        """Yield the writes that forget every state older than the window, block by block; for a shorter window."""
        for key, _ in list(self._store.scan(Space.DEAD)):
            height = int.from_bytes(key, "big")
            if height > head - self.window:
                return
            made: Writes = {}
            self._forget(height, made)
            yield made


def _hashes(listed: bytes) -> Iterator[bytes]:
    for at in range(0, len(listed), HASH_BYTES):
        yield listed[at : at + HASH_BYTES]
