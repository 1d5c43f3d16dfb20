"""`audit parcel`: who signed what of a parcel, when it was claimed, received and sealed, and which rules were used."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from ledger.chain.included import IncludedBatch, IncludedEntry
from ledger.domain.classes import BY_CODE
from ledger.domain.facts import Goods, Transport
from ledger.domain.kinds import KINDS, Flag
from ledger.domain.rules import ANY_COUNTRY, LATENESS_ROW_ID, TRACK_ROW, class_row, dispatch_row, value_at, week_of
from node.audit.batches import batches_of
from node.audit.members import MemberHistory
from node.blocks import ExecutedBlock


@dataclass(slots=True)
class ParcelHistory:
    """Everything that blocks say of one parcel and the orders it names."""

    subject: int
    members: MemberHistory
    events: list[dict[str, Any]] = field(default_factory=list)
    rules: dict[str, Any] = field(default_factory=dict)
    first_filing: int = 0
    _orders: dict[int, list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, executed: ExecutedBlock) -> None:
        """Take an executed block; `members` must have seen the blocks before it."""
        block = executed.block
        for batch in batches_of(executed):
            if not batch.batch.is_trace:
                for each in batch.entries():
                    self._entry(batch, each, block.header.timestamp)

    def _entry(self, batch: IncludedBatch, each: IncludedEntry, block_time: int) -> None:
        told = self._told(batch, each, block_time)
        if each.entry.subject == self.subject:
            self.events.append(told)
            if Flag.FILING in KINDS[each.kind].flags and each.rejection is None:
                self._filing(batch, each)
        elif each.kind.name.startswith("ORDER_"):
            self._orders.setdefault(each.entry.subject, []).append(told)

    def _told(self, batch: IncludedBatch, each: IncludedEntry, block_time: int) -> dict[str, Any]:
        return {
            "kind": each.kind.name,
            "subject": f"0x{each.entry.subject:064x}",
            "outcome": each.rejection.name if each.rejection else "recorded",
            "effects": [effect.code.name for effect in each.effects],
            "org": batch.org,
            "name": self.members.name(batch.org),
            "key": "0x" + batch.key.hex(),
            "key_then": self.members.key_state(batch.key, batch.t),
            "claimed": _time(each.entry.claimed),
            "received": _time(batch.t),
            "block_time": _time(block_time),
            "block": batch.height,
            "batch": "0x" + batch.hash(self.members.genesis.domain).hex(),
            "digest": "0x" + each.entry.digest.hex(),
        }

    def _filing(self, batch: IncludedBatch, each: IncludedEntry) -> None:
        """Note the rows that a filing was judged by: those in force at `t` of the first filing."""
        self.first_filing = self.first_filing or batch.t
        words = each.entry.extra
        transport = Transport.of(words[0])
        goods = [Goods.of(word) for word in (words[1:2] if len(words) == 2 else words[2::4])]
        for order in () if len(words) == 2 else words[1::4]:
            self.events += self._orders.pop(order, [])
        hour = self.first_filing // 3600
        rows = self.members.rows
        own = dispatch_row(transport.dispatch, transport.mode)
        dispatch = own if own in rows else dispatch_row(ANY_COUNTRY, transport.mode)
        used = {"dispatch": dispatch, "track": TRACK_ROW, "lateness": LATENESS_ROW_ID}
        for each_goods in goods:
            known = BY_CODE.get(each_goods.goods_class)
            name = known.english if known else f"class {each_goods.goods_class}"
            used[f"class {name}"] = class_row(each_goods.goods_class)
        week = week_of(self.first_filing)
        self.rules = {
            "at": _time(self.first_filing),
            "rows": {name: {"row": hex(row), "value": value_at(rows.get(row, ()), hour)} for name, row in used.items()},
            "rates": {
                str(currency): self.members.rates.get(currency << 16 | week)
                for currency in sorted({840, *(each_goods.currency for each_goods in goods)})
            },
            "week": week,
        }

    def ordered(self) -> list[dict[str, Any]]:
        """Return the events in the order they stand on chain."""
        return sorted(self.events, key=lambda event: event["block"])


def _time(seconds: int) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat()
