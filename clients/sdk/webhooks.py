"""Webhooks of a member, as the gateway shows them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from clients.sdk.models import Document, data, instant, moment, number, shape


@dataclass(frozen=True, slots=True)
class Webhook:
    """An address that events are sent to.

    Attributes:
        types: of events that are sent; none: all.
        state: active or disabled; reason: why it is disabled.
        key: whose rights it has.
        secret: signs what is sent (Standard Webhooks 1.0); only where it was made just now, else empty.
    """

    id: str
    url: str
    types: tuple[str, ...]
    state: str
    reason: str
    key: bytes
    created_at: dt.datetime
    secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to deliver.

    Attributes:
        status: of the receiver's answer, None if there was none.
    """

    at: dt.datetime
    milliseconds: int
    status: int | None
    outcome: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event on its way to a receiver.

    Attributes:
        id: the `webhook-id` of every attempt.
        state: waiting, delivered or dead.
    """

    id: str
    type: str
    subject: int
    state: str
    next_attempt_at: dt.datetime | None
    created_at: dt.datetime
    attempts: tuple[Attempt, ...]


def read_webhook(told: Document) -> Webhook:
    """Read a webhook."""
    with shape():
        return Webhook(
            str(told["id"]), str(told["url"]), tuple(map(str, told["types"])), str(told["state"]),
            str(told["reason"] or ""), data(told["key"]), instant(told["created_at"]), str(told.get("secret", "")),
        )  # fmt: skip


def read_delivery(told: Document) -> Delivery:
    """Read a delivery with its attempts."""
    with shape():
        return Delivery(
            str(told["id"]), str(told["type"]), number(told["subject"]), str(told["state"]),
            moment(told["next_attempt_at"]), instant(told["created_at"]), tuple(map(_read_attempt, told["attempts"])),
        )  # fmt: skip


def _read_attempt(told: Document) -> Attempt:
    status = None if told["status"] is None else int(told["status"])
    return Attempt(instant(told["at"]), int(told["milliseconds"]), status, str(told["outcome"]))
