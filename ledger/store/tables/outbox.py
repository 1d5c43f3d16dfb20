"""The outbox: signed batches the API accepted, kept until their end is known."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import BigInteger, CheckConstraint, Index, LargeBinary, UniqueConstraint
from sqlmodel import Field, SQLModel

from ledger.store.columns import Unsigned64, moment, raw

STATES = ("accepted", "sent", "included", "visible", "refused", "expired")


class SubmissionRow(SQLModel, table=True):
    """A batch on its way: the bytes its writer signed, and how far they came."""

    __tablename__ = "submission"
    __table_args__ = (
        UniqueConstraint("hash", name="submission_once"),
        CheckConstraint(f"state IN {STATES}", name="submission_state"),
        Index("submission_by_state", "state", "number"),
        Index("submission_by_org", "org", "number"),
        Index("submission_by_lane", "key", "lane", "seq"),
    )

    number: int | None = Field(default=None, primary_key=True)
    """Order of acceptance: batches of a lane are handed over in this order."""
    id: str = Field(max_length=40, unique=True)
    hash: bytes = raw(32)
    """Name of the batch: digest and signer together."""
    key: bytes = raw(20)
    org: int
    lane: int = Field(sa_type=Unsigned64)
    seq: int = Field(sa_type=Unsigned64)
    not_after: int = Field(sa_type=Unsigned64)
    entries: bytes = Field(sa_type=LargeBinary)
    signature: bytes = raw(65)
    count: int
    state: str = Field(default="accepted", max_length=16)
    code: str | None = Field(default=None, max_length=64)
    reason: str | None = Field(default=None, max_length=300)
    receipt: str | None = Field(default=None, max_length=1_000)
    """The sealer's signed receipt, JSON."""
    height: int | None = None
    place: int | None = None
    accepted_at: dt.datetime = moment()
    changed_at: dt.datetime = moment()


class LeaseRow(SQLModel, table=True):
    """Who may do a job that only one process may do; the fence rises with every new holder."""

    __tablename__ = "lease"

    job: str = Field(primary_key=True, max_length=40)
    holder: str = Field(max_length=64)
    fence: int = Field(sa_type=BigInteger)
    until: dt.datetime = moment()
