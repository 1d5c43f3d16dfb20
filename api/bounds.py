"""How much one gateway process takes at once: beyond it callers are pushed back, and its memory stays bounded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

WRITERS: Final = 16
"""Threads that put batches into the outbox: they take turns at the database anyway, and the others serve reads."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Settings of one gateway; the defaults suit a machine with 1 GB for it.

    Attributes:
        batches: in the outbox that are not visible yet, 64 KiB each at most; kept in the database, sent in small pages.
        stops: batches of stops taken beyond that: a flood of filings must not keep a stop out.
        requests: in work at once, event streams apart; each holds its body, 300 KiB at most.
        writes: of these that bring batches or payloads: the rest is kept for readers and for people.
        waits: requests with `Prefer: wait` that are held back; others are answered at once.
        streams: open event streams of all keys together.
    """

    batches: int = 2_000
    stops: int = 200
    requests: int = 256
    writes: int = 192
    waits: int = 64
    streams: int = 400

    @classmethod
    def of(cls, batches: int | None = None, requests: int | None = None, streams: int | None = None) -> Bounds:
        """Return the usual bounds but for what is given; of the requests three quarters may be writes."""
        usual = cls()
        requests = requests or usual.requests
        return cls(
            batches=batches or usual.batches, requests=requests, writes=max(1, requests * 3 // 4),
            streams=streams or usual.streams,
        )  # fmt: skip


class Places:
    """Places of which so many can be taken at once. One event loop uses them, so they need no lock."""

    def __init__(self, limit: int) -> None:
        """Start with all of them free."""
        self._limit = limit
        self.taken = 0

    def take(self) -> bool:
        """Take a place; return whether there was one."""
        if self.taken >= self._limit:
            return False
        self.taken += 1
        return True

    def free(self) -> None:
        """Give a place back."""
        self.taken -= 1
