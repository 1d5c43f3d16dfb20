"""What screening made of parcels, what it has decided to say, and the days of its random sample."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from sqlalchemy import LargeBinary, bindparam, delete, exists, func, or_, tuple_, update
from sqlmodel import Session, col, select

from ledger.domain.kinds import KindNumber
from ledger.store import submissions
from ledger.store.columns import UtcDateTime
from ledger.store.rows import upsert
from ledger.store.tables.chain import BlockRow, EntryRow, ParcelRow
from ledger.store.tables.history import ReferralRow
from ledger.store.tables.identity import UseRow
from ledger.store.tables.outbox import SubmissionRow
from ledger.store.tables.screening import RecordRow, ResultRow, SamplingDayRow, ScreeningCursor, ScreeningRow

FILINGS: Final = (int(KindNumber.FILED), int(KindNumber.CORRECTED))
DECIDED: Final = ("cleared", "refused", "recalled")
SAME_BILL: Final = 20
"""Parcels under one house bill that are looked at."""
CATCH_UP: Final = 14
"""Days back whose contacts are looked for when the older ones are forgotten."""


# Statements that every filing asks are built once: building them took longer than running them.
_SAME_BILL: Final = (
    select(ScreeningRow.opened_height, ScreeningRow.parcel, ScreeningRow.outcome)
    .where(ScreeningRow.bill == bindparam("bill"), ScreeningRow.parcel != bindparam("parcel"))
    .order_by(col(ScreeningRow.opened_height), col(ScreeningRow.parcel))
)
_NUMBERS_AT: Final = tuple(
    select(ScreeningRow.number)
    .where(column == bindparam("value"), col(ScreeningRow.declared_at) >= bindparam("since", type_=UtcDateTime()))
    .where(col(ScreeningRow.number).is_not(None))
    .distinct()
    .limit(bindparam("enough"))
    for column in (col(ScreeningRow.phone), col(ScreeningRow.address))
)
_DENIERS_AT: Final = (
    select(UseRow.person)
    .join(ScreeningRow, col(UseRow.parcel) == col(ScreeningRow.parcel))
    .where(
        ScreeningRow.address == bindparam("address"),
        col(ScreeningRow.declared_at) >= bindparam("since", type_=UtcDateTime()),
        UseRow.answer == "denied",
        col(ScreeningRow.number).is_distinct_from(bindparam("number", type_=LargeBinary())),
    )
    .distinct()
    .limit(bindparam("enough"))
)


# ------------------------------------------------------------------------------------------------------ what to judge
def fresh_parcels(session: Session, limit: int) -> list[ParcelRow]:
    """Return parcels that changed since screening last looked, oldest change first."""
    cursor = session.get(ScreeningCursor, 1) or ScreeningCursor(parcel=bytes(32))
    place = tuple_(col(ParcelRow.changed_height), col(ParcelRow.id))
    chosen = select(ParcelRow).where(place > tuple_(cursor.height, cursor.parcel))
    return list(session.exec(chosen.order_by(col(ParcelRow.changed_height), col(ParcelRow.id)).limit(limit)))


def advance(session: Session, last: ParcelRow) -> None:
    """Note that all changes up to that of a parcel were looked at."""
    cursor = session.get(ScreeningCursor, 1) or ScreeningCursor(parcel=bytes(32))
    cursor.height, cursor.parcel = max((cursor.height, cursor.parcel), (last.changed_height, last.id))
    session.add(cursor)


def due(session: Session, now: dt.datetime, limit: int) -> list[ScreeningRow]:
    """Return parcels whose filing waits for its payload and is due to be looked for again."""
    chosen = select(ScreeningRow).where(ScreeningRow.outcome == "waiting", col(ScreeningRow.retry_at) <= now)
    return list(session.exec(chosen.order_by(col(ScreeningRow.retry_at)).limit(limit)))


def newest_filings(session: Session, rows: Sequence[ParcelRow]) -> dict[bytes, EntryRow]:
    """Return where the newest filing of each parcel stands."""
    payloads = {row.id: row.payload for row in rows}
    chosen = select(EntryRow).where(
        col(EntryRow.subject).in_(payloads), col(EntryRow.kind).in_(FILINGS), col(EntryRow.rejection).is_(None),
        col(EntryRow.trace).is_(False),
    )  # fmt: skip
    found: dict[bytes, EntryRow] = {}
    for each in session.exec(chosen):
        known, own = found.get(each.subject), (each.height, each.place, each.number)
        if each.digest == payloads[each.subject] and (known is None or own > (known.height, known.place, known.number)):
            found[each.subject] = each
    return found


def kept(session: Session, parcels: Collection[bytes]) -> dict[bytes, ScreeningRow]:
    """Return what was made of parcels."""
    rows = session.exec(select(ScreeningRow).where(col(ScreeningRow.parcel).in_(parcels)))
    return {row.parcel: row for row in rows}


def block_hash(session: Session, height: int) -> bytes:
    """Return the hash of a block.

    Raises:
        KeyError: it is not in the read model.
    """
    row = session.get(BlockRow, height)
    if row is None:
        raise KeyError(f"block {height}")
    return row.hash


def causes(session: Session, parcels: Collection[bytes]) -> dict[bytes, list[ReferralRow]]:
    """Return what the identity authority found of parcels."""
    chosen = select(ReferralRow).where(col(ReferralRow.parcel).in_(parcels)).order_by(col(ReferralRow.number))
    found: dict[bytes, list[ReferralRow]] = {}
    for each in session.exec(chosen):
        found.setdefault(each.parcel, []).append(each)
    return found


def untaken(session: Session, limit: int) -> list[ReferralRow]:
    """Return what the identity authority found and nobody took up yet."""
    chosen = select(ReferralRow).where(col(ReferralRow.taken_at).is_(None))
    return list(session.exec(chosen.order_by(col(ReferralRow.number)).limit(limit)))


# ------------------------------------------------------------------------------------------------- what was seen before
class SameBill(NamedTuple):
    """A parcel under a house bill; they are in the order they were opened."""

    opened_height: int
    parcel: bytes
    outcome: str


def same_bill(session: Session, bill: bytes, parcel: bytes) -> list[SameBill]:
    """Return other parcels under a house bill, first opened first."""
    rows = session.exec(_SAME_BILL, params={"bill": bill, "parcel": parcel})
    return [SameBill(*row) for row in rows.fetchmany(SAME_BILL)]


def numbers_at(
    session: Session, phone: bytes | None, address: bytes | None, since: dt.datetime, enough: int
) -> frozenset[bytes]:
    """Return up to so many different numbers that goods were sent to the same telephone or address with."""
    found: set[bytes] = set()
    for chosen, value in zip(_NUMBERS_AT, (phone, address), strict=True):
        if value is not None:
            rows = session.exec(chosen, params={"value": value, "since": since, "enough": enough})
            found |= {number for number in rows if number is not None}
    return frozenset(found)


def deniers_at(
    session: Session, address: bytes | None, number: bytes | None, since: dt.datetime, enough: int
) -> int:  # fmt: skip
    """Return how many holders, up to so many, said of a parcel sent to an address lately that it is not theirs.

    Those whose own number is the one given are left out: what a holder denied does not count against him.
    """
    if address is None:
        return 0
    asked = {"address": address, "number": number, "since": since, "enough": enough}
    return len(session.exec(_DENIERS_AT, params=asked).all())


def count_denied(session: Session, parcel: bytes) -> None:
    """Count a parcel that had left when its number's holder denied it as refused in its shop's record."""
    row = session.get(ScreeningRow, parcel)
    if row is not None and row.shop is not None:
        record = session.get(RecordRow, row.shop) or RecordRow(who=row.shop)
        record.decided += not row.settled
        record.refused += 1
        row.settled = True
        session.add_all((record, row))


def record(session: Session, who: bytes) -> tuple[int, int]:
    """Return how many parcels of a shop or courier were decided, and how many of them refused."""
    row = session.get(RecordRow, who)
    return (row.decided, row.refused) if row else (0, 0)


def count_decided(session: Session, who: Collection[bytes], *, refused: bool) -> None:
    """Count a decision in the records of a shop and a courier."""
    for each in who:
        row = session.get(RecordRow, each) or RecordRow(who=each)
        row.decided += 1
        row.refused += refused
        session.add(row)


def forget_contacts(session: Session, day: int) -> None:
    """Forget whom parcels were sent to that were filed in the days up to one: nothing looks further back.

    This is called every day, so it looks at a few days only, by their index, and catches up after a longer pause.
    """
    old = col(ScreeningRow.day).between(day - CATCH_UP, day)
    statement = update(ScreeningRow).where(old, or_(*(column.is_not(None) for column in map(col, _CONTACTS))))
    session.connection().execute(statement.values(number=None, phone=None, address=None))


_CONTACTS: Final = (ScreeningRow.number, ScreeningRow.phone, ScreeningRow.address)


# ---------------------------------------------------------------------------------------------------------- what to say
def say(session: Session, results: Sequence[ResultRow]) -> None:
    """Decide to write entries, each once for what it is about."""
    rows = [result.model_dump(exclude={"number"}) for result in results]
    upsert(session, ResultRow, rows, update=[], key=("subject", "kind", "about"))


def to_say(session: Session, limit: int) -> list[ResultRow]:
    """Return what waits for the next cut."""
    chosen = select(ResultRow).where(col(ResultRow.batch).is_(None))
    return list(session.exec(chosen.order_by(col(ResultRow.number)).limit(limit)))


def take_back_passed(session: Session, parcel: bytes) -> None:
    """Forget that a parcel was to be passed, where nothing of that was signed yet."""
    statement = delete(ResultRow).where(
        col(ResultRow.subject) == parcel, col(ResultRow.kind) == KindNumber.SCREENED_PASSED,
        col(ResultRow.batch).is_(None),
    )  # fmt: skip
    session.connection().execute(statement)


def said_in_vain(session: Session, limit: int) -> list[ResultRow]:
    """Return entries whose batch was refused or expired."""
    dead = select(SubmissionRow.hash).where(col(SubmissionRow.state).in_(submissions.DEAD))
    return list(session.exec(select(ResultRow).where(col(ResultRow.batch).in_(dead)).limit(limit)))


def unsaid(session: Session, limit: int) -> None:
    """Take back the entries whose batch died, so that they are written again."""
    for row in said_in_vain(session, limit):
        row.batch = None
        session.add(row)
    session.flush()


def results_of(session: Session, parcels: Collection[bytes]) -> list[ResultRow]:
    """Return what screening said of parcels, oldest first: for officers of their office."""
    chosen = select(ResultRow).where(col(ResultRow.subject).in_(parcels), col(ResultRow.trace).is_(False))
    return list(session.exec(chosen.order_by(col(ResultRow.number))))


# ---------------------------------------------------------------------------------------------------- the random sample
def last_day(session: Session) -> int | None:
    """Return the last day whose key was committed to."""
    return session.exec(select(func.max(SamplingDayRow.day))).one()


def secret_days(session: Session, until: int) -> list[SamplingDayRow]:
    """Return the days up to one whose keys are not revealed."""
    chosen = select(SamplingDayRow).where(SamplingDayRow.day <= until, col(SamplingDayRow.revealed).is_(False))
    return list(session.exec(chosen.order_by(col(SamplingDayRow.day))))


def is_day_settled(session: Session, day: int) -> bool:
    """Whether each parcel of a day was screened, and each that screening referred is decided."""
    decided = exists().where(col(ParcelRow.id) == col(ScreeningRow.parcel), col(ParcelRow.clearance).in_(DECIDED))
    is_open = or_(col(ScreeningRow.outcome) == "waiting", col(ScreeningRow.outcome) == "referred")
    open_ones = select(ScreeningRow.parcel).where(ScreeningRow.day == day, is_open, ~decided)
    return session.exec(open_ones.limit(1)).first() is None


def statement(session: Session, subject: bytes, kind: int, org: int) -> EntryRow | None:
    """Return the first statement of a kind that an organisation made of a day, None if none stands in a final block."""
    chosen = select(EntryRow).where(
        EntryRow.subject == subject, EntryRow.kind == kind, EntryRow.org == org, col(EntryRow.trace).is_(True)
    )
    first = col(EntryRow.height), col(EntryRow.place), col(EntryRow.number)
    return session.exec(chosen.order_by(*first).limit(1)).first()
