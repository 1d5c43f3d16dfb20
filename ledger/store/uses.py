"""Where numbers were used, what the authority judged, what it has decided to say, what owners answered."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import String, and_, bindparam, or_, tuple_
from sqlmodel import Session, col, select

from ledger.domain.kinds import Status
from ledger.store import submissions
from ledger.store.columns import UtcDateTime
from ledger.store.projector import cursor_height
from ledger.store.sealing import Seals
from ledger.store.tables.chain import MasterRow, ParcelRow
from ledger.store.tables.identity import AnswerRow, AuthorityCursor, JudgedRow, SayingRow, UseRow
from ledger.store.tables.outbox import SubmissionRow

UNDER_WAY: Final = ("pending", "referred", "unfiled")
MAX_IN: Final = 1_000
"""Parcels asked for in one statement."""


# Statements that are run all the time are built once: building them took longer than running them.
_NEWEST: Final = (
    select(UseRow, ParcelRow)
    .join(ParcelRow, col(ParcelRow.id) == col(UseRow.parcel), isouter=True)
    .where(UseRow.person == bindparam("person"))
    .order_by(col(UseRow.declared_at).desc(), col(UseRow.id).desc())
    .limit(bindparam("number"))
)
_BEFORE: Final = _NEWEST.where(
    tuple_(col(UseRow.declared_at), col(UseRow.id))
    < tuple_(bindparam("moment", type_=UtcDateTime()), bindparam("name", type_=String()))
)
_ONE: Final = (
    select(UseRow, ParcelRow)
    .join(ParcelRow, col(ParcelRow.id) == col(UseRow.parcel), isouter=True)
    .where(UseRow.id == bindparam("name"), UseRow.person == bindparam("person"))
)
_CAUSES: Final = (
    select(SayingRow.parcel, SayingRow.cause)
    .where(col(SayingRow.parcel).in_(bindparam("parcels", expanding=True)), SayingRow.cause != "checked")
    .order_by(col(SayingRow.number))
)
_WITHOUT_CONSENT: Final = select(JudgedRow.parcel).where(
    col(JudgedRow.parcel).in_(bindparam("parcels", expanding=True)),
    JudgedRow.outcome == "waiting", JudgedRow.cause == "consent_missing",
)  # fmt: skip
_JUDGED: Final = select(JudgedRow).where(col(JudgedRow.filing).in_(bindparam("filings", expanding=True)))
_USES: Final = select(UseRow).where(col(UseRow.parcel).in_(bindparam("parcels", expanding=True)))
_SAYINGS: Final = select(SayingRow).where(col(SayingRow.parcel).in_(bindparam("parcels", expanding=True)))
_MASTER: Final = select(MasterRow).where(MasterRow.handle == bindparam("handle"))


@dataclass(frozen=True, slots=True)
class Known:
    """What stands about some parcels, read at once.

    Attributes:
        judged: by filing.
        uses: by parcel and person.
        sayings: by parcel, kind and what they are about.
    """

    judged: Mapping[bytes, JudgedRow]
    uses: Mapping[tuple[bytes, bytes], UseRow]
    sayings: Mapping[tuple[bytes, int, str], SayingRow]


def judged_of(session: Session, rows: Sequence[ParcelRow]) -> dict[bytes, JudgedRow]:
    """Return what was judged of the newest filings of parcels, by filing."""
    filings = [row.filing for row in rows if row.filing is not None]
    return {each.filing: each for part in _parts(filings) for each in session.exec(_JUDGED, params={"filings": part})}


def known_of(session: Session, rows: Sequence[ParcelRow]) -> Known:
    """Return what stands about parcels."""
    parcels = [row.id for row in rows]
    return Known(judged_of(session, rows), _uses_of(session, parcels), _sayings_of(session, parcels))


def _uses_of(session: Session, parcels: Sequence[bytes]) -> dict[tuple[bytes, bytes], UseRow]:
    found = (each for part in _parts(parcels) for each in session.exec(_USES, params={"parcels": part}))
    return {(each.parcel, each.person): each for each in found}


def _sayings_of(session: Session, parcels: Sequence[bytes]) -> dict[tuple[bytes, int, str], SayingRow]:
    found = (each for part in _parts(parcels) for each in session.exec(_SAYINGS, params={"parcels": part}))
    return {(each.parcel, each.kind, each.about): each for each in found}


def fresh_filings(session: Session, limit: int) -> tuple[list[ParcelRow], AuthorityCursor]:
    """Return parcels that changed since the authority last looked, oldest change first, and its cursor."""
    cursor = session.get(AuthorityCursor, 1) or AuthorityCursor(parcel=bytes(32))
    place = tuple_(col(ParcelRow.changed_height), col(ParcelRow.id))
    chosen = select(ParcelRow).where(place > tuple_(cursor.height, cursor.parcel))
    rows = list(session.exec(chosen.order_by(col(ParcelRow.changed_height), col(ParcelRow.id)).limit(limit)))
    return rows, cursor


def is_read_model_behind(session: Session) -> bool:
    """Whether the read model is older than what the authority judged by it: it was emptied, and is made anew.

    Until it has come as far again, parcels that numbers were used for may have no row.
    """
    judged = session.get(AuthorityCursor, 1)
    return judged is not None and cursor_height(session) < judged.height


def anything_to_do(session: Session, now: dt.datetime) -> bool:
    """Whether the authority has something to judge or to say."""
    waits = waiting_filings(session, now, 1) or to_say(session, now, 1) or said_in_vain(session, 1)
    return bool(fresh_filings(session, 1)[0] or waits)


def waiting_filings(session: Session, now: dt.datetime, limit: int) -> list[JudgedRow]:
    """Return filings that wait and are due to be judged again."""
    chosen = select(JudgedRow).where(JudgedRow.outcome == "waiting", col(JudgedRow.retry_at) <= now)
    return list(session.exec(chosen.order_by(col(JudgedRow.retry_at)).limit(limit)))


def advance(session: Session, last: ParcelRow) -> None:
    """Note that all changes up to that of a parcel were looked at."""
    cursor = session.get(AuthorityCursor, 1) or AuthorityCursor(parcel=bytes(32))
    cursor.height, cursor.parcel = max((cursor.height, cursor.parcel), (last.changed_height, last.id))
    session.add(cursor)


def supersede(session: Session, filing: bytes) -> None:
    """Forget that a filing waits: the parcel was corrected, and its newest filing is the one to judge."""
    row = session.get(JudgedRow, filing)
    if row is not None and row.outcome == "waiting":
        session.delete(row)


def say(
    session: Session, parcel: bytes, kind: int, about: str, cause: str, not_before: dt.datetime,
    names: bytes | None = None, known: Known | None = None,
) -> SayingRow:  # fmt: skip
    """Decide to write an entry, once for each thing it is about; return what was decided.

    `known` is what stands about the parcel, if that was read.
    """
    said = known.sayings if known else _sayings_of(session, [parcel])
    row = said.get((parcel, kind, about))
    if row is None:
        row = SayingRow(parcel=parcel, kind=kind, about=about, cause=cause, salt=os.urandom(32), not_before=not_before,
                        names=names)  # fmt: skip
        session.add(row)
    return row


def to_say(session: Session, now: dt.datetime, limit: int) -> list[SayingRow]:
    """Return what waits for the next cut."""
    chosen = select(SayingRow).where(col(SayingRow.batch).is_(None), col(SayingRow.not_before) <= now)
    return list(session.exec(chosen.order_by(col(SayingRow.number)).limit(limit)))


def delayed(session: Session, now: dt.datetime, limit: int) -> list[SayingRow]:
    """Return what waits for a later moment: its parcel may have landed since."""
    chosen = select(SayingRow).where(col(SayingRow.batch).is_(None), col(SayingRow.not_before) > now)
    return list(session.exec(chosen.order_by(col(SayingRow.not_before)).limit(limit)))


def said_in_vain(session: Session, limit: int) -> list[SayingRow]:
    """Return sayings whose batch was refused or expired."""
    dead = select(SubmissionRow.hash).where(col(SubmissionRow.state).in_(submissions.DEAD))
    return list(session.exec(select(SayingRow).where(col(SayingRow.batch).in_(dead)).limit(limit)))


def unsaid(session: Session) -> int:
    """Take back the sayings whose batch died, so that they are written again; return how many."""
    rows = said_in_vain(session, 10_000)
    for row in rows:
        row.batch = None
        session.add(row)
    return len(rows)


def master_landed(session: Session, handle: int) -> bool:
    """Whether the flight or voyage of a handle has arrived or was unloaded; a parcel without one counts as landed."""
    if handle == 0:
        return True
    row = session.exec(_MASTER, params={"handle": handle}).first()
    return row is None or bool(int.from_bytes(row.word, "big") & (Status.ARRIVED | Status.UNLOADED))


def note_use(
    session: Session, seals: Seals, person: bytes, parcel: bytes, shown: Mapping[str, Any], at: dt.datetime, *,
    receiver_differs: bool, known: Known | None = None,
) -> UseRow:  # fmt: skip
    """Note that a parcel uses a person's number, once; a correction changes what is shown.

    `known` is what stands about the parcel, if that was read.
    """
    noted = known.uses if known else _uses_of(session, [parcel])
    row = noted.get((parcel, person))
    if row is None:
        link = secrets.token_urlsafe(24)
        row = UseRow(
            id="use_" + secrets.token_hex(12), person=person, parcel=parcel, sealed=b"", declared_at=at,
            link=link_hash(link),
        )  # fmt: skip
        shown = dict(shown) | {"link": link}
    else:
        shown = dict(shown) | {"link": seals.open(row.sealed, row.id.encode(), person)["link"]}
    row.sealed = seals.seal(shown, row.id.encode(), person)
    row.receiver_differs = receiver_differs
    session.add(row)
    return row


def link_hash(link: str) -> str:
    """Return what is kept of a parcel's secret link."""
    return hashlib.sha256(link.encode()).hexdigest()


def of_person(
    session: Session, person: bytes, *, before: tuple[dt.datetime, str] | None = None, limit: int = 20
) -> list[tuple[UseRow, ParcelRow | None]]:
    """Return the uses of a person's numbers with their parcels, newest first."""
    told: dict[str, Any] = {"person": person, "number": limit}
    if before:
        told |= {"moment": before[0], "name": before[1]}
    return list(session.exec(_BEFORE if before else _NEWEST, params=told))


def under_way(session: Session, person: bytes) -> list[tuple[UseRow, ParcelRow | None]]:
    """Return all uses whose parcels a stop can still hold back: a freeze must meet every one of them.

    Those that are cleared and have not left the yard too: an open stop bars their release.
    """
    chosen = select(UseRow, ParcelRow).join(ParcelRow, col(ParcelRow.id) == col(UseRow.parcel), isouter=True)
    in_the_yard = and_(col(ParcelRow.clearance) == "cleared", col(ParcelRow.released_at).is_(None))
    open_ones = or_(col(ParcelRow.id).is_(None), col(ParcelRow.clearance).in_(UNDER_WAY), in_the_yard)
    rows: Iterable[Any] = session.exec(
        chosen.where(UseRow.person == person, open_ones).order_by(col(UseRow.declared_at).desc(), col(UseRow.id).desc())
    )
    return [(use, parcel) for use, parcel in rows]


def one(session: Session, person: bytes, identifier: str) -> tuple[UseRow, ParcelRow | None] | None:
    """Return one use of a person's numbers, or None."""
    return session.exec(_ONE, params={"name": identifier, "person": person}).one_or_none()


def some(session: Session, person: bytes, identifiers: Sequence[str]) -> list[UseRow]:
    """Return those of a person's uses that are named, 1,000 at most."""
    return list(session.exec(select(UseRow).where(UseRow.person == person, col(UseRow.id).in_(identifiers))))


def by_link(session: Session, link: str) -> ParcelRow | None:
    """Return the parcel that a secret link shows."""
    use = session.exec(select(UseRow).where(UseRow.link == link_hash(link))).one_or_none()
    return session.get(ParcelRow, use.parcel) if use else None


def causes_of(session: Session, parcels: Sequence[bytes]) -> dict[bytes, list[str]]:
    """Return why the authority stopped parcels, oldest first: for their owner and for customs only."""
    found: dict[bytes, list[str]] = {}
    for part in _parts(parcels):
        for parcel, cause in session.exec(_CAUSES, params={"parcels": part}):
            found.setdefault(parcel, []).append(cause)
    return found


def without_consent(session: Session, parcels: Sequence[bytes]) -> set[bytes]:
    """Return those of some parcels that have a filing which waits for its holder's consent."""
    found: set[bytes] = set()
    for part in _parts(parcels):
        found |= set(session.exec(_WITHOUT_CONSENT, params={"parcels": part}))
    return found


def _parts(values: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    return (values[at : at + MAX_IN] for at in range(0, len(values), MAX_IN))


def answer_of(session: Session, identifier: str, person: bytes) -> AnswerRow | None:
    """Return an answer a person gave."""
    return session.exec(select(AnswerRow).where(AnswerRow.id == identifier, AnswerRow.person == person)).one_or_none()
