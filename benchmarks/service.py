"""`python -m benchmarks.service`: from signed batch at the API to visible row, through real processes on loopback.

Sealer, follower and gateway run as they do in production; writers sign beforehand, so that the figure is the service's
and not the signers'. Every batch is answered 202 before the writer's next; the clock stops when the last row is
visible.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from benchmarks.mix import Stage, stages
from clients.cli.processes import free_port, start, start_gateway, wait_gateway, wait_ready
from clients.cli.run import lay_out
from clients.sample.members import COURIERS, HANDLES, OFFICES, Keyring
from clients.sample.plan import START
from ledger.chain.batch import Batch
from ledger.chain.calls import call_data
from ledger.chain.transaction import sign_legacy
from ledger.domain.limits import MAX_BATCH_BYTES
from ledger.genesis import CONTRACT, Genesis
from node.home import Home
from node.remote import RemoteNode

SEED: Final = 1


@dataclass(frozen=True, slots=True)
class Service:
    """A running service."""

    url: str
    genesis: Genesis
    keyring: Keyring
    node: RemoteNode
    processes: dict[str, subprocess.Popen[bytes]]

    def cpu_seconds(self) -> dict[str, float]:
        """Return what each process has spent."""
        ticks = os.sysconf("SC_CLK_TCK")
        found = {}
        for name, process in self.processes.items():
            fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
            found[name] = (int(fields[11]) + int(fields[12])) / ticks
        return found


@contextmanager
def running(home: Path, database: str = "") -> Iterator[Service]:
    """Start sealer, follower and gateway; stop them at the end."""
    keyring, genesis = lay_out(home, SEED)
    ports = [free_port() for _ in range(3)]
    with ExitStack() as stack:
        processes: dict[str, subprocess.Popen[bytes]] = {}

        def keep(name: str, process: subprocess.Popen[bytes]) -> None:
            processes[name] = process
            stack.callback(process.wait)
            stack.callback(process.terminate)

        token = Home(home / "sealer").token()
        keep("sealer", start(home / "sealer", ports[0], "--logical-clock", "--driver", "fast"))
        node = RemoteNode(f"http://127.0.0.1:{ports[0]}", token)
        stack.callback(node.close)
        wait_ready(node, processes["sealer"], home / "sealer")
        os.environ["CLEARANCE_FOLLOW_TOKEN"] = token
        keep("follower", start(home / "follower", ports[1], "--follow", node.url, "--driver", "fast"))
        keep("gateway", start_gateway(home / "gateway", ports[2], node.url, token, database=database))
        url = f"http://127.0.0.1:{ports[2]}"
        wait_gateway(url, processes["gateway"], home / "gateway")
        let_yards(node, keyring, genesis)
        yield Service(url, genesis, keyring, node, processes)


def let_yards(node: RemoteNode, keyring: Keyring, genesis: Genesis) -> None:
    """Let the yards carry in and release for every courier."""
    for name in COURIERS:
        cold = keyring.cold(name)
        for nonce, office in enumerate(OFFICES):
            data = call_data("let", START, HANDLES[name], HANDLES[f"yard-{office:03}"], 1 << 7 | 1 << 17)
            node.send_raw(sign_legacy(cold, nonce=nonce, to=CONTRACT, data=data, chain_id=genesis.chain_id, gas=10**6))
    while node.status()["queued"]:
        time.sleep(0.02)


@dataclass(slots=True)
class Writer:
    """A signed-in key with batches to post."""

    http: httpx.AsyncClient
    seqs: dict[int, int]


async def sign_in(service: Service, name: str) -> Writer:
    """Sign a member in."""
    signer = service.keyring.signer(name)
    http = httpx.AsyncClient(base_url=service.url, trust_env=False, timeout=120)
    asked = (await http.post("/v1/auth/challenges", json={"address": signer.hex_address})).json()
    challenge = bytes.fromhex(asked["challenge"][2:])
    digest = service.genesis.domain.sign_in_digest(signer.address, challenge, asked["typed_data"]["message"]["expires"])
    body = {
        "address": signer.hex_address, "challenge": asked["challenge"],
        "signature": "0x" + signer.sign_digest(digest).hex(),
    }  # fmt: skip
    token = (await http.post("/v1/auth/tokens", json=body)).json()["access_token"]
    http.headers["Authorization"] = f"Bearer {token}"
    return Writer(http, {})


def signed(service: Service, stage: Stage, size: int, seqs: dict[tuple[str, int], int]) -> dict[str, list[bytes]]:
    """Return a stage's batches as request bodies, by writer."""
    found: dict[str, list[bytes]] = {}
    for name, entries in stage.entries.items():
        signer, at = service.keyring.signer(name), 0
        while at < len(entries):
            count, room = 0, MAX_BATCH_BYTES - 32
            for entry in entries[at : at + size]:
                room -= 96 + 32 * len(entry.extra)
                if room < 0:
                    break
                count += 1
            seq = seqs.get((name, stage.lane), 0)
            batch = Batch.signed(
                service.genesis.domain, signer, lane=stage.lane, seq=seq, not_after=START + 86_400,
                entries=entries[at : at + count],
            )  # fmt: skip
            seqs[name, stage.lane] = seq + 1
            document = {
                "lane": str(batch.lane), "seq": batch.seq, "not_after": batch.not_after,
                "entries": "0x" + batch.entries.hex(), "signature": "0x" + batch.signature.hex(),
            }  # fmt: skip
            found.setdefault(name, []).append(json.dumps(document).encode())
            at += count
    return found


async def post_all(writer: Writer, bodies: list[bytes], waits: list[float]) -> str:
    """Post a writer's batches one after another, waiting out push-back; return the last submission's id."""
    last = ""
    for body in bodies:
        while True:
            began = time.perf_counter()
            answer = await writer.http.post("/v1/batches", content=body, headers={"Content-Type": "application/json"})
            waits.append(time.perf_counter() - began)
            if answer.status_code == 202:
                last = answer.json()["id"]
                break
            if answer.status_code != 503:
                raise SystemExit(f"a batch was refused: {answer.text}")
            await asyncio.sleep(int(answer.headers["Retry-After"]))
    return last


async def visible(writer: Writer, submission: str) -> None:
    """Wait until a submission's rows can be read."""
    for _ in range(10_000):
        if (await writer.http.get(f"/v1/submissions/{submission}")).json()["state"] == "visible":
            return
        await asyncio.sleep(0.02)
    raise SystemExit(f"{submission} does not become visible")


async def throughput(service: Service, parcels: int, size: int) -> dict[str, Any]:
    """Post every stage from all its writers at once; stop the clock when the last row is visible."""
    seqs: dict[tuple[str, int], int] = {}
    prepared = [(stage, signed(service, stage, size, seqs)) for stage in stages(parcels, service.keyring)]
    names = sorted({name for _, bodies in prepared for name in bodies})
    writers = {name: await sign_in(service, name) for name in names}
    entries = sum(len(listed) for stage, _ in prepared for listed in stage.entries.values())
    spent, waits = service.cpu_seconds(), []
    began = time.perf_counter()
    for _, bodies in prepared:
        last = await asyncio.gather(*(post_all(writers[name], each, waits) for name, each in bodies.items()))
    posted = time.perf_counter() - began
    await asyncio.gather(*(visible(writers[name], each) for name, each in zip(prepared[-1][1], last, strict=True)))
    seconds = time.perf_counter() - began
    cpu = {name: round(after - spent[name], 1) for name, after in service.cpu_seconds().items()}
    for writer in writers.values():
        await writer.http.aclose()
    waits.sort()
    return {
        "entries": entries,
        "batch": size,
        "writers": len(names),
        "entries_per_second": round(entries / seconds, 1),
        "seconds": round(seconds, 1),
        "posted_seconds": round(posted, 1),
        "accept_p99_ms": round(waits[int(len(waits) * 0.99)] * 1_000, 1),
        "cpu_seconds": cpu,
    }


CARRY_INS: Final = 20
TRACE_BATCH: Final = 10
RATE: Final = 130
"""Entries a second of the open loop: Korea's mean in season."""


async def latency(service: Service, seconds: int) -> dict[str, Any]:
    """Send 130 entries a second whatever comes back; time each carry-in from its 202 to the row that says cleared.

    The row becomes visible in the transaction that makes its submission visible, which is what is polled.
    """
    parcels = CARRY_INS * seconds
    seqs: dict[tuple[str, int], int] = {}
    prepared = {stage.name: stage for stage in stages(parcels, service.keyring)}
    writers: dict[str, Writer] = {}
    for name in sorted({name for stage in prepared.values() for name in stage.entries}):
        writers[name] = await sign_in(service, name)
    for name in ("order", "filed", "identity", "screening"):
        bodies = signed(service, prepared[name], 100, seqs)
        last = await asyncio.gather(*(post_all(writers[who], each, []) for who, each in bodies.items()))
        await asyncio.gather(*(visible(writers[who], each) for who, each in zip(bodies, last, strict=True)))
    carried = signed(service, prepared["carried"], 1, seqs)
    traces = signed(service, prepared["trace"], TRACE_BATCH, seqs)
    took: list[float] = []
    began = time.perf_counter()
    share = {name: CARRY_INS * len(each) / parcels for name, each in carried.items()}
    beats = {name: (RATE - CARRY_INS) / TRACE_BATCH / len(traces) for name in traces}
    await asyncio.gather(
        *(paced(writers[name], bodies, share[name], took) for name, bodies in carried.items()),
        *(
            paced(writers[name], bodies[: int(beats[name] * seconds)], beats[name], None)
            for name, bodies in traces.items()
        ),
    )
    spent = time.perf_counter() - began
    for writer in writers.values():
        await writer.http.aclose()
    took.sort()
    return {
        "rate": RATE,
        "seconds": round(spent, 1),
        "carry_ins": len(took),
        "cleared_p50_ms": round(took[len(took) // 2] * 1_000),
        "cleared_p99_ms": round(took[int(len(took) * 0.99)] * 1_000),
        "cleared_worst_ms": round(took[-1] * 1_000),
    }


async def paced(writer: Writer, bodies: list[bytes], rate: float, took: list[float] | None) -> None:
    """Post at a rate, on time whatever came before; with `took`, time each from its 202 until it is visible."""
    start, watched = time.perf_counter(), []
    for number, body in enumerate(bodies):
        await asyncio.sleep(max(0.0, start + number / rate - time.perf_counter()))
        name = await post_all(writer, [body], [])
        if took is not None:
            watched.append(asyncio.create_task(timed(writer, name, took)))
    await asyncio.gather(*watched)


async def timed(writer: Writer, submission: str, took: list[float]) -> None:
    """Note how long a submission takes to become visible."""
    began = time.perf_counter()
    await visible(writer, submission)
    took.append(time.perf_counter() - began)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parcels", type=int, default=1_000)
    parser.add_argument("--size", type=int, default=100)
    parser.add_argument("--seconds", type=int, default=20, help="Length of the open loop.")
    parser.add_argument("--database", default="", help="SQLAlchemy address; else SQLite.")
    options = parser.parse_args()
    measurements = (
        lambda it: throughput(it, options.parcels, options.size),
        lambda it: latency(it, options.seconds),
    )
    for measure in measurements:
        with (
            tempfile.TemporaryDirectory(prefix="clearance-bench-") as home,
            running(Path(home), options.database) as it,
        ):
            print(json.dumps(asyncio.run(measure(it)), indent=1))


if __name__ == "__main__":
    main()
