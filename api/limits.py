"""How often one identity may ask: by member key or buyer, and by address where nobody is signed in yet."""

from __future__ import annotations

import math
import time
from typing import Final

from fastapi import Request
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from api.auth import Member
from api.problems import APIError

LIMITS: Final = {
    "public": "600/minute",
    "write": "6000/minute",
    "read": "6000/minute",
    "buyer": "240/minute",
    "code": "10/hour",
    "code-address": "60/hour",
    "plain-code": "20/hour",
}
"""Requests by class and identity. `public` and `code-address` count addresses, `code` one-time codes of a number and an
address or of a proof of sign-in, `plain-code` those of a number whoever asks (`api.identity.familiar`)."""


class RateLimits:
    """Counters of one gateway process."""

    def __init__(self) -> None:
        """Start with nothing spent."""
        self._counters = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._limits: dict[str, RateLimitItem] = {name: parse(rule) for name, rule in LIMITS.items()}

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
                "api.rate-limited", f"More than {LIMITS[what]} requests.", hint="Wait as Retry-After says.",
                retry_after=min(seconds, 3_600),
            )  # fmt: skip


async def spend_write(request: Request, caller: Member) -> None:
    """Count a write of a member."""
    limits: RateLimits = request.app.state.limits
    limits.spend("write", caller.name)
