"""Background jobs of a gateway: each a thread that does one step after another, and says when it cannot."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from api.metrics import FAULTS
from ledger.domain.errors import LedgerError

log = logging.getLogger("clearance.loops")

IDLE: Final = 0.02
"""Seconds between two looks for work when there was none."""
SLOWEST: Final = 5.0
"""Longest pause after failures, seconds."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job and its step: how much it did, 0 if there was nothing to do.

    `fatal` are codes after which trying again is of no use.
    """

    name: str
    step: Callable[[], int]
    fatal: frozenset[str] = frozenset({"projection.foreign-chain"})


class Loops:
    """Runs jobs until it is stopped."""

    def __init__(self, jobs: list[Job]) -> None:
        """Take the jobs."""
        self._stop = threading.Event()
        self.trouble: dict[str, LedgerError] = {}
        self._threads = [threading.Thread(target=self._run, args=(job,), name=job.name, daemon=True) for job in jobs]

    def start(self) -> None:
        """Start every job."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop, and wait for the steps in work."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, job: Job) -> None:
        pause = IDLE
        while not self._stop.is_set():
            try:
                done = job.step()
            except LedgerError as error:
                FAULTS.labels(job.name).inc()
                self.trouble[job.name] = error
                if error.code in job.fatal:
                    log.error("%s stops: %s", job.name, error)
                    return
                pause = min(SLOWEST, pause * 2)
                log.warning("%s: %s", job.name, error)
            except Exception:  # a fault of ours: say so, and try again slowly
                FAULTS.labels(job.name).inc()
                log.exception("%s failed", job.name)
                self.trouble[job.name] = LedgerError("A fault of its own.", hint="See the log.")
                pause = SLOWEST
            else:
                self.trouble.pop(job.name, None)
                pause = 0.0 if done else IDLE
            if pause:
                self._stop.wait(pause)
