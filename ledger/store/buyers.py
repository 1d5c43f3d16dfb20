"""One-time codes and sessions of people who hold a number."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import secrets
from typing import Final

from sqlalchemy import delete
from sqlmodel import Session, col, select

from ledger.store.sealing import Seals
from ledger.store.tables.identity import BuyerSessionRow, CodeRow, DeviceRow

CODE_LIFE: Final = dt.timedelta(minutes=3)
TRIES: Final = 5
SESSION_LIFE: Final = dt.timedelta(minutes=30)


def make_code(
    session: Session, seals: Seals, person: bytes | None, now: dt.datetime, tag: str, digits: int
) -> tuple[str, str]:
    """Make a code for a person, or one that fits nobody; return the ticket, which carries the tag, and the code."""
    ticket, code = f"{secrets.token_urlsafe(32)}.{tag}", f"{secrets.randbelow(10**digits):0{digits}}"
    name = _hash(ticket)
    session.add(CodeRow(ticket=name, person=person, code=seals.code(name, code), expires=now + CODE_LIFE))
    return ticket, code


def take_code(session: Session, seals: Seals, ticket: str, code: str, now: dt.datetime) -> bytes | None:
    """Return the person that a ticket and its code sign in, or None; a ticket is good once, for five tries."""
    row = session.exec(select(CodeRow).where(CodeRow.ticket == _hash(ticket)).with_for_update()).one_or_none()
    if row is None:
        return None
    row.tries += 1
    right = hmac.compare_digest(row.code, seals.code(row.ticket, code))
    if row.tries > TRIES or row.expires < now or right:
        session.delete(row)
    else:
        session.add(row)
    return row.person if right and row.tries <= TRIES and row.expires >= now else None


def open_session(session: Session, person: bytes, device: bytes | None, now: dt.datetime) -> str:
    """Open a session, binding the device's public key if there is one; return its token."""
    bound = _bind(session, person, device, now) if device else None
    token = "clb_" + secrets.token_urlsafe(32)
    session.add(
        BuyerSessionRow(
            hash=_hash(token), person=person, device=bound, csrf=secrets.token_urlsafe(24), expires=now + SESSION_LIFE
        )
    )
    return token


def _bind(session: Session, person: bytes, key: bytes, now: dt.datetime) -> int | None:
    row = session.exec(select(DeviceRow).where(DeviceRow.person == person, DeviceRow.key == key)).one_or_none()
    if row is None:
        row = DeviceRow(person=person, key=key, bound_at=now)
        session.add(row)
        session.flush()
    return row.number


def session_of(session: Session, token: str, now: dt.datetime) -> tuple[BuyerSessionRow, bytes | None] | None:
    """Return a session and its device's key, or None."""
    row = session.get(BuyerSessionRow, _hash(token))
    if row is None or row.expires < now:
        return None
    device = session.get(DeviceRow, row.device) if row.device is not None else None
    return row, device.key if device else None


def close_session(session: Session, token: str) -> None:
    """End a session."""
    row = session.get(BuyerSessionRow, _hash(token))
    if row is not None:
        session.delete(row)


def purge(session: Session, now: dt.datetime) -> None:
    """Drop codes and sessions that are over."""
    connection = session.connection()
    connection.execute(delete(CodeRow).where(col(CodeRow.expires) < now))
    connection.execute(delete(BuyerSessionRow).where(col(BuyerSessionRow.expires) < now))


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
