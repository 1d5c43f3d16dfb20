"""Clocks: the machine's, and the logical one of replays."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Says what time it is."""

    def now(self) -> int:
        """Return seconds UTC."""
        ...


class SystemClock:
    """The machine's clock, never running back within a process."""

    def __init__(self) -> None:
        """Start at the present."""
        self._latest = 0

    def now(self) -> int:
        """Return seconds UTC."""
        self._latest = max(self._latest, int(time.time()))
        return self._latest


class LogicalClock:
    """Moves only when told: to the next event, once every accepted batch is included and every party has acted."""

    def __init__(self, start: int) -> None:
        """Start at a time, seconds UTC."""
        self._now = start

    def now(self) -> int:
        """Return seconds UTC."""
        return self._now

    def move_to(self, moment: int) -> None:
        """Move on.

        Raises:
            ValueError: `moment` lies in the past.
        """
        if moment < self._now:
            raise ValueError(f"the clock stands at {self._now} and does not run back to {moment}")
        self._now = moment
