"""What stands in blocks, as readers see it: batches with their entries and what each entry came to.

Calldata and the one log of each batch suffice to rebuild every decision; this is the decoder for that.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ledger.chain.batch import Batch, BatchFault, Entry
from ledger.chain.calls import Outcome, read_recorded, read_submit
from ledger.commitments import LedgerDomain, batch_hash
from ledger.domain.kinds import KindNumber
from ledger.domain.rejections import Rejection


@dataclass(frozen=True, slots=True)
class IncludedEntry:
    """One entry of an included batch.

    Attributes:
        index: place in the batch.
        rejection: why it was rejected, None if it was recorded.
        effects: what it did beyond being recorded, with the value (handle, number).
    """

    index: int
    entry: Entry
    rejection: Rejection | None
    effects: tuple[Outcome, ...]

    @property
    def kind(self) -> KindNumber:
        """The entry's kind; meaningless in trace lanes."""
        return KindNumber(self.entry.kind)


@dataclass(frozen=True, slots=True)
class IncludedBatch:
    """A batch in a block, joined with its log."""

    height: int
    index: int
    key: bytes
    org: int
    t: int
    batch: Batch

    outcomes: tuple[Outcome, ...]

    def hash(self, domain: LedgerDomain) -> bytes:
        """Return the batch's name: its digest and its signer together."""
        return batch_hash(self.batch.digest(domain), self.key)

    def entries(self) -> Iterator[IncludedEntry]:
        """Yield the entries with what they came to.

        In a trace lane all are merely recorded; the contract does not look inside, so malformed ones are no traces.
        """
        if self.batch.is_trace:
            yield from self._traces()
            return
        rejected: dict[int, Rejection] = {}
        effects: dict[int, tuple[Outcome, ...]] = {}
        for each in self.outcomes:
            if isinstance(each.code, Rejection):
                rejected[each.index] = each.code
            else:
                effects[each.index] = (*effects.get(each.index, ()), each)
        for index, entry in enumerate(self.batch.unpacked()):
            yield IncludedEntry(index, entry, rejected.get(index), effects.get(index, ()))

    def _traces(self) -> Iterator[IncludedEntry]:
        with contextlib.suppress(BatchFault):
            for index, entry in enumerate(self.batch.unpacked()):
                yield IncludedEntry(index, entry, None, ())


@dataclass(frozen=True, slots=True)
class IncludedBlock:
    """A block as readers of batches see it.

    Attributes:
        time: block time, seconds UTC.
    """

    height: int
    hash: bytes
    parent: bytes
    time: int
    batches: tuple[IncludedBatch, ...]


@dataclass(frozen=True, slots=True)
class Words:
    """What the contract stores of some subjects at a height.

    Attributes:
        words: packed word of each subject, in the order asked.
        filings: low 160 bits of the newest filing's digest of each, 0 where there is none.
    """

    height: int
    words: tuple[int, ...]
    filings: tuple[int, ...]


def read_batch(
    height: int, index: int, data: bytes, logs: Sequence[tuple[tuple[bytes, ...], bytes]]
) -> IncludedBatch | None:
    """Join calldata of a transaction to the contract with its logs (topics, data); None if it is no accepted batch."""
    submitted = read_submit(data)
    if submitted is None:
        return None
    recorded = next((found for topics, log in logs if (found := read_recorded(topics, log))), None)
    if recorded is None:
        return None
    return IncludedBatch(height, index, recorded.key, recorded.org, recorded.t, submitted[0], recorded.outcomes)
