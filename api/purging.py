"""Forgets what is over: challenges, tokens, one-time codes, sessions, and answers kept for repeated requests.

Anybody may ask for a challenge or a code, so without this strangers would fill the database.
"""

from __future__ import annotations

import time
from typing import Final

from api.gateway import Gateway
from ledger.store import access, buyers

PAUSE: Final = 600.0
"""Seconds between two times."""


class Purge:
    """A background job."""

    def __init__(self, gateway: Gateway) -> None:
        """Take the gateway; the first step purges."""
        self._gateway = gateway
        self._next = float("-inf")

    def step(self) -> int:
        """Purge if it is time; return 0, so that the next look comes after the job's pause.

        Raises:
            LedgerError: the database does not answer.
        """
        if time.monotonic() >= self._next:
            with self._gateway.database.write() as session:
                access.purge(session, self._gateway.now())
                buyers.purge(session, self._gateway.now())
            self._next = time.monotonic() + PAUSE
        return 0
