"""A gateway takes so much at once and no more: it pushes back with a code and a time, and keeps room for readers."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import httpx
import pytest

from api.app import create_app
from api.bounds import Bounds
from api.middleware import Frame
from api.problems import APIError
from api.streams import Streams
from tests.api.test_submitter import World, world

__all__ = ["world"]


class Slow:
    """An application that answers when it is told to."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.inside = asyncio.Semaphore(0)

    async def held(self, count: int) -> None:
        """Wait until so many more requests came in."""
        async with asyncio.timeout(10):
            for _ in range(count):
                await self.inside.acquire()

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        self.inside.release()
        await self.go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["path"].encode()})


def client(app: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://gateway")


def is_push_back(answer: httpx.Response) -> bool:
    return (
        answer.status_code == 503
        and int(answer.headers["Retry-After"]) >= 1
        and answer.headers["Content-Type"] == "application/problem+json"
        and answer.json()["code"] == "api.busy"
    )


async def test_beyond_the_bound_requests_are_pushed_back_and_health_is_told() -> None:
    slow = Slow()
    async with client(Frame(slow, Bounds(requests=3, writes=2))) as http:
        held = [asyncio.create_task(http.get(f"/v1/parcels/{number}")) for number in range(3)]
        await slow.held(3)
        assert is_push_back(await http.get("/v1/parcels/3"))
        watching = asyncio.create_task(http.get("/readyz"))
        await slow.held(1)
        slow.go.set()
        assert [answer.status_code for answer in [*(await asyncio.gather(*held)), await watching]] == [200] * 4
        assert (await http.get("/v1/parcels/3")).status_code == 200, "places are free again"


async def test_writes_leave_room_for_readers() -> None:
    slow = Slow()
    async with client(Frame(slow, Bounds(requests=3, writes=2))) as http:
        held = [asyncio.create_task(http.post("/v1/batches", content=b"x")) for _ in range(2)]
        await slow.held(2)
        assert is_push_back(await http.post("/v1/batches", content=b"x"))
        assert is_push_back(await http.put("/v1/payloads/0x00", content=b"x"))
        held.append(asyncio.create_task(http.get("/v1/buyer/uses")))
        await slow.held(1)
        slow.go.set()
        assert [answer.status_code for answer in await asyncio.gather(*held)] == [200] * 3


async def test_places_of_requests_that_break_are_free_again() -> None:
    async def broken(_scope: Any, _receive: Any, _send: Any) -> None:
        raise ZeroDivisionError

    async with client(Frame(broken, Bounds(requests=1))) as http:
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                await http.get("/v1/parcels/1")


def test_streams_of_all_keys_are_bounded() -> None:
    streams = Streams(each=2, everybody=3)
    for who in ("a", "a", "b"):
        streams.enter(who)
    with pytest.raises(APIError) as refused:
        streams.enter("c")
    assert (refused.value.code, refused.value.retry_after) == ("api.busy", 30)
    streams.leave("a")
    streams.enter("c")


async def test_a_gateway_counts_what_it_pushes_back(world: World) -> None:
    app = create_app(replace(world.gateway, bounds=Bounds(requests=0)))
    async with client(app) as http:
        assert is_push_back(await http.get("/v1/chain"))
        told = (await http.get("/metrics")).text
    assert 'clearance_pushed_back_total{code="api.busy"}' in told
