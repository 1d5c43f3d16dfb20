"""Entries of final blocks that a caller may read, in the order of the chain, and the events they make.

An entry becomes a caller's when it may read the subject: what stood before it could is in the parcel's own time line,
and in a list that is read anew, but no stream goes back for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import BigInteger, ColumnElement, and_, cast, exists, func, or_, tuple_
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from ledger.domain.event_types import REJECTED, types_of
from ledger.store.access import Caller
from ledger.store.parcels import may_read
from ledger.store.projector import cursor_height
from ledger.store.tables.chain import EntryRow, MasterRow, OrderRow, ParcelRow

Key = tuple[int, int, int]
"""Place of an entry: height, place of the batch in the block, number in the batch."""
Place = tuple[int, int, int, int]
"""Place of an event: its entry's, and the number of the event within the entry."""
START: Final[Place] = (0, 0, 0, -1)
LAST: Final = 1 << 30
"""Behind every number: a place that ends in it lies behind the whole entry, batch or block."""
SCAN: Final = 4_000
"""Entries looked at for one page at most: who owns little of a long chain gets short pages, not slow ones."""


@dataclass(frozen=True, slots=True)
class EntryPage:
    """Some entries; `through` is the place up to which nothing is left, `height` that of the read model."""

    entries: Sequence[EntryRow]
    through: Key
    more: bool
    height: int


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened: an entry has one for each of its types. `first`: the subject's first of its type."""

    entry: EntryRow
    part: int
    type: str
    first: bool

    @property
    def place(self) -> Place:
        """Where it stands."""
        return (*key_of(self.entry), self.part)


@dataclass(frozen=True, slots=True)
class EventPage:
    """Some events; `through` is the place up to which nothing is left, `height` that of the read model."""

    events: Sequence[Event]
    through: Place
    more: bool
    height: int


def key_of(entry: EntryRow) -> Key:
    """Return an entry's place."""
    return entry.height, entry.place, entry.number


def head(session: Session) -> Place:
    """Return the place behind everything that is visible now."""
    return cursor_height(session), LAST, LAST, LAST


def _may_see(caller: Caller, entry: Any) -> ColumnElement[bool]:
    """Return the condition under which a caller reads an entry: its own, rejected or not, and what happens to its own.

    That is: accepted entries about parcels it may read, orders it recorded or was handed, masters it opened.
    """
    order, master = aliased(OrderRow), aliased(MasterRow)
    # its table named: of a caller who may read no parcel the condition is plainly false and would name none
    parcels = exists().select_from(ParcelRow).where(and_(col(ParcelRow.id) == entry.subject, may_read(caller)))
    own_order = or_(order.opener == caller.org, order.handed == caller.org)  # type: ignore[arg-type]
    orders = exists().where(and_(order.id == entry.subject, own_order))
    masters = exists().where(and_(master.id == entry.subject, master.opener == caller.org))  # type: ignore[arg-type]
    return or_(entry.org == caller.org, and_(entry.rejection.is_(None), or_(parcels, orders, masters)))


def entries(session: Session, caller: Caller, after: Key, limit: int, *, inclusive: bool = False) -> EntryPage:
    """Return the next entries behind a place that a caller may read, looking at SCAN entries at most.

    With `inclusive` the entry at that place comes too.
    """
    height = cursor_height(session)  # before the rows: what stands up to here is whole, even without a snapshot
    each: Any = aliased(EntryRow)
    key = tuple_(each.height, each.place, each.number)
    beyond = key >= tuple_(*after) if inclusive else key > tuple_(*after)
    order = (each.height, each.place, each.number)
    window = select(*order).where(beyond, each.height <= height).order_by(*order)
    edge = session.exec(window.offset(SCAN - 1).limit(1)).one_or_none()
    chosen = select(each).where(beyond, _may_see(caller, each))
    if edge is None:
        chosen = chosen.where(each.height <= height)
    else:  # the plain bound on the height is what ends the walk along the index
        chosen = chosen.where(key <= tuple_(*edge), each.height <= edge[0])
    found = list(session.exec(chosen.order_by(*order).limit(limit + 1)))
    if len(found) > limit:
        return EntryPage(found[:limit], key_of(found[limit - 1]), more=True, height=height)
    if edge is not None:
        return EntryPage(found, (edge[0], edge[1], edge[2]), more=True, height=height)
    return EntryPage(found, max(after, (height, LAST, LAST)), more=False, height=height)


def events(session: Session, caller: Caller, after: Place, limit: int) -> EventPage:
    """Return the events behind a place that a caller may read, of `limit` entries at most."""
    within = after[3] < LAST  # some events of that entry may be left: it does not count
    page = entries(session, caller, after[:3], limit + within, inclusive=within)
    firsts = _firsts(session, caller, page.entries)
    made = [
        Event(entry, part, name, firsts.get((entry.subject, name)) == key_of(entry))
        for entry in page.entries
        for part, name in enumerate(_types(entry))
    ]
    through = max(after, (*page.through, LAST))
    return EventPage([each for each in made if each.place > after], through, page.more, page.height)


def _types(entry: EntryRow) -> tuple[str, ...]:
    return types_of(
        entry.kind, trace=entry.trace, rejected=entry.rejection is not None, cleared=entry.cleared,
        referred=entry.referred,
    )  # fmt: skip


def _firsts(session: Session, caller: Caller, rows: Sequence[EntryRow]) -> dict[tuple[bytes, str], Key]:
    """Return where each type first stands of each subject; of rejected entries only the caller's own count."""
    subjects = sorted({row.subject for row in rows})
    if not subjects:
        return {}
    where = cast(EntryRow.height, BigInteger) * (1 << 32) + col(EntryRow.place) * (1 << 12) + col(EntryRow.number)
    kinds = (EntryRow.subject, EntryRow.trace, EntryRow.kind, EntryRow.cleared, EntryRow.referred)
    accepted = select(*kinds, func.min(where)).where(col(EntryRow.rejection).is_(None))  # type: ignore[call-overload]
    told = [
        ((subject, name), first)
        for subject, trace, kind, cleared, referred, first in session.exec(
            accepted.where(col(EntryRow.subject).in_(subjects)).group_by(*kinds)
        )
        for name in types_of(kind, trace=trace, rejected=False, cleared=cleared, referred=referred)
    ]
    refused = sorted({row.subject for row in rows if row.rejection is not None})
    if refused:
        own = col(EntryRow.org) + 0 == caller.org  # by the subject's index: an org's own entries are many
        rejected = select(EntryRow.subject, func.min(where)).where(
            col(EntryRow.rejection).is_not(None), own, col(EntryRow.subject).in_(refused)
        )
        told += [((subject, REJECTED), first) for subject, first in session.exec(rejected.group_by(EntryRow.subject))]  # type: ignore[arg-type]
    found: dict[tuple[bytes, str], int] = {}
    for key, first in told:
        found[key] = min(found.get(key, first), first)
    return {key: (at >> 32, (at >> 12) & 0xFFFFF, at & 0xFFF) for key, at in found.items()}
