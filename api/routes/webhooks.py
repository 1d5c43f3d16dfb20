"""Webhooks of members (Standard Webhooks 1.0): register, rotate the secret, see every attempt, send again."""

from __future__ import annotations

import datetime as dt
import json
from typing import Annotated, Any, Final

from cryptography.exceptions import InvalidTag
from fastapi import APIRouter, FastAPI, Query, Response
from pydantic import BaseModel, ConfigDict, Field, field_validator

from api.auth import Member, TheGateway
from api.cursors import MAX_LIMIT, page, read_cursor, write_cursor
from api.gateway import Gateway, Hooks
from api.idempotency import IdempotentRoute
from api.problems import APIError, not_found
from api.routes.shown import hexed, instant
from api.webhooks import signing
from ledger.domain.event_types import ALL_TYPES
from ledger.store import events, webhooks
from ledger.store.database import Session
from ledger.store.tables.webhooks import AttemptRow, DeliveryRow, WebhookRow

router = APIRouter(tags=["webhooks"], route_class=IdempotentRoute)
MAX_WEBHOOKS: Final = 8
"""Webhooks of one org."""
PRIVATE: Final = "private, no-store"


class WebhookIn(BaseModel):
    """Where events shall go."""

    model_config = ConfigDict(extra="forbid")
    url: str = Field(
        max_length=1_000, examples=["https://courier.example/hooks"], description="https, port 443 or 8443."
    )
    types: list[str] = Field(default=[], max_length=len(ALL_TYPES), description="Types wanted; none named: all.")

    @field_validator("types")
    @classmethod
    def _known(cls, given: list[str]) -> list[str]:
        if set(given) - set(ALL_TYPES):
            raise ValueError("an event type is unknown: see GET /v1/event-types")
        return sorted(set(given))


class RotationIn(BaseModel):
    """How long the old secret signs beside the new one."""

    model_config = ConfigDict(extra="forbid")
    overlap_hours: int = Field(default=24, ge=0, le=168)


@router.post("/v1/webhooks", status_code=201)
def register(body: WebhookIn, gateway: TheGateway, caller: Member, response: Response) -> dict[str, Any]:
    """Register an address. The answer shows the signing secret, this once.

    What becomes final from now on and your key may read is sent there, ids and codes only, each event at least once,
    in no promised order, the same `webhook-id` on every attempt. Answer 2xx within 15 s; 410 ends it.
    """
    hooks = _hooks(gateway)
    hooks.guard.read(body.url)
    made = signing.new_secret()
    with gateway.database.write() as session:
        own = webhooks.of_org(session, caller.org)
        if any(each.url == body.url for each in own):
            raise APIError("webhook.exists", "Your org has a webhook of this address.", hint="Rotate its secret.")
        if len(own) >= MAX_WEBHOOKS:
            raise APIError("webhook.too-many", f"An org has {MAX_WEBHOOKS} at most.", hint="Delete one first.")
        row = webhooks.register(
            session, org=caller.org, key=caller.key, url=body.url, types=body.types, now=gateway.now(),
            place=events.head(session),
        )  # fmt: skip
        row.secrets = signing.seal(hooks.seals, row.id, [made])
        session.flush()
        shown = _shown(row) | {"secret": made.text}
    response.headers["Cache-Control"] = PRIVATE
    response.headers["Location"] = f"/v1/webhooks/{shown['id']}"
    return shown


@router.get("/v1/webhooks")
def listed(gateway: TheGateway, caller: Member, response: Response) -> dict[str, Any]:
    """List your org's webhooks."""
    response.headers["Cache-Control"] = PRIVATE
    with gateway.database.read() as session:
        return {"object": "list", "data": [_shown(row) for row in webhooks.of_org(session, caller.org)],
                "has_more": False}  # fmt: skip


@router.get("/v1/webhooks/{name}")
def read(name: str, gateway: TheGateway, caller: Member, response: Response) -> dict[str, Any]:
    """Return a webhook."""
    response.headers["Cache-Control"] = PRIVATE
    with gateway.database.read() as session:
        return _shown(_own(session, caller.org, name))


@router.delete("/v1/webhooks/{name}", status_code=204)
def remove(name: str, gateway: TheGateway, caller: Member) -> Response:
    """Delete a webhook with all that waits for it."""
    with gateway.database.write() as session:
        webhooks.remove(session, _own(session, caller.org, name))
    return Response(status_code=204)


@router.post("/v1/webhooks/{name}/secrets", status_code=201)
def rotate(
    name: str, body: RotationIn, gateway: TheGateway, caller: Member, response: Response
) -> dict[str, Any]:  # fmt: skip
    """Make a new secret, shown this once; the old one signs beside it for a while.

    The webhook has the rights of the key that did this from here on.
    """
    hooks, now = _hooks(gateway), gateway.now()
    with gateway.database.write() as session:
        row = _own(session, caller.org, name)
        try:
            before = signing.unseal(hooks.seals, row.id, row.secrets, now)
        except InvalidTag:  # the gateway's key was lost: the new secret is the only one
            before = []
        made, kept = signing.rotate(before, now + dt.timedelta(hours=body.overlap_hours))
        row.secrets, row.key = signing.seal(hooks.seals, row.id, kept), caller.key
        session.add(row)
        shown = _shown(row) | {"secret": made.text}
    response.headers["Cache-Control"] = PRIVATE
    return shown


@router.get("/v1/webhooks/{name}/deliveries")
def deliveries(
    name: str, gateway: TheGateway, caller: Member, response: Response,
    state: Annotated[str | None, Query(pattern="^(waiting|delivered|dead)$")] = None,
    cursor: Annotated[str | None, Query(max_length=300)] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 20,
) -> dict[str, Any]:  # fmt: skip
    """List what was sent, waits or was given up, newest first, with every attempt. Kept for two weeks."""
    response.headers["Cache-Control"] = PRIVATE
    with gateway.database.read() as session:
        row = _own(session, caller.org, name)
        scope = f"deliveries {row.id} {state}"
        before = read_cursor(gateway.secret, scope, cursor)[0] if cursor else None
        found = webhooks.deliveries(session, row.id, state=state, before=before, limit=limit + 1)
        tries = webhooks.attempts(session, found)
        return page(
            found, limit, lambda each: _delivery(each, tries[each.serial or 0]),
            lambda each: write_cursor(gateway.secret, scope, [each.serial or 0]),
        )  # fmt: skip


@router.post("/v1/webhooks/{name}/deliveries/{message}/resend", status_code=202)
def resend(name: str, message: str, gateway: TheGateway, caller: Member) -> dict[str, Any]:
    """Send a delivery again, under the same `webhook-id`, whatever became of it."""
    with gateway.database.write() as session:
        row = _own(session, caller.org, name)
        if row.state != "active":
            raise APIError("webhook.disabled", "Nothing is sent there any more.", hint="Register the address anew.")
        found = webhooks.resend(session, row.id, message[:80], gateway.now())
        if found is None:
            raise not_found()
        return _delivery(found, webhooks.attempts(session, [found])[found.serial or 0])


class EventData(BaseModel):
    """Ids and codes of what happened; new fields may come."""

    object: str = "event"
    kind: str = Field(examples=["FILED"])
    trace: bool
    org: int = Field(description="Org that wrote the entry.")
    block: int
    place: int
    number: int
    claimed_at: str
    rejection: str | None = Field(description="Code of the rejection, on entry.rejected.")
    value: int | None = Field(description="Handle of a master, or number of a hold.")
    first_of_kind: bool = Field(description="The subject's first event of this type.")


class EventOut(BaseModel):
    """Body of a webhook, and data of an event in the stream (names of CloudEvents 1.0)."""

    id: str = Field(description="Resumes the stream behind this event.")
    source: str = Field(examples=["eip155:820250:0x" + "ab" * 20], description="The contract, CAIP-10.")
    type: str = Field(examples=["parcel.cleared"], description="See GET /v1/event-types; skip what you do not know.")
    subject: str = Field(examples=["0x" + "cd" * 32], description="Id of the parcel, order or master.")
    time: str
    timestamp: str = Field(description="The same time, by the name of Standard Webhooks.")
    data: EventData


def document(app: FastAPI) -> None:
    """Describe in the schema what receivers get."""

    @app.webhooks.post("event", summary="Something became final")
    def event(body: EventOut) -> None:
        """Sent with `webhook-id`, `webhook-timestamp` and `webhook-signature` (Standard Webhooks 1.0, scheme v1)."""


def _hooks(gateway: Gateway) -> Hooks:
    if gateway.hooks is None:
        raise not_found()
    return gateway.hooks


def _own(session: Session, org: int, name: str) -> WebhookRow:
    row = webhooks.find(session, org, name[:80])
    if row is None:
        raise not_found()
    return row


def _shown(row: WebhookRow) -> dict[str, Any]:
    return {
        "object": "webhook",
        "id": row.id,
        "url": row.url,
        "types": json.loads(row.types),
        "state": row.state,
        "reason": row.reason,
        "key": hexed(row.key),
        "created_at": instant(row.created_at),
    }


def _delivery(row: DeliveryRow, tries: list[AttemptRow]) -> dict[str, Any]:
    return {
        "object": "delivery",
        "id": row.id,
        "type": row.type,
        "subject": hexed(row.subject),
        "state": row.state,
        "next_attempt_at": instant(row.due) if row.due else None,
        "created_at": instant(row.created_at),
        "attempts": [
            {"at": instant(each.at), "milliseconds": each.milliseconds, "status": each.status, "outcome": each.outcome}
            for each in tries
        ],
        "body": row.body,
    }
