"""Follows filings in blocks, opens their payloads with one's own key, and hands each on once: for programs that judge.

Identity check and screening learn of filings here, from included blocks, and read only what such a party could.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from ledger.chain.batch import Entry
from ledger.chain.included import IncludedBatch
from ledger.chain.writer import Writer
from ledger.commitments import filing_digest
from ledger.domain.facts import Goods, Transport
from ledger.domain.kinds import FILING_WORDS, KindNumber
from ledger.payloads import PayloadFault, PayloadStore, open_payload

FILINGS: Final = (KindNumber.FILED, KindNumber.CORRECTED)


@dataclass(frozen=True, slots=True)
class Declared:
    """The facts that a filing declares, in clear on chain; goods stand in the order of their orders."""

    transport: Transport
    goods: tuple[Goods, ...]
    orders: tuple[int, ...]


def read_declared(words: Sequence[int]) -> Declared:
    """Read the extra words of a filing.

    Raises:
        ValueError: a mode or track that is not one of the known; the contract finds no rule for such a filing.
    """
    transport = Transport.of(words[0])
    if len(words) == FILING_WORDS:
        return Declared(transport, (Goods.of(words[1]),), ())
    return Declared(transport, tuple(map(Goods.of, words[2::4])), tuple(words[1::4]))


@dataclass(frozen=True, slots=True)
class SeenFiling:
    """A filing as it stands in a block, with its digest.

    Attributes:
        first: `t` of the parcel's first filing, seconds UTC.
        words: extra words of the entry.
    """

    parcel: int
    names: int
    payload: bytes
    has_order: bool
    first: int
    words: tuple[int, ...]


class FilingWatcher:
    """Follows the filings in blocks and keeps each parcel's newest."""

    def __init__(self, writer: Writer, spool: PayloadStore, key: X25519PrivateKey) -> None:
        """Take the writer, the spool and the key that opens payloads."""
        self.writer = writer
        self._spool = spool
        self._key = key
        self._generations: dict[int, int] = {}
        self._first: dict[int, int] = {}
        self._fresh: dict[int, SeenFiling] = {}

    def watch(self, batch: IncludedBatch) -> None:
        """Take the filings of a batch."""
        for each in batch.entries() if not batch.batch.is_trace else ():
            if each.rejection is None and each.kind in FILINGS:
                entry = each.entry
                generation = self._generations.get(entry.subject, 0)
                self._generations[entry.subject] = generation + 1
                names = filing_digest(generation, entry.packed())
                first = self._first.setdefault(entry.subject, batch.t)
                self._fresh[entry.subject] = SeenFiling(
                    entry.subject, names, entry.digest, len(entry.extra) > FILING_WORDS, first, entry.extra
                )

    def judge(self, now: int) -> None:
        """Judge what is new; a filing without its payload stays unchecked and is tried again."""
        for filing in list(self._fresh.values()):
            envelope = self._spool.get(filing.payload)
            if envelope is None:
                continue
            del self._fresh[filing.parcel]
            try:
                content = open_payload(envelope, self._key, filing.payload).content
            except PayloadFault:
                continue  # damaged or sealed to others: it stays unchecked until it is corrected
            self.decide(filing, content, now)

    def decide(self, filing: SeenFiling, content: dict[str, Any], now: int) -> None:
        """Write the result for a filing whose payload is open."""
        raise NotImplementedError

    def result(self, kind: KindNumber, filing: SeenFiling, now: int) -> None:
        """Write a result that names the filing it judged."""
        self.writer.write(Entry(filing.parcel, kind, now, names=filing.names))
