"""Facts of filings for an authority in the gateway: places from the read model, words from the node's blocks.

The read model keeps no words of filings: the block that holds them is asked for, once for all filings in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final

from api.gateway import Gateway
from api.identity.declaring import Facts, Sold
from ledger.chain.filings import Declared, read_declared
from ledger.chain.included import IncludedBlock
from ledger.commitments import word
from ledger.store import history
from ledger.store.tables.chain import ParcelRow

Place = tuple[int, int, int]
BLOCKS_AT_ONCE: Final = 16


class FactReader:
    """Reads what parcels' newest filings declare."""

    def __init__(self, gateway: Gateway) -> None:
        """Take the gateway."""
        self._gateway = gateway

    def read(self, rows: Sequence[ParcelRow]) -> dict[bytes, Facts]:
        """Return the facts by parcel; one whose words mean nothing is left out: the contract refers it.

        Raises:
            LedgerError: the node does not answer.
        """
        if not rows:
            return {}
        with self._gateway.database.read() as session:
            places = history.filing_places(session, [row.id for row in rows])
        words = self._words(places)
        with self._gateway.database.read() as session:
            orders = [word(order) for declared in words.values() for order in declared.orders]
            sold = {int.from_bytes(key, "big"): Sold(*told) for key, told in history.sold(session, orders).items()}
            arrived = history.arrivals(session, [declared.transport.master for declared in words.values()])
        return {
            row.id: Facts(
                row.id, row.filing, words[row.id], row.filed_at, sold, arrived.get(words[row.id].transport.master)
            )
            for row in rows
            if row.id in words and row.filing is not None and row.filed_at is not None
        }

    def _words(self, places: Mapping[bytes, Place]) -> dict[bytes, Declared]:
        wanted = {place: parcel for parcel, place in places.items()}
        batches = {place[:2] for place in wanted}
        found: dict[bytes, Declared] = {}
        for start, count in _runs(sorted({height for height, _, _ in wanted})):
            for block in self._blocks(start, start + count):
                for batch in block.batches:
                    for each in batch.entries() if (block.height, batch.index) in batches else ():
                        parcel = wanted.get((block.height, batch.index, each.index))
                        if parcel is not None and word(each.entry.subject) == parcel:
                            found |= _read(parcel, each.entry.extra)
        return found

    def _blocks(self, start: int, end: int) -> Iterator[IncludedBlock]:
        """Yield the blocks of a range; a page of long ones ends early."""
        while start < end and (page := self._gateway.node.pages(start, end - start)):
            yield from page
            start += len(page)


def _read(parcel: bytes, words: Sequence[int]) -> dict[bytes, Declared]:
    try:
        return {parcel: read_declared(words)}
    except ValueError:
        return {}


def _runs(heights: Iterable[int]) -> Iterable[tuple[int, int]]:
    """Yield runs of blocks that follow one another: first height and count."""
    for _, run in groupby(enumerate(heights), key=lambda pair: pair[1] - pair[0]):
        found = [height for _, height in run]
        for at in range(0, len(found), BLOCKS_AT_ONCE):
            part = found[at : at + BLOCKS_AT_ONCE]
            yield part[0], len(part)
