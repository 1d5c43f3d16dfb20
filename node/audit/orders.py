"""`audit orders`: orders that a shop handed to a courier and no filing ever named.

A courier that files without the order it was handed escapes the match; here it shows, by courier and by shop.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ledger.domain.kinds import KINDS, Flag, KindNumber
from ledger.domain.words import DETAIL
from node.audit.batches import batches_of
from node.audit.members import MemberHistory
from node.audit.report import Found
from node.blocks import ExecutedBlock

K = KindNumber


@dataclass(slots=True)
class Handed:
    """An order as it stands: who recorded it, to whom it is handed, since when, and whether a filing took it."""

    shop: int
    courier: int
    since: int
    height: int
    used: bool = False


@dataclass(slots=True)
class OrderBook:
    """Every order of the blocks seen so far."""

    members: MemberHistory
    orders: dict[int, Handed] = field(default_factory=dict)
    now: int = 0

    def add(self, executed: ExecutedBlock) -> None:
        """Take an executed block."""
        self.now = executed.block.header.timestamp
        for batch in batches_of(executed):
            if batch.batch.is_trace:
                continue
            for each in batch.entries():
                entry = each.entry
                if each.rejection is not None:
                    continue
                if each.kind is K.ORDER_OPENED:
                    to = DETAIL["ORDER_OPENED.handed"].get(entry.header())
                    self.orders[entry.subject] = Handed(batch.org, to, batch.t, batch.height)
                elif each.kind is K.ORDER_REASSIGNED:
                    order = self.orders[entry.subject]
                    order.courier = DETAIL["ORDER_REASSIGNED.handed"].get(entry.header())
                    order.since, order.height = batch.t, batch.height
                elif Flag.FILING in KINDS[each.kind].flags and len(entry.extra) > 2:
                    for number in entry.extra[1::4]:
                        self.orders[number].used = True

    def unused(self, older: int) -> Iterator[tuple[int, Handed]]:
        """Yield orders handed over more than so many seconds before the last block, and never used."""
        for number, order in sorted(self.orders.items()):
            if not order.used and order.courier and self.now - order.since > older:
                yield number, order

    def findings(self, older: int) -> tuple[Found, ...]:
        """Return one finding for each of them."""
        return tuple(
            Found(
                "orders.unused", order.height,
                f"order 0x{number:064x} of {self.members.name(order.shop)}, handed to "
                f"{self.members.name(order.courier)} on {_day(order.since)}, stands in no filing.",
            )
            for number, order in self.unused(older)
        )  # fmt: skip

    def summary(self, older: int) -> dict[str, Any]:
        """Return counts, and who has how many."""
        listed = [order for _, order in self.unused(older)]
        return {
            "orders": len(self.orders),
            "used": sum(order.used for order in self.orders.values()),
            "unused": len(listed),
            "by_courier": self._counts(order.courier for order in listed),
            "by_shop": self._counts(order.shop for order in listed),
        }

    def _counts(self, orgs: Iterator[int]) -> dict[str, int]:
        return dict(sorted(Counter(self.members.name(org) for org in orgs).items()))


def _day(seconds: int) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).date().isoformat()
