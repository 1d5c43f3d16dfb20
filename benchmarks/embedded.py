"""From signed batch to durable block: one embedded sealer with the real store, each driver, each batch size.

Every block is one synced commit, carries every kind, and takes up to 64 batches, as a sealer fills it under load.
Batch sizes are reported apart, with where the time goes.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from rich.table import Table

from benchmarks.mix import LARGEST, SEED, Signer, Stage, busy_day, grants
from clients.cli.embedded import included_batches
from clients.sample.members import Keyring, sample_genesis
from clients.sample.plan import START
from ledger.domain.errors import LedgerError
from ledger.genesis import Genesis
from node.chain import Chain
from node.clock import LogicalClock
from node.evm.builder import BlockBuilder
from node.evm.executor import Driver
from node.sealer import Sealer, SealerKeys
from node.store import RocksStore

T = TypeVar("T")
TOGETHER: Final = 32
"""Batches handed to the sealer at once, as the gateway does; they are queued by one synced write."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what this part can be told."""
    parser.add_argument("--parcels", type=int, default=6_000, help="parcels of a run")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 100, LARGEST], help="batch sizes")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Return `embedded` and the unmodified driver's baseline."""
    rows = []
    for driver in Driver:
        for size in options.sizes:
            with tempfile.TemporaryDirectory(prefix="clearance-bench-") as folder:
                parcels = options.parcels if size > 10 else max(50, options.parcels // 4)
                keyring = Keyring(SEED)
                sealer = open_sealer(Path(folder) / "chain", sample_genesis(keyring, START, 1), keyring, driver)
                let_yards(sealer, keyring)
                sealer.chain.warm()
                rows.append({"driver": str(driver)} | run(sealer, keyring, busy_day(parcels, keyring), size))
                sealer.chain.store.close()
    if len({row["state_root"] for row in rows}) != len(options.sizes):
        raise SystemExit("the drivers end at different states")
    best = {driver: max(row["entries_per_second"] for row in rows if row["driver"] == driver) for driver in Driver}
    syncs = sum(row["syncs"] for row in rows)
    return {
        "embedded": {"entries_per_second": best[Driver.FAST], "syncs": syncs, "sizes": rows},
        "baselines": {"unmodified_driver_entries_per_second": best[Driver.PLAIN]},
    }


def open_sealer(folder: Path, genesis: Genesis, keyring: Keyring, driver: Driver = Driver.FAST) -> Sealer:
    """Open a chain on disk under a sealer with the sample's keys."""
    keys = SealerKeys(keyring.signer("sealer"), keyring.signer("relayer"), keyring.signer("stop-relayer"))
    return Sealer(Chain(RocksStore(folder), genesis, driver), keys, LogicalClock(START))


def let_yards(sealer: Sealer, keyring: Keyring) -> None:
    """Let the yards carry in and release for every courier."""
    for raw in grants(keyring, sealer.chain.genesis.chain_id):
        sealer.accept_raw(raw)
    sealer.seal()


def run(sealer: Sealer, keyring: Keyring, rounds: Iterable[Sequence[Stage]], size: int) -> dict[str, Any]:
    """Send rounds of stages; time accepting (recover, check, synced queue) and sealing (execute, roots, synced commit).

    Each round is signed before its clock starts and sealed before the next. The sealed blocks must have cleared every
    parcel that was carried in: the real work was done.
    """
    clock, per_round, signer = Clock(), {}, Signer(keyring, sealer.chain.domain, next_seq=sealer.chain.state().next_seq)
    accepting = sealing = cpu = 0.0
    entries, carried, first = 0, 0, sealer.chain.head.number + 1
    with clock.watching(sealer):
        for stages in rounds:
            signed = [batch for stage in stages for listed in signer.batches(stage, size).values() for batch in listed]
            began, worked = time.perf_counter(), time.process_time()
            for at in range(0, len(signed), TOGETHER):
                for answer in sealer.accept_all(signed[at : at + TOGETHER]):
                    if isinstance(answer, LedgerError):
                        raise answer
            taken = time.perf_counter()
            while len(sealer.pool):
                sealer.seal()
            done = time.perf_counter()
            cpu += time.process_time() - worked
            counts = {stage.name: sum(map(len, stage.entries.values())) for stage in stages}
            entries += sum(counts.values())
            carried += counts.get("carried", 0)
            accepting += taken - began
            sealing += done - taken
            per_round["+".join(counts)] = round((done - began) * 1e6 / sum(counts.values()), 1)
    cleared = count_cleared(sealer.chain, first)
    if cleared != carried:
        raise SystemExit(f"only {cleared} of {carried} parcels were cleared")
    spent = accepting + sealing
    return {
        "state_root": sealer.chain.head.state_root.hex(),
        "batch": size,
        "entries": entries,
        "blocks": sealer.chain.head.number + 1 - first,
        "syncs": clock.syncs,
        "entries_per_second": round(entries / spent, 1),
        "entries_per_cpu_second": round(entries / cpu, 1),
        "parcels_per_second": round(carried / spent, 1),
        "accepting_share": round(accepting / spent, 3),
        "shares": {part: round(seconds / spent, 3) for part, seconds in clock.seconds.items()},
        "microseconds": per_round,
    }


def count_cleared(chain: Chain, first: int) -> int:
    """Return how many parcels the blocks from a height cleared."""
    batches = included_batches(chain, first, chain.head.number)
    return sum(outcome.code.name == "CLEARED" for batch in batches for outcome in batch.outcomes)


class Clock:
    """Adds up the time spent in parts of the node."""

    def __init__(self) -> None:
        """Start at zero."""
        self.seconds: dict[str, float] = {}
        self.syncs = 0

    def around(self, part: str, plain: Callable[..., T]) -> Callable[..., T]:
        """Return a function that does the same and counts its time for a part."""

        def timed(*arguments: Any, **named: Any) -> T:
            began = time.perf_counter()
            try:
                return plain(*arguments, **named)
            finally:
                self.seconds[part] = self.seconds.get(part, 0.0) + time.perf_counter() - began

        return timed

    @contextmanager
    def watching(self, sealer: Sealer) -> Iterator[None]:
        """Count execution, roots and the synced commit of a sealer apart."""
        kept = BlockBuilder.apply, BlockBuilder.close
        store = sealer.chain.store
        commit = store.commit

        def counted(writes: Mapping[bytes, bytes | None], *, sync: bool = True) -> None:
            self.syncs += sync
            commit(writes, sync=sync)

        BlockBuilder.apply = self.around("executing", kept[0])  # type: ignore[method-assign]
        BlockBuilder.close = self.around("roots", kept[1])  # type: ignore[method-assign]
        store.commit = self.around("synced commit", counted)  # type: ignore[method-assign]
        try:
            yield
        finally:
            BlockBuilder.apply, BlockBuilder.close = kept  # type: ignore[method-assign]
            store.commit = commit  # type: ignore[method-assign]


def table(document: dict[str, Any]) -> Table:
    """Return the rows of `embedded` as a table: shares of the time; synced commits are of queue and block."""
    shown = Table(title="Signed batch to durable block, synced; plain: unmodified py-evm", title_justify="left")
    names = ("driver", "batch", "entries", "blocks", "entries_per_second", "parcels_per_second", "accepting_share")
    shares = ("executing", "roots", "synced commit")
    for column in (*names[:4], "entries/s", "parcels/s", "accepting", *shares):
        shown.add_column(column, justify="right")
    for row in document["embedded"]["sizes"]:
        shown.add_row(*(str(row[name]) for name in names), *(f"{row['shares'][share]:.0%}" for share in shares))
    return shown
