"""The mix on a chain with a million parcels in its state, against the same mix on an empty one, in the same run.

Orders and filings are new; identity check, screening, carry-in, release and traces are of prefilled parcels spread over
all. Blocks carry every kind, each of other parcels, after a first cohort that fills the caches. Each measurement is a
process of its own, so that memory is that of one node (with the writers' batches). The two chains take turns, and the
best turn of each counts. Disk: what the measured entries added once their states have left the window, and each
entry's share of what its parcel takes in the state.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from benchmarks.embedded import count_cleared, let_yards, open_sealer, run
from benchmarks.mix import COHORTS, ENTRIES_A_PARCEL, LARGEST, SEED, Stage, stages, stream
from clients.sample.members import Keyring, sample_genesis
from clients.sample.plan import START
from clients.sample.prefilled import make_home
from ledger.genesis import Genesis
from node.home import Home
from node.stats import compact
from node.store import RocksStore

TURNS: Final = 3
STRIDE: Final = 7_919
"""Prefilled parcels are taken in steps of a prime; their ids are hashes, so they lie in the trie at random anyway."""
MEGA: Final = 1_000_000


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what this part can be told."""
    parser.add_argument("--prefill", type=int, default=1_000_000, help="parcels in the state before measuring")
    parser.add_argument("--keep", type=Path, help="folder of the prefilled chain, made if it is not there, and kept")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Return `prefilled`."""
    with tempfile.TemporaryDirectory(prefix="clearance-bench-") as folder:
        home = options.keep or Path(folder) / "home"
        began = time.perf_counter()
        if not Home(home).genesis_file.exists():
            apart(make_home, home, options.prefill, SEED, silent)
        else:
            apart(forget, home)
        filled = time.perf_counter() - began
        parcels = Home(home).genesis(bench=True).bench.parcels
        size = used(home)
        turns: dict[str, list[dict[str, Any]]] = {"empty": [], "prefilled": []}
        for turn in range(TURNS):
            turns["empty"].append(apart(mix, Path(folder) / f"empty-{turn}", options.parcels))
            turns["prefilled"].append(apart(mix, home, options.parcels))
        window = used(home)
        apart(forget, home)
        window, grown = window - used(home), used(home) - size
    best = {
        (name, rate): max(row[rate] for row in rows)
        for name, rows in turns.items()
        for rate in ("entries_per_second", "entries_per_cpu_second")
    }
    entries = sum(row["entries"] + row["warm_entries"] for row in turns["prefilled"])
    return {
        "prefilled": {
            "parcels": parcels,
            "ratio": round(best["prefilled", "entries_per_second"] / best["empty", "entries_per_second"], 3),
            "ratio_of_cpu": round(
                best["prefilled", "entries_per_cpu_second"] / best["empty", "entries_per_cpu_second"], 3
            ),
            "entries_per_second": best["prefilled", "entries_per_second"],
            "empty_entries_per_second": best["empty", "entries_per_second"],
            "disk_bytes_per_entry": round(grown / entries + size / (parcels * ENTRIES_A_PARCEL)),
            "rss_mb": max(row["rss_mb"] for row in turns["prefilled"]),
            "state_mb": round(size / MEGA),
            "window_mb": round(window / MEGA),
            "prefill_seconds": round(filled),
            "turns": turns,
        }
    }


def forget(home: Path) -> None:
    """Let go of the states of the window and compact: what is left grows with the entries."""
    store = RocksStore(Home(home).store)
    compact(store, window=0)
    store.close()


def silent(done: int) -> None:
    """Show no progress."""


def apart(function: Any, *arguments: Any) -> Any:
    """Call a function in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def mix(home: Path, parcels: int) -> dict[str, Any]:
    """Run the mix on a node's folder, prefilled or made new; return the row with the node's memory."""
    keyring, folder = Keyring(SEED), Home(home)
    genesis = folder.genesis(bench=True) if folder.genesis_file.exists() else sample_genesis(keyring, START, 1)
    sealer = open_sealer(folder.store, genesis, keyring)
    if sealer.chain.head.number == 0:
        let_yards(sealer, keyring)
    sealer.chain.warm()
    done = count_cleared(sealer.chain, 1)
    size = parcels // COHORTS
    warm = run(sealer, keyring, stream([cohort(genesis, keyring, done, size)]), LARGEST)
    starts = range(done + size, done + size + size * COHORTS, size)
    row = run(sealer, keyring, stream([cohort(genesis, keyring, start, size) for start in starts]), LARGEST)
    row |= {"rss_mb": round(memory("VmHWM") / MEGA), "warm_entries": warm["entries"]}
    sealer.chain.store.close()
    return row


def cohort(genesis: Genesis, keyring: Keyring, done: int, size: int) -> Iterator[Stage]:
    """Return the stages of the parcels that come after the first `done`."""
    if genesis.bench is None:
        return stages(size, keyring, done)
    there = genesis.bench.parcels
    return stages(size, keyring, there + done, [number * STRIDE % there for number in range(done, done + size)])


def memory(name: str) -> int:
    """Return a figure of this process's memory, bytes: VmRSS now, VmHWM at most so far."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1024


def used(home: Path) -> int:
    """Return the bytes on disk of a node's store."""
    return sum(file.stat().st_blocks * 512 for file in Home(home).store.iterdir())
