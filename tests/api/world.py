"""A whole service inside the test's process: sealer and follower behind RPC, gateway over HTTP, parties with keys."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from api.app import create_app
from api.identity.verifier import Verifier
from clients.cli.api import gateway, open_database
from clients.cli.authority import AuthorityFiles
from clients.cli.node import bind
from clients.cli.processes import KEEP_ALIVE
from clients.sample.members import HANDLES, Keyring, sample_genesis
from clients.sample.plan import DAYS, START
from ledger.chain.batch import Batch, Entry
from ledger.chain.included import IncludedBatch
from ledger.chain.writer import Writer
from ledger.genesis import Genesis
from ledger.keys import LocalSigner
from ledger.store.migrations import migrate
from node.chain import Chain
from node.clock import LogicalClock
from node.evm.executor import Driver
from node.follower import Follower
from node.remote import RemoteNode
from node.sealer import Sealer
from node.service import NodeService, wait_until
from node.store import MemoryStore
from tests.node.days import SEED, follower_key, sealer_keys
from tests.node.serving import TOKEN, served

KEYRING = Keyring(SEED)


@dataclass
class World:
    """The addresses of a running service, and what tests reach behind it for."""

    url: str
    genesis: Genesis
    sealer: RemoteNode
    follower: RemoteNode
    clock: LogicalClock
    gateway: Any
    home: Path
    desk: Any
    app: Any = None
    screening: Any = None
    parties: dict[str, Party] = field(default_factory=dict)
    clients: list[httpx.Client] = field(default_factory=list)

    def client(self, **options: Any) -> httpx.Client:
        """Return a client that is closed with the service."""
        self.clients.append(httpx.Client(base_url=self.url, trust_env=False, timeout=30, **options))
        return self.clients[-1]

    def party(self, name: str) -> Party:
        """Return a signed-in member."""
        if name not in self.parties:
            self.parties[name] = Party(self, name)
        return self.parties[name]

    def close(self) -> None:
        for http in self.clients:
            http.close()


class AskingWriter(Writer):
    """Asks for the next number of every batch: tests and commands also send beside it with its key."""

    def _send_one(self, lane: int, now: int) -> int:
        self._seqs.clear()
        return super()._send_one(lane, now)


class Party:
    """A member at the API, as its own client would be: it signs, the API carries."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name
        self.signer: LocalSigner = KEYRING.signer(name)
        self.http = world.client()
        self.writer = AskingWriter(self.signer, HANDLES[name], world.genesis.domain, self)
        self.sign_in()

    def sign_in(self) -> None:
        asked = self.http.post("/v1/auth/challenges", json={"address": self.signer.hex_address}).json()
        message = asked["typed_data"]["message"]
        digest = self.world.genesis.domain.sign_in_digest(
            self.signer.address, bytes.fromhex(asked["challenge"][2:]), message["expires"]
        )
        answer = self.http.post(
            "/v1/auth/tokens",
            json={
                "address": self.signer.hex_address,
                "challenge": asked["challenge"],
                "signature": "0x" + self.signer.sign_digest(digest).hex(),
            },
        )
        assert answer.status_code == 201, answer.text
        self.http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    # what a Writer asks of a node, through the API
    def send(self, batch: Batch, **headers: str) -> dict[str, Any]:
        answer = self.post(batch, **({"Prefer": "wait=20"} | headers))
        assert answer.status_code == 202, answer.text
        found: dict[str, Any] = answer.json()
        assert found["state"] == "visible", found
        return found

    def post(self, batch: Batch, **headers: str) -> httpx.Response:
        document = {
            "lane": str(batch.lane), "seq": batch.seq, "not_after": batch.not_after,
            "entries": "0x" + batch.entries.hex(), "signature": "0x" + batch.signature.hex(),
        }  # fmt: skip
        return self.http.post("/v1/batches", json=document, headers=headers)

    def batch(self, entries: Sequence[Entry] = (), **changes: Any) -> Batch:
        values = {"lane": 1, "seq": self.next_seq(self.signer.address, changes.get("lane", 1)),
                  "not_after": self.now() + 7_200, "entries": entries} | changes  # fmt: skip
        return Batch.signed(self.world.genesis.domain, self.signer, **values)

    def write(self, *entries: Entry) -> dict[str, Any]:
        return self.send(self.batch(entries))

    def next_seq(self, key: bytes, lane: int) -> int:
        assert key == self.signer.address
        return int(self.http.get(f"/v1/lanes/{lane}").json()["next_seq"])

    def included(self, start: int) -> Iterable[IncludedBatch]:
        return self.world.sealer.included(start)

    def word(self, subject: int) -> int:
        return self.world.sealer.word(subject)

    def filing(self, parcel: int) -> int:
        return self.world.sealer.filing(parcel)

    def now(self) -> int:
        return int(self.world.sealer.status()["time"])

    def parcel(self, number: int) -> dict[str, Any]:
        answer = self.http.get(f"/v1/parcels/0x{number:064x}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    # a payload store whose envelopes go to the API
    def put(self, digest: bytes, envelope: bytes) -> None:
        answer = self.http.put(
            f"/v1/payloads/0x{digest.hex()}", content=envelope, headers={"Content-Type": "application/octet-stream"}
        )
        assert answer.status_code == 204, answer.text

    def get(self, digest: bytes) -> bytes | None:
        answer = self.http.get(f"/v1/payloads/0x{digest.hex()}")
        return answer.content if answer.status_code == 200 else None


@contextmanager
def world(
    home: Path, verifier: Verifier | None = None, files: AuthorityFiles | None = None, address: str = "",
    rates: dict[str, str] | None = None,
) -> Iterator[World]:  # fmt: skip
    """Run a service under a logical clock; its authority asks `verifier`, else its own register.

    With `files` the authority is that of a real chain, its keys from there; else a demo's, from the seed. `address` is
    that of an empty database, else SQLite in the folder; `rates` stand before the usual ones.
    """
    genesis = sample_genesis(KEYRING, START, DAYS)
    clock = LogicalClock(START)
    with ExitStack() as stack:
        sealing = Chain(MemoryStore(), genesis, Driver.FAST)
        sealer = NodeService(sealing, sealer=Sealer(sealing, sealer_keys(), clock))
        first = stack.enter_context(served(sealer))
        chain = Chain(MemoryStore(), genesis, Driver.FAST)
        upstream = RemoteNode(first.url, TOKEN)
        stack.callback(upstream.close)
        follower = NodeService(chain, follower=Follower(chain, follower_key(), clock, 1 << 40), upstream=upstream)
        second = stack.enter_context(served(follower))
        database = open_database(home, address)
        stack.callback(database.close)
        migrate(database)
        demo = None if files else (SEED, 60)
        put_together = gateway(home, first.url, TOKEN, database, demo, verifier=verifier, authority=files, rates=rates)
        made, loops, desk, screening = stack.enter_context(put_together)
        app = create_app(made, loops, desk, screening)
        url = stack.enter_context(served_app(app))
        service = World(url, genesis, first, second, clock, made, home, desk, app, screening)
        stack.callback(service.close)
        yield service


@contextmanager
def served_app(app: Any) -> Iterator[str]:
    """Serve an application on a free port of loopback; yield its address."""
    listener = bind("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False, timeout_keep_alive=KEEP_ALIVE))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    if not wait_until(lambda: server.started, 10):
        raise TimeoutError("the server does not start")
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
