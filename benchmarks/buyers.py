"""Buyers' reads over a million parcels: an open loop of 200 requests a second to a real gateway process.

Half of them ask for the list of a number's uses, half for one use with its status and time line.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.progress import Progress

from benchmarks.plain_http import Connections
from benchmarks.read_model import Holder, fill
from benchmarks.rig import PUSHED_BACK, Service, milliseconds, running
from clients.cli.api import master_key, open_database
from clients.cli.vault import open_vault, seals_of
from ledger.store.migrations import migrate

ASKING: Final = 1_000
"""People who ask, in turn: each less often than one may."""
WARM_UP: Final = 3.0


@dataclass(slots=True)
class Read:
    """One request: seconds into the loop, route, and how long it took from there until its answer."""

    at: float
    route: str
    path: str
    token: str
    took: float = 0.0
    pushed_back: bool = False


def reads(holders: list[Holder], rate: int, seconds: int) -> list[Read]:
    """Return the requests of a loop: each at its time, one of the two routes in turn."""
    dice = random.Random(1)
    dice.shuffle(holders)
    found = []
    for number in range(rate * seconds):
        holder = holders[number % len(holders)]
        if number % 2:
            found.append(Read(number / rate, "uses", "/v1/buyer/uses", holder.token))
        else:
            found.append(Read(number / rate, "status", f"/v1/buyer/uses/{dice.choice(holder.uses)}", holder.token))
    return found


async def open_loop(service: Service, holders: list[Holder], rate: int, seconds: int) -> dict[str, Any]:
    """Ask at the rate, whatever comes back; time each from when it should have gone out."""
    listed = reads(holders, rate, seconds)
    spent = service.cpu_seconds()
    async with Connections(service.url) as connections:
        start = time.perf_counter() + 0.1

        async def one(read: Read) -> None:
            status, body = await connections.get(read.path, read.token)
            read.took, read.pushed_back = time.perf_counter() - start - read.at, status in PUSHED_BACK
            if status != 200 and not read.pushed_back:
                raise SystemExit(f"{read.path}: {status} {body[:200]!r}")

        asked = []
        for read in listed:
            await asyncio.sleep(max(0.0, start + read.at - time.perf_counter()))
            asked.append(asyncio.create_task(one(read)))
        await asyncio.gather(*asked)
        opened = len(connections)
    counted = [read for read in listed if read.at >= WARM_UP and not read.pushed_back]
    return {
        "rate": rate,
        "seconds": seconds,
        "requests": len(counted),
        "pushed_back": sum(read.pushed_back for read in listed),
        **{f"{key}_ms": value for key, value in milliseconds([read.took for read in counted]).items()},
        "uses_ms": milliseconds([read.took for read in counted if read.route == "uses"]),
        "status_ms": milliseconds([read.took for read in counted if read.route == "status"]),
        "connections": opened,
        "gateway_cpu_share": round((service.cpu_seconds()["gateway"] - spent["gateway"]) / seconds, 2),
        "resident_mb": service.resident_mb(),
    }


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what this part can be told."""
    parser.add_argument("--buyers-parcels", type=int, default=1_000_000, help="parcels in the read model")
    parser.add_argument("--buyers-rate", type=int, default=200, help="requests a second of buyers")
    parser.add_argument("--buyers-seconds", type=int, default=30, help="length of their open loop")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Return `buyer_reads`."""
    with tempfile.TemporaryDirectory(prefix="clearance-bench-") as folder:
        home = Path(folder)
        database = open_database(home / "gateway", options.database)
        migrate(database)
        vault = open_vault(home / "gateway", database)
        seals = seals_of(master_key(home / "gateway", "identity.key"), vault)
        began = time.perf_counter()
        with Progress(transient=True) as bar:
            task = bar.add_task("read model", total=options.buyers_parcels)
            holders = fill(
                database, seals, options.buyers_parcels, ASKING, lambda done: bar.update(task, completed=done)
            )
        filled = time.perf_counter() - began
        database.close()
        vault.keys.data.close()
        size = sum(path.stat().st_size for path in (home / "gateway").glob("gateway.db*"))
        with running(home, options.database, "--demo-seed", "1", "--demo-parcels", "2") as service:
            found = asyncio.run(open_loop(service, holders, options.buyers_rate, options.buyers_seconds))
    kept = {"parcels": options.buyers_parcels, "filled_seconds": round(filled, 1), "database_mb": round(size / 1e6)}
    return {"buyer_reads": kept | found}
