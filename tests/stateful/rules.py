"""Rules of the stateful tests: written down once as plain objects, and packed for the contract's genesis.

They change while a test runs: limits fall, a class becomes excluded, lateness gets shorter, so that the rule of the
right moment matters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ledger.domain.facts import Mode, country_number
from ledger.domain.words import CLASS_ROW, DISPATCH_ROW, LATENESS_ROW, Field
from tests.contract.world import HOUR0, T0, USD, WEEK
from tests.model.rulebook import ClassRule, DispatchRule, LatenessRule, Rulebook

HOUR = 3_600
DAY = 24 * HOUR
LONG_AGO = HOUR0 * HOUR
US, CN, JP = (country_number(code) for code in ("US", "CN", "JP"))
YEN, YUAN = 392, 156
PLAIN, HEALTH_FOOD, PERMIT_CLASS, LATER_EXCLUDED, UNKNOWN_CLASS = 1, 6, 13, 20, 99


def rulebook() -> Rulebook:
    """Return a small rulebook; postal from Japan, class 99 and the yen in later weeks have no rule."""
    tomorrow = T0 + DAY
    rules = Rulebook(
        dispatch={
            (0, Mode.EXPRESS_AIR): [(LONG_AGO, DispatchRule(15_000, 15_000))],
            (0, Mode.EXPRESS_SEA): [(tomorrow, DispatchRule(10_000, 10_000))],
            (US, Mode.EXPRESS_AIR): [
                (LONG_AGO, DispatchRule(20_000, 15_000)),
                (tomorrow, DispatchRule(18_000, 14_000, order_required=True)),
            ],
            (CN, Mode.EXPRESS_AIR): [(LONG_AGO, DispatchRule(15_000, 15_000, order_required=True))],
        },
        classes={
            PLAIN: [(LONG_AGO, ClassRule())],
            HEALTH_FOOD: [(LONG_AGO, ClassRule(excluded=True, personal_use=6))],
            PERMIT_CLASS: [(LONG_AGO, ClassRule(permit=True))],
            LATER_EXCLUDED: [(LONG_AGO, ClassRule()), (tomorrow, ClassRule(excluded=True, personal_use=2))],
        },
        simplified=[(LONG_AGO, 200_000)],
        lateness=[
            (LONG_AGO, LatenessRule(72 * HOUR, 4 * HOUR)),
            (T0 + 4 * DAY, LatenessRule(24 * HOUR, 2 * HOUR)),
        ],
    )
    for week in range(WEEK - 2, WEEK + 20):
        rules.rates[USD, week] = 13_770_400 + 10_000 * (week % 7)
        rules.rates[YUAN, week] = 1_931_000
    rules.rates[YEN, WEEK] = 9_210_000
    return rules


def _packed(layout: dict[str, Field], rule: object) -> int:
    return sum(place.put(int(getattr(rule, name))) for name, place in layout.items())


def genesis_rows(rules: Rulebook) -> tuple[tuple[int, int], ...]:
    """Return the rulebook as the contract's constructor takes it: row id and hour | value << 24."""

    def rows(row: int, dated: list[tuple[int, Any]], pack: Callable[[Any], int]) -> Iterator[tuple[int, int]]:
        for since, rule in dated:
            yield row, since // HOUR | pack(rule) << 24

    def pairs() -> Iterator[tuple[int, int]]:
        for (country, mode), dated in rules.dispatch.items():
            yield from rows(1 << 40 | country << 8 | mode, dated, lambda rule: _packed(DISPATCH_ROW, rule))
        for code, kinds in rules.classes.items():
            yield from rows(2 << 40 | code, kinds, lambda rule: _packed(CLASS_ROW, rule))
        yield from rows(3 << 40, rules.simplified, int)
        yield from rows(4 << 40, rules.lateness, lambda rule: _packed(LATENESS_ROW, rule))

    return tuple(pairs())


def genesis_rates(rules: Rulebook) -> tuple[tuple[int, int], ...]:
    """Return the exchange rates as the contract's constructor takes them."""
    return tuple((currency << 16 | week, rate) for (currency, week), rate in rules.rates.items())
