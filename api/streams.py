"""Open event streams: how many one key may have, when there is something new for them, and how they end.

A stream keeps no queue of its own: it reads the next page when the client has taken the last one, so what waits for a
client is one page and what the sockets hold. A client that takes nothing for a while is let go; it resumes by its last
event's id.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import anyio
from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute
from starlette.types import Message, Receive, Scope, Send

from api.metrics import STREAMS
from api.problems import APIError
from ledger.store.database import Database
from ledger.store.projector import cursor_height


@dataclass(slots=True)
class Streams:
    """The streams of one gateway process. Times in seconds.

    Attributes:
        each: streams that one key may have open.
        everybody: streams that all keys together may have open.
        poll: between two looks whether there are new rows, for all streams together.
        look: after which a quiet stream looks all the same, for a session that was ended.
        heartbeat: of quiet after which a comment is sent.
        stall: after which a client that takes nothing is let go.
    """

    each: int = 4
    everybody: int = 400
    poll: float = 0.05
    look: float = 5.0
    heartbeat: float = 15.0
    stall: float = 30.0
    closing: bool = False
    _open: Counter[str] = field(default_factory=Counter)
    _height: int = -1
    _looked: float = float("-inf")
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def enter(self, who: str) -> None:
        """Count a stream.

        Raises:
            APIError: this key has enough of them, or all keys together.
        """
        if self._open.total() >= self.everybody:
            raise APIError("api.busy", "Too many event streams are open.", hint="Try again later.", retry_after=30)
        if self._open[who] >= self.each:
            raise APIError(
                "events.too-many-streams", f"This key has {self.each} streams open.", hint="Close one of them first.",
                retry_after=5,
            )  # fmt: skip
        self._open[who] += 1
        STREAMS.inc()

    def leave(self, who: str) -> None:
        """Count a stream that ended."""
        self._open[who] -= 1
        if not self._open[who]:
            del self._open[who]
        STREAMS.dec()

    def open(self, who: str) -> int:
        """Return how many streams a key has open."""
        return self._open[who]

    def close(self) -> None:
        """Let every stream end: the process stops, and clients resume at the next one."""
        self.closing = True

    async def wait_above(self, database: Database, height: int) -> None:
        """Wait until the read model stands above a height, for `look` seconds at most; no session is held."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self.look
        while not self.closing and loop.time() < end:
            if await self._newest(database) > height:
                return
            await asyncio.sleep(self.poll)

    async def _newest(self, database: Database) -> int:
        loop = asyncio.get_running_loop()
        async with self._lock:
            if loop.time() - self._looked >= self.poll:
                self._height = await run_in_threadpool(_height_of, database)
                self._looked = loop.time()
            return self._height


def _height_of(database: Database) -> int:
    with database.read() as session:
        return cursor_height(session)


class _Stalled(Exception):
    """The client takes nothing."""


class _LetGo(Response):
    """A streaming answer that ends when its client takes nothing for too long."""

    def __init__(self, inner: Response, seconds: float) -> None:
        self._inner, self._seconds = inner, seconds
        self.status_code, self.background, self.raw_headers = inner.status_code, None, inner.raw_headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def bounded(message: Message) -> None:
            with anyio.move_on_after(self._seconds) as waiting:
                await send(message)
            if waiting.cancelled_caught:
                raise _Stalled

        try:
            await self._inner(scope, receive, bounded)
        except _Stalled:
            return  # the server closes the connection; what the client did not take it asks for again


class StreamRoute(APIRoute):
    """A route whose answer is a stream that slow clients cannot hold open."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler."""
        inner = super().get_route_handler()

        async def handler(request: Request) -> Response:
            streams: Streams = request.app.state.streams
            return _LetGo(await inner(request), streams.stall)

        return handler
