"""Background jobs of a gateway: each a thread that does one step after another, and says when it cannot."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from api.bells import Bell
from api.metrics import FAULTS
from ledger.domain.errors import LedgerError

log = logging.getLogger("clearance.loops")

IDLE: Final = 0.02
"""Seconds between two looks for work when there was none just now."""
GROWTH: Final = 1.5
"""How much longer each further look waits, up to the job's own pause."""
SLOWEST: Final = 5.0
"""Longest pause after failures, seconds."""
FIRST_SILENCE: Final = 1.0
LONGEST_SILENCE: Final = 300.0
"""Seconds for which a trouble that was told is not told again: doubled each time, up to this."""
HEALED: Final = 2 * SLOWEST
"""Seconds without a failure after which a job counts as well: some steps of a job in trouble find nothing to do."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job and its step: how much it did, 0 if there was nothing to do.

    `fatal` are codes after which trying again is of no use. While steps find nothing the pause between them grows up to
    `idle`, in seconds; a ring of one of the `bells` ends it. After a step that did something it rests for `rest`
    seconds, so that it does much at once instead of little all the time.
    """

    name: str
    step: Callable[[], int]
    fatal: frozenset[str] = frozenset({"projection.foreign-chain"})
    idle: float = IDLE
    bells: tuple[Bell, ...] = ()
    rest: float = 0.0


@dataclass(slots=True)
class Told:
    """How often a trouble is told: `silence` is the time until it may be told again, in seconds."""

    at: float
    silence: float = FIRST_SILENCE
    unsaid: int = 0


class Trouble:
    """What a job fails with: how long to wait, and when to speak of it."""

    def __init__(self, name: str) -> None:
        """Start well."""
        self._name = name
        self._pause, self._last = IDLE, float("-inf")
        self._told: dict[str, Told] = {}

    def failed(self, error: LedgerError) -> float:
        """Note a failure, and tell it unless its code was told lately; return how many seconds to wait."""
        self._last = now = time.monotonic()
        told = self._told.get(error.code)
        if told is None:
            self._told[error.code] = Told(now)
            log.warning("%s: %s", self._name, error)
        elif now - told.at < told.silence:
            told.unsaid += 1
        else:
            log.warning("%s: still, %d times more: %s", self._name, told.unsaid + 1, error)
            told.at, told.silence, told.unsaid = now, min(LONGEST_SILENCE, told.silence * 2), 0
        self._pause = min(SLOWEST, self._pause * 2)
        return self._pause

    def worked(self) -> None:
        """Note a step that did not fail; after a while without any failure the trouble is over."""
        if self._told and time.monotonic() - self._last >= HEALED:
            log.info("%s works again", self._name)
            self._pause = IDLE
            self._told.clear()


class Loops:
    """Runs jobs until it is stopped."""

    def __init__(self, jobs: list[Job]) -> None:
        """Take the jobs."""
        self._stop = threading.Event()
        self._awake = {job.name: threading.Event() for job in jobs}
        for job in jobs:
            for bell in job.bells:
                bell.wakes(self._awake[job.name])
        self.trouble: dict[str, LedgerError] = {}
        self._threads = [threading.Thread(target=self._run, args=(job,), name=job.name, daemon=True) for job in jobs]

    def start(self) -> None:
        """Start every job."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop, and wait for the steps in work."""
        self._stop.set()
        for event in self._awake.values():
            event.set()
        for thread in self._threads:
            thread.join()

    def _run(self, job: Job) -> None:
        trouble, awake, pause = Trouble(job.name), self._awake[job.name], IDLE
        while not self._stop.is_set():
            awake.clear()  # before the step: what comes up during it wakes the next one
            try:
                done = job.step()
            except LedgerError as error:
                FAULTS.labels(job.name).inc()
                self.trouble[job.name] = error
                if error.code in job.fatal:
                    log.error("%s stops: %s", job.name, error)
                    return
                self._stop.wait(trouble.failed(error))  # no bell hurries a job in trouble
            except Exception:  # a fault of ours: say so, and try again slowly
                FAULTS.labels(job.name).inc()
                log.exception("%s failed", job.name)
                self.trouble[job.name] = LedgerError("A fault of its own.", hint="See the log.")
                self._stop.wait(SLOWEST)
            else:
                self.trouble.pop(job.name, None)
                trouble.worked()
                if done and job.rest:
                    self._stop.wait(job.rest)
                pause = IDLE if done or awake.wait(pause) else min(job.idle, pause * GROWTH)
