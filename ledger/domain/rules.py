"""Rule rows: every legal figure with the day it holds from, as data; packed as the contract reads them.

Sources: express clearance notice (특송물품 고시) art. 8, Enforcement Rule (시행규칙) art. 45, KORUS FTA art. 4.7.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ledger.domain.classes import CLASSES
from ledger.domain.facts import Mode, country_number
from ledger.domain.words import DISPATCH_ROW, LATENESS_ROW

KST: Final = dt.timezone(dt.timedelta(hours=9), "KST")
DISPATCH_KIND, CLASS_KIND, TRACK_KIND, LATENESS_KIND = 1, 2, 3, 4
MAX_PAIRS: Final = 16
"""Pairs one row can hold."""
ANY_COUNTRY: Final = 0
WEEK_SECONDS: Final = 604_800
FIRST_SUNDAY: Final = 226_800
"""1970-01-04 00:00 KST: customs weeks run from Sunday to Saturday."""


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A value that holds from a day (KST) on.

    Attributes:
        row: id of the row, kind << 40 | what it is about.
        valid_from: first day, KST.
        value: 40 bits, laid out in `ledger.domain.words`.
        law: where the figure stands.
    """

    row: int
    valid_from: dt.date
    value: int
    law: str

    def pair(self) -> tuple[int, int]:
        """Return row id and packed pair."""
        return self.row, kst_hour(self.valid_from) | self.value << 24


def kst_hour(day: dt.date) -> int:
    """Return the midnight that starts a day in Korea as hours since 1970 UTC."""
    midnight = dt.datetime(day.year, day.month, day.day, tzinfo=KST)
    return int(midnight.timestamp()) // 3600


def week_of(t: int) -> int:
    """Return the customs week (Sunday to Saturday, KST) of a time in seconds UTC."""
    return (t - FIRST_SUNDAY) // WEEK_SECONDS


def dispatch_row(country: int, mode: Mode) -> int:
    """Return the row id of a dispatch country (0: any other) and mode."""
    return DISPATCH_KIND << 40 | country << 8 | mode


def class_row(code: int) -> int:
    """Return the row id of a goods class."""
    return CLASS_KIND << 40 | code


TRACK_ROW: Final = TRACK_KIND << 40
LATENESS_ROW_ID: Final = LATENESS_KIND << 40


def dispatch_value(list_limit: int, exempt_limit: int, *, order_required: bool = False) -> int:
    """Pack limits (US cents) of a dispatch row."""
    return (
        DISPATCH_ROW["list_limit"].put(list_limit)
        | DISPATCH_ROW["exempt_limit"].put(exempt_limit)
        | DISPATCH_ROW["order_required"].put(int(order_required))
    )


USD_150, USD_200, USD_2000 = 15_000, 20_000, 200_000
_SINCE_2015 = dt.date(2015, 12, 1)
_SINCE_KORUS = dt.date(2012, 3, 15)
_SINCE_2006 = dt.date(2006, 1, 1)
_US = country_number("US")


def _dispatch_rows() -> Iterable[RuleRow]:
    for mode in Mode:
        yield RuleRow(
            dispatch_row(ANY_COUNTRY, mode), _SINCE_2015, dispatch_value(USD_150, USD_150), "특송물품 고시 제8조"
        )
    for mode in (Mode.EXPRESS_AIR, Mode.EXPRESS_SEA):
        # KORUS covers express shipments; what may not use the list falls back to 150
        value = dispatch_value(USD_200, USD_150)
        yield RuleRow(dispatch_row(_US, mode), _SINCE_KORUS, value, "한·미 FTA 제4.7조")


def _class_rows() -> Iterable[RuleRow]:
    law = "특송물품 고시 별표 1, 수입통관 고시 별표 11"
    for each in CLASSES:
        yield from (RuleRow(class_row(each.code), row.valid_from, row.value(), law) for row in each.rows)


SEED_ROWS: Final = (
    *_dispatch_rows(),
    *_class_rows(),
    RuleRow(TRACK_ROW, _SINCE_2015, USD_2000, "특송물품 고시 제8조"),
    RuleRow(
        LATENESS_ROW_ID,
        _SINCE_2006,
        LATENESS_ROW["late"].put(72 * 3600) | LATENESS_ROW["sweep"].put(4 * 3600),
        "genesis file",
    ),
)
"""Rows of every new genesis: 2019 and today are both right, by their days."""


def with_order_required(rows: Iterable[RuleRow], countries: Iterable[str], since: dt.date) -> tuple[RuleRow, ...]:
    """Add rows that ask for a recorded order from dispatch countries, express by air and sea.

    The limits of the newest row of the country (or of any other) stay.
    """
    listed = list(rows)
    for country in countries:
        for mode in (Mode.EXPRESS_AIR, Mode.EXPRESS_SEA):
            own = dispatch_row(country_number(country), mode)
            if all(row.row != own for row in listed):  # a row of its own must know its past too
                past = [row for row in listed if row.row == dispatch_row(ANY_COUNTRY, mode)]
                listed += [RuleRow(own, row.valid_from, row.value, row.law) for row in past]
            newest = max((row for row in listed if row.row == own), key=lambda row: row.valid_from)
            value = newest.value | DISPATCH_ROW["order_required"].put(1)
            listed.append(RuleRow(own, since, value, "genesis file"))
    return tuple(listed)


def packed(rows: Iterable[RuleRow]) -> tuple[tuple[int, int], ...]:
    """Return (row id, pair) in the order the contract takes them: each row's pairs rising."""
    return tuple(row.pair() for row in sorted(rows, key=lambda row: (row.row, row.valid_from)))


def value_at(pairs: Sequence[int], hour: int) -> int | None:
    """Look a row up the way the contract does: the newest pair not after `hour`, None before the oldest."""
    newest = max((pair for pair in pairs if pair & 0xFFFFFF <= hour), key=lambda pair: pair & 0xFFFFFF, default=None)
    return None if newest is None else newest >> 24


BASE_RATES: Final = {840: 13_770_400, 392: 9_210_000, 156: 1_931_000, 978: 16_020_000, 826: 18_480_000, 36: 9_020_000}
"""Made-up customs rates: millionths of a won for one minor unit (US cent, yen, fen, euro cent, penny, AU cent)."""


def sample_rate(currency: int, week: int) -> int:
    """Return a made-up weekly rate within two per cent of the base, the same for ever."""
    draw = int.from_bytes(hashlib.sha256(f"rate {currency} {week}".encode()).digest()[:4], "big")
    return BASE_RATES[currency] * (9_800 + draw % 401) // 10_000
