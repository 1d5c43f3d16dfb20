"""The rule rows that entries were judged by, read as the contract reads them (contracts/src/filing.vy, rulebook.vy).

Rows of a filing are those in force at `t` of the parcel's first filing; lateness and office targets those at the `t` of
the entry itself.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ledger.domain.classes import BY_CODE
from ledger.domain.facts import Goods, Mode, Track
from ledger.domain.money import BY_NUMBER
from ledger.domain.rules import (
    ANY_COUNTRY,
    DISPATCH_KIND,
    FIRST_SUNDAY,
    LATENESS_ROW_ID,
    TRACK_ROW,
    WEEK_SECONDS,
    class_row,
    week_of,
)
from ledger.domain.words import CLASS_ROW, DISPATCH_ROW, LATENESS_ROW, TRANSPORT, Field
from node.audit.members import OFFICE_SHIFT, MemberHistory

USD: Final = 840
MODES: Final = {int(mode): mode.name.lower().replace("_", " ") for mode in Mode}
HOUR: Final = 3_600
BY_CLASS, BY_ORIGIN, BY_SELLER, BY_COURIER = 1, 2, 3, 4
"""Targets of an office overlay (contracts/src/rulebook.vy)."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule as an entry met it.

    Attributes:
        row: id of the row, of the rate, or of the office target.
        since: from when its value holds, seconds UTC; until when, of an office target; None: nothing was in force.
        says: its value in words.
    """

    name: str
    row: int
    since: int | None
    value: int | None
    says: str

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        since = None if self.since is None else dt.datetime.fromtimestamp(self.since, dt.UTC).isoformat()
        value = None if self.value is None else hex(self.value)
        return {"rule": self.name, "row": hex(self.row), "since": since, "value": value, "says": self.says}


@dataclass(frozen=True, slots=True)
class Filing:
    """What a filing declares, as far as rules look at it; mode and track may be numbers that no rule knows."""

    dispatch: int
    mode: int
    track: int
    goods: tuple[Goods, ...]

    @classmethod
    def of(cls, words: Sequence[int]) -> Filing:
        """Read the extra words of a filing."""
        dispatch, mode, track = (TRANSPORT[name].get(words[0]) for name in ("dispatch", "mode", "track"))
        return cls(dispatch, mode, track, tuple(map(Goods.of, words[1:2] if len(words) == 2 else words[2::4])))


def of_filing(members: MemberHistory, filing: Filing, first: int) -> Iterator[Rule]:
    """Yield the rows that a filing of a parcel first filed at a time was judged by; see `lateness` for the rest."""
    hour = first // HOUR
    yield _dispatch(members, filing, hour)
    if filing.track != Track.LIST:
        yield _row(members, "track", TRACK_ROW, hour, lambda value: f"simplified up to {_dollars(value)}")
    for code in dict.fromkeys(each.goods_class for each in filing.goods):
        known = BY_CODE.get(code)
        yield _row(members, f"class {known.english if known else code}", class_row(code), hour, _class_words)
    for currency in dict.fromkeys((USD, *(each.currency for each in filing.goods))):
        yield _rate(members, currency, week_of(first))


def lateness(members: MemberHistory, t: int) -> Rule:
    """Return the row of lateness and sweeping in force at a time."""
    return _row(members, "lateness", LATENESS_ROW_ID, t // HOUR, _lateness_words)


def targets(members: MemberHistory, office: int, named: Sequence[tuple[int, int]], t: int) -> Iterator[Rule]:
    """Yield the targets of an office that were met at a time, of (target, id) pairs."""
    for target, number in named:
        row = office << OFFICE_SHIFT | target << 32 | number
        until = members.overlays.get(row, 0)
        if until >= t:
            yield Rule(f"target of office {office:03}", row, None, until, _target_words(members, target, number, until))


def rate(members: MemberHistory, currency: int, t: int) -> int:
    """Return the exchange rate of the week of a time, 0 if none is set."""
    return members.rates.get(currency << 16 | week_of(t), 0)


def _dispatch(members: MemberHistory, filing: Filing, hour: int) -> Rule:
    """Return the row of the country, or that of any other country where its own has no value at that hour."""
    own, other = (DISPATCH_KIND << 40 | country << 8 | filing.mode for country in (filing.dispatch, ANY_COUNTRY))
    row = own if _pair(members, own, hour) is not None else other
    mode = MODES.get(filing.mode, f"mode {filing.mode}")
    country = _country(filing.dispatch) + ("" if row == own else " as any other country")
    return _row(members, f"dispatch {country}, {mode}", row, hour, _dispatch_words)


def _pair(members: MemberHistory, row: int, hour: int) -> int | None:
    pairs = [pair for pair in members.rows.get(row, ()) if pair & 0xFFFFFF <= hour]
    return max(pairs, key=lambda pair: pair & 0xFFFFFF, default=None)


def _row(members: MemberHistory, name: str, row: int, hour: int, words: Callable[[int], str]) -> Rule:
    pair = _pair(members, row, hour)
    if pair is None:
        return Rule(name, row, None, None, "no rule in force")
    return Rule(name, row, (pair & 0xFFFFFF) * HOUR, pair >> 24, words(pair >> 24))


def _rate(members: MemberHistory, currency: int, week: int) -> Rule:
    known = BY_NUMBER.get(currency)
    name = f"rate {known.letters if known else currency}"
    value = members.rates.get(currency << 16 | week)
    if value is None:
        return Rule(name, currency << 16 | week, None, None, "no rate in the week")
    says = f"{value // 1_000_000}.{value % 1_000_000:06} won for one minor unit"
    return Rule(name, currency << 16 | week, week * WEEK_SECONDS + FIRST_SUNDAY, value, says)


def _values(layout: dict[str, Field], value: int) -> dict[str, int]:
    return {name: place.get(value) for name, place in layout.items()}


def _dispatch_words(value: int) -> str:
    told = _values(DISPATCH_ROW, value)
    order = "an order is required" if told["order_required"] else "no order required"
    return f"list up to {_dollars(told['list_limit'])}, exempt up to {_dollars(told['exempt_limit'])}, {order}"


def _class_words(value: int) -> str:
    told = _values(CLASS_ROW, value)
    said = ["excluded from the list" if told["excluded"] else "may use the list"]
    said += ["needs a permit"] if told["permit"] else []
    said += [f"personal use up to {told['personal_use']}"] if told["personal_use"] else []
    return ", ".join(said)


def _lateness_words(value: int) -> str:
    told = _values(LATENESS_ROW, value)
    return f"late after {told['late']} s, swept after {told['sweep']} s"


def _target_words(members: MemberHistory, target: int, number: int, until: int) -> str:
    known = BY_CODE.get(number)
    what = {
        BY_CLASS: f"class {known.english if known else number}",
        BY_ORIGIN: f"origin {_country(number)}",
        BY_SELLER: f"seller {members.name(number)}",
        BY_COURIER: f"courier {members.name(number)}",
    }[target]
    return f"refer {what} until {dt.datetime.fromtimestamp(until, dt.UTC).isoformat()}"


def _country(number: int) -> str:
    letters = number.to_bytes(2, "big").decode("ascii", "replace")
    return letters if letters.isalpha() else f"country {number}"


def _dollars(cents: int) -> str:
    return f"USD {cents // 100}.{cents % 100:02}"
