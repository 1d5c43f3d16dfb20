"""What of a filing counts for its person: facts from the block, days from the shops' orders, the rest as keyed values.

Facts are taken from the chain and not from the payload: what was declared is what is judged.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from api.identity.filed import Content
from ledger.chain.filings import Declared
from ledger.chain.rulebook import Rulebook, total
from ledger.domain.facts import Use
from ledger.domain.history import Declaration, Purchase
from ledger.domain.rules import KST

Keyed = Callable[[str, str], bytes]
"""Gives for a use and a text a value that is equal for equal texts and says nothing else."""


@dataclass(frozen=True, slots=True)
class Sold:
    """What a shop's order says: the shop's org and when it was sold, seconds UTC."""

    seller: int
    at: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What stands on chain of a parcel's newest filing.

    Attributes:
        first: `t` of the parcel's first filing, seconds UTC.
        sold: its orders, by id.
        arrived: when its flight or voyage arrived, seconds UTC, if it has.
    """

    parcel: bytes
    filing: bytes
    declared: Declared
    first: int
    sold: Mapping[int, Sold]
    arrived: int | None = None


def declaration(
    facts: Facts, content: Content, person: bytes, postcode: str, book: Rulebook, keyed: Keyed
) -> Declaration | None:
    """Return what counts of a filing; None where no rule or rate holds, which the contract itself refers.

    Args:
        facts: from the chain.
        content: the opened payload.
        person: whose number it is.
        postcode: where that person is registered, empty if the register does not say.
        book: rules and rates.
        keyed: makes keyed values.
    """
    declared = facts.declared
    cents = [book.cents(goods, facts.first) for goods in declared.goods]
    whole, limit = total(cents), book.limit(declared.transport, facts.first)
    if whole is None or limit is None:
        return None
    goods: dict[int, int] = {}
    for each in declared.goods:
        goods[each.goods_class] = goods.get(each.goods_class, 0) + each.quantity
    return Declaration(
        parcel=facts.parcel,
        filing=facts.filing,
        person=person,
        declared_on=kst_day(facts.first),
        cents=whole,
        limit_cents=limit,
        bill=keyed("bill", content.house_bill) if content.house_bill else None,
        arrived_on=None if facts.arrived is None else kst_day(facts.arrived),
        use=Use.COMPANY if any(each.use is Use.COMPANY for each in declared.goods) else Use.PERSONAL,
        goods=goods,
        purchases=_purchases(zip(declared.orders, cents, strict=False), facts.sold, keyed),
        cluster=_cluster(content, postcode, keyed),
    )


def kst_day(t: int) -> dt.date:
    """Return the day in Korea of a time in seconds UTC."""
    return dt.datetime.fromtimestamp(t, KST).date()


def _purchases(
    bought: Iterable[tuple[int, int | None]], sold: Mapping[int, Sold], keyed: Keyed
) -> tuple[Purchase, ...]:
    sums: dict[tuple[bytes, dt.date], int] = {}
    for order, cents in bought:
        known = sold.get(order)
        if known is not None:
            key = keyed("supplier", str(known.seller)), kst_day(known.at)
            sums[key] = sums.get(key, 0) + (cents or 0)
    return tuple(Purchase(*key, cents) for key, cents in sorted(sums.items()))


def _cluster(content: Content, postcode: str, keyed: Keyed) -> bytes | None:
    """Return address and shop as one value, None if no address is told or its postcode is the holder's own.

    Two colleagues at one office are no cluster of one shop; an agent's yard is.
    """
    told = content.consignee
    address = "".join(told.get("address", "").split()).casefold()
    if not address or (postcode and told.get("zip", "") == postcode):
        return None
    return keyed("delivery", f"{address}\0{content.shop.casefold()}")
