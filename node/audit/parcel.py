"""`audit parcel`: who signed what of a parcel, when it was claimed, received and sealed, and which rules were used."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any, Final

from ledger.chain.included import IncludedBatch, IncludedEntry
from ledger.domain.crosswalk import TRACE_BY_NUMBER
from ledger.domain.kinds import KINDS, Flag, KindNumber
from ledger.domain.rejections import Effect
from ledger.domain.words import DETAIL, KEY, ORG, TRANSPORT
from ledger.genesis import FOREVER
from node.audit import rules
from node.audit.members import MemberHistory
from node.blocks import ExecutedBlock

K = KindNumber
Told = dict[str, Any]
BESIDE: Final = frozenset({K.ORDER_OPENED, K.ORDER_REASSIGNED, K.MASTER_OPENED, K.MASTER_ARRIVED, K.MASTER_UNLOADED})
"""Kinds of orders and masters: kept for the parcel that names them."""


@dataclass(slots=True)
class Standing:
    """What of a parcel decides which rules it meets (contracts/src/filing.vy, decision.vy)."""

    first: int = 0
    opener: int = 0
    office: int = 0
    goods_class: int = 0
    origin: int = 0
    carried: bool = False
    holds: set[int] = field(default_factory=set)

    @property
    def facts(self) -> tuple[tuple[int, int], ...]:
        """What office targets look at once it is filed and carried in."""
        return (rules.BY_CLASS, self.goods_class), (rules.BY_ORIGIN, self.origin), (rules.BY_COURIER, self.opener)


@dataclass(slots=True)
class ParcelHistory:
    """Everything that blocks say of one parcel, of the orders and of the masters it names, in the order of the chain.

    Attributes:
        members: as they stand where the history is; it is moved on from here, transaction by transaction.
    """

    subject: int
    members: MemberHistory
    stands: Standing = field(default_factory=Standing)
    _events: list[Told] = field(default_factory=list)
    _named: set[int] = field(default_factory=set)
    _beside: dict[int, list[Told]] = field(default_factory=dict)
    _masters: dict[int, int] = field(default_factory=dict)

    def add(self, executed: ExecutedBlock) -> None:
        """Take an executed block."""
        for batch in self.members.walk(executed):
            for each in batch.entries(self.members.now.roles(batch.key)):
                self._entry(batch, each, executed.block.header.timestamp)

    def events(self) -> list[Told]:
        """Return what was said, in the order it stands on chain."""
        return sorted(self._events, key=lambda event: (event["block"], event["place"], event["number"]))

    def _entry(self, batch: IncludedBatch, each: IncludedEntry, block_time: int) -> None:
        subject, trace = each.entry.subject, batch.batch.is_trace
        if subject == self.subject or subject in self._named:
            told = self._told(batch, each, block_time)
            self._events.append(told)
            if subject == self.subject and not trace and each.rejection is None:
                told["rules"] = [rule.as_dict() for rule in self._judged(batch, each)]
        elif subject in self._beside or (not trace and each.kind in BESIDE):
            self._beside.setdefault(subject, []).append(self._told(batch, each, block_time))
            for effect in each.effects:
                if effect.code is Effect.MASTER_HANDLE:
                    self._masters[effect.value] = subject

    # ---------------------------------------------------------------------------------------- who said it, and when
    def _told(self, batch: IncludedBatch, each: IncludedEntry, block_time: int) -> Told:
        word = self.members.keys.get(batch.key, 0)
        since, until = KEY["valid_from"].get(word), KEY["valid_to"].get(word)
        return {
            "block": batch.height,
            "place": batch.index,
            "number": each.index,
            "kind": _kind(batch, each),
            "trace": batch.batch.is_trace,
            "subject": f"0x{each.entry.subject:064x}",
            "outcome": each.rejection.name if each.rejection else "recorded",
            "effects": [effect.code.name for effect in each.effects],
            "org": batch.org,
            "name": self.members.name(batch.org),
            "key": "0x" + batch.key.hex(),
            "key_then": self.members.key_state(batch.key, batch.t),
            "key_valid_from": _time(since) if since else None,
            "key_valid_to": None if until == FOREVER else _time(until),
            "claimed": _time(each.entry.claimed),
            "received": _time(batch.t),
            "block_time": _time(block_time),
            "batch": "0x" + batch.hash(self.members.genesis.domain).hex(),
            "digest": "0x" + each.entry.digest.hex(),
            "rules": [],
        }

    # -------------------------------------------------------------------------------------------- what it was judged by
    def _judged(self, batch: IncludedBatch, each: IncludedEntry) -> list[rules.Rule]:
        header = each.entry.header()
        if Flag.FILING in KINDS[each.kind].flags:
            return self._filing(batch, each)
        if each.kind is K.CARRIED_IN:
            return self._carry_in(batch)
        if each.kind is K.SWEPT:
            return [rules.lateness(self.members, batch.t)]
        if each.kind is K.HELD:
            self.stands.holds |= {effect.value for effect in each.effects if effect.code is Effect.HOLD_NUMBER}
        elif each.kind is K.HOLD_LIFTED:
            self.stands.holds.discard(DETAIL["HOLD_LIFTED.number"].get(header))
        return []

    def _filing(self, batch: IncludedBatch, each: IncludedEntry) -> list[rules.Rule]:
        words, stands = each.entry.extra, self.stands
        filing = rules.Filing.of(words)
        orders = words[1::4] if len(words) > 2 else ()
        if not stands.first:
            stands.first = batch.t
            stands.opener = DETAIL["FILED.opener"].get(each.entry.header()) or batch.org
        if not stands.carried and not stands.holds:
            stands.office = TRANSPORT["office"].get(words[0])
        stands.origin = TRANSPORT["origin"].get(words[0])
        stands.goods_class = self._main_class(filing)
        self._name(orders, TRANSPORT["master"].get(words[0]))
        named = [(rules.BY_SELLER, event["org"]) for order in orders for event in self._beside[order] if _opens(event)]
        facts = stands.facts if stands.carried else ()
        return [
            *rules.of_filing(self.members, filing, stands.first),
            rules.lateness(self.members, batch.t),
            *rules.targets(self.members, stands.office, tuple(dict.fromkeys((*named, *facts))), batch.t),
        ]

    def _carry_in(self, batch: IncludedBatch) -> list[rules.Rule]:
        stands, office = self.stands, ORG["office"].get(self.members.orgs[batch.org])
        stands.carried, stands.office = True, office or stands.office
        lateness = rules.lateness(self.members, batch.t)
        return [lateness, *rules.targets(self.members, stands.office, stands.facts, batch.t)]

    def _main_class(self, filing: rules.Filing) -> int:
        """Return the class of the dearest goods, of the last among equals."""
        values = [each.price * rules.rate(self.members, each.currency, self.stands.first) for each in filing.goods]
        return max(zip(values, range(len(values)), filing.goods, strict=True))[2].goods_class

    def _name(self, orders: tuple[int, ...], master: int) -> None:
        """Take what was said so far of orders and of the master that a filing names."""
        for subject in (*orders, *([self._masters[master]] if master in self._masters else [])):
            if subject not in self._named:
                self._named.add(subject)
                self._events += self._beside.get(subject, [])


def _opens(event: Told) -> bool:
    return (event["kind"], event["outcome"]) == (K.ORDER_OPENED.name, "recorded")


def _kind(batch: IncludedBatch, each: IncludedEntry) -> str:
    if batch.batch.is_trace:
        known = TRACE_BY_NUMBER.get(each.entry.kind)
        return known.name if known else f"trace {each.entry.kind}"
    return each.kind.name


def _time(seconds: int) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat()
