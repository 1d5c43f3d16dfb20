"""Node processes that tell when a commit begins and ends, so that they can be killed inside one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from clients.cli.run import free_port, wait_ready
from node.home import Home
from node.remote import RemoteNode

ROOT = Path(__file__).parents[2]
TELLING = """
import os, sys
from node.store import RocksStore
plain, pipe = RocksStore.commit, int(sys.argv[1])
def commit(self, writes, *, sync=True):
    os.write(pipe, b"(")
    plain(self, writes, sync=sync)
    os.write(pipe, b")")
RocksStore.commit = commit
from clients.cli.main import app
app(sys.argv[2:], prog_name="clearance")
"""


@dataclass
class NodeProcess:
    """`clearance node run` with a commit that tells its beginning and end."""

    home: Path
    options: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    port: int = 0

    def start(self) -> RemoteNode:
        """Start it on the port it had, or a free one; return it behind RPC once it answers."""
        self.port = self.port or free_port()
        self._pipe, write_end = os.pipe()
        command = [sys.executable, "-c", TELLING, str(write_end), "node", "run", "--home", str(self.home)]
        with (self.home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--port", str(self.port), *self.options],
                stdout=log, stderr=log, pass_fds=(write_end,), env=os.environ | self.environment, cwd=ROOT,
            )  # fmt: skip
        os.close(write_end)
        os.set_blocking(self._pipe, False)
        node = RemoteNode(f"http://127.0.0.1:{self.port}", Home(self.home).token())
        wait_ready(node, self._process, self.home)
        return node

    def _told(self) -> bytes:
        try:
            return os.read(self._pipe, 65536)
        except BlockingIOError:
            return b""

    def kill_at_commit(self, number: int, seconds: float, pause: float) -> bool:
        """Kill -9 so long after the beginning of the n-th commit from now; return whether it died inside a commit.

        After `seconds` without so many commits it is killed where it is.
        """
        told, end = self._told(), time.monotonic() + seconds
        begun = told.count(b"(") + number
        while told.count(b"(") < begun and time.monotonic() < end:
            time.sleep(0.0002)
            told += self._told()
        time.sleep(pause)
        return self.kill(told)

    def kill(self, told: bytes = b"") -> bool:
        """Kill -9 now; return whether it died inside a commit."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        while more := self._told():
            told += more
        os.close(self._pipe)
        return told.endswith(b"(")

    def stop(self) -> int:
        """Stop it kindly; return its exit status."""
        self._process.terminate()
        status = self._process.wait(30)
        os.close(self._pipe)
        return status
