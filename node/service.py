"""A node as one process: the chain, its sealer or follower, and the thread that keeps it moving.

One lock guards the chain; everything that reads or writes it goes through :meth:`NodeService.locked`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Protocol

from ledger.chain.batch import Batch
from ledger.domain.errors import LedgerError
from ledger.keys import BadSignature
from node.blocks import Block, InvalidBlock
from node.chain import Chain, height_key
from node.clock import LogicalClock
from node.follower import Follower, FromFuture, Source
from node.sealer import MAX_BLOCK_ITEMS, Sealer
from node.statements import Head
from node.store import Space, StoreFault

log = logging.getLogger("clearance.node")

SEAL_PAUSE: Final = 0.05
"""Seconds the sealer gathers batches before it makes a block."""
FOLLOW_PAGE: Final = 32
FOLLOW_WAIT: Final = 0.5
"""Seconds a follower waits in one call for its source to move."""
LONGEST_WAIT: Final = 25.0
MAX_WAITERS: Final = 16
"""Callers that may wait at once; each holds a thread. Others are answered at once."""
RETRY_PAUSE: Final = 1.0
PAGE_BYTES: Final = 8 << 20
"""Bytes of transactions after which a page of blocks ends: bounds the memory of whoever reads full blocks."""
LEAST_PAGE: Final = 2
"""Blocks in a page however long they are: a reader that begins with the block it has must get a new one."""


class NodeStopped(LedgerError):
    """The node takes nothing more until it is started again."""

    code = "node.stopped"


class Upstream(Source, Protocol):
    """The node a follower follows: blocks come from it, batches go to it."""

    def send_batches(self, batches: Sequence[Batch]) -> list[dict[str, Any] | LedgerError]:
        """Pass batches on; return a receipt or refusal for each."""
        ...

    def await_status(self, height: int, final: int | None, seconds: float) -> dict[str, Any]:
        """Return where the node stands, once that is no longer here, or when the time is over."""
        ...

    def send_raw(self, raw: bytes) -> bytes:
        """Pass a raw transaction on; return its hash."""
        ...

    def batch_status(self, batch: bytes) -> dict[str, Any]:
        """Ask what became of a batch."""
        ...


class NodeService:
    """Runs a sealer, or a follower with its upstream."""

    def __init__(
        self,
        chain: Chain,
        *,
        sealer: Sealer | None = None,
        follower: Follower | None = None,
        upstream: Upstream | None = None,
    ) -> None:
        """Take what the composition root built: either a sealer, or follower and upstream."""
        self.chain = chain
        self.sealer = sealer
        self.follower = follower
        self.upstream = upstream
        self.trouble: LedgerError | None = None
        self._head_told = False
        self._signed = self._load_signed()
        self._pause = 0.0 if sealer and isinstance(sealer.clock, LogicalClock) else SEAL_PAUSE
        self._lock = threading.RLock()
        self._moved = threading.Condition()
        self._waiters = threading.BoundedSemaphore(MAX_WAITERS)
        self._work = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="node", daemon=True)

    @contextmanager
    def locked(self) -> Iterator[Chain]:
        """Hold the node's lock."""
        with self._lock:
            yield self.chain

    @property
    def role(self) -> str:
        """Sealer or follower."""
        return "sealer" if self.sealer else "follower"

    def start(self) -> None:
        """Start sealing or following; what an earlier run accepted is sealed first."""
        self._work.set()
        self._thread.start()

    def stop(self) -> None:
        """Stop, and wait for the block in work."""
        self._stop.set()
        self._work.set()
        self._tell()
        if self._thread.is_alive():
            self._thread.join()

    # ------------------------------------------------------------------------------------------------------- work
    def _run(self) -> None:
        step = self._seal_once if self.sealer else self._follow_once
        while not self._stop.is_set():
            try:
                step()
            except FromFuture as error:  # a clock is wrong, here or there; in time the block is no longer ahead
                log.warning("%s", error)
                self._stop.wait(RETRY_PAUSE)
            except (InvalidBlock, StoreFault) as error:
                self._give_up(error)
            except LedgerError as error:
                log.warning("%s", error)
                self._stop.wait(RETRY_PAUSE)
            except Exception:  # a fault of ours: promise nothing more, and say so
                log.exception("the node stops")
                self._give_up(NodeStopped("The node met a fault of its own.", hint="See its log; restart it."))

    def _give_up(self, error: LedgerError) -> None:
        """Report what cannot heal by itself and stop; what is kept stays readable."""
        self.trouble = error
        log.error("%s", error)
        self._stop.set()

    def _seal_once(self) -> None:
        self._work.wait()
        self._work.clear()
        while not self._stop.is_set() and self.sealer and len(self.sealer.pool):
            if len(self.sealer.pool) < MAX_BLOCK_ITEMS:  # what fills a block already need not wait for more
                time.sleep(self._pause)
            with self._lock:
                block = self.sealer.seal()
            self._tell()
            if block:
                log.info("block %d: %d transactions", block.height, len(block.transactions))

    def _follow_once(self) -> None:
        if self.follower is None or self.upstream is None:
            raise ValueError("a follower needs an upstream")
        for block, seal in self._next_page(self.upstream):
            with self._lock:
                head = self.follower.take(block, seal)
                if head:
                    self._note_signed(head)
            self._tell()
            if head:
                self._head_told = False
                self.upstream.send_head(head)
                self._head_told = True
        if not self._head_told:  # killed, or cut off, between keeping a block and sending its head: sent now
            for signed in self.follower.own_heads(self.chain.head.number):
                self.upstream.send_head(signed)
            self._head_told = True

    def _next_page(self, upstream: Upstream) -> list[tuple[Block, bytes]]:
        """Wait for the source to move; return what it has beyond our head, or at it if it has another block there."""
        head = self.chain.head
        told = upstream.await_status(head.number, None, FOLLOW_WAIT)
        if told["height"] == head.number and told["blockHash"] == "0x" + head.hash.hex():
            return []
        page = upstream.blocks(head.number + 1, FOLLOW_PAGE)
        if page and page[0][0].header.parent_hash == head.hash:
            return page
        page = upstream.blocks(head.number, FOLLOW_PAGE)
        if not page and self.follower:
            self.follower.check_not_behind()
        return page

    def _tell(self) -> None:
        """Wake those who wait for the node to move."""
        with self._moved:
            self._moved.notify_all()

    def await_moved(self, height: int, final: int | None, seconds: float) -> None:
        """Wait until the head is no longer at a height (or the final block at another), or until the time is over."""
        if not self._waiters.acquire(blocking=False):
            return
        try:
            with self._moved:
                self._moved.wait_for(
                    lambda: (
                        self._stop.is_set()
                        or self.chain.head.number != height
                        or (final is not None and self.final_height() != final)
                    ),
                    min(seconds, LONGEST_WAIT),
                )
        finally:
            self._waiters.release()

    # --------------------------------------------------------------------------------------------------- requests
    def send_batch(self, batch: Batch) -> dict[str, Any]:
        """Take a batch, or pass it on; return the signed receipt for JSON.

        Raises:
            LedgerError: refused, or push-back.
        """
        (answer,) = self.send_batches([batch])
        if isinstance(answer, LedgerError):
            raise answer
        return answer

    def send_batches(self, batches: Sequence[Batch]) -> list[dict[str, Any] | LedgerError]:
        """Take batches in order, or pass them on; return a receipt or refusal for each.

        Raises:
            LedgerError: nothing was taken, and nothing is said of any of them.
        """
        self._check_running()
        if self.sealer is None:
            return self._upstream().send_batches(batches)
        with self._lock:
            answers = self.sealer.accept_all(batches)
        self._work.set()
        return [answer if isinstance(answer, LedgerError) else answer.as_dict() for answer in answers]

    def send_raw(self, raw: bytes) -> bytes:
        """Take a raw transaction, or pass it on; return its hash."""
        self._check_running()
        if self.sealer is None:
            return self._upstream().send_raw(raw)
        with self._lock:
            digest = self.sealer.accept_raw(raw)
        self._work.set()
        return digest

    def _check_running(self) -> None:
        if self.trouble:
            raise NodeStopped(f"The node has stopped: {self.trouble.detail}", hint="Its operator must restart it.")

    def batch_status(self, batch: bytes) -> dict[str, Any]:
        """Say what became of a batch, with whether its block is final."""
        if self.sealer is None:
            return self._upstream().batch_status(batch)
        with self._lock:
            answer = self.sealer.status(batch)
            if answer["state"] == "included":
                height = answer["inclusion"]["height"]
                answer["final"] = height <= self.final_height()
            return answer

    def move_clock(self, moment: int) -> None:
        """Move the logical clock of a replay.

        Raises:
            LedgerError: this node goes by the machine's clock, or `moment` lies in the past.
        """
        clock = self.sealer.clock if self.sealer else None
        if not isinstance(clock, LogicalClock):
            raise LedgerError("This node goes by the machine's clock.", hint="Only a demo's sealer can be moved.")
        with self._lock:
            try:
                clock.move_to(moment)
            except ValueError as error:
                raise LedgerError(f"{error}.", hint="Move forward.") from error

    def check_not_below_countersigned(self) -> None:
        """Check that the sealer seals nothing below a countersigned head.

        Raises:
            LedgerError: a follower has countersigned a block this node does not have.
        """
        newest = max((int.from_bytes(key[:8], "big") for key, _ in self.chain.store.scan(Space.HEAD)), default=0)
        if newest > self.chain.head.number:
            raise LedgerError(
                f"A follower countersigned block {newest}; this store ends at {self.chain.head.number}.",
                hint="Start with --peer and a follower's address to take the newer blocks first.",
            )

    def _upstream(self) -> Upstream:
        if self.upstream is None:
            raise LedgerError("This node follows nobody.", hint="Send it to the sealer.")
        return self.upstream

    def take_head(self, head: Head) -> None:
        """Keep a follower's countersignature.

        Raises:
            LedgerError: not one of the genesis file's followers, or of another chain.
        """
        with self._lock:
            try:
                signer = head.signer(self.chain.domain)
            except BadSignature as error:
                raise LedgerError(error.detail, hint=error.hint) from error
            known = {bytes.fromhex(address[2:]) for address in self.chain.genesis.followers}
            if signer not in known or head.genesis_hash != self.chain.genesis_hash:
                raise LedgerError("The head is not signed by a follower of this chain.", hint="Check the genesis file.")
            key = Space.HEAD + height_key(head.height) + signer
            kept = self.chain.store.get(key)
            if kept is not None and kept[:32] != head.block_hash:
                raise LedgerError("This follower signed two blocks of one height.", hint="Report it with both heads.")
            self.chain.store.commit({key: head.block_hash + head.signature})
            self._note_signed(head)
        self._tell()

    def heads(self, height: int) -> list[Head]:
        """Return the countersignatures under a height."""
        with self._lock:
            prefix = height_key(height)
            found = []
            for key, value in self.chain.store.scan(Space.HEAD, prefix):
                if key[:8] != prefix:
                    break
                found.append(Head(self.chain.genesis_hash, height, value[:32], value[32:]))
            return found

    def final_height(self) -> int:
        """Return the highest block countersigned by every follower of the genesis file (without any: the head)."""
        return min(self._signed.values(), default=self.chain.head.number)

    def _load_signed(self) -> dict[bytes, int]:
        """Return, for every follower, the newest block of this chain that it countersigned."""
        newest = {bytes.fromhex(address[2:]): 0 for address in self.chain.genesis.followers}
        for key, value in self.chain.store.scan(Space.HEAD):
            height, signer = int.from_bytes(key[:8], "big"), key[8:]
            kept = signer in newest and height <= self.chain.head.number
            if kept and self.chain.block(height).hash == value[:32]:
                newest[signer] = max(newest[signer], height)
        return newest

    def _note_signed(self, head: Head) -> None:
        signer = head.signer(self.chain.domain)
        if head.height <= self.chain.head.number and self.chain.block(head.height).hash == head.block_hash:
            self._signed[signer] = max(self._signed.get(signer, 0), head.height)

    def blocks(self, start: int, count: int) -> list[tuple[Block, bytes]]:
        """Return up to `count` blocks and seals from a height; fewer if they are long, but not less than two."""
        found: list[tuple[Block, bytes]] = []
        size = 0
        with self._lock:
            for height in range(start, min(start + count, self.chain.head.number + 1)):
                if len(found) >= LEAST_PAGE and size > PAGE_BYTES:
                    break
                found.append((self.chain.block(height), self.chain.seal(height)))
                size += sum(map(len, found[-1][0].transactions))
        return found


def wait_until(done: Callable[[], bool], seconds: float, pause: float = 0.02) -> bool:
    """Poll until something is done or time is over; return whether it is done."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if done():
            return True
        time.sleep(pause)
    return done()
