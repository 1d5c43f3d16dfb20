"""One attempt to send, and when the next one follows."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Final

import httpx

from api.webhooks.guard import AddressRefused, Guard

SECONDS: Final = 15.0
"""An attempt takes no longer, whatever the other side does (the specification asks for 15 to 30)."""
CONNECT_SECONDS: Final = 5.0
DELAYS: Final = (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Seconds before each attempt: at once, 5 s, 5 min, 30 min, 2, 5, 10, 14, 20 and 24 h (Standard Webhooks 1.0)."""
JITTER: Final = 0.2
"""Part by which a delay may be longer, so that what failed together does not come back together."""
LONGEST_WAIT: Final = 86_400.0
"""Seconds of a Retry-After that are honoured at most."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt went.

    Attributes:
        code: delivered, gone, redirect, http (another status), timeout, unreachable, address, secret or fault.
        status: HTTP status, if there was one.
        retry_after: seconds the receiver asked for.
    """

    code: str
    status: int | None = None
    milliseconds: int = 0
    retry_after: float | None = None


def send(guard: Guard, url: str, headers: Mapping[str, str], body: str, seconds: float = SECONDS) -> Outcome:
    """Send once; whatever happens is an outcome."""
    began = time.monotonic()

    def took(code: str, status: int | None = None, retry_after: float | None = None) -> Outcome:
        return Outcome(code, status, round((time.monotonic() - began) * 1_000), retry_after)

    try:
        target = guard.read(url)
        address = guard.pin(target)
        told = {**headers, "host": target.authority}
        answer = asyncio.run(asyncio.wait_for(_post(target.at(address), target.host, told, body), seconds))
    except AddressRefused:
        return took("address")
    except (TimeoutError, httpx.TimeoutException):
        return took("timeout")
    except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError):
        return took("unreachable")
    status = answer.status_code
    retry_after = wait_of(answer.headers.get("retry-after", ""), dt.datetime.now(dt.UTC))
    if 200 <= status < 300:
        return took("delivered", status)
    if status == 410:
        return took("gone", status)
    return took("redirect" if 300 <= status < 400 else "http", status, retry_after)


@cache
def _authorities() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)


async def _post(url: str, host: str, headers: Mapping[str, str], body: str) -> httpx.Response:
    """Post to an IP address under a name: certificates are checked against the name, answers are not read."""
    patience = httpx.Timeout(SECONDS, connect=CONNECT_SECONDS)
    async with (
        httpx.AsyncClient(verify=_authorities(), trust_env=False, follow_redirects=False, timeout=patience) as client,
        client.stream(
            "POST", url, headers=dict(headers), content=body.encode(), extensions={"sni_hostname": host}
        ) as answer,
    ):
        return answer


def wait_of(header: str, now: dt.datetime) -> float | None:
    """Return the seconds that a Retry-After header asks for (RFC 9110, 10.2.3), None if it says nothing."""
    if header.strip().isdecimal():
        return min(float(header), LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(header)
    except (TypeError, ValueError):
        return None
    if moment.tzinfo is None:
        return None
    return min(max((moment - now).total_seconds(), 0.0), LONGEST_WAIT)


def next_due(attempts: int, now: dt.datetime, retry_after: float | None, dice: random.Random) -> dt.datetime | None:
    """Return when a delivery that failed so many times is tried again, None when that was the last time."""
    if attempts >= len(DELAYS):
        return None
    wait = DELAYS[attempts] * (1 + JITTER * dice.random())
    return now + dt.timedelta(seconds=max(wait, retry_after or 0.0))
