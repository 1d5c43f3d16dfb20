"""Who is signed in, and which writes were answered already."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import CheckConstraint, LargeBinary
from sqlmodel import Field, SQLModel

from ledger.store.columns import moment, raw


class ChallengeRow(SQLModel, table=True):
    """A question that a key must sign to sign in; good once."""

    __tablename__ = "challenge"

    challenge: bytes = raw(32, primary_key=True)
    key: bytes = raw(20)
    expires: dt.datetime = moment(index=True)


class TokenRow(SQLModel, table=True):
    """A session of a member's key. Only the token's SHA-256 is kept: a stolen database signs nobody in."""

    __tablename__ = "access_token"
    __table_args__ = (CheckConstraint("length(hash) = 32"),)

    hash: bytes = raw(32, primary_key=True)
    key: bytes = raw(20, index=True)
    org: int
    roles: int
    office: int
    expires: dt.datetime = moment(index=True)


class IdempotencyRow(SQLModel, table=True):
    """The answer given under an `Idempotency-Key`, kept for a day; no status means that it is still being made."""

    __tablename__ = "idempotency"

    caller: str = Field(primary_key=True, max_length=80)
    key: str = Field(primary_key=True, max_length=255)
    fingerprint: bytes = raw(32)
    status: int | None = None
    headers: str = Field(default="{}")
    body: bytes = Field(default=b"", sa_type=LargeBinary)
    started: dt.datetime = moment(index=True)
