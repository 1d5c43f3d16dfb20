"""The stream of events (SSE), read so that nothing is missed: it connects again and resumes behind the last event."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Final, Protocol

import httpx
from httpx_sse import ServerSentEvent, SSEError, aconnect_sse

from clients.sdk.models import Event, read_event
from clients.sdk.problems import Problem, Unexpected, Unreachable

SILENCE: Final = 60.0
"""Seconds without a byte after which the connection is taken for dead; the gateway sends something every 15."""
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 30.0
AGAIN: Final = frozenset({401, 429, 500, 502, 503, 504})
"""Statuses after which it is tried again."""


class Authorize(Protocol):
    """Returns the header that says who calls."""

    async def __call__(self, *, used: str = "") -> dict[str, str]:
        """Return the header; `used` is one the gateway does not take any more."""
        ...


class EventStream:
    """Events as they become final: iterate over it with `async for`.

    An event counts as handled when the next one is asked for: who stops before that gets it again.

    Attributes:
        cursor: resumes behind everything heard so far, quiet stretches too; keep it to go on in another process.
    """

    def __init__(
        self, http: httpx.AsyncClient, authorize: Authorize, after: str, types: tuple[str, ...],
        patience: float | None,
    ) -> None:  # fmt: skip
        """Take what :meth:`clients.sdk.client.Client.events` was given."""
        self.cursor = after
        self._http, self._authorize, self._types, self._patience = http, authorize, types, patience
        self._pause = FIRST_PAUSE
        self._used = ""
        self._heard = time.monotonic()

    async def __aiter__(self) -> AsyncIterator[Event]:
        """Yield events.

        Raises:
            Problem: the gateway refuses the stream for good.
            Unreachable: no connection for as long as `patience`.
        """
        while True:
            wait: float | None = None
            try:
                async with aclosing(self._connected()) as connected:
                    async for each in connected:
                        yield each
            except Problem as problem:
                if problem.status not in AGAIN:
                    raise
                self._check_patience()
                wait = problem.retry_after
            except (httpx.HTTPError, SSEError, Unreachable):
                self._check_patience()
            await asyncio.sleep(self._pause * random.uniform(0.5, 1.0) if wait is None else wait)
            self._pause = min(self._pause * 2, LONGEST_PAUSE)

    def _check_patience(self) -> None:
        if self._patience is not None and time.monotonic() - self._heard > self._patience:
            raise Unreachable("The stream of events does not come back.", hint="Resume it later by its cursor.")

    async def _connected(self) -> AsyncGenerator[Event, None]:
        """Yield the events of one connection."""
        headers = await self._authorize(used=self._used)
        self._used = ""
        started = self.cursor == "start"
        query: dict[str, str | list[str]] = {"type": list(self._types)} | ({"after": "start"} if started else {})
        if self.cursor and not started:
            headers = headers | {"Last-Event-ID": self.cursor}
        timeout = httpx.Timeout(self._http.timeout.connect, read=SILENCE)
        async with aconnect_sse(
            self._http, "GET", "/v1/events", params=query, headers=headers, timeout=timeout
        ) as source:
            if source.response.status_code != 200:
                await source.response.aread()
                if source.response.status_code == 401:
                    self._used = headers["Authorization"]
                raise Problem(source.response)
            async for each in source.aiter_sse():
                self._heard, self._pause = time.monotonic(), FIRST_PAUSE
                if each.data:
                    event = _read(each)
                    yield event
                self.cursor = each.id or self.cursor


def _read(each: ServerSentEvent) -> Event:
    try:
        told = json.loads(each.data)
    except ValueError as error:
        raise Unexpected("An event is no JSON.", hint="Use a client of the gateway's version.") from error
    return read_event(told)
