"""`Idempotency-Key` on writes (draft-ietf-httpapi-idempotency-key-header-07): the first answer is given for a day.

A signed batch needs none, its hash is one; a key saves what has no name of its own. An answer that was never finished
(the process died) is made anew after a minute: every write beneath is idempotent.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute

from api.gateway import Gateway
from api.problems import APIError
from ledger.store import access, idempotency

UNFINISHED: Final = dt.timedelta(minutes=1)
KEPT_HEADERS: Final = ("location", "content-type", "preference-applied")


class IdempotentRoute(APIRoute):
    """A route whose POST answers are kept under the caller's idempotency key."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler."""
        inner = super().get_route_handler()

        async def handler(request: Request) -> Response:
            key = request.headers.get("idempotency-key")
            caller = await run_in_threadpool(_caller, request) if key and request.method == "POST" else None
            if not key or caller is None:
                return await inner(request)
            if not 1 <= len(key) <= 255:
                raise APIError("api.malformed", "An idempotency key has 1 to 255 characters.", hint="Send a UUID.")
            return await _once(request, inner, caller, key)

        return handler


async def _once(request: Request, inner: Callable[[Request], Any], caller: str, key: str) -> Response:
    gateway: Gateway = request.app.state.gateway
    told = f"{request.method} {request.url.path}".encode() + b"\0" + await request.body()
    fingerprint = hashlib.sha256(told).digest()
    kept = await run_in_threadpool(_begin, gateway, caller, key, fingerprint)
    if kept is not None:
        return kept
    try:
        response: Response = await inner(request)
    except BaseException:
        await run_in_threadpool(_drop, gateway, caller, key)
        raise
    await run_in_threadpool(_finish, gateway, caller, key, response)
    return response


def _caller(request: Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return None
    gateway: Gateway = request.app.state.gateway
    with gateway.database.read() as session:
        found = access.caller_of(session, token, gateway.now())
    return found.name if found else None


def _begin(gateway: Gateway, caller: str, key: str, fingerprint: bytes) -> Response | None:
    now = gateway.now()
    with gateway.database.write() as session:
        row = idempotency.begin(session, caller, key, fingerprint, now, now - UNFINISHED)
        if row is None:
            return None
        if row.fingerprint != fingerprint:
            raise APIError(
                "idempotency.mismatch", "This key was used for another request.", hint="Make a new key for each write."
            )
        if row.status is None:
            raise APIError("idempotency.running", "The first request is being handled.", hint="Ask again in a second.")
        headers = json.loads(row.headers) | {"Idempotent-Replayed": "true"}
        return Response(row.body, row.status, headers)


def _finish(gateway: Gateway, caller: str, key: str, response: Response) -> None:
    headers = {name: value for name, value in response.headers.items() if name in KEPT_HEADERS}
    with gateway.database.write() as session:
        idempotency.finish(session, caller, key, response.status_code, json.dumps(headers), bytes(response.body))


def _drop(gateway: Gateway, caller: str, key: str) -> None:
    with gateway.database.write() as session:
        idempotency.drop(session, caller, key)
