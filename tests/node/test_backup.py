"""A store copied while its node writes is whole; a restored sealer promises again and doubles nothing."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest

from clients.sample.members import Keyring, sample_genesis
from clients.sample.plan import DAYS, START
from ledger.chain.batch import Batch
from node.backup import check_store, copy_store
from node.chain import Chain, height_key
from node.clock import LogicalClock
from node.evm.executor import Driver
from node.follower import Follower
from node.sealer import BatchRefused, Sealer
from node.service import wait_until
from node.statements import Receipt
from node.store import MemoryStore, RocksStore, Space, StoreCorrupt, StoreFault, StoreMissing
from tests.node.days import SEED, Copy, Day, sealer_keys

GENESIS = sample_genesis(Keyring(SEED), START, DAYS)


def test_copies_made_while_a_node_writes_are_whole(tmp_path: Path) -> None:
    """Every commit writes its number to three spaces; 100 kB each, so that tables are written meanwhile."""
    store = RocksStore(tmp_path / "store")
    stop, number = threading.Event(), 0

    def write() -> None:
        nonlocal number
        while not stop.is_set():
            key, value = (number + 1).to_bytes(8, "big"), (number + 1).to_bytes(8, "big") * 12_800
            store.commit({Space.NODE + key: value, Space.BLOCK + key: key, Space.META + b"height": key}, sync=False)
            number += 1
            stop.wait(0.005 if number < 400 else 0.05)  # 40 MB fill the first table; then on, but not the disk

    writer = threading.Thread(target=write)
    writer.start()
    copies: list[tuple[int, int, int]] = []
    try:
        assert wait_until(lambda: number > 10, 30)
        while len(copies) < 4:
            before = number
            copy_store(tmp_path / "store", tmp_path / "copy")
            copies.append((before, whole(tmp_path / "copy"), number + 1))
            shutil.rmtree(tmp_path / "copy")
    finally:
        stop.set()
        writer.join()
        store.close()
    assert all(before <= height <= after for before, height, after in copies), copies
    assert copies[-1][1] > copies[0][1], "nobody wrote meanwhile"


def whole(path: Path) -> int:
    """Check that a copy holds every number up to its height in every space; return the height."""
    copy = RocksStore(path, create=False)
    height = int.from_bytes(copy.get(Space.META + b"height") or b"", "big")
    for space in (Space.NODE, Space.BLOCK):
        assert [int.from_bytes(value[:8], "big") for _, value in copy.scan(space)] == list(range(1, height + 1))
    copy.close()
    return height


def test_a_copy_says_where_it_ends_and_a_hole_or_a_foreign_chain_is_found(day: Day, tmp_path: Path) -> None:
    with pytest.raises(StoreMissing):
        copy_store(tmp_path / "nothing", tmp_path / "copy")
    copy_store(day.home / "chain", tmp_path / "copy")
    told = check_store(tmp_path / "copy", day.genesis)
    chain = day.open()
    assert (told["height"], told["block_hash"]) == (chain.head.number, "0x" + chain.head.hash.hex())
    chain.store.close()
    with pytest.raises(StoreFault, match="another genesis"):
        check_store(tmp_path / "copy", GENESIS if day.genesis != GENESIS else sample_genesis(Keyring(9), START, DAYS))
    store = RocksStore(tmp_path / "copy")
    store.commit({Space.SEAL + height_key(3): store.get(Space.SEAL + height_key(2))})
    store.close()
    with pytest.raises(StoreCorrupt, match="seal"):
        check_store(tmp_path / "copy", day.genesis)


def sealer_on(store: MemoryStore) -> Sealer:
    return Sealer(Chain(store, GENESIS, Driver.FAST), sealer_keys(), LogicalClock(START))


def batch(seq: int, who: str = "shop-01") -> Batch:
    signer = Keyring(SEED).signer(who)
    return Batch.signed(GENESIS.domain, signer, lane=1, seq=seq, not_after=START + 3_600, entries=[])


def copied(store: MemoryStore) -> MemoryStore:
    copy = MemoryStore()
    for space in (value for name, value in vars(Space).items() if not name.startswith("_")):
        copy.commit({space + key: value for key, value in store.scan(space)})
    return copy


def test_a_restored_sealer_knows_what_its_followers_have_and_promises_it_once_more() -> None:
    store = MemoryStore()
    sealer = sealer_on(store)
    waiting, later = batch(0), batch(1)
    promised = sealer.accept(waiting)
    old = copied(store)  # the backup: one batch waits
    sealer.seal()
    sealer.accept(later)
    sealer.seal()
    chain = Chain(old, GENESIS, Driver.FAST)
    Follower(chain, None, LogicalClock(START)).sync(Copy(sealer.chain))
    restored = sealer_on(old)
    assert len(restored.pool) == 0, "what stands in a block waits for one"
    assert restored.seal() is None
    name = later.hash(GENESIS.domain)
    assert restored.status(waiting.hash(GENESIS.domain))["receipt"] == promised.as_dict()
    told = restored.status(name)
    assert (told["state"], told["inclusion"]["height"]) == ("included", 2)
    assert "receipt" not in told, "a promise that the backup does not hold"
    again = restored.accept(later)
    assert again.signer(GENESIS.domain) == sealer_keys().sealer.address
    assert Receipt.decode(again.encode()) == restored.accept(later) == again
    assert restored.seal() is None
    assert restored.chain.head.hash == sealer.chain.head.hash
    restored.accept(batch(2))
    with pytest.raises(BatchRefused) as refusal:
        restored.accept(batch(4))
    assert refusal.value.code == "batch.sequence"
    block = restored.seal()
    assert block
    assert block.height == 3
