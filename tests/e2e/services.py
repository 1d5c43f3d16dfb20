"""`clearance up` as a process that tests start, kill and stop, and sellers that keep it busy."""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from clients.cli.supervision import PidFile
from clients.courier import Courier, Shipment
from clients.sample.gateway import Session
from clients.sample.members import HANDLES, Keyring
from clients.seller import Sale, Seller
from ledger.chain.batch import Batch, Entry, detail
from ledger.chain.included import IncludedBatch
from ledger.chain.receipts import ReceiptFolder
from ledger.chain.writer import Writer
from ledger.commitments import LedgerDomain, order_commitment
from ledger.domain.facts import Goods, Transport, country_number
from ledger.domain.kinds import KindNumber as K
from ledger.genesis import Genesis, load
from node.home import Home
from node.remote import RemoteNode

ROOT = Path(__file__).parents[2]
PATIENCE = 180
"""Seconds that two slow cores may need."""


def eventually(done: Callable[[], Any], what: str, seconds: float = PATIENCE) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.05)


@dataclass
class Up:
    """One folder and the `clearance up` that runs on it."""

    home: Path
    options: tuple[str, ...] = ()
    urls: dict[str, str] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = None

    def launch(self) -> None:
        command = [sys.executable, "-m", "clients.cli", "up", "--home", str(self.home), "--json", *self.options]
        errors = self.home.with_suffix(".err")
        with errors.open("ab") as file:
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=file, cwd=ROOT)

    def limit(self, name: str, room: int) -> None:
        """Let no file of a process outgrow so many bytes, as on a disk that is full; started again it is free of it."""
        pid = self.pid(name)
        assert pid
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))

    def ready(self) -> dict[str, str]:
        """Wait for the addresses; they must not have moved."""
        assert self._process
        assert self._process.stdout
        pipe, end, told = self._process.stdout.fileno(), time.monotonic() + PATIENCE, b""
        while not told.endswith(b"\n"):
            left = end - time.monotonic()
            assert left > 0, "no addresses in time"
            if select.select([pipe], [], [], left)[0]:
                part = os.read(pipe, 65536)
                assert part, self.home.with_suffix(".err").read_text()
                told += part
        urls = {name: url for name, url in json.loads(told).items() if name != "home"}
        assert self.urls in ({}, urls), "a restart moved the addresses"
        self.urls = urls
        return urls

    def start(self) -> dict[str, str]:
        self.launch()
        return self.ready()

    def pid(self, name: str) -> int | None:
        return PidFile(self.home / f"{name}.pid").pid()

    def kill(self, name: str) -> bool:
        """Kill -9 a process, whatever it does just now; `up` is the supervisor. Return whether there was one."""
        if name == "up":
            assert self._process
            self._process.kill()
            self._close()
            return True
        pid = self.pid(name)
        if pid is None:
            return False
        os.kill(pid, signal.SIGKILL)
        return True

    def kill_all(self) -> None:
        """Kill -9 everything, the supervisor first."""
        if self._process:
            self.kill("up")
        for name in ("gateway", "sealer", "follower"):
            self.kill(name)
        for name in ("gateway", "sealer", "follower"):
            eventually(lambda name=name: self.pid(name) is None, f"{name} is dead")  # type: ignore[misc]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        assert self._process
        self._process.send_signal(number)
        status = self._process.wait(PATIENCE)
        self._close()
        return status

    def _close(self) -> None:
        process, self._process = self._process, None
        if process:
            process.wait(30)
            if process.stdout:
                process.stdout.close()

    def node(self, name: str) -> RemoteNode:
        return RemoteNode(self.urls[name], Home(self.home / name).token())

    def genesis(self) -> Genesis:
        return load(self.home / "sealer" / "genesis.json")


class Shop:
    """A seller's client: posts order after order, each again until it is accepted; keeps what it signed."""

    def __init__(self, up: Up, name: str, seed: int, pause: float = 0.05) -> None:
        self.name = name
        self.signed: list[Batch] = []
        self.accepted: dict[bytes, str] = {}
        self.again = 0
        self._up, self._signer, self._domain = up, Keyring(seed).signer(name), up.genesis().domain
        self._pause = pause
        self._stop = threading.Event()
        self._fault: BaseException | None = None
        self._thread: threading.Thread | None = None
        self._session: Session | None = None

    def start(self, goal: int = 1 << 30) -> None:
        """Post until told to finish, or `goal` batches more."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, args=(len(self.signed) + goal,), daemon=True)
        self._thread.start()

    def finish(self, *, now: bool = True) -> None:
        """Wait for the goal, or stop now; raise what went wrong."""
        if now:
            self._stop.set()
        if self._thread:
            self._thread.join(PATIENCE)
            assert not self._thread.is_alive(), "the writer hangs"
        if self._fault:
            raise self._fault

    def go_on(self) -> None:
        """Wait until another batch is accepted; raise what went wrong."""
        before = len(self.accepted)
        eventually(lambda: self._fault or len(self.accepted) > before, f"{self.name} goes on")
        if self._fault:
            raise self._fault

    def move_to(self, up: Up) -> int:
        """Go on at another gateway with what the spool holds, every batch that was signed; return how many it lost."""
        self.close()
        self._up, self.accepted = up, {}
        lost = 0
        for batch in self.signed:
            lost += self.submission(batch) is None
            eventually(lambda batch=batch: self.post(batch), f"batch {batch.seq} of {self.name} is accepted")  # type: ignore[misc]
        return lost

    def close(self) -> None:
        if self._session:
            self._session.close()
            self._session = None

    def _run(self, goal: int) -> None:
        try:
            while len(self.signed) < goal and not self._stop.is_set():
                batch = self._batch(len(self.signed))
                self.signed.append(batch)
                while not self.post(batch) and not self._stop.wait(0.1):
                    self.again += 1
                self._stop.wait(self._pause)
        except BaseException as fault:  # tell the test, whatever it was
            self._fault = fault

    def _batch(self, seq: int) -> Batch:
        now, entries = int(time.time()) - 5, []
        for number in range(3):
            commitment = order_commitment(1, seq.to_bytes(32, "big"), number.to_bytes(32, "big"))
            subject = self._domain.subject_id(K.ORDER_OPENED, HANDLES[self.name], commitment)
            handed = detail(K.ORDER_OPENED, handed=HANDLES["courier-1"])
            entries.append(Entry(subject, K.ORDER_OPENED, now, commitment, handed, extra=(1,)))
        return Batch.signed(self._domain, self._signer, lane=1, seq=seq, not_after=now + 86_400, entries=entries)

    def hash(self, batch: Batch) -> bytes:
        return batch.hash(self._domain)

    def call(self, method: str, path: str, **options: Any) -> httpx.Response | None:
        """Call the gateway; None while nobody answers, or it says that it cannot now."""
        try:
            if self._session is None:
                self._session = Session(self._up.urls["gateway"], self._signer, self._domain)
            answer = self._session.call(method, path, **options)
        except (httpx.HTTPError, ValueError):
            self.close()
            return None
        return None if answer.status_code in (429, 500, 502, 503) else answer

    def post(self, batch: Batch) -> bool:
        """Post a batch; return whether it is accepted."""
        answer = self.call("POST", "/v1/batches", json=document(batch))
        if answer is None:
            return False
        assert answer.status_code == 202, answer.text
        self.accepted[self.hash(batch)] = answer.json()["id"]
        return True

    def submission(self, batch: Batch) -> dict[str, Any] | None:
        """Return how far a batch came; None: nobody knows it, or nobody answers."""
        answer = self.call("GET", f"/v1/submissions/0x{self.hash(batch).hex()}")
        return None if answer is None or answer.status_code == 404 else Session.told(answer)

    def keep_receipts(self, receipts: ReceiptFolder) -> int:
        """Keep the sealer's receipts that the gateway has by now; return how many."""
        found = [(batch, self.submission(batch)) for batch in self.signed if self.hash(batch) in self.accepted]
        told = [(batch, answer["receipt"]) for batch, answer in found if answer and answer["receipt"]]
        for batch, receipt in told:
            receipts.keep(batch, receipt)
        return len(told)

    def wait_visible(self, receipts: ReceiptFolder | None = None) -> None:
        """Wait until every accepted batch is visible, its entries accepted; keep the sealer's receipts."""
        for batch in self.signed:
            if self.hash(batch) not in self.accepted:
                continue
            found: dict[str, Any] = {}

            def visible(batch: Batch = batch, found: dict[str, Any] = found) -> bool:
                found.update(self.submission(batch) or {})
                return bool(found.get("state") == "visible")

            eventually(visible, f"batch {batch.seq} of {self.name} is visible")
            assert [each["rejection"] for each in found["entries"]] == [None] * 3, found
            if receipts and found["receipt"]:
                receipts.keep(batch, found["receipt"])


class Trade:
    """A seller and a courier with payloads: orders, filings, carry-ins of made-up parcels through the gateway."""

    def __init__(self, up: Up, seed: int) -> None:
        keyring, self._up = Keyring(seed), up
        domain = up.genesis().domain
        self._ends = {
            name: Member(up, Session(up.urls["gateway"], keyring.signer(name), domain), domain)
            for name in ("shop-09", "courier-1")
        }
        keys = {HANDLES[name]: keyring.opener(name).public_key() for name in ("courier-1", "identity", "screening")}
        self._customs = (HANDLES["identity"], HANDLES["screening"])
        shop, courier = (
            (Writer(keyring.signer(name), HANDLES[name], domain, end), keyring.secret(name), end)
            for name, end in self._ends.items()
        )
        self._seller = Seller(*shop, keys)
        self._courier = Courier(*courier, keyring.opener("courier-1"), [keys[each] for each in self._customs])
        self.parcels: list[int] = []

    def parcel(self, name: str) -> None:
        """Sell, file and carry in one parcel, each step visible before the next."""
        now, country = int(time.time()) - 5, country_number("US")
        goods = Goods(price=3_000, currency=840, goods_class=1, quantity=1, unit=1)
        person = {"name": "시험 사람", "phone": "01000000000", "pccc": "P000000000001"}
        self._seller.record(
            Sale(name, goods, "a made-up thing", "640399", now, HANDLES["courier-1"], person), self._customs
        )
        self._seller.writer.flush(now)
        sealer = self._up.node("sealer")
        for batch in sealer.included(1):
            self._courier.watch(batch)
        sealer.close()
        orders = (self._courier.inbox.find(name),)
        shipment = Shipment(name, orders, Transport(country, country, 1, 40, 0), now, "shop-09", consignee=person)
        self.parcels.append(self._courier.file(shipment))
        self._courier.writer.flush(now)
        self._courier.writer.write(Entry(self.parcels[-1], K.CARRIED_IN, now))
        self._courier.writer.flush(now)

    def close(self) -> None:
        for end in self._ends.values():
            end.session.close()


@dataclass
class Member:
    """What a party's program asks of a node and of a store of payloads, both through the gateway."""

    up: Up
    session: Session
    domain: LedgerDomain

    def send(self, batch: Batch) -> dict[str, Any]:
        found = Session.told(self.session.call("POST", "/v1/batches", json=document(batch)))

        def visible() -> bool:
            found.update(Session.told(self.session.call("GET", f"/v1/submissions/{found['id']}")))
            assert not found["error"], found
            return bool(found["state"] == "visible")

        eventually(visible, "a batch is visible")
        return found

    def next_seq(self, key: bytes, lane: int) -> int:
        return int(Session.told(self.session.call("GET", f"/v1/lanes/{lane}"))["next_seq"])

    def put(self, digest: bytes, envelope: bytes) -> None:
        self.session.put(digest, envelope)

    def get(self, digest: bytes) -> bytes | None:
        return self.session.get(digest)

    def included(self, start: int) -> list[IncludedBatch]:
        raise NotImplementedError

    def word(self, subject: int) -> int:
        raise NotImplementedError

    filing = word


def document(batch: Batch) -> dict[str, Any]:
    """Return a batch as the gateway takes it."""
    return {
        "lane": str(batch.lane), "seq": str(batch.seq), "not_after": batch.not_after,
        "entries": "0x" + batch.entries.hex(), "signature": "0x" + batch.signature.hex(),
    }  # fmt: skip


def once_on_chain(node: RemoteNode, shops: list[Shop]) -> None:
    """Check that every accepted batch is on chain, and none twice."""
    included = Counter(each.hash(shops[0]._domain) for each in node.included(1))
    assert max(included.values()) == 1, "a batch is on chain twice"
    for shop in shops:
        missing = [name.hex() for name in shop.accepted if name not in included]
        assert not missing, f"{len(missing)} accepted batches of {shop.name} are not on chain"
