"""What counts across a person's parcels: split orders (합산과세), personal or company use (자가사용), by dated rows.

Aggregation: import clearance notice (수입통관 고시) art. 68; its item 2, same day of arrival, was deleted and holds for
declarations up to 2022-11-16. Figures of personal use stand with the goods classes. How often is too often, the law
leaves to the head of customs: those figures are this project's own, and rows like the others.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from ledger.domain.facts import Use


class Split(StrEnum):
    """What makes goods in several parcels one purchase."""

    SAME_BILL = "same_bill"
    SAME_PURCHASE = "same_purchase"
    SAME_ARRIVAL = "same_arrival"


class Trade(StrEnum):
    """What tells that goods declared for personal use are for a business."""

    QUANTITY = "quantity"
    FREQUENCY = "frequency"
    RESALE = "resale"
    ONE_ADDRESS = "one_address"


@dataclass(frozen=True, slots=True)
class Dated:
    """A row of law or practice.

    Attributes:
        valid_from, valid_to: first and last day of declaration (KST) it holds for; None: no end on that side.
        source: where it stands.
    """

    source: str
    valid_from: dt.date | None = None
    valid_to: dt.date | None = None

    def holds_on(self, day: dt.date) -> bool:
        """Whether it holds for what is declared on a day."""
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day <= self.valid_to)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregation(Dated):
    """Values are summed over all parcels of a person that share `key`."""

    key: Split


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeRule(Dated):
    """More than `limit` within `days` tells of a business.

    The limit counts parcels (frequency), reports (resale), people (one address), or times the personal-use quantity.
    """

    sign: Trade
    limit: int
    days: int

    def reaches(self, now: dt.date, then: dt.date) -> bool:
        """Whether a day lies within the days that end with another, both counted."""
        return 0 <= (now - then).days < self.days


AGGREGATIONS: Final = (
    Aggregation(key=Split.SAME_BILL, source="수입통관 고시 제68조 제1호"),
    Aggregation(key=Split.SAME_ARRIVAL, source="수입통관 고시 제68조 제2호 (삭제)", valid_to=dt.date(2022, 11, 16)),
    Aggregation(key=Split.SAME_PURCHASE, source="수입통관 고시 제68조 제3호"),
)
_OWN: Final = "own figure; 수입통관 고시 별표 11 leaves it to the head of customs"
TRADE_RULES: Final = (
    TradeRule(sign=Trade.QUANTITY, limit=4, days=90, source=_OWN),
    TradeRule(sign=Trade.FREQUENCY, limit=30, days=30, source=_OWN),
    TradeRule(sign=Trade.RESALE, limit=0, days=365, source=_OWN),
    TradeRule(sign=Trade.ONE_ADDRESS, limit=3, days=30, source=_OWN),
)
LONGEST: Final = dt.timedelta(days=max(rule.days for rule in TRADE_RULES))
"""How far back parcels are looked at; purchases, bills and arrivals have days of their own."""

COMPANY_CODE: Final = re.compile(r"(?:[가-힣]{4}|[가-힣A-Z0-9]{8})[0-9]{7}")
"""Shape of a company's code (통관고유부호): 15 bytes, a Korean syllable counting two, the last seven digits."""


def is_company_code(text: str) -> bool:
    """Whether a text has the shape of a company's code: companies have one where people have a number."""
    return bool(COMPANY_CODE.fullmatch("".join(text.split()).upper()))


@dataclass(frozen=True, slots=True)
class Purchase:
    """What was bought of one supplier on one day (KST), as the supplier's own orders tell it; US cents."""

    supplier: bytes
    ordered_on: dt.date
    cents: int


@dataclass(frozen=True, slots=True)
class Declaration:
    """The newest filing of a parcel, as far as it counts for its person.

    Attributes:
        person: random id, the same whatever number was used.
        declared_on: day of the first filing, KST; the rows in force are those of this day.
        bill: keyed value of the house bill.
        arrived_on: day of arrival, KST, where it is known.
        cents: price of all goods, US cents, parts of a cent dropped.
        limit_cents: up to this sum nothing is due.
        goods: quantity by class.
        cluster: keyed value of delivery address and shop, None where the address is the holder's own.
    """

    parcel: bytes
    filing: bytes
    person: bytes
    declared_on: dt.date
    cents: int
    limit_cents: int
    bill: bytes | None = None
    arrived_on: dt.date | None = None
    use: Use = Use.PERSONAL
    goods: Mapping[int, int] = field(default_factory=dict)
    purchases: tuple[Purchase, ...] = ()
    cluster: bytes | None = None
