"""One process of the service: the real command, whose commits tell their steps and whose clock and disk can be bent."""

from __future__ import annotations

import contextlib
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from sqlalchemy.engine.default import DefaultDialect
from typer.main import get_command

from clients.cli.main import app
from node.store import RocksStore

for name in (
    "anyio._backends._asyncio", "api.app", "api.gauges", "api.logs", "api.submitter", "api.webhooks.dispatcher",
    "httpcore", "ledger.store.migrations", "node.rpc.app", "node.sealer", "uvicorn", "uvicorn.lifespan.on",
    "uvicorn.protocols.http.auto", "uvicorn.protocols.websockets.auto", "uvloop",
):  # fmt: skip
    import_module(name)  # once: every start forks from a process that has them
COMMAND = get_command(app)

BEGUN, WRITTEN, DONE = b"(", b"w", b")"
"""What a process tells of a commit: it begins, the database has written it, it returns."""
LINGER = (0.002, 0.015)
"""Seconds a commit lingers before or after its write, so that kills fall inside."""
FAULT = 9


class Hooks:
    """Tells the steps of commits; makes syncs slow and the clock wrong when told."""

    def __init__(self, pipe: int, seed: int) -> None:
        self._pipe, self._dice = pipe, random.Random(seed)
        self._slow = 0.0
        self._clock = 0.0
        self._real_time = time.time

    def install(self) -> None:
        """Put the hooks around the commits of node and gateway, and around the clock."""
        commit, do_commit = RocksStore.commit, DefaultDialect.do_commit

        def of_node(store: RocksStore, writes: Any, *, sync: bool = True) -> None:
            with self._around() as written:
                commit(store, writes, sync=sync)
                written()

        def of_gateway(dialect: Any, connection: Any) -> None:
            with self._around() as written:
                do_commit(dialect, connection)
                written()

        RocksStore.commit = of_node  # type: ignore[assignment,method-assign]
        DefaultDialect.do_commit = of_gateway  # type: ignore[method-assign]
        time.time = lambda: self._real_time() + self._clock

    @contextmanager
    def _around(self) -> Iterator[Callable[[], None]]:
        pause, early = self._dice.uniform(*LINGER) + self._slow, self._dice.random() < 0.5
        self._tell(BEGUN)
        time.sleep(pause if early else 0)
        try:
            yield lambda: self._tell(WRITTEN)
            time.sleep(0 if early else pause)
        finally:
            self._tell(DONE)

    def _tell(self, step: bytes) -> None:
        with contextlib.suppress(BlockingIOError):  # nobody has listened for long
            os.write(self._pipe, step)

    def obey(self, control: Connection) -> None:
        """Do as told until the soak ends; end with it, however it ends."""
        try:
            while True:
                what, value = control.recv()
                if what == "slow":
                    self._slow = value
                elif what == "clock":
                    self._clock = value
        except (EOFError, OSError):
            os._exit(FAULT)


def run(
    arguments: list[str], environment: dict[str, str], log: Path, pipe: Connection, control: Connection, seed: int,
    clock: float,
) -> None:  # fmt: skip
    """Run a `clearance` command."""
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ.update(environment)
    os.set_blocking(pipe.fileno(), False)
    hooks = Hooks(pipe.fileno(), seed)
    hooks._clock = clock
    hooks.install()
    threading.Thread(target=hooks.obey, args=(control,), daemon=True).start()
    sys.argv = ["clearance", *arguments]
    COMMAND(arguments, prog_name="clearance")
