"""What screening knows of one filing when it scores it: declared facts, and what was seen before. No names in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from ledger.domain.facts import Goods, Mode, Track, Transport

EXPECTED_SHARE: Final = 0.02
"""Share of refusals assumed of somebody of whom nothing is known yet."""
PRIOR: Final = 20
"""How many parcels that assumption weighs."""


@dataclass(frozen=True, slots=True)
class Record:
    """How the parcels of a shop or courier fared: those that were decided, and those of them that were refused."""

    decided: int = 0
    refused: int = 0

    @property
    def share(self) -> float:
        """Share refused, smoothed: few parcels say little."""
        return (self.refused + PRIOR * EXPECTED_SHARE) / (self.decided + PRIOR)


@dataclass(frozen=True, slots=True)
class Before:
    """What the parcel's filing before this one declared."""

    price: int
    currency: int
    same_consignee: bool


@dataclass(frozen=True, slots=True)
class Signals:
    """One filing as indicators see it.

    Attributes:
        readable: its payload opens with screening's key.
        has_order: it names at least one order.
        shop_is_member: its payload names a shop that is a member.
        bill_elsewhere: its house bill stands under another parcel id.
        cents: US cents of each item, None where no rate was in force.
        numbers_at_contact: different identity numbers that had goods sent to the same telephone or address lately.
        deniers_at_address: other holders who said of a parcel sent to the same address lately that it is not theirs.
        generation: filings and corrections of the parcel so far.
        watched_countries: dispatch countries that customs watches at the moment.
    """

    transport: Transport
    goods: tuple[Goods, ...]
    cents: tuple[int | None, ...] = ()
    descriptions: tuple[str, ...] = ()
    readable: bool = True
    has_order: bool = False
    shop_is_member: bool = False
    bill_elsewhere: bool = False
    numbers_at_contact: int = 1
    deniers_at_address: int = 0
    shop: Record = Record()
    courier: Record = Record()
    before: Before | None = None
    generation: int = 1
    watched_countries: frozenset[int] = frozenset()

    @classmethod
    def unreadable(cls, words: Sequence[int]) -> Self:
        """Return what is known of a filing whose payload does not open, from its words alone."""
        transport, goods = declared(words)
        return cls(transport, goods, readable=False, has_order=len(words) > 2)


def declared(words: Sequence[int]) -> tuple[Transport, tuple[Goods, ...]]:
    """Read the words of a filing: a transport word, then one goods word, or four words for each order."""
    goods = words[1:2] if len(words) == 2 else words[2::4]
    return _transport(words[0]), tuple(Goods.of(word) for word in goods)


def _transport(word: int) -> Transport:
    """Read a transport word; the contract takes modes nobody knows, which are no express and no list."""
    try:
        return Transport.of(word)
    except ValueError:
        low = word & 0xFFFFFFFF
        return Transport(low & 0xFFFF, low >> 16, Mode.POSTAL, 0, Track.DECLARED)
