"""What the same entries take elsewhere: one transaction an entry, and other EVMs with the very same transactions.

The node's own blocks are made first, once with large batches and once with every entry signed and sent alone; their
transactions are then given to anvil (revm, over JSON-RPC) and to eth-tester (py-evm as it comes), where those are
installed. Nobody else syncs a disk here: anvil and eth-tester keep everything in memory.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from benchmarks.embedded import let_yards, open_sealer, run
from benchmarks.mix import LARGEST, SEED, one_by_one
from clients.sample.bench import BenchParcels
from clients.sample.members import Keyring, sample_genesis
from clients.sample.plan import START
from ledger.chain.state import map_slot
from ledger.genesis import CONTRACT, Genesis
from node.audit.anvil import NoSecondEvm, SecondEvm
from node.blocks import COINBASE, ExecutedBlock
from node.chain import Chain
from node.genesis import contract
from node.stats import carried

ALONE: Final = 1
PARCELS: Final = {LARGEST: 300, ALONE: 40}
"""Parcels of a baseline, by batch size."""
TESTER_CHAIN_ID: Final = 131277322940537
"""The chain id that eth-tester cannot be told to change."""
TESTER_BLOCK: Final = 8
"""Transactions in one of eth-tester's blocks: one over half full would raise its base fee."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add nothing: the baselines are small and of one size."""


def measure(options: argparse.Namespace) -> dict[str, Any]:  # noqa: ARG001  # every part takes them
    """Return `per_entry_ratio` and `baselines`, entries a second each."""
    genesis = sample_genesis(Keyring(SEED), START, 1)
    found: dict[str, float] = {}
    with chain_of(genesis, LARGEST) as (batches, own), chain_of(genesis, ALONE) as (singles, alone):
        found["one_transaction_per_entry_entries_per_second"] = alone
        for what, chain in (("same_batches", batches), ("one_transaction_per_entry", singles)):
            rate = in_anvil(chain)
            if rate is not None:
                found[f"anvil_{what}_entries_per_second"] = rate
    if find_spec("eth_tester"):
        for what, size in (("same_batches", LARGEST), ("one_transaction_per_entry", ALONE)):
            with chain_of(replace(genesis, chain_id=TESTER_CHAIN_ID), size) as (chain, _):
                found[f"eth_tester_{what}_entries_per_second"] = in_eth_tester(chain, PARCELS[size])
    return {"per_entry_ratio": round(own / alone, 2), "baselines": found}


@contextmanager
def chain_of(genesis: Genesis, size: int) -> Iterator[tuple[Chain, float]]:
    """Yield a chain of the mix in batches of a size, and how many entries a second the node made it with."""
    keyring = Keyring(SEED)
    with tempfile.TemporaryDirectory(prefix="clearance-bench-") as folder:
        sealer = open_sealer(Path(folder) / "chain", genesis, keyring)
        let_yards(sealer, keyring)
        row = run(sealer, keyring, one_by_one(PARCELS[size], keyring, genesis.domain), size)
        yield sealer.chain, row["entries_per_second"]
        sealer.chain.store.close()


def in_anvil(chain: Chain) -> float | None:
    """Return the entries a second of anvil, over JSON-RPC, with the roots compared; None where it is not installed."""
    try:
        anvil = SecondEvm(chain.genesis)
    except NoSecondEvm:
        return None
    try:
        executed = [ExecutedBlock(chain.block(height), (), {}) for height in range(chain.head.number + 1)]
        for block in executed[:2]:  # genesis, and the grants that were not timed here either
            anvil.execute(block)
        began = time.perf_counter()
        for block in executed[2:]:
            anvil.execute(block)
        spent = time.perf_counter() - began
        if anvil.findings:
            raise SystemExit(str(anvil.findings[0]))
        return round(entries_of(chain) / spent, 1)
    finally:
        anvil.close()


def in_eth_tester(chain: Chain, parcels: int) -> float:
    """Return the entries a second of eth-tester; every parcel's word must be the node's."""
    from eth_tester.backends.pyevm.main import PyEVMBackend, get_default_genesis_params

    code, storage = contract(chain.genesis)
    fields = {"gas_limit": 4_000_000_000, "timestamp": START, "base_fee_per_gas": 0}
    state = {
        COINBASE: {"balance": 1, "nonce": 0, "code": b"", "storage": {}},
        CONTRACT: {"balance": 0, "nonce": 1, "code": code, "storage": storage},
    }
    tester = PyEVMBackend(get_default_genesis_params() | fields, state)
    blocks = [chain.block(height).transactions for height in range(1, chain.head.number + 1)]
    mine(tester, blocks[0])
    began = time.perf_counter()
    listed = [raw for block in blocks[1:] for raw in block]
    for at in range(0, len(listed), TESTER_BLOCK):
        mine(tester, listed[at : at + TESTER_BLOCK])
    spent = time.perf_counter() - began
    for number in range(parcels):
        slot = map_slot("words", parcel_of(chain, number))
        if tester.get_storage(CONTRACT, slot) != chain.state().read(slot):
            raise SystemExit(f"eth-tester keeps another word of parcel {number}")
    return round(entries_of(chain) / spent, 1)


def mine(tester: Any, transactions: Sequence[bytes]) -> None:
    """Make a block a second after the last one; eth-tester itself goes by the machine's clock."""
    before = tester.chain.get_canonical_head().timestamp
    tester.chain.header = tester.chain.header.copy(timestamp=before + 1)
    for raw in transactions:
        tester.send_raw_transaction(raw)
    tester.mine_blocks()


def parcel_of(chain: Chain, number: int) -> int:
    """Return the id of a parcel."""
    return BenchParcels(Keyring(SEED), chain.domain).filed(number).subject


def entries_of(chain: Chain) -> int:
    """Return how many entries the blocks carry."""
    return carried(chain.store, chain.head.number)[1]
