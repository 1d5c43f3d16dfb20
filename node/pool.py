"""The bounded queue of accepted batches and raw transactions, stops first, durable before anything is promised."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ledger.chain.batch import Batch
from ledger.domain.errors import LedgerError
from ledger.domain.limits import STOP_LANE
from node.rules import is_stop
from node.store import Space, Store

BATCH_TAG: Final = b"B"
RAW_TAG: Final = b"T"
HEADER_BYTES: Final = 1 + 3 * 8 + 65


class PoolFull(LedgerError):
    """Push-back: the queue is full for now."""

    code = "pool.full"


@dataclass(frozen=True, slots=True)
class Queued:
    """One thing that waits for a block: a batch, or a raw transaction."""

    number: int
    batch: Batch | None
    raw: bytes

    @property
    def stop(self) -> bool:
        """Whether it stands before all others."""
        return self.batch.lane == STOP_LANE if self.batch else is_stop(self.raw)

    @property
    def size(self) -> int:
        """Bytes it takes."""
        return HEADER_BYTES + len(self.batch.entries) if self.batch else len(self.raw)

    def encode(self) -> bytes:
        """Return the bytes kept in the store."""
        if self.batch is None:
            return RAW_TAG + self.raw
        batch = self.batch
        numbers = b"".join(value.to_bytes(8, "big") for value in (batch.lane, batch.seq, batch.not_after))
        return BATCH_TAG + numbers + batch.signature + batch.entries

    @classmethod
    def decode(cls, number: int, data: bytes) -> Queued:
        """Read what :meth:`encode` gave."""
        if data[:1] == RAW_TAG:
            return cls(number, None, data[1:])
        lane, seq, not_after = (int.from_bytes(data[at : at + 8], "big") for at in (1, 9, 17))
        return cls(number, Batch(lane, seq, not_after, data[HEADER_BYTES:], data[25:HEADER_BYTES]), b"")


class Pool:
    """What waits for a block, in the order it was accepted.

    Stops have a reserve of their own, so that a flood of filings cannot keep them out.
    """

    def __init__(self, store: Store, *, max_bytes: int = 64 << 20, stop_reserve: int = 4 << 20) -> None:
        """Load what the store holds."""
        self._store = store
        self._max_bytes = max_bytes
        self._stop_reserve = stop_reserve
        self._items: dict[int, Queued] = {}
        self._bytes = 0
        self._next = 0
        for key, value in store.scan(Space.QUEUE):
            item = Queued.decode(int.from_bytes(key, "big"), value)
            self._items[item.number] = item
            self._bytes += item.size
            self._next = item.number + 1

    def __len__(self) -> int:
        """Things that wait."""
        return len(self._items)

    def add(self, batch: Batch | None, raw: bytes, extra: dict[bytes, bytes | None]) -> Queued:
        """Keep it durably, together with `extra`; only then may it be promised.

        Raises:
            PoolFull: no room now.
            StoreFault: it could not be kept.
        """
        item = Queued(self._next, batch, raw)
        self._check(item.stop, self._bytes + item.size)
        self._keep([item], extra)
        return item

    def add_all(self, batches: Sequence[Batch], extra: dict[bytes, bytes | None]) -> None:
        """Keep batches durably with one write, together with `extra`; see :meth:`check_room`.

        Raises:
            StoreFault: none could be kept.
        """
        self._keep([Queued(self._next + place, batch, b"") for place, batch in enumerate(batches)], extra)

    def check_room(self, before: Sequence[Batch], batch: Batch) -> None:
        """Check that a batch has room behind others which are to be kept with it.

        Raises:
            PoolFull: no room now.
        """
        item = Queued(0, batch, b"")
        self._check(item.stop, self._bytes + sum(Queued(0, each, b"").size for each in before) + item.size)

    def _check(self, stop: bool, size: int) -> None:
        if size > self._max_bytes + (self._stop_reserve if stop else 0):
            raise PoolFull("Too much waits for a block.", hint="Send it again in a second.")

    def _keep(self, items: list[Queued], extra: dict[bytes, bytes | None]) -> None:
        if not items and not extra:
            return
        self._store.commit({self.key(item): item.encode() for item in items} | extra)
        for item in items:
            self._items[item.number] = item
            self._bytes += item.size
            self._next = item.number + 1

    @staticmethod
    def key(item: Queued) -> bytes:
        """Return the store key of a queued thing."""
        return Space.QUEUE + item.number.to_bytes(8, "big")

    def in_order(self) -> Iterator[Queued]:
        """Yield stops first, then the others, each in the order they were accepted."""
        items = sorted(self._items.values(), key=lambda item: (not item.stop, item.number))
        return iter(items)

    def drop(self, items: list[Queued]) -> None:
        """Forget what a commit has taken out of the store."""
        for item in items:
            if self._items.pop(item.number, None):
                self._bytes -= item.size
