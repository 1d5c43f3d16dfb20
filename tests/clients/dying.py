"""A courier's process that is killed at its n-th step; it runs in a process of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import clients.spool
from clients.gate import Fate, NodeGate
from clients.sample.members import CHAIN_ID, HANDLES, Keyring
from clients.sender import Sender
from clients.spool import SCAN_LANE, SCAN_TRACE_LANE, Item, Spool
from ledger.chain.batch import Batch, Entry
from ledger.commitments import LedgerDomain
from ledger.domain.kinds import KindNumber
from ledger.genesis import CONTRACT
from node.remote import RemoteNode
from tests.clients.worlds import COURIER
from tests.node.days import SEED
from tests.node.serving import TOKEN

K = KindNumber
ENTRIES = 3
BATCH = 2


@dataclass
class Steps:
    """Counts steps; kills the process at one of them, with no chance to tidy up."""

    die_at: int
    done: int = 0

    def take(self) -> None:
        self.done += 1
        if self.done == self.die_at:
            os.kill(os.getpid(), signal.SIGKILL)


class DyingSpool(Spool):
    """Takes a step before a transaction, before its commit, and after it."""

    steps: Steps

    @contextlib.contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        self.steps.take()
        with super().write() as db:
            yield db
            self.steps.take()
        self.steps.take()


@dataclass
class DyingGate:
    """Takes a step before and after whatever is asked of the gate."""

    gate: NodeGate
    steps: Steps

    def _around(self, call: Any, *arguments: Any) -> Any:
        self.steps.take()
        found = call(*arguments)
        self.steps.take()
        return found

    def send(self, batch: Batch) -> dict[str, Any]:
        return self._around(self.gate.send, batch)  # type: ignore[no-any-return]

    def status(self, name: bytes) -> Fate:
        return self._around(self.gate.status, name)  # type: ignore[no-any-return]

    def next_seq(self, key: bytes, lane: int) -> int:
        return self.gate.next_seq(key, lane)

    def time(self) -> int:
        return self.gate.time()


def digest(run: int, number: int) -> bytes:
    return ((run << 32) + number + 1).to_bytes(32, "big")


def entry(domain: LedgerDomain, run: int, number: int, now: int) -> Entry:
    """Open a master: it is accepted whatever stands on chain."""
    told = digest(run, number)
    return Entry(domain.subject_id(K.MASTER_OPENED, HANDLES[COURIER], told), K.MASTER_OPENED, now, told)


def courier(url: str, folder: str, run: int, die_at: int) -> None:
    """Take a file of scans and send it; `die_at` 0: to the end, and write down how many steps that were."""
    clients.spool.MAX_ENTRIES = BATCH  # type: ignore[misc]
    steps = Steps(die_at)
    DyingSpool.steps = steps
    keyring = Keyring(SEED)
    domain = LedgerDomain(CHAIN_ID, CONTRACT)
    node = RemoteNode(url, TOKEN)
    spool = DyingSpool(Path(folder) / f"{run}.db", domain, keyring.signer(COURIER))
    gate = DyingGate(NodeGate(node), steps)
    now = gate.time()
    spool.add(
        Item(entry(domain, run, number, now), lane, b"%d %d %d" % (run, number, lane), f"row {number + 2}", "SCAN")
        for number in range(ENTRIES)
        for lane in (SCAN_LANE, SCAN_TRACE_LANE)
    )
    counts = Sender(spool, gate).run(timeout=60)
    (Path(folder) / f"{run}.steps").write_text(f"{steps.done} {counts['recorded']}")
    spool.close()
    node.close()
