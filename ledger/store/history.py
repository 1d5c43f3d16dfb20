"""What persons had declared before, whatever number they used, and the referrals that follow from it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import bindparam, delete, exists, or_, tuple_
from sqlmodel import Session, col, select

from ledger.domain.facts import Use
from ledger.domain.history import LONGEST, Declaration, Purchase
from ledger.domain.kinds import KindNumber
from ledger.domain.rules import KST
from ledger.store.rows import upsert
from ledger.store.tables.chain import EntryRow, MasterRow, ParcelRow
from ledger.store.tables.history import DeclarationRow, DeclaredGoodsRow, PurchaseRow, ReferralRow, ResaleRow
from ledger.store.uses import UNDER_WAY

MOST: Final = 200
"""Declarations that are looked at for one filing, newest first; far above every limit."""
EXPIRE: Final = 200
"""Declarations that are dropped in one transaction."""


_SEEN: Final = select(
    exists().where(col(DeclarationRow.person) == bindparam("person")),
    exists().where(col(ResaleRow.person) == bindparam("person")),
)
"""Whether anything is kept of a person: asked for every filing, and for most people nothing is."""


def keep(session: Session, news: Sequence[Declaration]) -> None:
    """Keep what parcels' newest filings declare; what older ones did was forgotten before."""
    upsert(session, DeclarationRow, (
        {
            "parcel": new.parcel, "person": new.person, "filing": new.filing, "declared_on": new.declared_on,
            "bill": new.bill, "arrived_on": new.arrived_on, "cents": new.cents, "limit_cents": new.limit_cents,
            "declared_use": int(new.use), "cluster": new.cluster,
        }
        for new in news
    ))  # fmt: skip
    upsert(session, DeclaredGoodsRow, (
        {"parcel": new.parcel, "goods_class": code, "quantity": quantity}
        for new in news
        for code, quantity in new.goods.items()
    ))  # fmt: skip
    upsert(session, PurchaseRow, (
        {"parcel": new.parcel, "supplier": each.supplier, "ordered_on": each.ordered_on, "person": new.person,
         "cents": each.cents}
        for new in news
        for each in new.purchases
    ))  # fmt: skip


def forget(session: Session, parcels: Sequence[bytes]) -> None:
    """Drop what parcels declare: they are corrected, or turned out to be nobody's own."""
    known = select(DeclarationRow.parcel).where(col(DeclarationRow.parcel).in_(parcels))
    kept = list(session.exec(known)) if parcels else []
    if not kept:
        return
    for table, parcel in (
        (PurchaseRow, PurchaseRow.parcel), (DeclaredGoodsRow, DeclaredGoodsRow.parcel),
        (DeclarationRow, DeclarationRow.parcel),
    ):  # fmt: skip
        session.exec(delete(table).where(col(parcel).in_(kept)))


def seen(session: Session, person: bytes) -> tuple[bool, bool]:
    """Whether a person has declarations, and whether there are reports that he resells."""
    declared, reported = session.execute(_SEEN, {"person": person}).one()
    return bool(declared), bool(reported)


def expire(session: Session, today: dt.date) -> int:
    """Drop what is older than anything looks back; return how many declarations."""
    old = select(DeclarationRow.parcel).where(col(DeclarationRow.declared_on) <= today - LONGEST).limit(EXPIRE)
    parcels = list(session.exec(old))
    forget(session, parcels)
    return len(parcels)


def own(session: Session, new: Declaration) -> list[Declaration]:
    """Return what its person declared that can count together with a filing, newest first."""
    same: list[Any] = [col(DeclarationRow.declared_on) > new.declared_on - LONGEST]
    if new.bill is not None:
        same.append(col(DeclarationRow.bill) == new.bill)
    if new.arrived_on is not None:
        same.append(col(DeclarationRow.arrived_on) == new.arrived_on)
    if new.purchases:
        wanted = [(each.supplier, each.ordered_on) for each in new.purchases]
        bought = select(PurchaseRow.parcel).where(
            PurchaseRow.person == new.person,
            tuple_(col(PurchaseRow.supplier), col(PurchaseRow.ordered_on)).in_(wanted),
        )
        same.append(col(DeclarationRow.parcel).in_(bought))
    return _declarations(session, DeclarationRow.person == new.person, or_(*same))


def clustered(session: Session, new: Declaration) -> list[Declaration]:
    """Return what anybody declared lately for the same delivery address and shop, newest first."""
    if new.cluster is None:
        return []
    lately = col(DeclarationRow.declared_on) > new.declared_on - LONGEST
    return _declarations(session, DeclarationRow.cluster == new.cluster, lately)


def resales(session: Session, person: bytes) -> list[dt.date]:
    """Return the days (KST) of reports that a person sells what he declared for his own use."""
    rows = session.exec(select(ResaleRow.at).where(ResaleRow.person == person))
    return [at.astimezone(KST).date() for at in rows]


def sold(session: Session, orders: Sequence[bytes]) -> dict[bytes, tuple[int, int]]:
    """Return of each order its seller's org and when it was sold (seconds UTC), as the seller's entry claims."""
    chosen = select(EntryRow.subject, EntryRow.org, EntryRow.claimed).where(
        col(EntryRow.subject).in_(orders), EntryRow.kind == KindNumber.ORDER_OPENED,
        col(EntryRow.rejection).is_(None), col(EntryRow.trace).is_(False),
    )  # fmt: skip
    return {order: (org, claimed) for order, org, claimed in session.exec(chosen)}


def filing_places(session: Session, parcels: Sequence[bytes]) -> dict[bytes, tuple[int, int, int]]:
    """Return of each parcel where its newest filing stands: block, place of the batch, number in it."""
    chosen = select(EntryRow.subject, EntryRow.height, EntryRow.place, EntryRow.number).where(
        col(EntryRow.subject).in_(parcels), col(EntryRow.kind).in_((KindNumber.FILED, KindNumber.CORRECTED)),
        col(EntryRow.rejection).is_(None), col(EntryRow.trace).is_(False),
    )  # fmt: skip
    found: dict[bytes, tuple[int, int, int]] = {}
    for parcel, *place in session.exec(chosen):
        height, batch, number = place
        found[parcel] = max(found.get(parcel, (0, 0, 0)), (height, batch, number))
    return found


def arrivals(session: Session, handles: Sequence[int]) -> dict[int, int]:
    """Return when flights and voyages arrived, by handle, seconds UTC; those that have not are left out."""
    chosen = (
        select(MasterRow.handle, EntryRow.claimed)
        .join(EntryRow, col(EntryRow.subject) == col(MasterRow.id))
        .where(
            col(MasterRow.handle).in_(handles), EntryRow.kind == KindNumber.MASTER_ARRIVED,
            col(EntryRow.rejection).is_(None), col(EntryRow.trace).is_(False),
        )
    )  # fmt: skip
    return dict(iter(session.exec(chosen)))


def report_resale(session: Session, person: bytes, report: str, at: dt.datetime) -> None:
    """Note a report of customs that a person resells (되팔이), once for each number of a report."""
    known = select(ResaleRow).where(ResaleRow.person == person, ResaleRow.report == report)
    if session.exec(known).first() is None:
        session.add(ResaleRow(person=person, report=report, at=at))
        session.flush()


def refer(session: Session, parcel: bytes, filing: bytes, cause: str, reasons: Sequence[str], at: dt.datetime) -> bool:
    """Leave a reason for screening to refer a parcel, once for each cause; return whether it is new.

    A parcel that is cleared or decided is left alone: the referral of those still under way names the same reason.
    """
    row = session.get(ParcelRow, parcel)
    if row is None or row.clearance not in UNDER_WAY:
        return False
    if session.exec(select(ReferralRow).where(ReferralRow.parcel == parcel, ReferralRow.cause == cause)).first():
        return False
    session.add(ReferralRow(parcel=parcel, filing=filing, cause=cause, reasons=" ".join(reasons), found_at=at))
    session.flush()
    return True


def referred_among(session: Session, parcels: Sequence[bytes]) -> set[bytes]:
    """Return those of some parcels that a reason to refer was left for."""
    return set(session.exec(select(ReferralRow.parcel).where(col(ReferralRow.parcel).in_(parcels))))


def _declarations(session: Session, *conditions: Any) -> list[Declaration]:
    chosen = select(DeclarationRow).where(*conditions).order_by(col(DeclarationRow.declared_on).desc()).limit(MOST)
    rows = list(session.exec(chosen))
    if not rows:  # most people have nothing else: spare the rest
        return []
    parcels = [row.parcel for row in rows]
    goods: dict[bytes, dict[int, int]] = {}
    for each in session.exec(select(DeclaredGoodsRow).where(col(DeclaredGoodsRow.parcel).in_(parcels))):
        goods.setdefault(each.parcel, {})[each.goods_class] = each.quantity
    bought: dict[bytes, list[Purchase]] = {}
    purchases: Iterable[PurchaseRow] = session.exec(select(PurchaseRow).where(col(PurchaseRow.parcel).in_(parcels)))
    for one in purchases:
        bought.setdefault(one.parcel, []).append(Purchase(one.supplier, one.ordered_on, one.cents))
    return [
        Declaration(
            parcel=row.parcel, filing=row.filing, person=row.person, declared_on=row.declared_on, cents=row.cents,
            limit_cents=row.limit_cents, bill=row.bill, arrived_on=row.arrived_on, use=Use(row.declared_use),
            goods=goods.get(row.parcel, {}), purchases=tuple(bought.get(row.parcel, ())), cluster=row.cluster,
        )
        for row in rows
    ]  # fmt: skip
