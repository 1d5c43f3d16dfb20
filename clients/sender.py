"""Hands a spool's batches to a gate, in order within each lane, until the end of each is known.

Between any two steps the process may be killed: what was signed is sent again with the same bytes, what was handed over
is asked for. When a batch does not go in, one rule keeps entries from being doubled: **they are signed under another
number, or given up, only when no form of the old batch can enter any more**: its gate said what is wrong with it
itself, or another batch has its number and its notAfter has passed.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import Final

from clients.gate import Fate, Gate, State
from clients.spool import Spool
from clients.spool_file import Signed
from ledger.chain.port import NODE_TROUBLE
from ledger.chain.writer import BATCH_LIFE
from ledger.domain.errors import LedgerError

PUSH_BACK: Final = NODE_TROUBLE | {
    "api.busy", "api.internal", "api.rate-limited", "api.unreachable", "batch.clock", "database.unavailable",
    "outbox.full",
}  # fmt: skip
"""Answers that say nothing of the batch: it is sent again after a while."""
NOT_NOW: Final = frozenset(
    {
        "api.not-found", "auth.challenge", "auth.required", "batch.not-a-member", "batch.signature",
        "key.bad-signature",
    }
)  # fmt: skip
"""Answers about the key, not about the batch: somebody has to act, and the batch waits."""
OVER: Final = frozenset({"batch.expired", "batch.near-expiry"})
WINDOW: Final = 8
"""Batches of a lane that are on their way at once."""
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 60.0
POLL: Final = 0.05
IDLE_PAUSE: Final = 2.0
"""Seconds between two looks: at first, and when nothing moves."""
PRUNE_EVERY: Final = 3_600.0
"""Seconds after which a sender that runs on forgets what ended long ago."""


class Blocked(LedgerError):
    """The sender waits for somebody or something; nothing is lost."""

    code = "spool.blocked"


@dataclass(frozen=True, slots=True)
class Wait:
    """The gate pushes back.

    Attributes:
        seconds: told by the gate, None if it did not say.
    """

    error: LedgerError
    seconds: float | None


Progress = Callable[[int, int], None]
"""Called with how many entries have ended, and of how many."""


class Sender:
    """Sends from one spool through one gate."""

    def __init__(self, spool: Spool, gate: Gate, *, life: int = BATCH_LIFE, window: int = WINDOW) -> None:
        """Take spool and gate; `life` is how long a batch is good for, in seconds."""
        self._spool, self._gate = spool, gate
        self._life, self._window = life, window

    # ------------------------------------------------------------------------------------------------------ running
    def run(
        self, *, ticket: int | None = None, timeout: float = 300.0, progress: Progress | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> dict[str, int]:  # fmt: skip
        """Send until every entry (or those of a ticket) has ended; return how many ended how.

        Raises:
            Blocked: time is over; `counts` and `stuck` of the spool tell what waits and why.
            SpoolInUse: another process sends from the spool.
            LedgerError: the key may not write, or the disk is full.
        """
        end = time.monotonic() + timeout
        pause, before = POLL, -1
        last: LedgerError | None = None
        with self._spool.sending():
            while True:
                wait = self.step()
                counts = self._spool.counts(ticket)
                waiting = counts["open"]
                if progress:
                    progress(sum(counts.values()) - waiting, sum(counts.values()))
                if not waiting:
                    return counts
                left = end - time.monotonic()
                if left <= 0:
                    raise _waiting(waiting, wait.error if wait else last)
                if wait is None:
                    pause, last = (POLL if waiting != before else min(pause * 1.3, IDLE_PAUSE)), None
                    seconds = pause
                else:
                    pause, last = min(max(pause, FIRST_PAUSE) * 2, LONGEST_PAUSE), wait.error
                    seconds = pause * random.uniform(0.4, 0.6) if wait.seconds is None else wait.seconds
                before = waiting
                sleep(min(seconds, left))

    def serve(self, stop: Event, told: Callable[[LedgerError | None], None]) -> None:
        """Send whatever comes into the spool until `stop` is set; tell each trouble, and None when it has passed.

        Raises:
            SpoolInUse: another process sends from the spool.
        """
        pause, pruned = FIRST_PAUSE, float("-inf")
        with self._spool.sending():
            while not stop.is_set():
                try:
                    if time.monotonic() - pruned > PRUNE_EVERY:
                        self._spool.prune()
                        pruned = time.monotonic()
                    wait = self.step()
                except LedgerError as error:  # of the key, or the disk: it may be mended while we run
                    wait = Wait(error, LONGEST_PAUSE / 10)
                told(wait.error if wait else None)
                if wait is None:
                    pause = FIRST_PAUSE
                    stop.wait(POLL if self._spool.counts()["open"] else FIRST_PAUSE)
                else:
                    stop.wait(pause if wait.seconds is None else wait.seconds)
                    pause = min(pause * 2, LONGEST_PAUSE)

    def step(self) -> Wait | None:
        """Ask for what is on its way and send what can be sent; return why to wait, if the gate pushes back.

        Raises:
            LedgerError: the key may not write, or the spool's file fails.
        """
        try:
            now = self._gate.time()
            for lane in self._spool.lanes():
                self._follow(lane)
                self._send_lane(lane, now)
        except LedgerError as error:
            if error.code not in PUSH_BACK:
                raise
            return Wait(error, getattr(error, "retry_after", None))
        return None

    # -------------------------------------------------------------------------------------------------- what became
    def _follow(self, lane: int) -> None:
        for signed in self._spool.live(lane):
            if signed.state != "signed":
                self._note(signed, self._gate.status(signed.name))

    def _note(self, signed: Signed, fate: Fate) -> bool:
        """Note what became of a batch; return whether its gate has it."""
        match fate.state:
            case State.VISIBLE:
                self._spool.note_visible(signed, fate.outcomes)
            case State.INCLUDED if signed.state != "included":
                self._spool.note_state(signed, "included")
            case State.ACCEPTED | State.SENT if signed.state == "signed":
                self._spool.note_state(signed, "sent")
            case State.UNKNOWN:  # the gate lost it: the same bytes are sent again
                self._again(signed)
                return False
            case State.REFUSED | State.EXPIRED:
                self._bury(signed, fate.code or "batch.refused", fate.reason)
                return False
        return True

    def _bury(self, signed: Signed, code: str, reason: str) -> None:
        """A batch that was refused after it was accepted is judged again if that may have passed."""
        if code in OVER | NOT_NOW | PUSH_BACK | {"batch.sequence"}:
            self._again(signed)
        else:
            self._spool.note_refused(signed, code, reason)

    def _again(self, signed: Signed) -> None:
        if signed.state != "signed":
            self._spool.note_state(signed, "signed")

    # ------------------------------------------------------------------------------------------------------ sending
    def _send_lane(self, lane: int, now: int) -> None:
        """Send in order; the first batch that does not go in holds back those behind it."""
        for signed in self._spool.live(lane):
            if signed.state == "signed" and not self._send(signed, now):
                return
        while len(self._spool.live(lane)) < self._window:
            fresh = self._spool.sign(lane, self._next_seq(lane), now + self._life)
            if fresh is None or not self._send(fresh, now):
                return

    def _next_seq(self, lane: int) -> int:
        """Return the next number: after all that this spool has used, and after what the chain knows.

        A gate may lie behind (a follower), and so may the spool (it is new, or was pruned).
        """
        highest = self._spool.highest(lane)
        if highest is not None and self._spool.live(lane):
            return highest + 1
        told = self._gate.next_seq(self._spool.signer.address, lane)
        return told if highest is None else max(told, highest + 1)

    def _send(self, signed: Signed, now: int) -> bool:
        """Send a batch; return whether the lane goes on."""
        self._spool.note_tried(signed)
        try:
            receipt = self._gate.send(signed.batch)
        except LedgerError as error:
            return self._refused(signed, error, now)
        self._spool.note_state(signed, "sent", receipt)
        return True

    def _refused(self, signed: Signed, error: LedgerError, now: int) -> bool:
        if error.code in PUSH_BACK or error.code in NOT_NOW:
            self._spool.note_waiting(signed, error.code, error.detail)
            raise error
        if error.code in OVER:
            return self._renew(signed, error, now)
        if error.code == "batch.sequence":
            return self._out_of_sequence(signed, error, now)
        self._spool.note_refused(signed, error.code, error.detail)
        return False  # its number is free: the next batch takes it, or an empty one if others are on their way

    def _renew(self, signed: Signed, error: LedgerError, now: int) -> bool:
        """Sign a batch anew once the old form is over by the chain's time, if its number is still free."""
        if now <= signed.batch.not_after:
            self._spool.note_waiting(signed, error.code, error.detail)
            return False
        if self._found(signed):
            return True
        if self._expected(signed) > signed.batch.seq:
            self._spool.note_void(signed)
            return False
        return self._send(self._spool.sign_again(signed, now + self._life), now)

    def _out_of_sequence(self, signed: Signed, error: LedgerError, now: int) -> bool:
        """Find out whose number it is: an older form's of this batch, a gap's before it, or another program's."""
        if self._found(signed):
            return True
        expected = self._expected(signed)
        if expected <= signed.batch.seq:
            return self._fill_gap(signed, expected, now)
        if all(not_after < now for _, not_after in self._spool.forms(signed)):
            self._spool.note_void(signed)
        else:
            self._spool.note_waiting(signed, error.code, "Another program used this number of the lane.")
        return False

    def _expected(self, signed: Signed) -> int:
        return self._gate.next_seq(self._spool.signer.address, signed.batch.lane)

    def _found(self, signed: Signed) -> bool:
        """Return whether the gate has any form of a batch."""
        return any(self._note_form(signed, self._gate.status(name)) for name, _ in self._spool.forms(signed))

    def _note_form(self, signed: Signed, fate: Fate) -> bool:
        if fate.state in (State.UNKNOWN, State.REFUSED, State.EXPIRED):
            return False
        return self._note(signed, fate)

    def _fill_gap(self, signed: Signed, expected: int, now: int) -> bool:
        """Fill the numbers that refused batches have left before this one; those that wait are sent first anyway."""
        lane = signed.batch.lane
        taken = self._spool.taken(lane, expected)
        for seq in range(expected, signed.batch.seq):
            if seq not in taken and not self._send(self._spool.fill(lane, seq, now + self._life), now):
                return False
        return False  # the next round sends in order


def _waiting(count: int, last: LedgerError | None) -> Blocked:
    why = f" ({last.code}: {last.detail})" if last else ""
    return Blocked(
        f"{count} entries wait in the spool{why}.",
        hint="They are kept; run it again, or see `clearance courier spool`.",
    )
