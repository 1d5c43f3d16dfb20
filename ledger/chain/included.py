"""What stands in blocks, as readers see it: batches with their entries and what each entry came to.

Calldata and the one log of each batch suffice to rebuild every decision; this is the decoder for that. It is also where
traces are judged: the contract looks at a trace's signer and no further, so who may write which is a rule of readers.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ledger.chain.batch import Batch, BatchFault, Entry
from ledger.chain.calls import Change, Outcome, read_changed, read_recorded, read_submit
from ledger.commitments import LedgerDomain, batch_hash
from ledger.domain.crosswalk import TRACE_WRITERS
from ledger.domain.kinds import KindNumber
from ledger.domain.rejections import Rejection
from ledger.domain.roles import ANY_ROLE


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

    def entries(self, roles: int = ANY_ROLE) -> Iterator[IncludedEntry]:
        """Yield the entries with what they came to.

        Traces are rejected by the rule of readers: malformed ones are none, and of the others those whose kind the
        signer's roles do not reach, or no table names. What the contract judged does not depend on `roles`.

        Args:
            roles: those of the signer's key when the batch was included (`ledger.chain.membership`); all of them for
                readers who do not follow members and believe no trace for its signer's sake.
        """
        if self.batch.is_trace:
            yield from self._traces(roles)
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

    def _traces(self, roles: int) -> Iterator[IncludedEntry]:
        with contextlib.suppress(BatchFault):
            for index, entry in enumerate(self.batch.unpacked()):
                may = TRACE_WRITERS.get(entry.kind, 0) & roles
                yield IncludedEntry(index, entry, None if may else Rejection.ROLE, ())


@dataclass(frozen=True, slots=True)
class IncludedBlock:
    """A block as readers of batches see it.

    Attributes:
        time: block time, seconds UTC.
        changes: of members and rules, each with the place of its transaction.
    """

    height: int
    hash: bytes
    parent: bytes
    time: int
    batches: tuple[IncludedBatch, ...]
    changes: tuple[tuple[int, Change], ...] = ()


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


def read_changes(logs: Sequence[Sequence[tuple[tuple[bytes, ...], bytes]]]) -> tuple[tuple[int, Change], ...]:
    """Return the changes that the contract's logs (topics, data) in a block tell of, each with its place."""
    return tuple(
        (index, change)
        for index, listed in enumerate(logs)
        for topics, data in listed
        if (change := read_changed(topics, data))
    )
