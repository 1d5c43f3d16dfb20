"""Reads the rule rows and exchange rates in force from the contract's storage, for those who judge beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from ledger.chain.state import LedgerState, map_slot
from ledger.domain.facts import Goods, Track, Transport
from ledger.domain.rules import ANY_COUNTRY, dispatch_row, value_at, week_of
from ledger.domain.words import DISPATCH_ROW

US_DOLLAR: Final = 840
SLOTS_OF_A_ROW: Final = 4
PAIRS_OF_A_SLOT: Final = 4
MAX_KEPT: Final = 10_000


class Rulebook:
    """The rules of one chain. What was found for a time is kept: no rule reaches back, and a rate is written once."""

    def __init__(self, state: Callable[[], LedgerState]) -> None:
        """Take what gives the state at the head."""
        self._state = state
        self._values: dict[tuple[int, int], int] = {}
        self._rates: dict[tuple[int, int], int] = {}

    def value(self, row: int, hour: int) -> int | None:
        """Return the value of a row at an hour since 1970 UTC, None before its oldest."""
        if (row, hour) not in self._values:
            state = self._state()
            slots = [state.read(map_slot("rows", row << 2 | place)) for place in range(SLOTS_OF_A_ROW)]
            pairs = [slot >> 64 * place & (1 << 64) - 1 for slot in slots for place in range(PAIRS_OF_A_SLOT)]
            found = value_at([pair for pair in pairs if pair], hour)
            if found is None:
                return None
            self._keep(self._values, (row, hour), found)
        return self._values[row, hour]

    def rate(self, currency: int, t: int) -> int:
        """Return the customs rate of a currency in the week of a time, 0 if none is set."""
        key = currency, week_of(t)
        if key not in self._rates:
            found = self._state().read(map_slot("rates", key[0] << 16 | key[1]))
            if not found:
                return 0
            self._keep(self._rates, key, found)
        return self._rates[key]

    def cents(self, goods: Goods, t: int) -> int | None:
        """Return a price in US cents at the rates of the week, parts of a cent dropped; None without a rate."""
        own, dollar = self.rate(goods.currency, t), self.rate(US_DOLLAR, t)
        return goods.price * own // dollar if own and dollar else None

    def limit(self, transport: Transport, t: int) -> int | None:
        """Return up to how many US cents nothing is due, on the track that is claimed; None without a rule."""
        for country in (transport.dispatch, ANY_COUNTRY):
            found = self.value(dispatch_row(country, transport.mode), t // 3_600)
            if found is not None:
                return DISPATCH_ROW["list_limit" if transport.track is Track.LIST else "exempt_limit"].get(found)
        return None

    @staticmethod
    def _keep(kept: dict[tuple[int, int], int], key: tuple[int, int], value: int) -> None:
        if len(kept) >= MAX_KEPT:
            kept.clear()
        kept[key] = value


def total(values: Iterable[int | None]) -> int | None:
    """Return a sum, None if a part of it is not known."""
    found = list(values)
    return None if None in found else sum(each for each in found if each is not None)
