"""Around every request: an id, a bound on the body, headers that make browsers careful, one log line, one count."""

from __future__ import annotations

import re
import secrets
import time
from typing import Any, Final

import structlog
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.bounds import Bounds, Places
from api.metrics import BUSY, REQUESTS, SECONDS
from api.problems import problem

log = structlog.get_logger("clearance.api")

MAX_BODY: Final = 300 << 10
"""Bytes of a request: the largest batch as hex in JSON, with room."""
WRITES: Final = ("/v1/batches", "/v1/payloads/")
NEVER_BUSY: Final = frozenset({"/livez", "/readyz", "/metrics", "/v1/events"})
"""Answered however busy it is: what watches the process, and event streams, which are counted apart."""
SAFE_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (
        b"content-security-policy",
        b"default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    ),
)


class TooLarge(HTTPException):
    """The body is over the bound. Of all errors while a body is read FastAPI passes this kind on as it is."""

    def __init__(self) -> None:
        """Take the bound."""
        super().__init__(413, f"More than {MAX_BODY} bytes.")


class Frame:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp, bounds: Bounds) -> None:
        """Wrap an application."""
        self._app = app
        self._all, self._writes = Places(bounds.requests), Places(bounds.writes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["request_id"] = request_id(scope)
        began = time.perf_counter()
        status = 500

        async def framed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = (b"x-request-id", scope["request_id"].encode())
                message["headers"] = [*message["headers"], *HEADERS, own]
            await send(message)

        try:
            await self._admit(scope, receive, framed)
        finally:
            note(scope, status, time.perf_counter() - began)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or push it back before its body is read."""
        if scope["path"] in NEVER_BUSY:
            await self._app(scope, bounded(receive), send)
            return
        taken = [places for places in self._wanted(scope) if places.take()]
        try:
            if len(taken) == len(self._wanted(scope)):
                BUSY.set(self._all.taken)
                await self._app(scope, bounded(receive), send)
            else:
                answer = problem(
                    "api.busy", "Too many requests are in work.", "Send it again as Retry-After says.",
                    request_id=scope["request_id"],
                )  # fmt: skip
                await answer(scope, receive, send)
        finally:
            for places in taken:
                places.free()
            BUSY.set(self._all.taken)

    def _wanted(self, scope: Scope) -> tuple[Places, ...]:
        writes = scope["method"] in ("POST", "PUT") and scope["path"].startswith(WRITES)
        return (self._writes, self._all) if writes else (self._all,)


def bounded(receive: Receive) -> Receive:
    """Return a receiver that stops reading a body over the bound."""
    size = 0

    async def counted() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > MAX_BODY:
            raise TooLarge
        return message

    return counted


def request_id(scope: Scope) -> str:
    """Return the caller's request id if it is harmless, else a fresh one."""
    given = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
    return given if SAFE_ID.fullmatch(given) else secrets.token_hex(8)


def note(scope: Scope, status: int, seconds: float) -> None:
    """Count and log a request by its route, never by its path or query: those may name a person or parcel."""
    route: Any = scope.get("route")
    path = getattr(route, "path", "none")
    REQUESTS.labels(path, scope["method"], str(status)).inc()
    SECONDS.labels(path).observe(seconds)
    log.info(
        "request", request_id=scope["request_id"], method=scope["method"], route=path, status=status,
        milliseconds=round(seconds * 1_000, 1), caller=scope.get("caller"),
    )  # fmt: skip
