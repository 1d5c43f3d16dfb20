"""What was filed, as screening scores it: the words in the block, and the payload opened with screening's own key.

Nothing here holds a transaction: the vault notes every opening in one of its own, and blocks come from the node.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from api.gateway import Gateway
from ledger.payloads import Payload
from ledger.store import vault
from ledger.store.tables.chain import EntryRow, ParcelRow

WHO: Final = "screening"
WHY: Final = "scoring a filing"
TEXT: Final = 200
"""Characters of one field that are looked at."""
MANY: Final = 50
"""Descriptions that are looked at."""


@dataclass(frozen=True, slots=True)
class Content:
    """The private part of a filing. All of it is as told, and may be personal: it is in no repr."""

    house_bill: str = field(repr=False)
    shop: str = field(repr=False)
    descriptions: tuple[str, ...] = field(repr=False)
    number: str = field(repr=False)
    phone: str = field(repr=False)
    address: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Filed:
    """A filing.

    Attributes:
        row: its parcel.
        words: transport word and goods words, as they stand in the block.
        content: what the payload says; None if it has not come, or cannot be read.
        unreadable: whether it came and cannot be read.
    """

    row: ParcelRow
    words: tuple[int, ...]
    content: Content | None = None
    unreadable: bool = False


def read_content(document: Mapping[str, Any]) -> Content:
    """Read an opened payload; whoever wrote it may have written anything.

    Raises:
        ValueError: it is no object, or holds text that is none.
    """
    told, consignee = document.get("description"), document.get("consignee")
    person = consignee if isinstance(consignee, dict) else {}
    listed = told if isinstance(told, list) else [told] if told else []
    return Content(
        _text(document.get("house_bill")).strip(), _text(document.get("shop")).strip(),
        tuple(map(_text, listed[:MANY])), _text(person.get("pccc")).strip().upper(),
        "".join(filter(str.isdigit, _text(person.get("phone")))),
        " ".join(_text(person.get("address")).split()).lower(),
    )  # fmt: skip


def _text(value: object) -> str:
    """Return a value as text; half a surrogate pair, which JSON can hold and nothing else can, raises."""
    return str("" if value is None else value)[:TEXT].encode().decode()


class FilingReader:
    """Reads filings for screening."""

    def __init__(self, gateway: Gateway, opener: X25519PrivateKey) -> None:
        """Take the gateway and the key that opens payloads."""
        self._gateway, self._opener = gateway, opener

    def read(self, places: Sequence[tuple[ParcelRow, EntryRow]]) -> list[Filed]:
        """Read filings, each by its parcel and where it stands."""
        wanted = {row.payload: row.opener for row, _ in places if row.payload}
        opened = vault.open_all(self._gateway.payloads, wanted, self._opener, WHO, WHY)
        here = [(row, place) for row, place in places if row.payload in opened]
        words = self._words([place for _, place in here])
        read = {
            row.id: self._filed(row, one, opened[row.payload or b""]) for (row, _), one in zip(here, words, strict=True)
        }
        return [read.get(row.id) or Filed(row, ()) for row, _ in places]

    def _words(self, places: Sequence[EntryRow]) -> list[tuple[int, ...]]:
        """Return the extra words of entries; every block is asked for once."""
        blocks: dict[int, dict[int, list[tuple[int, ...]]]] = {}
        for height in {place.height for place in places}:
            (block,) = self._gateway.node.pages(height, 1)
            wanted = {place.place for place in places if place.height == height}
            blocks[height] = {
                batch.index: [entry.extra for entry in batch.batch.unpacked()]
                for batch in block.batches
                if batch.index in wanted
            }
        return [blocks[place.height][place.place][place.number] for place in places]

    @staticmethod
    def _filed(row: ParcelRow, words: tuple[int, ...], payload: Payload | None) -> Filed:
        if payload is None:
            return Filed(row, words, unreadable=True)
        try:
            return Filed(row, words, read_content(payload.content))
        except (ValueError, AttributeError, RecursionError):
            return Filed(row, words, unreadable=True)
