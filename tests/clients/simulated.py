"""A gate that behaves like a ledger and misbehaves like a network: requests and answers get lost, queues forget.

It stands in for nothing that the real tests use; it is here because a real node cannot be told to lose an answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from clients.gate import Fate, Outcome, State
from ledger.chain.batch import Batch, Entry
from ledger.commitments import LedgerDomain
from ledger.domain.errors import LedgerError

DOMAIN = LedgerDomain(820_250, bytes.fromhex("00000000000000000000000000000000000c1ea2"))
START = 1_800_000_000


class Refusal(LedgerError):
    def __init__(self, code: str, retry_after: float | None = None) -> None:
        super().__init__("refused")
        self.code = code
        self.retry_after = retry_after


@dataclass
class SimulatedGate:
    """One key's lanes: `chain` is what stands for good, `queue` what was accepted and may still be lost.

    `faults` are consulted in turn, one each call of `send`: an empty list means that all is well.
    """

    now: int = START
    near: int = 0
    chain: list[tuple[bytes, Batch]] = field(default_factory=list)
    queue: list[tuple[bytes, Batch]] = field(default_factory=list)
    dead: dict[bytes, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    sends: int = 0
    on_send: Callable[[Batch], None] = lambda batch: None

    def send(self, batch: Batch) -> dict[str, object]:
        self.sends += 1
        self.on_send(batch)
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "lost request":
            raise Refusal("node.unreachable")
        if fault == "pool full":
            raise Refusal("pool.full", 7.0)
        name = batch.hash(DOMAIN)
        self._accept(name, batch)
        if fault == "lost answer":
            raise Refusal("node.unreachable")
        if fault == "forgets":
            self.queue = [each for each in self.queue if each[0] != name]
        return {"batch": "0x" + name.hex()}

    def _accept(self, name: bytes, batch: Batch) -> None:
        if name in dict(self.chain) or name in dict(self.queue):
            return
        if batch.not_after < self.now:
            raise Refusal("batch.expired")
        if batch.not_after < self.now + self.near:
            raise Refusal("batch.near-expiry")
        if batch.seq != self._expected(batch.lane):
            raise Refusal("batch.sequence")
        self.dead.pop(name, None)
        self.queue.append((name, batch))

    def _expected(self, lane: int) -> int:
        return sum(batch.lane == lane for _, batch in self.chain + self.queue)

    def seal(self) -> None:
        """Put what is queued into the chain; what expired, and what follows it in its lane, is dead."""
        for name, batch in self.queue:
            on_chain = sum(each.lane == batch.lane for _, each in self.chain)
            if batch.not_after < self.now:
                self.dead[name] = "batch.expired"
            elif batch.seq != on_chain:
                self.dead[name] = "batch.sequence"
            else:
                self.chain.append((name, batch))
        self.queue.clear()

    def status(self, name: bytes) -> Fate:
        found = dict(self.chain).get(name)
        if found is not None:
            outcomes = tuple(Outcome(number) for number in range(len(found.unpacked())))
            return Fate(State.VISIBLE, outcomes=outcomes)
        if name in dict(self.queue):
            return Fate(State.SENT)
        if name in self.dead:
            code = self.dead[name]
            return Fate(State.EXPIRED if code == "batch.expired" else State.REFUSED, code)
        return Fate(State.UNKNOWN)

    def next_seq(self, key: bytes, lane: int) -> int:
        return sum(batch.lane == lane for _, batch in self.chain)

    def time(self) -> int:
        return self.now

    def entries(self, lane: int | None = None) -> list[Entry]:
        return [each for _, batch in self.chain if lane in (None, batch.lane) for each in batch.unpacked()]
