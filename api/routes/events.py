"""Events as they become final: a stream that resumes, and the same entries as a list."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.sse import EventSourceResponse, ServerSentEvent

from api.auth import Credentials, Member, TheGateway
from api.cursors import MAX_LIMIT, read_cursor, write_cursor
from api.events import envelope, read_place, write_place
from api.gateway import Gateway
from api.problems import APIError
from api.routes import shown
from api.streams import StreamRoute, Streams
from ledger.domain.event_types import ALL_TYPES
from ledger.store import access, events
from ledger.store.access import Caller

router = APIRouter(tags=["events"])
streaming = APIRouter(tags=["events"], route_class=StreamRoute)
PAGE: Final = 100
"""Entries read at once for a stream: what waits in memory for one client."""
RETRY: Final = 2_000
"""Milliseconds after which a client connects again."""


@router.get("/v1/entries")
def listed(
    gateway: TheGateway, caller: Member, response: Response,
    cursor: Annotated[str | None, Query(max_length=300)] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 20,
) -> dict[str, Any]:  # fmt: skip
    """List entries of final blocks in the order of the chain.

    Yours, rejected ones too; accepted ones about parcels you may read, orders you recorded or were handed, and masters
    you opened. A page may be short, or empty, while `has_more` is true: then the chain was looked through up to
    `next_cursor`. On the last page `next_cursor` is where new entries will follow.
    """
    response.headers["Cache-Control"] = "private, no-store"
    scope = f"entries {caller.org}"
    height, place, number = read_cursor(gateway.secret, scope, cursor) if cursor else events.START[:3]
    with gateway.database.read() as session:
        found = events.entries(session, caller, (height, place, number), limit)
        return {
            "object": "list",
            "data": [shown.entry(each) for each in found.entries],
            "has_more": found.more,
            "next_cursor": write_cursor(gateway.secret, scope, found.through),
        }


def _place(
    gateway: TheGateway, caller: Member,
    after: Annotated[str, Query(max_length=300, description="As Last-Event-ID, or `start` for all there is.")] = "",
    last_event_id: Annotated[str, Header(max_length=300, description="Resume behind this event.")] = "",
) -> events.Place | None:  # fmt: skip
    """Return the place a stream begins behind, None for now; what the client heard last wins over the address."""
    given = last_event_id or after
    if given == "start":
        return events.START
    return read_place(gateway, caller.org, given) if given else None


def _types(
    type: Annotated[list[str] | None, Query(max_length=40, description="Only these types.")] = None,  # noqa: A002
) -> frozenset[str]:
    """Return the types asked for, all of them if none are named.

    Raises:
        APIError: a type that is none.
    """
    unknown = sorted(set(type or ()) - set(ALL_TYPES))
    if unknown:
        raise APIError("api.malformed", "An event type is unknown.", hint="See GET /v1/event-types.")
    return frozenset(type or ALL_TYPES)


async def _slot(request: Request, caller: Member) -> AsyncIterator[Streams]:
    streams: Streams = request.app.state.streams
    streams.enter(caller.name)
    try:
        yield streams
    finally:
        streams.leave(caller.name)


@streaming.get("/v1/events", response_class=EventSourceResponse)
async def stream(
    gateway: TheGateway, caller: Member, given: Credentials, streams: Annotated[Streams, Depends(_slot)],
    place: Annotated[events.Place | None, Depends(_place)], types: Annotated[frozenset[str], Depends(_types)],
) -> AsyncIterator[ServerSentEvent]:  # fmt: skip
    """Stream events as they become final, from now on or behind Last-Event-ID.

    The `id` of an event resumes behind it. An event without data only moves that place. The stream ends with its
    token, when the client is too slow, and when the service stops: sign in if need be, and resume.
    """
    token = given.credentials if given else ""
    quiet_since = time.monotonic()
    welcomed = False
    while not streams.closing:
        found = await run_in_threadpool(_read, gateway, caller, token, place)
        if found is None:
            yield ServerSentEvent(comment="the token is over: sign in and resume")
            return
        if not welcomed:  # the client knows where to resume before anything has happened
            yield ServerSentEvent(comment="welcome", id=_id(gateway, caller, place or found.through), retry=RETRY)
        place = found.through
        for each in found.events:
            if each.type in types:
                shown_event = envelope(gateway, caller.org, each)
                yield ServerSentEvent(data=shown_event, event=each.type, id=shown_event["id"])
                quiet_since = time.monotonic()
        if time.monotonic() - quiet_since >= streams.heartbeat:
            yield ServerSentEvent(comment="heartbeat", id=_id(gateway, caller, place))
            quiet_since = time.monotonic()
        welcomed = True
        if not found.more:
            await streams.wait_above(gateway.database, found.height)


def _id(gateway: Gateway, caller: Caller, place: events.Place) -> str:
    return write_place(gateway, caller.org, place)


def _read(gateway: Gateway, caller: Caller, token: str, after: events.Place | None) -> events.EventPage | None:
    """Return the next events, None if the session is over; without a place nothing but where now is."""
    with gateway.database.read() as session:
        if access.ends_at(session, token, gateway.now()) is None:
            return None
        if after is None:
            now = events.head(session)
            return events.EventPage((), now, more=False, height=now[0])
        return events.events(session, caller, after, PAGE)


@router.get("/v1/event-types")
def types_known(caller: Member) -> dict[str, Any]:  # noqa: ARG001  members only
    """List the types of events. New ones may come: skip what you do not know."""
    return {"object": "list", "data": list(ALL_TYPES), "has_more": False}
