"""Keeps processes running: one that dies is started again, on the same port and folder, after a growing pause.

Processes outlive a supervisor that is killed. Each writes who it is (pid and start time) before its program begins, so
the next supervisor of the same folder finds them for sure, ends them and takes over.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ledger.domain.errors import LedgerError

FIRST_PAUSE: Final = 0.2
LONGEST_PAUSE: Final = 15.0
STEADY: Final = 5.0
"""Seconds a process must have run for its next death to count as the first."""
GRACE: Final = 8.0
"""Seconds a process has to stop before it is killed; what it acknowledged is on disk either way."""
READY: Final = 120.0
"""Seconds until a process must answer."""
LOG_BYTES: Final = 10 << 20
"""Size at which a log is put aside; one older log is kept."""
BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


class AlreadyUp(LedgerError):
    """Another supervisor runs on the folder."""

    code = "home.in-use"


class NotReady(LedgerError):
    """A process ended, or does not answer, while it was started for the first time."""

    code = "process.not-ready"


def started(pid: int) -> str | None:
    """Return when a process started, as a text that no other process on this machine shares with its pid.

    None: there is no such process, or it has ended and waits for its parent.
    """
    if BOOT.exists():
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return None if fields[0] in "ZX" else f"{BOOT.read_text().strip()}/{fields[19]}"  # proc(5): state, starttime
    command = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    told = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split(None, 1)
    return None if len(told) < 2 or told[0].startswith("Z") else told[1].strip().replace(" ", "_")


@dataclass(frozen=True, slots=True)
class PidFile:
    """Who runs: pid and start time, so that a reused pid is never taken for it."""

    path: Path

    def write(self, pid: int) -> None:
        """Note a process."""
        draft = self.path.with_suffix(f".{pid}")
        draft.write_text(f"{pid} {started(pid)}\n")
        draft.replace(self.path)

    def pid(self) -> int | None:
        """Return the pid of the noted process if it still runs."""
        try:
            pid, _, start = self.path.read_text().strip().partition(" ")
            return int(pid) if start and started(int(pid)) == start else None
        except (OSError, ValueError):
            return None

    def end(self, grace: float = GRACE) -> bool:
        """End the noted process, kindly first; return whether there was one."""
        pid = self.pid()
        if pid is None:
            return False
        for number, seconds in ((signal.SIGTERM, grace), (signal.SIGKILL, grace)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                if self.pid() is None:
                    return True
                time.sleep(0.02)
        return True


@contextmanager
def only_one(home: Path) -> Iterator[None]:
    """Hold the folder's lock; the system gives it back when this process dies, however it dies.

    Raises:
        AlreadyUp: another supervisor holds it.
    """
    with (home / "up.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise AlreadyUp(
                f"`clearance up` runs on {home} already (process {file.read().strip() or 'unknown'}).",
                hint="Stop it with Ctrl-C or SIGTERM, or choose another --home.",
            ) from error
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


@dataclass(frozen=True, slots=True)
class Program:
    """What is to run.

    Attributes:
        arguments: of the `clearance` command.
        word: passphrase of its keystores, handed over by a pipe; None: it finds it itself.
        answers: whether it serves now.
    """

    name: str
    home: Path
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    answers: Callable[[], bool]
    word: str | None = field(default=None, repr=False)

    @property
    def log(self) -> Path:
        """Its log."""
        return self.home / f"{self.name}.log"

    @property
    def pid_file(self) -> PidFile:
        """Who it runs as."""
        return PidFile(self.home / f"{self.name}.pid")

    def launch(self) -> subprocess.Popen[bytes]:
        """Start it, away from the terminal's Ctrl-C: the supervisor stops processes in order."""
        note = self.pid_file
        environment = os.environ | dict(self.environment)
        handed: tuple[int, ...] = ()
        if self.word is not None:
            read_end, write_end = os.pipe()
            os.write(write_end, self.word.encode())
            os.close(write_end)
            handed = (read_end,)
            environment["CLEARANCE_PASSPHRASE_FILE"] = f"/dev/fd/{read_end}"
        try:
            with self.log.open("ab") as log:
                return subprocess.Popen(
                    [sys.executable, "-m", "clients.cli", *self.arguments],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, pass_fds=handed,
                    start_new_session=True,
                    preexec_fn=lambda: note.write(os.getpid()),  # in the child: a kill of this process leaves no gap
                )  # fmt: skip
        finally:
            for each in handed:
                os.close(each)


class Supervised:
    """A program that is kept running."""

    def __init__(self, program: Program) -> None:
        """Take the program; nothing starts yet."""
        self.program = program
        self.starts = 0
        self.last_end = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._since = 0.0
        self._deaths = 0
        self._next = 0.0

    @property
    def pid(self) -> int | None:
        """Pid of the running process."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start it."""
        self._since = time.monotonic()
        try:
            self._process = self.program.launch()
        except (OSError, subprocess.SubprocessError) as error:  # no room for its pid file, say
            self._died(f"cannot be started: {error}")
        else:
            self.starts += 1

    def bring_up(self, stopped: Callable[[], bool]) -> None:
        """Start it for the first time and wait until it answers, or until `stopped` says to leave it.

        Raises:
            NotReady: it gave up by itself, or does not answer in time; with what it said.
        """
        log = self.program.log
        before = log.stat().st_size if log.exists() else 0
        self.start()
        end = time.monotonic() + READY
        while time.monotonic() < end and not stopped():
            if self._process is not None and (self._process.poll() or 0) > 0:  # a kill is no answer
                raise self._why(before)
            self.tend()
            if self._process is not None and self.program.answers():
                return
            time.sleep(0.05)
        if not stopped():
            raise NotReady(f"The {self.program.name} does not answer.", hint=f"See {log}.")

    def _why(self, before: int) -> NotReady:
        """Return what the process said last: its own one clear line where it gave one."""
        with self.program.log.open("rb") as file:
            file.seek(before)
            lines = file.read().decode(errors="replace").strip().splitlines()
        at = max((number for number, line in enumerate(lines) if line.startswith("error ")), default=None)
        if at is None:
            return NotReady(f"The {self.program.name} ended: {' '.join(lines[-1:])}", hint=f"See {self.program.log}.")
        code, _, detail = lines[at].removeprefix("error ").partition(": ")
        error = NotReady(f"{self.program.name}: {detail}", hint=" ".join(lines[at + 1 : at + 2]).strip())
        error.code = code
        return error

    def tend(self) -> str:
        """Start it again if it died and its pause is over; return what happened, empty if nothing did."""
        now = time.monotonic()
        name = self.program.name
        if self._process is None:
            if now < self._next:
                return ""
            self.start()
            return f"{name} started again (process {self.pid})" if self.pid else ""
        status = self._process.poll()
        if status is None:
            return ""
        pause = self._died(f"signal {-status}" if status < 0 else f"status {status}")
        return f"{name} ended ({self.last_end}); it is started again in {pause:g} s"

    def _died(self, how: str) -> float:
        now = time.monotonic()
        self._deaths = 1 if now - self._since >= STEADY else self._deaths + 1
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** (self._deaths - 1))
        self._process, self._next, self.last_end = None, now + pause, how
        return pause

    def restart(self, why: str) -> None:
        """Stop a process that runs and is of no use any more; it is started again after its pause."""
        self.stop()
        self._died(why)

    def turn_log(self) -> None:
        """Put a long log aside. It is copied and cut, since the process keeps it open (appending)."""
        log = self.program.log
        with contextlib.suppress(OSError):  # a full disk: it grows no further anyway
            if log.stat().st_size > LOG_BYTES:
                shutil.copyfile(log, log.with_suffix(".log.1"))
                os.truncate(log, 0)

    def stop(self) -> None:
        """Stop it and wait."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(GRACE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.program.pid_file.path.unlink(missing_ok=True)


def end_stale(home: Path, names: tuple[str, ...]) -> list[str]:
    """End what a killed supervisor of this folder left running, in order; return the names."""
    return [name for name in names if PidFile(home / f"{name}.pid").end()]


class Signals:
    """Ctrl-C, SIGTERM and a closed terminal, noted instead of raised: stopping has an order."""

    def __init__(self) -> None:
        """Start listening."""
        self.stopped = False
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(each, self._note)

    def _note(self, *_: Any) -> None:
        self.stopped = True

    def __call__(self) -> bool:
        """Return whether to stop."""
        return self.stopped
