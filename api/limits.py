"""How often one identity may ask: by member key or buyer, and by address where nobody is signed in yet."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping
from ipaddress import IPv6Address, ip_address
from typing import Final

from fastapi import Request
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from api.problems import APIError
from ledger.domain.errors import LedgerError

LIMITS: Final[Mapping[str, str]] = {
    "public": "600/minute",
    "sign-in": "600/minute",
    "bad-token": "600/minute",
    "write": "6000/minute",
    "read": "6000/minute",
    "buyer": "240/minute",
    "code": "10/hour",
    "code-address": "60/hour",
    "plain-code": "20/hour",
}
"""Requests by class and identity, unless a gateway is told others (`clearance api run --rate`).

`write` and `read` count member keys, `buyer` holders of numbers. `public`, `sign-in` (of members: 300 an address and
minute), `bad-token` (tokens that open nothing) and `code-address` count addresses, each by itself: a script with an old
token locks nobody at its address out of sign-in. `code` counts one-time codes of a
number and an address or of a proof of sign-in, `plain-code` those of a number whoever asks (`api.identity.familiar`).
"""


def read_rates(texts: Iterable[str]) -> dict[str, str]:
    """Read rates as an operator gives them: `read=100/second`.

    Raises:
        LedgerError: no class of the table, or no rate.
    """
    found = {}
    for text in texts:
        name, _, rate = text.partition("=")
        try:
            parse(rate)
        except ValueError:
            name = ""
        if name not in LIMITS:
            raise LedgerError(
                f"{text[:60]} is no rate.", hint=f"Write {', '.join(LIMITS)} and a rate: read=6000/minute, say."
            )
        found[name] = rate
    return found


class RateLimits:
    """Counters of one gateway process."""

    def __init__(self, rates: Mapping[str, str] | None = None) -> None:
        """Start with nothing spent; `rates` stand before those of the table."""
        self._counters = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._told = {**LIMITS, **(rates or {})}
        self._limits: dict[str, RateLimitItem] = {name: parse(rule) for name, rule in self._told.items()}

    def is_within(self, what: str, who: str) -> bool:
        """Count a request, and say whether there were not too many: for what is answered otherwise, not refused."""
        return self._counters.hit(self._limits[what], what, who)

    def spend(self, what: str, who: str) -> None:
        """Count a request.

        Raises:
            APIError: too many.
        """
        rule = self._limits[what]
        if not self._counters.hit(rule, what, who):
            reset = self._counters.get_window_stats(rule, what, who).reset_time
            seconds = max(1, math.ceil(reset - time.time()))
            raise APIError(
                "api.rate-limited", f"More than {self._told[what]} requests.", hint="Wait as Retry-After says.",
                retry_after=min(seconds, 3_600),
            )  # fmt: skip


def source_of(request: Request) -> str:
    """Return what counts as one address: a household has a whole network of IPv6.

    An IPv4 address that a socket of both kinds shows within IPv6 (RFC 4291 2.5.5.2) is that IPv4 address.
    """
    address = request.client.host if request.client else ""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped) if found.ipv4_mapped else found.exploded[:19]
    return str(found)


def spend(request: Request, what: str, who: str) -> None:
    """Count a request of an identity.

    Raises:
        APIError: too many.
    """
    limits: RateLimits = request.app.state.limits
    limits.spend(what, who)


def spend_bad_token(request: Request) -> None:
    """Count a request whose token opens nothing, by address."""
    spend(request, "bad-token", source_of(request))


async def spend_public(request: Request) -> None:
    """Count a request of somebody who is not signed in, by address."""
    spend(request, "public", source_of(request))


async def spend_sign_in(request: Request) -> None:
    """Count a step of a member's sign-in, by address: no key is known yet, and a challenge is a row."""
    spend(request, "sign-in", source_of(request))
