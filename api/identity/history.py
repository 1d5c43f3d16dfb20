"""What a filing comes to in view of its person's others: split orders, and personal or company use. Pure functions.

What the writer declares can only add: "personal" excuses nothing, and goods declared as a company's are left to the
contract, which judges them as such.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ledger.domain.classes import BY_CODE
from ledger.domain.facts import Use
from ledger.domain.history import AGGREGATIONS, TRADE_RULES, Aggregation, Declaration, Split, Trade, TradeRule

SPLIT_ORDERS: Final = "split_orders"
COMMERCIAL: Final = "commercial"


@dataclass(frozen=True, slots=True)
class Past:
    """What else is known when a filing is judged; the parcel itself may stand among it and is passed over.

    Attributes:
        own: other declarations of the person, under any of his numbers.
        clustered: declarations of anybody for the same delivery address and shop.
        resales: days (KST) of reports that the person sells what he declared for his own use.
    """

    own: Sequence[Declaration] = ()
    clustered: Sequence[Declaration] = ()
    resales: Sequence[dt.date] = ()


@dataclass(frozen=True, slots=True)
class Referral:
    """A parcel that an officer must see, and why: a cause and the codes of its reasons."""

    parcel: bytes
    filing: bytes
    cause: str
    reasons: tuple[str, ...]


def referrals(new: Declaration, past: Past) -> tuple[Referral, ...]:
    """Return what a filing brings about: referrals of its own parcel, and of others that it belongs together with."""
    own = [each for each in past.own if each.parcel != new.parcel]
    clustered = [each for each in past.clustered if each.parcel != new.parcel]
    found: dict[tuple[str, bytes], Referral] = {}
    for cause, reason, parcels in (*_splits(new, own), *_trades(new, own, clustered, past.resales)):
        for each in parcels:
            known = found.get((cause, each.parcel))
            reasons = (*known.reasons, reason) if known else (reason,)
            found[cause, each.parcel] = Referral(each.parcel, each.filing, cause, reasons)
    return tuple(found.values())


_Found = tuple[str, str, Sequence[Declaration]]


# ---------------------------------------------------------------------------------------------------- split orders
def _splits(new: Declaration, own: Sequence[Declaration]) -> Iterable[_Found]:
    for rule in AGGREGATIONS:
        if not rule.holds_on(new.declared_on):
            continue
        others = [each for each in own if rule.holds_on(each.declared_on)]
        for group in _groups(rule, new, others):
            parcels = [each for each, _ in group]
            if len(parcels) > 1 and sum(cents for _, cents in group) > min(each.limit_cents for each in parcels):
                yield SPLIT_ORDERS, rule.key.value, parcels


def _groups(
    rule: Aggregation, new: Declaration, others: Sequence[Declaration]
) -> Iterable[list[tuple[Declaration, int]]]:
    """Yield parcels that belong together, each with the cents that count; the new one first."""
    if rule.key is Split.SAME_PURCHASE:
        for bought in new.purchases:
            same = [
                (each, theirs.cents)
                for each in others
                for theirs in each.purchases
                if (theirs.supplier, theirs.ordered_on) == (bought.supplier, bought.ordered_on)
            ]
            yield [(new, bought.cents), *same]
        return
    by_bill = rule.key is Split.SAME_BILL
    if (new.bill if by_bill else new.arrived_on) is not None:
        same = [
            (each, each.cents)
            for each in others
            if (each.bill == new.bill if by_bill else each.arrived_on == new.arrived_on)
        ]
        yield [(new, new.cents), *same]


# ----------------------------------------------------------------------------------------- personal or company use
def _trades(
    new: Declaration, own: Sequence[Declaration], clustered: Sequence[Declaration], resales: Sequence[dt.date]
) -> Iterable[_Found]:
    if new.use is Use.COMPANY:
        return
    for rule in TRADE_RULES:
        if not rule.holds_on(new.declared_on):
            continue
        near = [each for each in own if rule.reaches(new.declared_on, each.declared_on)]
        if rule.sign is Trade.ONE_ADDRESS:
            together = [each for each in clustered if rule.reaches(new.declared_on, each.declared_on)]
            people = {new.person, *(each.person for each in together)}
            if new.cluster is not None and len(people) > rule.limit:
                yield COMMERCIAL, rule.sign.value, [new, *together]
        elif _tells(rule, new, near, resales):
            yield COMMERCIAL, rule.sign.value, [new]


def _tells(rule: TradeRule, new: Declaration, near: Sequence[Declaration], resales: Sequence[dt.date]) -> bool:
    if rule.sign is Trade.FREQUENCY:
        return len(near) + 1 > rule.limit
    if rule.sign is Trade.RESALE:
        return sum(rule.reaches(new.declared_on, day) for day in resales) > rule.limit
    return any(_too_many(rule, code, quantity, new, near) for code, quantity in new.goods.items())


def _too_many(rule: TradeRule, code: int, quantity: int, new: Declaration, near: Sequence[Declaration]) -> bool:
    kind = BY_CODE.get(code)
    row = kind.row_at(new.declared_on) if kind else None
    allowed = row.personal_use if row else 0
    return bool(allowed) and quantity + sum(each.goods.get(code, 0) for each in near) > rule.limit * allowed
