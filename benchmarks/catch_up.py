"""How fast a node catches up and audits, against how fast the sealer wrote: the same blocks, each executed again.

A follower executes and keeps every block with one synced commit, as the sealer did, and signs its head. The audit runs
unmodified py-evm on a store that kept all states, in one pass and in stretches of two processes.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from benchmarks.embedded import let_yards, open_sealer, run
from benchmarks.mix import SEED, one_by_one
from clients.sample.members import Keyring, sample_genesis
from clients.sample.plan import START
from node.audit.chain import audit_chain, blocks_of_store
from node.audit.ranges import audit_in_stretches
from node.chain import Chain
from node.clock import LogicalClock
from node.evm.executor import Driver
from node.follower import Follower
from node.store import RocksStore

SIZE: Final = 100
JOBS: Final = 2
ALL: Final = 1 << 30
MOST: Final = 2_000
"""Parcels at most: they are executed twice by unmodified py-evm."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add nothing: parcels are those of `embedded`, up to a number."""


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Return `catch_up`, entries a second each."""
    keyring = Keyring(SEED)
    genesis = sample_genesis(keyring, START, 1)
    with tempfile.TemporaryDirectory(prefix="clearance-bench-") as folder:
        sealer = open_sealer(Path(folder) / "sealer", genesis, keyring)
        let_yards(sealer, keyring)
        row = run(sealer, keyring, one_by_one(min(options.parcels, MOST), keyring), SIZE)
        copy = Path(folder) / "follower"
        chain = Chain(RocksStore(copy), genesis, Driver.FAST, ALL)
        follower = Follower(chain, keyring.signer("follower"), LogicalClock(START))
        blocks = [(sealer.chain.block(h), sealer.chain.seal(h)) for h in range(1, sealer.chain.head.number + 1)]
        began = time.perf_counter()
        for block, seal in blocks:
            follower.take(block, seal)
        followed = time.perf_counter() - began
        if chain.head.hash != sealer.chain.head.hash:
            raise SystemExit("the follower ends elsewhere")
        sealer.chain.store.close()
        began = time.perf_counter()
        plain = audit_chain(genesis, blocks_of_store(chain.store), store=chain.store)
        audited = time.perf_counter() - began
        chain.store.close()
        began = time.perf_counter()
        if audit_in_stretches(genesis, copy, JOBS) != plain or not plain.ok:
            raise SystemExit("the audits differ")
        stretched = time.perf_counter() - began
    rates = {"follower": followed, "audit": audited, f"audit_{JOBS}_jobs": stretched}
    return {
        "catch_up": {"sealer_entries_per_second": row["entries_per_second"], "blocks": len(blocks)}
        | {f"{name}_entries_per_second": round(row["entries"] / spent, 1) for name, spent in rates.items()}
        | {"ratio": round(row["entries"] / followed / row["entries_per_second"], 2)}
    }
