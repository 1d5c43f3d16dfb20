"""Facts: what is declared of the goods, as the seller and the courier state it, and their packed words.

The seller knows what was sold, the courier how it travels; each owns its facts. Layout: `ledger.domain.words`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Self

from ledger.domain.words import GOODS, TRANSPORT, Field


class Mode(IntEnum):
    """How the parcel travels."""

    EXPRESS_AIR = 1
    EXPRESS_SEA = 2
    POSTAL = 3


class Track(IntEnum):
    """The track the courier claims: the list (목록통관) or a declaration (수입신고)."""

    LIST = 0
    DECLARED = 1


class Use(IntEnum):
    """Personal use (자가사용) or goods of a company (회사용, 판매용)."""

    PERSONAL = 0
    COMPANY = 1


def _pack(layout: Mapping[str, Field], values: object) -> int:
    word = 0
    for name, field in layout.items():
        word |= field.put(int(getattr(values, name)))
    return word


@dataclass(frozen=True, slots=True)
class Goods:
    """Goods of one order: the seller's facts.

    Price is in minor units of the currency, quantity in the unit of the goods class.
    """

    price: int
    currency: int
    goods_class: int
    quantity: int
    unit: int = 0
    use: Use = Use.PERSONAL

    def word(self) -> int:
        """Return the goods word.

        Raises:
            ValueError: a field does not fit.
        """
        return _pack(GOODS, self)

    @classmethod
    def of(cls, word: int) -> Self:
        """Read a goods word."""
        values = {name: field.get(word) for name, field in GOODS.items()}
        return cls(**values | {"use": Use(min(values["use"], 1))})  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Transport:
    """How a parcel travels: the courier's facts. Countries are two ASCII letters as a number."""

    dispatch: int
    origin: int
    mode: Mode
    office: int
    track: Track = Track.LIST
    weight: int = 0
    master: int = 0

    def word(self) -> int:
        """Return the transport word.

        Raises:
            ValueError: a field does not fit.
        """
        return _pack(TRANSPORT, self)

    @classmethod
    def of(cls, word: int) -> Self:
        """Read a transport word.

        Raises:
            ValueError: mode or track is not one of the known.
        """
        values = {name: field.get(word) for name, field in TRANSPORT.items()}
        values |= {"mode": Mode(values["mode"]), "track": Track(values["track"])}
        return cls(**values)  # type: ignore[arg-type]


def country_number(letters: str) -> int:
    """Return an ISO 3166-1 alpha-2 code as the number the words carry."""
    high, low = letters.encode("ascii")
    return high << 8 | low
