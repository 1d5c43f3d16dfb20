"""Copies of a node's store, made while the node runs, and what a copy must hold."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from ledger.genesis import Genesis
from node.blocks import InvalidBlock
from node.chain import Chain
from node.rules import check_seal
from node.store import RocksStore, Space, StoreCorrupt, StoreFault, StoreLocked, StoreMissing

PAGE_BYTES: Final = 4 << 20
TRIES: Final = 5


def copy_store(source: Path, target: Path) -> None:
    """Copy a store as it stands at this moment, whole commits only, even of a running node.

    RocksDB's own checkpoints are for the process that writes. Opened read-only, the files and the log give one state
    of it, which later writes do not change.

    Raises:
        StoreFault: missing or damaged; no room for the copy.
    """
    store = _open(source)
    try:
        made = RocksStore(target)
        try:
            for space in (value for name, value in vars(Space).items() if name.isupper()):
                _copy_space(store, made, space)
            made.commit({})  # synced: with it everything before it is on disk
        finally:
            made.close()
    finally:
        store.close()


def _copy_space(store: RocksStore, made: RocksStore, space: bytes) -> None:
    page: dict[bytes, bytes | None] = {}
    size = 0
    for key, value in store.scan(space):
        page[space + key] = value
        size += len(key) + len(value)
        if size >= PAGE_BYTES:
            made.commit(page, sync=False)
            page, size = {}, 0
    made.commit(page, sync=False)


def _open(path: Path) -> RocksStore:
    """Open a store read-only; while its node tidies up, files may go between listing and opening them."""
    for number in range(TRIES):
        try:
            return RocksStore(path, read_only=True)
        except (StoreLocked, StoreMissing):
            raise
        except StoreFault:
            if number == TRIES - 1:
                raise
            time.sleep(0.2)
    raise AssertionError("unreachable")


def check_store(path: Path, genesis: Genesis, progress: Callable[[int, int], None] | None = None) -> dict[str, Any]:
    """Check a copy and say where it ends.

    It establishes that (1) block 0 is that of the genesis file, (2) every block up to the head is there and names the
    one before it, (3) every seal is the sealer's, (4) the head's state is there. It executes nothing: that is what
    `clearance audit chain --home` does.

    Raises:
        StoreFault: it does not hold a chain of the genesis file, or not all of it.
    """
    store = RocksStore(path, create=False)
    try:
        chain = Chain(store, genesis)
        parent = chain.genesis_hash
        for height in range(1, chain.head.number + 1):
            block = chain.block(height)
            if block.height != height or block.header.parent_hash != parent:
                raise StoreCorrupt(f"Block {height} does not follow the one before it.", hint="Make another backup.")
            check_seal(genesis, chain.genesis_hash, block, chain.seal(height))
            parent = block.hash
            if progress:
                progress(height, chain.head.number)
        if parent != chain.head.hash or store.node(chain.head.state_root) is None:
            raise StoreCorrupt("The state of the head is missing.", hint="Make another backup.")
        return {
            "genesis_hash": "0x" + chain.genesis_hash.hex(),
            "height": chain.head.number,
            "block_hash": "0x" + chain.head.hash.hex(),
            "state_root": "0x" + chain.head.state_root.hex(),
        }
    except InvalidBlock as error:
        raise StoreCorrupt(error.detail, hint="Make another backup.") from error
    finally:
        store.close()


def block_hash(path: Path, genesis: Genesis, height: int) -> bytes | None:
    """Return the hash of a block of a store that no node holds, or None beyond its head."""
    store = RocksStore(path, create=False)
    try:
        chain = Chain(store, genesis)
        return chain.block(height).hash if height <= chain.head.number else None
    finally:
        store.close()
