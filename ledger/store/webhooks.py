"""Webhooks: queued with the place they were queued up to, so that no crash loses or doubles an event."""

from __future__ import annotations

import datetime as dt
import json
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import and_, delete, func, tuple_, update
from sqlmodel import Session, col, select

from ledger.store.events import LAST, Place
from ledger.store.tables.webhooks import AttemptRow, DeliveryRow, WebhookRow

MAX_WAITING: Final = 10_000
"""Deliveries of one webhook that may wait; beyond it the chain itself is the queue."""


def register(
    session: Session, *, org: int, key: bytes, url: str, types: Collection[str], now: dt.datetime, place: Place
) -> WebhookRow:
    """Add a webhook that gets what follows a place; its secrets are set afterwards, they are bound to its id."""
    height, at, number, part = place
    row = WebhookRow(
        id="whk_" + secrets.token_hex(12), org=org, key=key, url=url, types=json.dumps(sorted(types)), secrets=b"",
        height=height, place=at, number=number, part=part, created_at=now,
    )  # fmt: skip
    session.add(row)
    return row


def of_org(session: Session, org: int) -> list[WebhookRow]:
    """Return an org's webhooks, oldest first."""
    chosen = select(WebhookRow).where(WebhookRow.org == org)
    return list(session.exec(chosen.order_by(col(WebhookRow.created_at), col(WebhookRow.id))))


def find(session: Session, org: int, name: str) -> WebhookRow | None:
    """Return a webhook of an org's, or None."""
    row = session.get(WebhookRow, name)
    return row if row is not None and row.org == org else None


def remove(session: Session, row: WebhookRow) -> None:
    """Delete a webhook with everything that was to be sent there."""
    own = select(DeliveryRow.serial).where(DeliveryRow.webhook == row.id)
    connection = session.connection()
    connection.execute(delete(AttemptRow).where(col(AttemptRow.delivery).in_(own)))
    connection.execute(delete(DeliveryRow).where(col(DeliveryRow.webhook) == row.id))
    session.delete(row)


def disable(session: Session, row: WebhookRow, reason: str, now: dt.datetime) -> None:
    """Send nothing there any more: what waits is dead, and may be sent again by hand to another address."""
    row.state, row.reason = "disabled", reason
    session.add(row)
    waiting = update(DeliveryRow).where(col(DeliveryRow.webhook) == row.id, col(DeliveryRow.state) == "waiting")
    session.connection().execute(waiting.values(state="dead", due=None, ended_at=now))


# ------------------------------------------------------------------------------------------------------------ queueing
def behind(session: Session, height: int, limit: int, *, but: Collection[str] = ()) -> list[WebhookRow]:
    """Return active webhooks that were not queued through a height, with room, those farthest back first."""
    waiting = (
        select(func.count())
        .select_from(DeliveryRow)
        .where(DeliveryRow.webhook == WebhookRow.id, DeliveryRow.state == "waiting")
        .scalar_subquery()
    )
    place = tuple_(col(WebhookRow.height), col(WebhookRow.place), col(WebhookRow.number))
    below = place < tuple_(height, LAST, LAST)  # a place may lie within the newest block
    chosen = select(WebhookRow).where(WebhookRow.state == "active", below, waiting < MAX_WAITING)
    if but:
        chosen = chosen.where(col(WebhookRow.id).not_in(but))
    return list(session.exec(chosen.order_by(col(WebhookRow.height), col(WebhookRow.id)).limit(limit)))


def lock(session: Session, name: str) -> WebhookRow | None:
    """Return a webhook to change it, None if it is gone or no longer active."""
    chosen = select(WebhookRow).where(WebhookRow.id == name, WebhookRow.state == "active").with_for_update()
    return session.exec(chosen).one_or_none()


def place_of(row: WebhookRow) -> Place:
    """Return the place up to which events became deliveries."""
    return row.height, row.place, row.number, row.part


def queue(session: Session, row: WebhookRow, made: Sequence[Mapping[str, Any]], through: Place) -> None:
    """Keep deliveries (id, type, subject, body, now) and the place they reach to, in one transaction.

    A delivery that stands already stays as it is.
    """
    known = set(session.exec(select(DeliveryRow.id).where(col(DeliveryRow.id).in_([each["id"] for each in made]))))
    session.add_all(
        DeliveryRow(
            id=each["id"],
            webhook=row.id,
            type=each["type"],
            subject=each["subject"],
            body=each["body"],
            due=each["now"],
            created_at=each["now"],
        )
        for each in made
        if each["id"] not in known
    )
    row.height, row.place, row.number, row.part = through
    session.add(row)


# ------------------------------------------------------------------------------------------------------------- sending
def due(
    session: Session, now: dt.datetime, limit: int, *, busy: Collection[str], flying: Collection[int]
) -> list[tuple[DeliveryRow, WebhookRow]]:
    """Return deliveries whose time has come, but none of busy webhooks and none that is being sent."""
    joined = and_(col(DeliveryRow.webhook) == col(WebhookRow.id), col(WebhookRow.state) == "active")
    chosen = select(DeliveryRow, WebhookRow).join(WebhookRow, joined)
    chosen = chosen.where(DeliveryRow.state == "waiting", col(DeliveryRow.due) <= now)
    if busy:
        chosen = chosen.where(col(WebhookRow.id).not_in(busy))
    if flying:
        chosen = chosen.where(col(DeliveryRow.serial).not_in(flying))
    return list(session.exec(chosen.order_by(col(DeliveryRow.due), col(DeliveryRow.serial)).limit(limit)))


def note_attempt(
    session: Session, serial: int, *, at: dt.datetime, milliseconds: int, status: int | None, outcome: str,
    state: str, due: dt.datetime | None,
) -> DeliveryRow | None:  # fmt: skip
    """Note how a try went and what follows; None if the delivery was deleted meanwhile."""
    row = session.get(DeliveryRow, serial, with_for_update=True)
    if row is None:
        return None
    session.add(AttemptRow(delivery=serial, at=at, milliseconds=milliseconds, status=status, outcome=outcome))
    row.attempts += 1
    row.state, row.due = state, due
    row.ended_at = None if state == "waiting" else at
    session.add(row)
    return row


def purge(session: Session, before: dt.datetime) -> None:
    """Drop what ended before a time."""
    old = select(DeliveryRow.serial).where(col(DeliveryRow.ended_at) < before)
    connection = session.connection()
    connection.execute(delete(AttemptRow).where(col(AttemptRow.delivery).in_(old)))
    connection.execute(delete(DeliveryRow).where(col(DeliveryRow.ended_at) < before))


# ----------------------------------------------------------------------------------------------------------------- log
def deliveries(
    session: Session, webhook: str, *, state: str | None, before: int | None, limit: int
) -> list[DeliveryRow]:
    """Return a webhook's deliveries, newest first."""
    chosen = select(DeliveryRow).where(DeliveryRow.webhook == webhook)
    if state:
        chosen = chosen.where(DeliveryRow.state == state)
    if before is not None:
        chosen = chosen.where(col(DeliveryRow.serial) < before)
    return list(session.exec(chosen.order_by(col(DeliveryRow.serial).desc()).limit(limit)))


def attempts(session: Session, rows: Iterable[DeliveryRow]) -> dict[int, list[AttemptRow]]:
    """Return the tries of some deliveries, oldest first."""
    serials = [row.serial or 0 for row in rows]
    found: dict[int, list[AttemptRow]] = {serial: [] for serial in serials}
    chosen = select(AttemptRow).where(col(AttemptRow.delivery).in_(serials)).order_by(col(AttemptRow.serial))
    for row in session.exec(chosen):
        found[row.delivery].append(row)
    return found


def resend(session: Session, webhook: str, name: str, now: dt.datetime) -> DeliveryRow | None:
    """Begin a delivery anew, under the same id; None if the webhook has no such delivery."""
    chosen = select(DeliveryRow).where(DeliveryRow.webhook == webhook, DeliveryRow.id == name).with_for_update()
    row = session.exec(chosen).one_or_none()
    if row is not None:
        row.state, row.attempts, row.due, row.ended_at = "waiting", 0, now, None
        session.add(row)
    return row
