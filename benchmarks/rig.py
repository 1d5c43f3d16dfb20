"""A running service to measure: sealer, follower and gateway as processes of their own on loopback, and its writers."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from benchmarks.mix import SEED, grants
from clients.cli.processes import free_port, start, start_gateway, wait_gateway, wait_ready
from clients.cli.run import lay_out
from clients.sample.members import Keyring
from clients.sample.plan import START
from ledger.chain.batch import Batch
from ledger.genesis import Genesis
from node.home import Home
from node.remote import RemoteNode

PUSHED_BACK: Final = (429, 503)


@dataclass(frozen=True, slots=True)
class Service:
    """A running service."""

    url: str
    database: str
    genesis: Genesis
    keyring: Keyring
    node: RemoteNode
    start: int
    processes: dict[str, subprocess.Popen[bytes]]

    def cpu_seconds(self) -> dict[str, float]:
        """Return what each process has spent."""
        ticks = os.sysconf("SC_CLK_TCK")
        found = {}
        for name, process in self.processes.items():
            fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
            found[name] = (int(fields[11]) + int(fields[12])) / ticks
        return found

    def resident_mb(self) -> dict[str, float]:
        """Return the resident memory of each process, MB."""
        page = os.sysconf("SC_PAGE_SIZE")
        found = {}
        for name, process in self.processes.items():
            pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
            found[name] = round(pages * page / 1e6, 1)
        return found


@contextmanager
def running(home: Path, database: str = "", *options: str, machine_clock: bool = False) -> Iterator[Service]:
    """Start sealer, follower and gateway; stop them at the end.

    Args:
        home: an empty folder.
        database: SQLAlchemy address; else SQLite in the folder.
        options: more options of the gateway.
        machine_clock: blocks carry the machine's time, as in production; else that of the sample day.
    """
    begins = int(time.time()) - 60 if machine_clock else START
    keyring, genesis = lay_out(home, SEED, begins)
    ports = [free_port() for _ in range(3)]
    with ExitStack() as stack:
        processes: dict[str, subprocess.Popen[bytes]] = {}

        def keep(name: str, process: subprocess.Popen[bytes]) -> None:
            processes[name] = process
            stack.callback(process.wait)
            stack.callback(process.terminate)

        token = Home(home / "sealer").token()
        clock = () if machine_clock else ("--logical-clock",)
        keep("sealer", start(home / "sealer", ports[0], *clock, "--driver", "fast"))
        node = RemoteNode(f"http://127.0.0.1:{ports[0]}", token)
        stack.callback(node.close)
        wait_ready(node, processes["sealer"], home / "sealer")
        os.environ["CLEARANCE_FOLLOW_TOKEN"] = token
        keep("follower", start(home / "follower", ports[1], "--follow", node.url, "--driver", "fast"))
        keep("gateway", start_gateway(home / "gateway", ports[2], node.url, token, *options, database=database))
        url = f"http://127.0.0.1:{ports[2]}"
        wait_gateway(url, processes["gateway"], home / "gateway")
        for raw in grants(keyring, genesis.chain_id, begins):
            node.send_raw(raw)
        while node.status()["queued"]:
            time.sleep(0.02)
        address = database or f"sqlite:///{(home / 'gateway' / 'gateway.db').resolve()}"
        yield Service(url, address, genesis, keyring, node, begins, processes)


@dataclass(slots=True)
class Pushed:
    """What push-back a writer met.

    Attributes:
        codes: how often each code came.
        bare: push-back without a number of seconds or a code, which must not be.
    """

    codes: dict[str, int] = field(default_factory=dict)
    bare: int = 0

    def note(self, answer: httpx.Response) -> int:
        """Count an answer; return how many seconds it tells to wait."""
        seconds, code = answer.headers.get("Retry-After", ""), ""
        if answer.headers.get("Content-Type", "").startswith("application/problem+json"):
            code = answer.json().get("code", "")
        self.codes[code] = self.codes.get(code, 0) + 1
        if not seconds.isdigit() or not code:
            self.bare += 1
        return int(seconds) if seconds.isdigit() else 1


@dataclass(slots=True)
class Writer:
    """A member that is signed in and posts batches, one after another."""

    http: httpx.AsyncClient
    waits: list[float] = field(default_factory=list)
    pushed: Pushed = field(default_factory=Pushed)

    async def post(self, body: bytes) -> str:
        """Post a batch until it is accepted; return the submission's id."""
        while True:
            began = time.perf_counter()
            answer = await self.http.post("/v1/batches", content=body, headers={"Content-Type": "application/json"})
            self.waits.append(time.perf_counter() - began)
            if answer.status_code == 202:
                return str(answer.json()["id"])
            if answer.status_code not in PUSHED_BACK:
                raise SystemExit(f"a batch was refused: {answer.text}")
            await asyncio.sleep(self.pushed.note(answer))

    async def post_all(self, bodies: Sequence[bytes]) -> str:
        """Post batches in their order; return the last submission's id."""
        last = ""
        for body in bodies:
            last = await self.post(body)
        return last

    async def visible(self, submission: str, seconds: float = 300.0) -> None:
        """Wait until a submission's rows can be read."""
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            found = (await self.http.get(f"/v1/submissions/{submission}")).json()
            if found.get("state") == "visible":
                return
            if found.get("error"):
                raise SystemExit(f"{submission}: {found['error']}")
            await asyncio.sleep(0.1)  # seldom: looking must not be what is measured
        raise SystemExit(f"{submission} does not become visible")


async def sign_in(service: Service, name: str, url: str = "") -> Writer:
    """Sign a member in."""
    signer = service.keyring.signer(name)
    http = httpx.AsyncClient(base_url=url or service.url, trust_env=False, timeout=120)
    asked = (await http.post("/v1/auth/challenges", json={"address": signer.hex_address})).json()
    challenge = bytes.fromhex(asked["challenge"][2:])
    digest = service.genesis.domain.sign_in_digest(signer.address, challenge, asked["typed_data"]["message"]["expires"])
    body = {
        "address": signer.hex_address, "challenge": asked["challenge"],
        "signature": "0x" + signer.sign_digest(digest).hex(),
    }  # fmt: skip
    token = (await http.post("/v1/auth/tokens", json=body)).json()["access_token"]
    http.headers["Authorization"] = f"Bearer {token}"
    return Writer(http)


async def sign_in_all(service: Service, names: Sequence[str]) -> dict[str, Writer]:
    """Sign members in."""
    return {name: await sign_in(service, name) for name in sorted(set(names))}


async def close_all(writers: dict[str, Writer]) -> None:
    """Close every writer's connections."""
    for writer in writers.values():
        await writer.http.aclose()


def body_of(batch: Batch) -> bytes:
    """Return the request that posts a batch."""
    document = {
        "lane": str(batch.lane), "seq": batch.seq, "not_after": batch.not_after,
        "entries": "0x" + batch.entries.hex(), "signature": "0x" + batch.signature.hex(),
    }  # fmt: skip
    return json.dumps(document).encode()


def percentile(sorted_values: Sequence[float], share: float) -> float:
    """Return the value below which a share of the sorted values lies (nearest rank)."""
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * share))]


def milliseconds(values: Sequence[float]) -> dict[str, float]:
    """Return p50, p99, p99.9 and the worst of some seconds, in milliseconds."""
    ordered = sorted(values)
    shares = {"p50": 0.5, "p99": 0.99, "p99_9": 0.999, "worst": 1.0}
    return {name: round(percentile(ordered, share) * 1_000, 1) for name, share in shares.items()} if ordered else {}
