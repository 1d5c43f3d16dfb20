"""Screening's tables: what it made of each parcel, what it has decided to say, and the days of its random sample.

Shops, house bills, telephones, addresses and numbers stand as keyed values that can be compared and say nothing else;
the key lies outside of the database. Reasons are sealed: they are for officers.
"""

from __future__ import annotations

import datetime as dt

from sqlalchemy import BigInteger, CheckConstraint, Index, LargeBinary, UniqueConstraint
from sqlmodel import Field, SQLModel

from ledger.store.columns import moment, raw


class ScreeningRow(SQLModel, table=True):
    """What screening made of a parcel's newest filing; one whose payload has not come waits."""

    __tablename__ = "screening"
    __table_args__ = (
        CheckConstraint("outcome IN ('waiting', 'passed', 'referred')", name="screening_outcome"),
        Index("screening_waiting", "outcome", "retry_at"),
        Index("screening_by_day", "day", "outcome"),
        Index("screening_by_phone", "phone", "declared_at"),
        Index("screening_by_address", "address", "declared_at"),
    )

    parcel: bytes = raw(32, primary_key=True)
    filing: bytes = raw(20)
    opened_height: int
    day: int
    """Day of the random sample: that of the first filing."""
    outcome: str = Field(max_length=8)
    score: int = 0
    """Thousandths."""
    scorer: str = Field(default="", max_length=40)
    price: int = Field(default=0, sa_type=BigInteger)
    """Of all goods, minor units."""
    currency: int = 0
    shop: bytes | None = raw(32, nullable=True)
    bill: bytes | None = raw(32, nullable=True, index=True)
    number: bytes | None = raw(32, nullable=True)
    phone: bytes | None = raw(32, nullable=True)
    address: bytes | None = raw(32, nullable=True)
    declared_at: dt.datetime = moment()
    settled: bool = False
    """Whether its decision was counted in the records of shop and courier."""
    retries: int = 0
    retry_at: dt.datetime | None = moment(nullable=True)


class RecordRow(SQLModel, table=True):
    """How the parcels of a shop or courier fared, counted as they are decided."""

    __tablename__ = "screening_record"

    who: bytes = raw(32, primary_key=True)
    """Keyed value of a shop's name or a courier's handle."""
    decided: int = 0
    refused: int = 0


class ResultRow(SQLModel, table=True):
    """An entry that screening has decided to write: it waits for the next cut, then names its batch."""

    __tablename__ = "screening_result"
    __table_args__ = (
        UniqueConstraint("subject", "kind", "about", name="result_once"),
        Index("result_waiting", "batch", "number"),
    )

    number: int | None = Field(default=None, primary_key=True)
    subject: bytes = raw(32)
    """A parcel, or a day of the sample."""
    kind: int
    trace: bool = False
    about: str = Field(max_length=64)
    """What makes it one: the filing and the cause, or nothing for a day."""
    names: bytes | None = raw(20, nullable=True)
    digest: bytes = raw(32)
    detail: int = Field(default=0, sa_type=BigInteger)
    sealed: bytes | None = Field(default=None, sa_type=LargeBinary)
    """Reasons and the salt of the digest, for officers of the parcel's office."""
    batch: bytes | None = raw(32, nullable=True)


class SamplingDayRow(SQLModel, table=True):
    """A day whose key was committed to. The key derives from a secret outside of the database."""

    __tablename__ = "sampling_day"

    day: int = Field(primary_key=True)
    rate: int
    """Parts per million."""
    revealed: bool = False


class ScreeningCursor(SQLModel, table=True):
    """How far screening read the read model: one row, committed together with what it made of it."""

    __tablename__ = "screening_cursor"
    __table_args__ = (CheckConstraint("id = 1", name="screening_cursor_is_one"),)

    id: int = Field(default=1, primary_key=True)
    height: int = 0
    parcel: bytes = raw(32)
