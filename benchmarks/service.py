"""From signed batch at the API to visible row, through real processes on loopback.

Sealer, follower and gateway run as they do in production; writers sign beforehand, so that the figure is the service's
and not the signers'. Every batch is answered 202 before the writer's next; the clock stops when the last row is
visible.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.mix import ENTRIES_A_PARCEL, Signer, stages
from benchmarks.rig import Service, body_of, close_all, milliseconds, running, sign_in_all


async def throughput(service: Service, parcels: int, size: int) -> dict[str, Any]:
    """Post every stage from all its writers at once; stop the clock when the last row is visible."""
    signer = Signer(service.keyring, service.genesis.domain)
    prepared = [
        {name: [body_of(batch) for batch in listed] for name, listed in signer.batches(stage, size).items()}
        for stage in stages(parcels, service.keyring)
    ]
    writers = await sign_in_all(service, [name for bodies in prepared for name in bodies])
    spent = service.cpu_seconds()
    began = time.perf_counter()
    for bodies in prepared:
        last = await asyncio.gather(*(writers[name].post_all(each) for name, each in bodies.items()))
    posted = time.perf_counter() - began
    await asyncio.gather(*(writers[name].visible(each) for name, each in zip(prepared[-1], last, strict=True)))
    seconds = time.perf_counter() - began
    cpu = {name: round(after - spent[name], 1) for name, after in service.cpu_seconds().items()}
    resident = service.resident_mb()
    await close_all(writers)
    return {
        "entries_per_second": round(parcels * ENTRIES_A_PARCEL / seconds, 1),
        "entries": parcels * ENTRIES_A_PARCEL,
        "batch": size,
        "writers": len(writers),
        "seconds": round(seconds, 1),
        "posted_seconds": round(posted, 1),
        "accepted_ms": milliseconds([wait for writer in writers.values() for wait in writer.waits]),
        "pushed_back": sum(sum(writer.pushed.codes.values()) for writer in writers.values()),
        "cpu_seconds": cpu,
        "resident_mb": resident,
    }


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what this part can be told."""
    parser.add_argument("--service-entries", type=int, default=100_000, help="entries sent through the service")
    parser.add_argument("--service-batch", type=int, default=100, help="entries in a batch there")
    parser.add_argument("--database", default="", help="SQLAlchemy address of an empty database; else SQLite")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Return `service`."""
    parcels = max(1, options.service_entries // ENTRIES_A_PARCEL)
    with (
        tempfile.TemporaryDirectory(prefix="clearance-bench-") as home,
        running(Path(home), options.database) as service,
    ):
        return {"service": asyncio.run(throughput(service, parcels, options.service_batch))}
