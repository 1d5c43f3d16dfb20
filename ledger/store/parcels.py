"""What members may read of parcels and orders: ownership is part of every question, never an afterthought."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import ColumnElement, and_, bindparam, exists, false, or_, true, tuple_
from sqlmodel import Session, col, select

from ledger.domain.kinds import KindNumber
from ledger.domain.roles import Role
from ledger.store.access import Caller
from ledger.store.tables.chain import EntryRow, OrderRow, ParcelRow
from ledger.store.tables.identity import UseRow

Key = tuple[int, bytes]
"""Place in a list of parcels or orders: height it was opened at, id."""
READS_ALL: Final = Role.OVERSIGHT | Role.IDENTITY_AUTHORITY | Role.SCREENING


def may_read(caller: Caller) -> ColumnElement[bool]:
    """Return the condition under which a caller reads a parcel.

    A courier reads what it opened, a seller what its orders are in, a warehouse and a broker what they wrote to, an
    officer what its office is competent for; oversight, identity authority and screening read all.
    """
    if caller.roles & READS_ALL:
        return true()
    allowed: list[ColumnElement[bool]] = []
    if caller.roles & (Role.COURIER | Role.AGENCY):
        allowed.append(col(ParcelRow.opener) == caller.org)
    if caller.roles & Role.SELLER:
        allowed.append(
            exists().where(and_(col(OrderRow.parcel) == col(ParcelRow.id), col(OrderRow.opener) == caller.org))
        )
    if caller.roles & (Role.WAREHOUSE | Role.BROKER):
        wrote = (
            col(EntryRow.subject) == col(ParcelRow.id),
            col(EntryRow.org) == caller.org,
            col(EntryRow.rejection).is_(None),
            col(EntryRow.trace).is_(False),
        )
        allowed.append(exists().where(and_(*wrote)))
    if caller.roles & Role.CUSTOMS_OFFICER:
        allowed.append(col(ParcelRow.office) == caller.office)
    return or_(*allowed) if allowed else false()


def parcel(session: Session, caller: Caller, number: bytes) -> ParcelRow | None:
    """Return a parcel the caller may read, or None."""
    return session.exec(select(ParcelRow).where(ParcelRow.id == number, may_read(caller))).one_or_none()


def parcels(
    session: Session, caller: Caller, *, clearance: Sequence[str] = (), denied: bool = False,
    after: Key | None = None, limit: int = 50,
) -> list[ParcelRow]:  # fmt: skip
    """Return parcels the caller may read, in the order they were opened; `denied`: that a holder said are not his."""
    chosen = select(ParcelRow).where(may_read(caller))
    if denied:
        chosen = chosen.where(col(ParcelRow.id).in_(select(UseRow.parcel).where(UseRow.answer == "denied")))
    if clearance:
        chosen = chosen.where(col(ParcelRow.clearance).in_(clearance))
    if after:
        chosen = chosen.where(tuple_(col(ParcelRow.opened_height), col(ParcelRow.id)) > tuple_(*after))
    return list(session.exec(chosen.order_by(col(ParcelRow.opened_height), col(ParcelRow.id)).limit(limit)))


def orders(
    session: Session, caller: Caller, *, bound: bool | None = None, after: Key | None = None, limit: int = 50
) -> list[OrderRow]:
    """Return orders the caller recorded or was handed, in the order they were opened; `bound`: that a parcel uses."""
    chosen = select(OrderRow).where(or_(col(OrderRow.opener) == caller.org, col(OrderRow.handed) == caller.org))
    if bound is not None:
        chosen = chosen.where(col(OrderRow.parcel).is_not(None) if bound else col(OrderRow.parcel).is_(None))
    if after:
        chosen = chosen.where(tuple_(col(OrderRow.opened_height), col(OrderRow.id)) > tuple_(*after))
    return list(session.exec(chosen.order_by(col(OrderRow.opened_height), col(OrderRow.id)).limit(limit)))


def orders_of(session: Session, number: bytes) -> list[OrderRow]:
    """Return the orders bound to a parcel."""
    return list(session.exec(select(OrderRow).where(OrderRow.parcel == number).order_by(col(OrderRow.id))))


def handed_over(session: Session, orders: Sequence[OrderRow]) -> dict[bytes, bytes]:
    """Return the payload each order was reassigned with last, by its id; an order that never was is not in it."""
    chosen = select(EntryRow.subject, EntryRow.digest).where(
        col(EntryRow.subject).in_([order.id for order in orders]), EntryRow.kind == int(KindNumber.ORDER_REASSIGNED),
        col(EntryRow.rejection).is_(None), col(EntryRow.trace).is_(False), EntryRow.digest != bytes(32),
    )  # fmt: skip
    return dict(session.exec(chosen.order_by(col(EntryRow.height), col(EntryRow.place), col(EntryRow.number))).all())


_TIME_LINE: Final = (
    select(EntryRow)
    .where(EntryRow.subject == bindparam("subject"), col(EntryRow.rejection).is_(None))
    .order_by(col(EntryRow.height), col(EntryRow.place), col(EntryRow.number))
    .limit(bindparam("limit"))
)
"""Built once: buyers ask it all the time."""


def time_line(session: Session, number: bytes, limit: int = 500) -> list[EntryRow]:
    """Return what stands on chain of a subject, rejected entries left out, in the order of the blocks."""
    return list(session.exec(_TIME_LINE, params={"subject": number, "limit": limit}))


def entries_of_batch(session: Session, height: int, place: int) -> list[EntryRow]:
    """Return the entries of one included batch."""
    chosen = select(EntryRow).where(EntryRow.height == height, EntryRow.place == place)
    return list(session.exec(chosen.order_by(col(EntryRow.number))))


def knows_payload(session: Session, caller: Caller, digest: bytes) -> bool:
    """Whether a payload is that of a parcel a caller reads, or of an order of his."""
    filed = select(ParcelRow.id).where(ParcelRow.payload == digest, may_read(caller))
    if session.exec(filed.limit(1)).first() is not None:
        return True
    mine = or_(col(OrderRow.opener) == caller.org, col(OrderRow.handed) == caller.org)
    return session.exec(select(OrderRow.id).where(mine, OrderRow.payload == digest).limit(1)).first() is not None
