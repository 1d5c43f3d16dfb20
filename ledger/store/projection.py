"""From blocks to rows: what entries say of parcels, orders and masters, merged with what stood before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sqlmodel import Session, col, select

from ledger.chain.calls import Change, What
from ledger.chain.included import IncludedBatch, IncludedBlock, IncludedEntry
from ledger.chain.membership import Membership, walked
from ledger.chain.state import Parcel
from ledger.commitments import word
from ledger.domain.kinds import KINDS, Flag, KindNumber
from ledger.domain.rejections import VALUED, Effect
from ledger.domain.words import HEADER, MASTER, ORDER, PARCEL
from ledger.store.tables.chain import MasterRow, OrderRow, ParcelRow

K = KindNumber
ORDER_KINDS: Final = frozenset({K.ORDER_OPENED, K.ORDER_REASSIGNED})
MASTER_KINDS: Final = frozenset({K.MASTER_OPENED, K.MASTER_ARRIVED, K.MASTER_UNLOADED})
OF_ORGS: Final = frozenset({What.ORG, What.ORG_SUSPENDED})
OF_KEYS: Final = frozenset({What.KEY, What.KEY_SUSPENDED, What.KEY_ENROLLED, What.KEY_RETIRED})
DECISIONS: Final = frozenset({K.DECIDED_CLEAR, K.DECIDED_REFUSE})
Row = dict[str, Any]
Stored = Mapping[int, tuple[int, int]]
"""Word and newest filing of subjects, as the contract stores them."""


@dataclass(slots=True)
class Page:
    """What some blocks say, before it is merged.

    Attributes:
        entries: rows of all entries, rejected ones too.
        parcels, orders, masters: what accepted entries change, by id.
        keys, orgs: words of members that changed.
    """

    entries: list[Row] = field(default_factory=list)
    parcels: dict[int, Row] = field(default_factory=dict)
    orders: dict[int, Row] = field(default_factory=dict)
    masters: dict[int, Row] = field(default_factory=dict)
    keys: dict[bytes, int] = field(default_factory=dict)
    orgs: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, blocks: Iterable[IncludedBlock], members: Membership) -> Page:
        """Read blocks; `members`, as they stand before them, are moved on to the last."""
        page = cls()
        for block in blocks:
            for batch in walked(block.batches, block.changes, lambda change: page._change(change, members)):
                for each in batch.entries(members.roles(batch.key)):
                    page.entries.append(_entry_row(batch, each))
                    if each.rejection is None and not batch.batch.is_trace:
                        page._note(batch, each)
        return page

    def _change(self, change: Change, members: Membership) -> None:
        members.take(change)
        if change.what in OF_ORGS:
            self.orgs[change.a] = members.orgs[change.a]
        elif change.what in OF_KEYS:
            self.keys[change.key] = members.keys[change.key]

    @property
    def subjects(self) -> set[int]:
        """Ids whose words changed."""
        return self.parcels.keys() | self.orders.keys() | self.masters.keys()

    def _note(self, batch: IncludedBatch, each: IncludedEntry) -> None:
        entry, kind = each.entry, each.kind
        if kind in ORDER_KINDS:
            told = self.orders.setdefault(entry.subject, {})
            if kind is K.ORDER_OPENED:
                told |= {"payload": word(entry.extra[0]), "opened_height": batch.height, "opened_at": batch.t}
        elif kind in MASTER_KINDS or self._observed_voyage(each):
            told = self.masters.setdefault(entry.subject, {})
        else:
            told = self.parcels.setdefault(entry.subject, {})
            told.setdefault("opened_height", batch.height)
            self._parcel(batch, each, told)
        told["changed_height"] = batch.height

    def _observed_voyage(self, each: IncludedEntry) -> bool:
        return each.kind is K.OBSERVED and (each.entry.detail >> HEADER["detail"].shift) & 0xFF in MASTER_KINDS

    def _parcel(self, batch: IncludedBatch, each: IncludedEntry, told: Row) -> None:
        entry, kind = each.entry, each.kind
        if Flag.FILING in KINDS[kind].flags:
            told["payload"] = entry.digest
            for order in entry.extra[1::4] if len(entry.extra) > 2 else ():
                self.orders.setdefault(order, {}).update(parcel=word(entry.subject), changed_height=batch.height)
        if kind in DECISIONS or any(effect.code is Effect.CLEARED for effect in each.effects):
            told["decided_at"] = batch.t
        if kind is K.RELEASED:
            told["released_at"] = batch.t


def _entry_row(batch: IncludedBatch, each: IncludedEntry) -> Row:
    entry = each.entry
    codes = {effect.code for effect in each.effects}
    return {
        "height": batch.height,
        "place": batch.index,
        "number": each.index,
        "subject": word(entry.subject),
        "trace": batch.batch.is_trace,
        "kind": entry.kind,
        "org": batch.org,
        "key": batch.key,
        "claimed": entry.claimed,
        "received": batch.t,
        "digest": entry.digest,
        "detail": entry.detail >> HEADER["detail"].shift,
        "rejection": None if each.rejection is None else int(each.rejection),
        "cleared": Effect.CLEARED in codes,
        "referred": Effect.REFERRED in codes,
        "value": next((effect.value for effect in each.effects if effect.code in VALUED), None),
    }


@dataclass(frozen=True, slots=True)
class Projected:
    """Whole rows, ready to be written over what stood."""

    parcels: list[Row]
    orders: list[Row]
    masters: list[Row]

    @classmethod
    def of(cls, session: Session, page: Page, stored: Stored) -> Projected:
        """Merge a page with the rows that stand and the words the contract stores."""
        return cls(
            [_parcel_row(old, *stored[each]) for each, old in _merged(session, ParcelRow, page.parcels, _NO_PARCEL)],
            [_order_row(old, stored[each][0]) for each, old in _merged(session, OrderRow, page.orders, _NO_ORDER)],
            [_master_row(old, stored[each][0]) for each, old in _merged(session, MasterRow, page.masters, {})],
        )


_NO_PARCEL: Final[Row] = {"payload": None, "decided_at": None, "released_at": None}
_NO_ORDER: Final[Row] = {"parcel": None}
MAX_IN: Final = 5_000


def _merged(
    session: Session, model: type[ParcelRow] | type[OrderRow] | type[MasterRow], told: Mapping[int, Row], empty: Row
) -> list[tuple[int, Row]]:
    """Return, for each id told of, the row that stands with what was told put over it."""
    ids = sorted(told)
    standing: dict[bytes, ParcelRow | OrderRow | MasterRow] = {}
    for at in range(0, len(ids), MAX_IN):
        part = [word(each) for each in ids[at : at + MAX_IN]]
        found: Iterable[Any] = session.exec(select(model).where(col(model.id).in_(part)))
        standing |= {row.id: row for row in found}
    merged = []
    for each in ids:
        key = word(each)
        old = standing[key].model_dump() if key in standing else {"id": key, **empty}
        new = dict(told[each])
        if key in standing:
            new.pop("opened_height", None)  # a subject is opened once
        merged.append((each, old | new))
    session.expunge_all()
    return merged


def _parcel_row(row: Row, stored: int, filing: int) -> Row:
    first = PARCEL["first_filing"].get(stored)
    return row | {
        "word": word(stored),
        "opener": PARCEL["opener"].get(stored),
        "office": PARCEL["office"].get(stored),
        "clearance": Parcel(stored).clearance,
        "filing": filing.to_bytes(20, "big") if filing else None,
        "filed_at": first or None,
    }


def _order_row(row: Row, stored: int) -> Row:
    return row | {
        "word": word(stored),
        "opener": ORDER["opener"].get(stored),
        "handed": ORDER["handed"].get(stored),
    }


def _master_row(row: Row, stored: int) -> Row:
    return row | {"word": word(stored), "handle": MASTER["handle"].get(stored), "opener": MASTER["opener"].get(stored)}
