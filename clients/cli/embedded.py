"""A sealer in this process, as the replay's node."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ledger.chain.batch import Batch
from ledger.chain.included import IncludedBatch, IncludedBlock, Words, read_batch, read_changes
from ledger.chain.state import LedgerState
from ledger.domain.errors import LedgerError
from ledger.genesis import CONTRACT, Genesis
from node.chain import Chain
from node.clock import LogicalClock
from node.pool import PoolFull
from node.sealer import Sealer
from node.transactions import body_of


def included_batches(chain: Chain, start: int, end: int) -> Iterator[IncludedBatch]:
    """Yield the batches of the blocks from a height to another, both included."""
    for height in range(start, end + 1):
        receipts = chain.receipts(height)
        for index, raw in enumerate(chain.block(height).transactions):
            body = body_of(raw)
            if body.to == CONTRACT and receipts[index].status:
                logs = [(log.topics, log.data) for log in receipts[index].logs]
                found = read_batch(height, index, body.data, logs)
                if found:
                    yield found


class EmbeddedNode:
    """Seals what the parties send; nothing listens on a port."""

    def __init__(self, sealer: Sealer, clock: LogicalClock) -> None:
        """Take the sealer and the clock it goes by."""
        self.sealer = sealer
        self._clock = clock
        self._seen = sealer.chain.head.number
        self._state: tuple[bytes, LedgerState] | None = None

    def _at_head(self) -> LedgerState:
        head = self.sealer.chain.head.hash
        if self._state is None or self._state[0] != head:
            self._state = (head, self.sealer.chain.state())
        return self._state[1]

    def send(self, batch: Batch) -> dict[str, Any]:
        """Hand a signed batch over; on push-back the replay makes a block and tries again."""
        try:
            receipt = self.sealer.accept(batch)
        except PoolFull:
            self.sealer.seal()
            receipt = self.sealer.accept(batch)
        return receipt.as_dict()

    def send_raw(self, raw: bytes) -> None:
        """Hand over a raw transaction."""
        self.sealer.accept_raw(raw)

    def nonce(self, address: bytes) -> int:
        """Return the next nonce of an account, after what waits."""
        chain = self.sealer.chain
        waiting = [item.raw for item in self.sealer.pool.in_order() if item.raw]
        builder = chain.executor.build(chain.head, self._clock.now())
        for raw in waiting:
            builder.apply(raw)
        return builder.nonce(address)

    def seal_all(self) -> Iterator[IncludedBatch]:
        """Make blocks until nothing waits; yield what came in."""
        while len(self.sealer.pool):
            self.sealer.seal()
        chain = self.sealer.chain
        start, self._seen = self._seen + 1, chain.head.number
        return included_batches(chain, start, self._seen)

    def move_to(self, moment: int) -> None:
        """Move the clock."""
        self._clock.move_to(moment)

    def included(self, start: int) -> Iterator[IncludedBatch]:
        """Yield the batches of the blocks from a height to the head."""
        return included_batches(self.sealer.chain, start, self.sealer.chain.head.number)

    def next_seq(self, key: bytes, lane: int) -> int:
        """Return the next sequence number of a key in a lane."""
        return self._at_head().next_seq(key, lane)

    def word(self, subject: int) -> int:
        """Return the packed word of a subject."""
        return self._at_head().word(subject)

    def filing(self, parcel: int) -> int:
        """Return the low 160 bits of the newest filing's digest."""
        return self._at_head().filing(parcel)

    # ------------------------------------------------------------------------------- what a projector and an outbox ask
    def status(self) -> dict[str, Any]:
        """Say where the chain stands; nobody countersigns here, so every block is final."""
        chain = self.sealer.chain
        return {
            "genesisHash": "0x" + chain.genesis_hash.hex(),
            "height": chain.head.number,
            "final": chain.head.number,
            "blockHash": "0x" + chain.head.hash.hex(),
            "time": self._clock.now(),
        }

    def genesis(self) -> Genesis:
        """Return the genesis file."""
        return self.sealer.chain.genesis

    def pages(self, start: int, count: int) -> list[IncludedBlock]:
        """Return up to `count` blocks from a height with their batches."""
        chain = self.sealer.chain
        found = []
        for height in range(start, min(start + count, chain.head.number + 1)):
            header = chain.block(height).header
            batches = tuple(included_batches(chain, height, height))
            changes = read_changes(
                [
                    [(log.topics, log.data) for log in each.logs if log.address == CONTRACT]
                    for each in chain.receipts(height)
                ]
            )
            found.append(IncludedBlock(height, header.hash, header.parent_hash, header.timestamp, batches, changes))
        return found

    def words(self, subjects: Sequence[int]) -> Words:
        """Return what the contract stores of some subjects at the head."""
        state = self._at_head()
        words, filings = tuple(map(state.word, subjects)), tuple(map(state.filing, subjects))
        return Words(self.sealer.chain.head.number, words, filings)

    def send_batch(self, batch: Batch) -> dict[str, Any]:
        """Hand a signed batch over; return the sealer's receipt."""
        return self.sealer.accept(batch).as_dict()

    def send_batches(self, batches: Sequence[Batch]) -> list[dict[str, Any] | LedgerError]:
        """Hand signed batches over; return the receipt of each, or why it is refused."""
        answers = self.sealer.accept_all(batches)
        return [each if isinstance(each, LedgerError) else each.as_dict() for each in answers]

    def await_status(self, height: int, final: int | None, seconds: float) -> dict[str, Any]:  # noqa: ARG002
        """Return where the chain stands; nothing moves while a caller in this process waits."""
        return self.status()

    def batch_status(self, batch: bytes) -> dict[str, Any]:
        """Say what became of a batch."""
        return self.sealer.status(batch)
