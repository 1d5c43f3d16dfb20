"""The load: convoys of parcels, each from order to release, each step again and again until it is visible.

Every convoy uses a lane of its own, so that the numbers of a key are counted by one thread.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from clients.sample.gateway import Refused, Session
from clients.sample.members import COURIERS, HANDLES, OFFICES
from ledger.chain.batch import Batch, Entry, detail
from ledger.chain.port import NODE_TROUBLE
from ledger.chain.receipts import ReceiptFolder
from ledger.commitments import filing_digest, order_commitment
from ledger.domain.errors import LedgerError
from ledger.domain.facts import Goods, Mode, Transport, country_number
from ledger.domain.kinds import KindNumber as K
from ledger.domain.limits import TRACE_LANE
from ledger.payloads import derive
from node.remote import NodeRefused
from tests.e2e.services import document
from tests.soak.machine import Broken, Machine

PATIENCE = 300.0
"""Seconds after which a batch that is not visible is lost, whatever happened meanwhile."""
PARCELS = 4
AGAIN = 0.15
"""Share of batches that are sent once more after they were accepted."""
OVERLOADED = (429, 502, 503)


@dataclass
class Tally:
    """What all convoys have been promised and told, under one lock."""

    receipts: ReceiptFolder
    lock: threading.Lock = field(default_factory=threading.Lock)
    accepted: dict[bytes, str] = field(default_factory=dict)
    """Batches by hash: who promised them, the gateway's 202 or a node."""
    receipted: set[bytes] = field(default_factory=set)
    released: list[int] = field(default_factory=list)
    entries: int = 0
    again: int = 0
    faults: list[str] = field(default_factory=list)
    """Answers of status 500: a fault of ours, whatever the trouble."""


class ByGateway:
    """Posts batches at the gateway as their signers."""

    def __init__(self, machine: Machine, tally: Tally) -> None:
        self._machine, self._tally = machine, tally
        self._sessions: dict[str, Session] = {}

    def _call(self, name: str, method: str, path: str, **options: Any) -> httpx.Response | None:
        """Call as a member; None while nobody answers, or it says that it cannot now."""
        try:
            if name not in self._sessions:
                url, signer = self._machine.processes["gateway"].url, self._machine.keyring.signer(name)
                self._sessions[name] = Session(url, signer, self._machine.genesis.domain)
            answer = self._sessions[name].call(method, path, **options)
        except (httpx.HTTPError, Refused, ValueError) as error:
            if getattr(error, "code", "") == "api.internal":
                self._note_fault(f"sign-in: {error}")
            self._forget(name)
            return None
        if answer.status_code == 500:
            self._note_fault(f"{method} {path}: {answer.text}")
        return None if answer.status_code in (500, *OVERLOADED) else answer

    def _note_fault(self, what: str) -> None:
        with self._tally.lock:
            self._tally.faults.append(what)

    def _forget(self, name: str) -> None:
        if session := self._sessions.pop(name, None):
            session.close()

    def send(self, name: str, batch: Batch, digest: bytes) -> bool:
        answer = self._call(name, "POST", "/v1/batches", json=document(batch))
        if answer is None:
            return False
        if answer.status_code != 202:
            raise Broken(f"a batch of {name} is refused: {answer.text}")
        told = answer.json()["batch"]
        if told != "0x" + digest.hex():
            raise Broken(f"the gateway took {told} for 0x{digest.hex()}")
        return True

    def is_visible(self, name: str, batch: Batch, digest: bytes) -> bool:
        answer = self._call(name, "GET", f"/v1/submissions/0x{digest.hex()}")
        if answer is None:
            return False
        if answer.status_code != 200:
            raise Broken(f"the gateway has forgotten a batch of {name}: {answer.text}")
        told = answer.json()
        if told["receipt"]:
            keep(self._tally, batch, digest, told["receipt"])
        if told["error"]:
            raise Broken(f"a batch of {name} died: {told['error']}")
        if told["state"] != "visible":
            return False
        rejected = [each["rejection"] for each in told["entries"] if each["rejection"]]
        if rejected or len(told["entries"]) != told["entry_count"]:
            raise Broken(f"entries of {name} are rejected or missing: {rejected}")
        return True

    def close(self) -> None:
        for name in list(self._sessions):
            self._forget(name)


class ByNode:
    """Sends batches to a node of the writer's choice: no gateway can censor."""

    def __init__(self, machine: Machine, tally: Tally, name: str) -> None:
        self._node, self._tally = machine.nodes[name], tally

    def send(self, name: str, batch: Batch, digest: bytes) -> bool:
        try:
            receipt = self._node.send_batch(batch)
        except NodeRefused as refusal:
            if refusal.code in NODE_TROUBLE:
                return False
            raise
        except LedgerError:
            return False
        keep(self._tally, batch, digest, receipt)
        return True

    def is_visible(self, name: str, batch: Batch, digest: bytes) -> bool:
        try:
            told = self._node.batch_status(digest)
        except LedgerError:
            return False
        if told["state"] not in ("accepted", "included"):
            raise Broken(f"a promised batch of {name} is {told}")
        return bool(told.get("final"))

    def close(self) -> None:
        pass


def keep(tally: Tally, batch: Batch, digest: bytes, receipt: dict[str, Any]) -> None:
    """Keep the sealer's receipt, once."""
    with tally.lock:
        if digest in tally.receipted:
            return
        tally.receipted.add(digest)
    tally.receipts.keep(batch, receipt)


class Convoy:
    """Sends group after group of parcels through every step of their life."""

    def __init__(self, machine: Machine, tally: Tally, number: int, gate: ByGateway | ByNode, pause: float) -> None:
        self._machine, self._tally, self._gate = machine, tally, gate
        self._number, self._pause = number, pause
        self._dice = random.Random(machine.seed * 100 + number)
        self._seqs: dict[tuple[str, int], int] = {}
        self._trip = 0
        self._stop = threading.Event()
        self.fault: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=f"convoy {number}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def finish(self) -> None:
        """Let the parcels under way arrive; raise what went wrong."""
        self._stop.set()

    def join(self) -> None:
        self._thread.join(2 * PATIENCE)
        if self.fault:
            raise self.fault
        if self._thread.is_alive():
            raise Broken(f"convoy {self._number} hangs")

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._travel()
        except BaseException as fault:  # the soak tells it, whatever it was
            self.fault = fault
        finally:
            self._gate.close()

    def _travel(self) -> None:
        self._trip += 1
        parcels: list[int] = []
        for name, lane, entries in self._steps(parcels):
            self._deliver(name, lane, entries)
            self._stop.wait(self._dice.uniform(0, 2 * self._pause))
        with self._tally.lock:
            self._tally.released += parcels

    def _steps(self, parcels: list[int]) -> Iterator[tuple[str, int, list[Entry]]]:
        """Yield what each writer says of a group of parcels; the parcels' ids are put into the list."""
        domain, now = self._machine.genesis.domain, int(time.time()) - 60  # clocks are stepped: claim nothing early
        shop, courier = f"shop-{self._number % 14 + 1:02}", COURIERS[self._number % len(COURIERS)]
        yard = f"yard-{OFFICES[self._number % len(OFFICES)]:03}"
        country, secret = country_number("US"), self._machine.keyring.secret("soak")
        transport = Transport(country, country, Mode.EXPRESS_AIR, OFFICES[0]).word()
        orders, filings, results = [], [], []
        for each in range(PARCELS):
            label = f"{self._number} {self._trip} {each}"
            rest, salt, payload = (derive(secret, f"{label} {what}") for what in ("rest", "salt", "payload"))
            goods = Goods(1_000 + each, 840, 1 + each, 1).word()
            commitment = order_commitment(goods, rest, salt)
            order = domain.subject_id(K.ORDER_OPENED, HANDLES[shop], commitment)
            handed = detail(K.ORDER_OPENED, handed=HANDLES[courier])
            orders.append(Entry(order, K.ORDER_OPENED, now, commitment, handed, extra=(1,)))
            parcel = domain.subject_id(K.FILED, HANDLES[courier], payload)
            words = (transport, order, goods, int.from_bytes(rest, "big"), int.from_bytes(salt, "big"))
            filings.append(Entry(parcel, K.FILED, now, payload, extra=words))
            results.append((parcel, filing_digest(0, filings[-1].packed())))
        parcels += [parcel for parcel, _ in results]
        lane = self._number + 1
        yield shop, lane, orders
        yield courier, lane, filings
        yield courier, TRACE_LANE + lane, [Entry(parcel, trace, now) for parcel in parcels for trace in (1, 2)]
        for name, kind in (("identity", K.IDENTITY_CHECKED), ("screening", K.SCREENED_PASSED)):
            yield name, lane, [Entry(parcel, kind, now, names=names) for parcel, names in results]
        yield yard, lane, [Entry(parcel, K.CARRIED_IN, now) for parcel in parcels]
        yield yard, lane, [Entry(parcel, K.RELEASED, now) for parcel in parcels]

    def _deliver(self, name: str, lane: int, entries: list[Entry]) -> None:
        """Sign a batch and send it until it is accepted, then wait until it is visible.

        Raises:
            Broken: refused, dead or not visible in time.
        """
        domain, signer = self._machine.genesis.domain, self._machine.keyring.signer(name)
        seq = self._seqs.get((name, lane), 0)
        self._seqs[name, lane] = seq + 1
        end = int(time.time()) + 86_400
        batch = Batch.signed(domain, signer, lane=lane, seq=seq, not_after=end, entries=entries)
        digest = batch.hash(domain)
        self._until(lambda: self._gate.send(name, batch, digest), f"batch {seq} of {name} is accepted")
        with self._tally.lock:
            self._tally.accepted[digest] = type(self._gate).__name__
            self._tally.entries += len(entries)
        if self._dice.random() < AGAIN:
            self._gate.send(name, batch, digest)
        self._until(lambda: self._gate.is_visible(name, batch, digest), f"batch {seq} of {name} is visible")

    def _until(self, done: Any, what: str) -> None:
        end, pause = time.monotonic() + PATIENCE, 0.03
        while not done():
            if time.monotonic() > end:
                raise Broken(f"not within {PATIENCE:.0f} s: {what}")
            with self._tally.lock:
                self._tally.again += 1
            time.sleep(pause)
            pause = min(0.3, pause * 1.5)
