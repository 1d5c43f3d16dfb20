"""What a party's program needs of a node, whether in the same process or behind RPC."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from ledger.chain.batch import Batch
from ledger.chain.included import IncludedBatch


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
