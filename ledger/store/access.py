"""Challenges and sessions of members' keys."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from dataclasses import dataclass
from typing import Final

from sqlalchemy import delete
from sqlmodel import Session, col

from ledger.chain.state import Member
from ledger.store.tables.access import ChallengeRow, IdempotencyRow, TokenRow

CHALLENGE_LIFE: Final = dt.timedelta(minutes=2)
TOKEN_LIFE: Final = dt.timedelta(minutes=15)
ANSWER_LIFE: Final = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Caller:
    """A signed-in key and the org it acts for."""

    key: bytes
    org: int
    roles: int
    office: int

    @property
    def name(self) -> str:
        """Name under which limits and idempotency keys are counted."""
        return "0x" + self.key.hex()


def ask(session: Session, key: bytes, now: dt.datetime) -> ChallengeRow:
    """Make a challenge for a key."""
    expires = (now + CHALLENGE_LIFE).replace(microsecond=0)
    row = ChallengeRow(challenge=secrets.token_bytes(32), key=key, expires=expires)
    session.add(row)
    return row


def take_challenge(session: Session, challenge: bytes, key: bytes, now: dt.datetime) -> ChallengeRow | None:
    """Return a challenge that this key may answer now, and use it up; None if there is none."""
    row = session.get(ChallengeRow, challenge)
    if row is None or row.key != key or row.expires < now:
        return None
    session.delete(row)
    return row


def open_session(session: Session, key: bytes, member: Member, now: dt.datetime) -> tuple[str, dt.datetime]:
    """Open a session for a member's key; return its token, which stands nowhere else, and when it ends."""
    token = "clt_" + secrets.token_urlsafe(32)
    expires = now + TOKEN_LIFE
    row = TokenRow(
        hash=_hash(token), key=key, org=member.org, roles=member.roles, office=member.office, expires=expires
    )
    session.add(row)
    return token, expires


def caller_of(session: Session, token: str, now: dt.datetime) -> Caller | None:
    """Return who a token stands for, or None."""
    row = session.get(TokenRow, _hash(token))
    if row is None or row.expires < now:
        return None
    return Caller(row.key, row.org, row.roles, row.office)


def ends_at(session: Session, token: str, now: dt.datetime) -> dt.datetime | None:
    """Return when a session is over, None if it is already."""
    row = session.get(TokenRow, _hash(token))
    return None if row is None or row.expires < now else row.expires


def close_session(session: Session, token: str) -> None:
    """End a session."""
    row = session.get(TokenRow, _hash(token))
    if row is not None:
        session.delete(row)


def purge(session: Session, now: dt.datetime) -> None:
    """Drop what is over: challenges, sessions, answers older than a day."""
    connection = session.connection()
    connection.execute(delete(ChallengeRow).where(col(ChallengeRow.expires) < now))
    connection.execute(delete(TokenRow).where(col(TokenRow.expires) < now))
    connection.execute(delete(IdempotencyRow).where(col(IdempotencyRow.started) < now - ANSWER_LIFE))


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
