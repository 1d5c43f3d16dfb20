"""What a party's program needs of a node, whether in the same process or behind RPC."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol

from ledger.chain.batch import Batch
from ledger.chain.evidence import Evidence
from ledger.chain.included import IncludedBatch, IncludedBlock, Words
from ledger.domain.errors import LedgerError
from ledger.genesis import Genesis

NODE_TROUBLE: Final = frozenset(
    {
        "node.stopped", "node.unreachable", "pool.full", "rpc.-32603", "store.corrupt", "store.full", "store.unusable",
    }
)  # fmt: skip
"""Codes with which a node refuses for reasons of its own. They say nothing of the batch: it is sent again later."""


class NodePort(Protocol):
    """A node that takes batches and shows what stands in blocks."""

    def send(self, batch: Batch) -> dict[str, Any]:
        """Hand a signed batch over and return the sealer's receipt; it is accepted when this returns.

        Raises:
            LedgerError: refused, with a stable code.
        """
        ...

    def included(self, start: int) -> Iterable[IncludedBatch]:
        """Return the batches of the blocks from a height to the head."""
        ...

    def next_seq(self, key: bytes, lane: int) -> int:
        """Return the next sequence number of a key in a lane."""
        ...

    def word(self, subject: int) -> int:
        """Return the packed word of a subject."""
        ...

    def filing(self, parcel: int) -> int:
        """Return the low 160 bits of the newest filing's digest."""
        ...


class ChainPort(Protocol):
    """A node whose blocks a read model is made from, and that takes batches for an outbox."""

    def genesis(self) -> Genesis:
        """Return the genesis file of the chain."""
        ...

    def status(self) -> dict[str, Any]:
        """Return genesis hash, height, block hash, final height, time."""
        ...

    def pages(self, start: int, count: int) -> list[IncludedBlock]:
        """Return up to `count` blocks from a height with their batches."""
        ...

    def words(self, subjects: Sequence[int]) -> Words:
        """Return what the contract stores of some subjects, all at one height."""
        ...

    def send_batches(self, batches: Sequence[Batch]) -> list[dict[str, Any] | LedgerError]:
        """Hand signed batches over in order; return the sealer's receipt of each, or why it is refused.

        Sending one again gives the same receipt.
        """
        ...

    def await_status(self, height: int, final: int | None, seconds: float) -> dict[str, Any]:
        """Return where the chain stands once head or final height differ from these, or when the time is over."""
        ...

    def batch_status(self, batch: bytes) -> dict[str, Any]:
        """Say what became of a batch: unknown, accepted, included or refused."""
        ...


class EvidencePort(Protocol):
    """A node that proves what the contract stores."""

    def evidence(self, slots: Sequence[int]) -> Evidence:
        """Return the contract's words in some slots at the newest final block, with what proves them.

        Raises:
            LedgerError: nothing is final yet, or the state of that block is no longer kept.
        """
        ...
