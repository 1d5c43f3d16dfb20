"""Webhooks of members: where events are sent, what waits to be sent, and how each attempt went."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import CheckConstraint, Index, LargeBinary, UniqueConstraint
from sqlmodel import Field, SQLModel

from ledger.store.columns import moment, raw

STATES = ("waiting", "delivered", "dead")


class WebhookRow(SQLModel, table=True):
    """An address of an org's that events are sent to, and the place up to which they became deliveries."""

    __tablename__ = "webhook"
    __table_args__ = (
        UniqueConstraint("org", "url", name="webhook_once"),
        CheckConstraint("state IN ('active', 'disabled')", name="webhook_state"),
    )

    id: str = Field(primary_key=True, max_length=40)
    org: int
    key: bytes = raw(20)
    """Key whose rights it has; while it is out of standing nothing is queued."""
    url: str = Field(max_length=1_000)
    types: str = Field(default="[]", max_length=4_000)
    """JSON list of the types it wants; empty for all."""
    secrets: bytes = Field(sa_type=LargeBinary)
    """Signing secrets, sealed under a key outside the database."""
    state: str = Field(default="active", max_length=8)
    reason: str | None = Field(default=None, max_length=24)
    height: int
    place: int
    number: int
    part: int
    created_at: dt.datetime = moment()


class DeliveryRow(SQLModel, table=True):
    """One event for one webhook. Its id is made from both, so that queueing it twice makes one."""

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        UniqueConstraint("id", name="delivery_once"),
        CheckConstraint(f"state IN {STATES}", name="delivery_state"),
        Index("delivery_due", "state", "due"),
        Index("delivery_by_webhook", "webhook", "serial"),
    )

    serial: int | None = Field(default=None, primary_key=True)
    id: str = Field(max_length=40)
    """`webhook-id` of every attempt."""
    webhook: str = Field(foreign_key="webhook.id", max_length=40)
    type: str = Field(max_length=40)
    subject: bytes = raw(32)
    body: str
    """The bytes that are sent, the same every time."""
    state: str = Field(default="waiting", max_length=10)
    attempts: int = 0
    due: dt.datetime | None = moment(nullable=True)
    created_at: dt.datetime = moment()
    ended_at: dt.datetime | None = moment(nullable=True, index=True)


class AttemptRow(SQLModel, table=True):
    """One try to send."""

    __tablename__ = "webhook_attempt"

    serial: int | None = Field(default=None, primary_key=True)
    delivery: int = Field(foreign_key="webhook_delivery.serial", index=True)
    at: dt.datetime = moment()
    milliseconds: int
    status: int | None = None
    outcome: str = Field(max_length=16)
