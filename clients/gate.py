"""Where a spool hands its batches in: a node behind RPC, or the gateway's API. Small, so that both look the same.

Sending a batch twice must change nothing and answer the same: nodes and gateways hold to that, and the spool builds on
it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Protocol

from ledger.chain.batch import Batch
from ledger.chain.included import IncludedBlock, IncludedEntry
from ledger.domain.rejections import REJECTION_TEXTS, VALUED


class State(StrEnum):
    """How far a batch came, as its gate tells it."""

    UNKNOWN = "unknown"
    ACCEPTED = "accepted"
    SENT = "sent"
    INCLUDED = "included"
    VISIBLE = "visible"
    REFUSED = "refused"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one entry of an included batch came to.

    Attributes:
        code: slug of why it was rejected, empty if it was recorded.
        effects: what it did beyond being recorded.
        value: of its effect: the handle of a master, the number of a hold.
    """

    number: int
    code: str = ""
    effects: tuple[str, ...] = ()
    value: int | None = None


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a batch.

    Attributes:
        code: why it is refused or expired.
        outcomes: of its entries, once it is visible.
    """

    state: State
    code: str = ""
    reason: str = ""
    outcomes: tuple[Outcome, ...] = ()


class Gate(Protocol):
    """Takes signed batches and tells what became of them."""

    def send(self, batch: Batch) -> dict[str, Any]:
        """Hand a batch over; it is accepted durably when this returns its receipt.

        Raises:
            LedgerError: refused, pushed back (perhaps with `retry_after`), or no answer.
        """
        ...

    def status(self, name: bytes) -> Fate:
        """Say what became of a batch, by its hash.

        Raises:
            LedgerError: no answer.
        """
        ...

    def next_seq(self, key: bytes, lane: int) -> int:
        """Return the number that a key must use next in a lane."""
        ...

    def time(self) -> int:
        """Return the chain's time, seconds UTC."""
        ...


class NodePort(Protocol):
    """What :class:`NodeGate` asks of a node behind RPC."""

    def send_batch(self, batch: Batch) -> dict[str, Any]:
        """Send a signed batch; return the sealer's receipt."""
        ...

    def batch_status(self, batch: bytes) -> dict[str, Any]:
        """Ask what became of a batch."""
        ...

    def next_seq(self, key: bytes, lane: int) -> int:
        """Return the next sequence number of a key in a lane."""
        ...

    def pages(self, start: int, count: int) -> list[IncludedBlock]:
        """Return blocks with their batches."""
        ...

    def status(self) -> dict[str, Any]:
        """Return where the node stands."""
        ...


STATES: Final = {"unknown": State.UNKNOWN, "accepted": State.SENT, "refused": State.REFUSED}
"""What a node calls states: accepted by a sealer is what a gateway calls sent."""


class NodeGate:
    """A node behind RPC. A batch is visible once its block is final: then its outcomes are read from the block."""

    def __init__(self, node: NodePort, clock: Callable[[], int] | None = None) -> None:
        """Take the node, and the clock where the node's own head may be old (a follower's, in a quiet hour)."""
        self._node = node
        self._clock = clock

    def send(self, batch: Batch) -> dict[str, Any]:
        """Hand a batch over; return the sealer's receipt."""
        return self._node.send_batch(batch)

    def status(self, name: bytes) -> Fate:
        """Say what became of a batch."""
        told = self._node.batch_status(name)
        if told["state"] != "included":
            code = str(told.get("code", ""))
            state = State.EXPIRED if code == "batch.expired" else STATES[told["state"]]
            return Fate(state, code, str(told.get("reason", "")))
        if not told.get("final", False):
            return Fate(State.INCLUDED)
        page = self._node.pages(int(told["inclusion"]["height"]), 1)
        found = next((each for block in page for each in block.batches if each.index == told["index"]), None)
        if found is None:  # this node has not that block yet
            return Fate(State.INCLUDED)
        return Fate(State.VISIBLE, outcomes=tuple(map(_outcome, found.entries())))

    def next_seq(self, key: bytes, lane: int) -> int:
        """Return the next number on chain."""
        return self._node.next_seq(key, lane)

    def time(self) -> int:
        """Return the node's time."""
        return self._clock() if self._clock else int(self._node.status()["time"])


def _outcome(each: IncludedEntry) -> Outcome:
    code = REJECTION_TEXTS[each.rejection].slug if each.rejection else ""
    value = next((effect.value for effect in each.effects if effect.code in VALUED), None)
    return Outcome(each.index, code, tuple(effect.code.name for effect in each.effects), value)
