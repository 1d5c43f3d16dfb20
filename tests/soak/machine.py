"""A sealer, two followers and a gateway as processes that start in a blink and die at a wink."""

from __future__ import annotations

import multiprocessing
import os
import resource
import select
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx

import ledger.keys
from benchmarks.mix import grants
from clients.cli.processes import free_port
from clients.cli.up import RESTART_FOR
from clients.sample.members import Keyring, sample_genesis
from ledger.domain.errors import LedgerError
from ledger.genesis import Genesis
from node.home import SEALER_KEYS, Home
from node.remote import RemoteNode
from tests.soak.child import BEGUN, DONE, run

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.soak.child"])
READY = 180.0
"""Seconds until a process must serve; machines are busy."""
GRACE = 20.0
DAYS = 3
FOLLOWERS = ("follower", "follower-2")
ENDS_FOR = ("node.unreachable", "store.full", "database.unavailable")
"""What a process may end for while it starts: its node is down, or its disk full."""
UNLIMITED = resource.RLIM_INFINITY


class Broken(Exception):
    """Something happened that kills and troubles do not excuse."""


@dataclass
class Process:
    """One process: started, watched, bent and killed."""

    name: str
    home: Path
    url: str
    arguments: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    seed: int = 0
    starts: int = 0
    clock: float = 0.0
    _process: Any = None
    _pipe: Any = None
    _control: Any = None
    _open: int = 0

    @property
    def log(self) -> Path:
        return self.home / "log"

    @property
    def runs(self) -> bool:
        return self._process is not None

    def launch(self) -> None:
        self.starts += 1
        self._open = 0
        self._pipe, theirs = FORKS.Pipe(duplex=False)
        told, self._control = FORKS.Pipe(duplex=False)
        os.set_blocking(self._pipe.fileno(), False)
        given = (self.arguments, self.environment, self.log, theirs, told, self.seed + self.starts, self.clock)
        self._process = FORKS.Process(target=run, args=given, daemon=True)
        self._process.start()
        theirs.close()
        told.close()

    def _told(self, seconds: float = 0.0) -> bytes:
        """Return the steps of commits it has told since, waiting so long for them."""
        if not select.select([self._pipe.fileno()], [], [], seconds)[0]:
            return b""
        told = os.read(self._pipe.fileno(), 65536)
        self._open += told.count(BEGUN) - told.count(DONE)
        return told

    def listen(self) -> None:
        """Take what it has told, so that its pipe does not fill."""
        while self.runs and self._told():
            pass

    def kill_at(self, step: bytes, number: int, seconds: float) -> bool:
        """Kill -9 at the n-th such step from now, or after so many seconds; return whether it was inside a commit."""
        self.listen()
        seen, end = 0, time.monotonic() + seconds
        while seen < number and (left := end - time.monotonic()) > 0:
            told = self._told(left)
            seen += told.count(step)
            if not told and select.select([self._pipe.fileno()], [], [], 0)[0]:
                break  # the pipe's end: it has died by itself
        return self.kill()

    def kill(self) -> bool:
        """Kill -9 now; return whether that was inside a commit."""
        if not self.runs:
            return False
        self._process.kill()
        self._process.join()
        while self._told():
            pass
        self._let_go()
        return self._open > 0

    def stop(self) -> None:
        """Stop it kindly."""
        if not self.runs:
            return
        self._process.terminate()
        self._process.join(GRACE)
        status = self._process.exitcode
        if status is None:
            self.kill()
        else:
            self._let_go()
        if status not in (0, -signal.SIGTERM):  # the gateway raises the signal once more when it is done
            raise Broken(f"{self.name} stopped with {status}:\n{self.said()}")

    def _let_go(self) -> None:
        self._process.close()
        self._process = None
        self._pipe.close()
        self._control.close()

    def bend(self, what: str, value: float) -> None:
        """Make its syncs slow, or step its clock, by so many seconds; a clock stays wrong over restarts."""
        if what == "clock":
            self.clock = value
        if self.runs:
            self._control.send((what, value))

    def fill(self, room: int = UNLIMITED) -> None:
        """Let none of its files grow above so many bytes, as on a disk that is full; without a number there is room."""
        if self.runs:
            resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (room, UNLIMITED))

    def has_ended(self) -> bool:
        return self.runs and self._process.exitcode is not None

    def said(self) -> str:
        """Return the end of what it said."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-12:])


class Machine:
    """The service on one machine, in a folder."""

    def __init__(self, home: Path, seed: int) -> None:
        self.home, self.seed = home, seed
        self.keyring = Keyring(seed)
        self.genesis = self._lay_out()
        ports = {name: free_port() for name in ("sealer", *FOLLOWERS, "gateway")}
        urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        self.tokens = {name: Home(home / name).token() for name in ("sealer", *FOLLOWERS)}
        follow = {"CLEARANCE_FOLLOW_TOKEN": self.tokens["sealer"]}
        self.processes: dict[str, Process] = {}
        for number, (name, port) in enumerate(ports.items()):
            placed = ["--home", str(home / name), "--port", str(port)]
            if name == "gateway":
                given = ["api", "run", *placed]
                environment = {"CLEARANCE_NODE": urls["sealer"], "CLEARANCE_TOKEN": self.tokens["sealer"]}
            else:
                given = ["node", "run", "--driver", "fast", *placed]
                given += ["--follow", urls["sealer"]] if name in FOLLOWERS else []
                environment = follow if name in FOLLOWERS else {}
            (home / name).mkdir(exist_ok=True)
            self.processes[name] = Process(
                name, home / name, urls[name], given, environment, seed * 1_000 + number * 100_000
            )
        self.nodes = {name: RemoteNode(urls[name], token) for name, token in self.tokens.items()}
        self._public = httpx.Client(base_url=urls["gateway"], trust_env=False, timeout=5)

    def _lay_out(self) -> Genesis:
        """Make the folders; the keystores' work is light, so that a start is the node's and not scrypt's."""
        made = sample_genesis(self.keyring, int(time.time()) - 60, DAYS)
        followers = tuple(self.keyring.signer(name).hex_address for name in FOLLOWERS)
        genesis = replace(made, demo=False, followers=followers)
        work, ledger.keys.SCRYPT_WORK = ledger.keys.SCRYPT_WORK, 2  # type: ignore[misc]
        try:
            for name in ("sealer", *FOLLOWERS):
                keys = {each: self.keyring.signer(each) for each in SEALER_KEYS}
                folder = Home(self.home / name)
                folder.make(genesis, keys if name == "sealer" else {"follower": self.keyring.signer(name)}, "soak")
                folder.write_secret(folder.passphrase_file, "soak")
        finally:
            ledger.keys.SCRYPT_WORK = work  # type: ignore[misc]
        return genesis

    def start(self) -> None:
        """Start everything; let the yards work for the couriers."""
        for process in self.processes.values():
            process.launch()
            self.wait_ready([process.name])
        now = int(time.time())
        for raw in grants(self.keyring, self.genesis.chain_id, now):
            self.nodes["sealer"].send_raw(raw)
        self.eventually(lambda: self.nodes["sealer"].status()["queued"] == 0, "grants are in blocks")

    def answers(self, name: str) -> bool:
        """Ask a process whether it serves."""
        try:
            if name == "gateway":
                return self._public.get("/readyz").json()["status"] in ("ok", "lagging")
            return bool(self.nodes[name].status())
        except (httpx.HTTPError, LedgerError, ValueError, KeyError):
            return False

    def wait_ready(self, names: list[str]) -> None:
        for name in names:
            self.eventually(lambda name=name: self.answers(name), f"{name} serves", name)  # type: ignore[misc]

    def eventually(self, done: Any, what: str, name: str = "", seconds: float = READY) -> None:
        """Wait until something is so, which trouble may delay but not prevent."""
        end = time.monotonic() + seconds
        while not done():
            if name and self.processes[name].has_ended():
                self._start_again(self.processes[name])
            if time.monotonic() > end:
                raise Broken(f"not within {seconds:.0f} s: {what}")
            time.sleep(0.02)

    def _start_again(self, process: Process) -> None:
        """Start a process again that ended because another one was down, as a supervisor does.

        Raises:
            Broken: it ended for another reason.
        """
        if not any(f"error {code}" in process.said() for code in ENDS_FOR):
            raise Broken(f"{process.name} ended by itself:\n{process.said()}")
        process.kill()
        time.sleep(0.1)
        process.launch()

    def trouble(self, name: str) -> str:
        """Return the code of what has stopped a node, if anything."""
        if name == "gateway":
            return ""
        try:
            told = self.nodes[name].status()["trouble"]
        except LedgerError:
            return ""
        return str(told["code"]) if told else ""

    def heal(self) -> int:
        """Start nodes again that have stopped working for what a restart heals, as an operator's supervisor does.

        Returns:
            How many were started again.

        Raises:
            Broken: a node found what no kill and no full disk explains.
        """
        healed = 0
        for name, process in self.processes.items():
            code = self.trouble(name)
            if code and code not in RESTART_FOR:
                raise Broken(f"{name} has stopped: {code}\n{process.said()}")
            if code:
                process.stop()
                process.launch()
                healed += 1
        return healed

    def close(self) -> None:
        for node in self.nodes.values():
            node.close()
        self._public.close()
        for process in self.processes.values():
            process.kill()


@contextmanager
def machine(home: Path, seed: int) -> Iterator[Machine]:
    """Run a service; nothing of it outlives the block."""
    made = Machine(home, seed)
    try:
        made.start()
        yield made
    finally:
        made.close()
