"""`make bench`: entries a second from signed batch to durable block, on an embedded sealer with the real store.

The mix is the sample day's: for each parcel an order, a filing, identity check, screening, carry-in, release and six
traces; every block is synced. Batch sizes are reported apart, with where the time goes. The baseline of the same run is
what py-evm needs for one plain opcode: it says how fast the machine was just then.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from rich.console import Console
from rich.table import Table

from clients.sample.members import COURIERS, HANDLES, OFFICES, Keyring, sample_genesis
from clients.sample.plan import START
from ledger.chain.batch import Batch, Entry, detail
from ledger.chain.calls import call_data
from ledger.chain.transaction import sign_legacy
from ledger.commitments import filing_digest, order_commitment
from ledger.domain.facts import Goods, Mode, Transport, country_number
from ledger.domain.kinds import KindNumber
from ledger.domain.limits import MAX_BATCH_BYTES, MAX_ENTRIES, TRACE_LANE
from ledger.genesis import CONTRACT
from ledger.payloads import derive
from node.blocks import EMPTY_ROOT
from node.chain import Chain
from node.clock import LogicalClock
from node.evm.builder import BlockBuilder
from node.evm.executor import Driver
from node.sealer import Sealer, SealerKeys
from node.store import RocksStore

K = KindNumber
TRACES: Final = 6
SHOPS: Final = 14
LARGEST: Final = 500
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Stage:
    """Entries of one kind by writer, in the order they must come."""

    name: str
    lane: int
    entries: dict[str, list[Entry]]


def stages(parcels: int, keyring: Keyring) -> Iterator[Stage]:
    """Yield the stages of so many parcels, spread over the writers."""
    domain = sample_genesis(keyring, START, 1).domain
    secret = keyring.secret("bench")
    country = country_number("US")
    transport = Transport(country, country, Mode.EXPRESS_AIR, OFFICES[0]).word()
    orders: dict[str, list[Entry]] = {}
    filings: dict[str, list[Entry]] = {}
    results: list[tuple[int, int]] = []
    for number in range(parcels):
        shop, courier = f"shop-{number % SHOPS + 1:02}", COURIERS[number % len(COURIERS)]
        goods = Goods(1_000 + number % 9_000, 840, 1 + number % 14, 1)
        rest, salt, payload = (derive(secret, f"{number} {what}") for what in ("rest", "salt", "payload"))
        commitment = order_commitment(goods.word(), rest, salt)
        order = domain.subject_id(K.ORDER_OPENED, HANDLES[shop], commitment)
        handed = detail(K.ORDER_OPENED, handed=HANDLES[courier])
        orders.setdefault(shop, []).append(Entry(order, K.ORDER_OPENED, START, commitment, handed, extra=(1,)))
        parcel = domain.subject_id(K.FILED, HANDLES[courier], payload)
        words = (transport, order, goods.word(), int.from_bytes(rest, "big"), int.from_bytes(salt, "big"))
        filed = Entry(parcel, K.FILED, START, payload, extra=words)
        filings.setdefault(courier, []).append(filed)
        results.append((parcel, filing_digest(0, filed.packed())))
    yield Stage("order", 1, orders)
    yield Stage("filed", 1, filings)
    for name, kind in (("identity", K.IDENTITY_CHECKED), ("screening", K.SCREENED_PASSED)):
        yield Stage(name, 1, {name: [Entry(parcel, kind, START, names=names) for parcel, names in results]})
    for name, kind in (("carried", K.CARRIED_IN), ("released", K.RELEASED)):
        yards: dict[str, list[Entry]] = {}
        for number, (parcel, _) in enumerate(results):
            yards.setdefault(f"yard-{OFFICES[number % 3]:03}", []).append(Entry(parcel, kind, START))
        yield Stage(name, 1, yards)
    traces = {
        courier: [Entry(entry.subject, trace, START) for entry in listed for trace in range(1, TRACES + 1)]
        for courier, listed in filings.items()
    }
    yield Stage("trace", TRACE_LANE, traces)


def batches(stage: Stage, size: int, sealer: Sealer, keyring: Keyring) -> Iterator[Batch]:
    """Sign a stage's entries in batches of at most `size` entries."""
    state = sealer.chain.state()
    for name, entries in stage.entries.items():
        signer = keyring.signer(name)
        seq = state.next_seq(signer.address, stage.lane)
        at = 0
        while at < len(entries):
            count, room = 0, MAX_BATCH_BYTES - 32
            for entry in entries[at : at + min(size, MAX_ENTRIES)]:
                room -= 96 + 32 * len(entry.extra)
                if room < 0:
                    break
                count += 1
            listed = entries[at : at + count]
            yield Batch.signed(
                sealer.chain.domain, signer, lane=stage.lane, seq=seq, not_after=START + 86_400, entries=listed
            )
            seq, at = seq + 1, at + count


def measure(parcels: int, size: int, folder: Path, driver: Driver = Driver.PLAIN) -> dict[str, Any]:
    """Run every stage; time accepting (recover, check, synced queue) and sealing (execute, roots, synced commit)."""
    keyring = Keyring(1)
    genesis = sample_genesis(keyring, START, 1)
    keys = SealerKeys(keyring.signer("sealer"), keyring.signer("relayer"), keyring.signer("stop-relayer"))
    sealer = Sealer(Chain(RocksStore(folder), genesis, driver), keys, LogicalClock(START))
    for name in COURIERS:
        cold = keyring.cold(name)
        for nonce, office in enumerate(OFFICES):
            data = call_data("let", START, HANDLES[name], HANDLES[f"yard-{office:03}"], 1 << 7 | 1 << 17)
            raw = sign_legacy(cold, nonce=nonce, to=CONTRACT, data=data, chain_id=genesis.chain_id, gas=10**6)
            sealer.accept_raw(raw)
    sealer.seal()
    clock, per_stage = Clock(), {}
    accepting = sealing = 0.0
    entries = blocks = 0
    with clock.watching(sealer):
        for stage in stages(parcels, keyring):
            signed = list(batches(stage, size, sealer, keyring))
            began = time.perf_counter()
            for batch in signed:
                sealer.accept(batch)
            taken = time.perf_counter()
            while len(sealer.pool):
                sealer.seal()
                blocks += 1
            done = time.perf_counter()
            count = sum(len(listed) for listed in stage.entries.values())
            entries += count
            accepting += taken - began
            sealing += done - taken
            per_stage[stage.name] = round((done - began) * 1e6 / count, 1)
    cleared = sum(
        1 for _, name in _cleared(sealer.chain) if name == "CLEARED"
    )  # the benchmark must have done the real work
    if cleared != parcels:
        raise SystemExit(f"only {cleared} of {parcels} parcels were cleared")
    state_root = sealer.chain.head.state_root.hex()
    sealer.chain.store.close()
    return {
        "state_root": state_root,
        "driver": str(driver),
        "batch": size,
        "entries": entries,
        "blocks": blocks,
        "entries_per_second": round(entries / (accepting + sealing), 1),
        "parcels_per_second": round(parcels / (accepting + sealing), 1),
        "accepting_share": round(accepting / (accepting + sealing), 3),
        "shares": {part: round(spent / (accepting + sealing), 3) for part, spent in clock.seconds.items()},
        "microseconds": per_stage,
    }


class Clock:
    """Adds up the time spent in parts of the node."""

    def __init__(self) -> None:
        """Start at zero."""
        self.seconds: dict[str, float] = {}

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
        BlockBuilder.apply = self.around("executing", kept[0])  # type: ignore[method-assign]
        BlockBuilder.close = self.around("roots", kept[1])  # type: ignore[method-assign]
        store.commit = self.around("synced commit", store.commit)  # type: ignore[method-assign]
        try:
            yield
        finally:
            BlockBuilder.apply, BlockBuilder.close = kept  # type: ignore[method-assign]


LOOP: Final = bytes.fromhex("5b" + "6001600101" * 20 + "50" * 20 + "600056")
"""Additions in an endless loop, which ends when the gas does."""


def microseconds_an_opcode(rounds: int = 3) -> float:
    """Return what py-evm needs for a plain opcode on this machine now, the best of some rounds."""
    from eth.db.atomic import AtomicDB
    from eth.vm.execution_context import ExecutionContext
    from eth.vm.forks.cancun.state import CancunState
    from eth.vm.message import Message
    from eth.vm.transaction_context import BaseTransactionContext

    best = float("inf")
    for _ in range(rounds):
        state = CancunState(AtomicDB(), ExecutionContext(bytes(20), 1, 1, 0, bytes(32), 10**9, [], 1, 0, 0), EMPTY_ROOT)
        message = Message(gas=600_000, to=bytes(20), sender=bytes(20), value=0, data=b"", code=LOOP)
        began = time.perf_counter()
        state.computation_class.apply_computation(state, message, BaseTransactionContext(0, bytes(20), []))
        best = min(best, time.perf_counter() - began)
    rest = 600_000 / (1 + 20 * 9 + 20 * 2 + 3 + 8)  # gas of one turn: JUMPDEST, 2 PUSH and ADD, POP, PUSH and JUMP
    return best * 1e6 / (rest * (1 + 20 * 3 + 20 + 2))


def _cleared(chain: Chain) -> Iterator[tuple[int, str]]:
    from clients.cli.embedded import included_batches

    for batch in included_batches(chain, 1, chain.head.number):
        for outcome in batch.outcomes:
            yield batch.height, outcome.code.name


def main() -> None:
    """Measure every batch size; print a table and write bench.json."""
    parser = argparse.ArgumentParser(description="Entries a second from signed batch to durable block.")
    parser.add_argument("--parcels", type=int, default=1_000)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 100, LARGEST])
    options = parser.parse_args()
    rows = []
    opcode = microseconds_an_opcode()
    for driver in Driver:
        for size in options.sizes:
            with tempfile.TemporaryDirectory(prefix="clearance-bench-") as folder:
                parcels = options.parcels if size > 10 else max(50, options.parcels // 4)
                rows.append(measure(parcels, size, Path(folder) / "chain", driver))
    if len({row["state_root"] for row in rows}) != len(options.sizes):
        raise SystemExit("the drivers end at different states")
    opcode = (opcode + microseconds_an_opcode()) / 2  # before and after, so that a slow moment shows
    best = {driver: max(row["entries_per_second"] for row in rows if row["driver"] == driver) for driver in Driver}
    document = {
        "machine": {"python": platform.python_version(), "cpus": os.cpu_count(), "system": platform.platform()},
        "embedded": {
            "entries_per_second": best[Driver.FAST],
            "syncs": sum(row["blocks"] for row in rows),
            "sizes": rows,
        },
        "baselines": {
            "unmodified_driver_entries_per_second": best[Driver.PLAIN],
            "py_evm_microseconds_an_opcode": round(opcode, 2),
        },
    }
    Path("bench.json").write_text(json.dumps(document, indent=1) + "\n")
    show(rows)
    console = Console(width=140, highlight=False)
    console.print(f"baseline: py-evm needs {opcode:.2f} microseconds for a plain opcode")
    console.print(f"best: {best[Driver.PLAIN]:,} entries/s unmodified, {best[Driver.FAST]:,} fast; see bench.json")


def show(rows: list[dict[str, Any]]) -> None:
    """Print a table of the measurements, and where the time went."""
    table = Table(title="Signed batch to durable block, synced; plain: unmodified py-evm", title_justify="left")
    for column in ("driver", "batch", "entries", "blocks", "entries/s", "parcels/s", *rows[0]["microseconds"]):
        table.add_column(column, justify="right")
    for row in rows:
        names = ("driver", "batch", "entries", "blocks", "entries_per_second", "parcels_per_second")
        table.add_row(*(str(cell) for cell in (*(row[name] for name in names), *row["microseconds"].values())))
    console = Console(width=140, highlight=False)
    console.print(table)
    console.print("columns from `order` on: microseconds an entry")
    for row in rows:
        parts = ", ".join(f"{part} {share:.0%}" for part, share in row["shares"].items())
        label = f"{row['driver']}, batches of {row['batch']}"
        console.print(f"{label}: {parts}; accepting is {row['accepting_share']:.0%}")


if __name__ == "__main__":
    main()
