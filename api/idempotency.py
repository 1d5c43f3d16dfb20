"""`Idempotency-Key` on writes (draft-ietf-httpapi-idempotency-key-header-07): the first answer is given for a day.

A signed batch needs none, its hash is one, nor does a holder's answer, whose statement has a nonce; a key saves what
has no name of its own: a webhook, its secret, a delivery sent again. An answer that was never finished (the process
died) is made anew after a minute. Answers are kept sealed: one may hold a secret that is shown once. A restored gateway
has a new key: what was kept before opens no more, and only what changes nothing by being done again is done again.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
from collections.abc import Callable, Coroutine
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute

from api.gateway import Gateway
from api.limits import spend
from api.problems import APIError
from ledger.payloads import derive
from ledger.store import access, idempotency

SAME_AGAIN: Final = frozenset({"/v1/batches"})
"""Paths of requests that are one however often they come."""
UNFINISHED: Final = dt.timedelta(minutes=1)
KEPT_HEADERS: Final = ("location", "content-type", "preference-applied", "cache-control")
NONCE: Final = 12
PARAMETER: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "A key of your own, a UUID say. The same request under it gets the first answer for a day, marked"
    " `Idempotent-Replayed`; another request is refused (422), so is the same while the first is in work (409).",
}
"""How the schema tells of the header."""


class IdempotentRoute(APIRoute):
    """A route whose POST answers are kept under the caller's idempotency key."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        """Make the route; the schema tells of the header where it counts."""
        if "POST" in (options.get("methods") or ()):
            extra = options.get("openapi_extra") or {}
            options["openapi_extra"] = extra | {"parameters": [PARAMETER]}
        super().__init__(path, endpoint, **options)

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
    again = request.url.path in SAME_AGAIN
    kept = await run_in_threadpool(_begin, gateway, caller, key, fingerprint, again=again)
    if kept is not None:
        spend(request, "write", caller)
        return kept
    try:
        response: Response = await inner(request)
    except BaseException:
        await run_in_threadpool(_drop, gateway, caller, key)
        raise
    await run_in_threadpool(_finish, gateway, caller, key, fingerprint, response)
    return response


def _caller(request: Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return None
    gateway: Gateway = request.app.state.gateway
    with gateway.database.read() as session:
        found = access.caller_of(session, token, gateway.now())
    return found.name if found else None


def _begin(gateway: Gateway, caller: str, key: str, fingerprint: bytes, *, again: bool) -> Response | None:
    """Return the kept answer, or None: the request is to be handled.

    Raises:
        APIError: the key is of another request, of one in work, or of one whose answer opens no more and that must not
            be done `again`.
    """
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
        try:
            body = _opened(gateway, row.body, fingerprint)
        except InvalidTag as error:
            if again:
                return None
            raise APIError(
                "idempotency.sealed", "The request was carried out, and its answer cannot be opened any more.",
                hint="Look at what stands. To have it done again, send a new key.",
            ) from error  # fmt: skip
        return Response(body, row.status, headers)


def _finish(gateway: Gateway, caller: str, key: str, fingerprint: bytes, response: Response) -> None:
    headers = {name: value for name, value in response.headers.items() if name in KEPT_HEADERS}
    body = _sealed(gateway, bytes(response.body), fingerprint)
    with gateway.database.write() as session:
        idempotency.finish(session, caller, key, response.status_code, json.dumps(headers), body)


def _cipher(gateway: Gateway) -> ChaCha20Poly1305:
    return ChaCha20Poly1305(derive(gateway.secret, "kept answers"))


def _sealed(gateway: Gateway, body: bytes, fingerprint: bytes) -> bytes:
    nonce = os.urandom(NONCE)
    return nonce + _cipher(gateway).encrypt(nonce, body, fingerprint)


def _opened(gateway: Gateway, kept: bytes, fingerprint: bytes) -> bytes:
    return _cipher(gateway).decrypt(kept[:NONCE], kept[NONCE:], fingerprint)


def _drop(gateway: Gateway, caller: str, key: str) -> None:
    with gateway.database.write() as session:
        idempotency.drop(session, caller, key)
