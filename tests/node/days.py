"""A small sample day, made once a session and copied for whoever wants to break it."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from clients.cli.demo import run_day
from clients.cli.embedded import included_batches
from clients.sample.members import Keyring
from ledger.genesis import Genesis
from ledger.keys import LocalSigner
from node.blocks import Block
from node.chain import Chain, height_key
from node.clock import LogicalClock
from node.follower import Follower
from node.sealer import Sealer, SealerKeys
from node.statements import Head
from node.store import MemoryStore, RocksStore, Space

SEED = 5


def sealer_keys() -> SealerKeys:
    keyring = Keyring(SEED)
    return SealerKeys(keyring.signer("sealer"), keyring.signer("relayer"), keyring.signer("stop-relayer"))


def follower_key() -> LocalSigner:
    return Keyring(SEED).signer("follower")


@dataclass(frozen=True)
class Day:
    """The files of a finished day."""

    home: Path
    genesis: Genesis

    def open(self) -> Chain:
        return Chain(RocksStore(self.home / "chain"), self.genesis)

    def memory(self) -> MemoryStore:
        """Copy the store into memory, to alter it without touching the files."""
        source, copy = RocksStore(self.home / "chain", read_only=True), MemoryStore()
        for space in (value for name, value in vars(Space).items() if not name.startswith("_")):
            copy.commit({space + key: value for key, value in source.scan(space)})
        source.close()
        return copy


def make_day(home: Path, parcels: int = 30) -> Day:
    _, sealer, _ = run_day(home, parcels, SEED, quiet=True)
    genesis = sealer.chain.genesis
    (home / "genesis.json").write_text(genesis.dumps())
    sealer.chain.store.close()
    return Day(home, genesis)


class Copy:
    """A chain as a source of blocks, and a place for heads."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.heads: list[Head] = []

    def blocks(self, start: int, count: int) -> list[tuple[Block, bytes]]:
        end = min(start + count, self.chain.head.number + 1)
        return [(self.chain.block(height), self.chain.seal(height)) for height in range(start, end)]

    def await_status(self, height: int, final: int | None, seconds: float) -> dict[str, Any]:
        if self.chain.head.number == height:
            time.sleep(min(seconds, 0.02))
        return {"height": self.chain.head.number, "blockHash": "0x" + self.chain.head.hash.hex()}

    def send_head(self, head: Head) -> None:
        self.heads.append(head)


def follow(chain: Chain) -> tuple[Follower, Copy]:
    """Return a follower that has taken the whole chain."""
    source = Copy(chain)
    clock = LogicalClock(chain.head.timestamp)
    follower = Follower(Chain(MemoryStore(), chain.genesis), follower_key(), clock)
    follower.sync(source)
    return follower, source


def reseal(day: Day, drop: int) -> Chain:
    """Seal the day's batches again in a store of its own, without the batch of that place."""
    original = day.open()
    keys = sealer_keys()
    clock = LogicalClock(day.genesis.timestamp)
    chain = Chain(MemoryStore(), day.genesis)
    sealer = Sealer(chain, keys, clock)
    place = 0
    for height in range(1, original.head.number + 1):
        block = original.block(height)
        clock.move_to(block.header.timestamp)
        carried = {each.index: each.batch for each in included_batches(original, height, height)}
        for index, raw in enumerate(block.transactions):
            if index in carried:
                place += 1
                if place - 1 == drop:
                    continue
                try:
                    sealer.accept(carried[index])
                except Exception as error:  # a later batch of the dropped one's key: out of sequence now
                    if getattr(error, "code", "") != "batch.sequence":
                        raise
            else:
                sealer.accept_raw(raw)
        while len(sealer.pool):
            sealer.seal()
    original.store.close()
    return chain


def receipts_folder(day: Day, folder: Path) -> Path:
    """Write the receipts of every batch of the day, as clients keep them."""
    from ledger.chain.receipts import ReceiptFolder  # noqa: PLC0415
    from node.statements import Receipt  # noqa: PLC0415

    chain = day.open()
    kept = ReceiptFolder(folder)
    for batch in included_batches(chain, 1, chain.head.number):
        promised = chain.store.get(Space.PROMISE + batch.hash(chain.domain))
        assert promised is not None
        kept.keep(batch.batch, Receipt.decode(promised).as_dict())
    chain.store.close()
    return folder


def heads_file(heads: list[Head], path: Path) -> Path:
    path.write_text("".join(json.dumps(head.as_dict()) + "\n" for head in heads))
    return path


@pytest.fixture(scope="session")
def day(tmp_path_factory: pytest.TempPathFactory) -> Day:
    return make_day(tmp_path_factory.mktemp("day"))


__all__ = ["Copy", "Day", "day", "follow", "heads_file", "height_key", "receipts_folder", "reseal", "sealer_keys"]
