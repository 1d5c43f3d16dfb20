"""Node processes that tell where in a commit they are and linger there, so that they can be killed inside one."""

from __future__ import annotations

import os
import resource
import select
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from clients.cli.processes import free_port, wait_ready
from node.home import Home
from node.remote import RemoteNode

ROOT = Path(__file__).parents[2]
TELLING = """
import os, random, sys, threading, time
from node.store import RocksStore
plain, pipe, dice = RocksStore.commit, int(sys.argv[1]), random.Random(int(sys.argv[2]))

def commit(self, writes, *, sync=True):
    early = dice.random() < 0.5
    os.write(pipe, b"(")
    time.sleep(dice.uniform(0.002, 0.006) if early else 0)
    plain(self, writes, sync=sync)
    os.write(pipe, b"w")
    time.sleep(0 if early else dice.uniform(0.002, 0.006))
    os.write(pipe, b")")

def end_with_the_test():
    os.read(0, 1)
    os._exit(9)

RocksStore.commit = commit
threading.Thread(target=end_with_the_test, daemon=True).start()
from clients.cli.main import app
app(sys.argv[3:], prog_name="clearance")
"""
BEGUN, WRITTEN, DONE = b"(", b"w", b")"
"""What a node tells of a commit: it begins, the database has written it, it returns."""


@dataclass
class NodeProcess:
    """`clearance node run` whose commits tell their steps; without its parent it ends."""

    home: Path
    options: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    port: int = 0
    seed: int = 0
    file_limit: int | None = None
    _process: subprocess.Popen[bytes] | None = None
    _pipe: int = -1

    def launch(self) -> None:
        """Start it on the port it had, or a free one; each start lingers in other places."""
        self.port = self.port or free_port()
        self.seed += 1
        self._pipe, write_end = os.pipe()
        os.set_blocking(self._pipe, False)
        limit = self.file_limit
        command = [sys.executable, "-c", TELLING, str(write_end), str(self.seed), "node", "run"]
        with (self.home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--home", str(self.home), "--port", str(self.port), *self.options],
                stdin=subprocess.PIPE, stdout=log, stderr=log, pass_fds=(write_end,), cwd=ROOT,
                env=os.environ | self.environment,
                preexec_fn=(lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))) if limit else None,
            )  # fmt: skip
        os.close(write_end)

    def ready(self) -> RemoteNode:
        """Wait until it answers; return it behind RPC."""
        if self._process is None:
            raise ValueError("launch it first")
        node = RemoteNode(f"http://127.0.0.1:{self.port}", Home(self.home).token())
        wait_ready(node, self._process, self.home)
        return node

    def start(self) -> RemoteNode:
        """Launch it and wait until it answers."""
        self.launch()
        return self.ready()

    def _told(self, seconds: float = 0) -> bytes:
        """Return what it has told since, waiting so long for it."""
        if not select.select([self._pipe], [], [], seconds)[0]:
            return b""
        return os.read(self._pipe, 65536)

    def kill_at(self, step: bytes, number: int, seconds: float) -> bytes:
        """Kill -9 at the n-th such step of a commit from now; return the last step it told before it died.

        After `seconds` without so many steps it is killed where it is.
        """
        told, end = self._told(), time.monotonic() + seconds
        wanted = told.count(step) + number
        while told.count(step) < wanted and (left := end - time.monotonic()) > 0:
            told += self._told(left)
        return self.kill(told)

    def kill(self, told: bytes = b"") -> bytes:
        """Kill -9 now; return the last step of a commit that it told before it died (none: nothing)."""
        process, self._process = self._process, None
        if process is None:
            return b""
        process.kill()
        process.wait()
        if process.stdin:
            process.stdin.close()
        while more := self._told():
            told += more
        os.close(self._pipe)
        return told[-1:]

    def stop(self) -> int:
        """Stop it kindly; return its exit status."""
        process = self._process
        if process is None:
            raise ValueError("it does not run")
        process.terminate()
        status = process.wait(30)
        self.kill()
        return status
