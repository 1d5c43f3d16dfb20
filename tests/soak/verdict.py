"""What must hold at the end: every promise kept once, three chains executed again to equal roots, rows as they say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ledger.chain.state import Parcel
from ledger.domain.kinds import Status
from node.audit.chain import audit_chain, blocks_of_store
from node.audit.receipts import ChainIndex, check_heads, check_receipts, load_receipts
from node.statements import Head
from node.store import RocksStore
from tests.soak.machine import FOLLOWERS, Machine
from tests.soak.writers import Tally

ROOT = Path(__file__).parents[2]
WORDS = 200


@dataclass
class Verdict:
    """What was counted and found."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    receipts_checked: int = 0
    height: int = 0

    @property
    def good(self) -> bool:
        return not (self.lost or self.doubled or self.findings)


def judge(machine: Machine, tally: Tally) -> Verdict:
    """Judge a service whose writers have finished; it is stopped on the way."""
    found = Verdict()
    sealer = machine.nodes["sealer"]
    machine.eventually(lambda: sealer.status()["queued"] == 0, "the sealer's queue is empty")
    head = sealer.status()
    for name in FOLLOWERS:
        node = machine.nodes[name]
        machine.eventually(lambda node=node: node.status()["blockHash"] == head["blockHash"], f"{name} has the head")
    found.height = head["height"]
    _promises(machine, tally, found)
    _parcels(machine, tally, found)
    heads = [signed for height in range(1, found.height + 1) for signed in sealer.heads(height)]
    _read_model(machine, found)
    for name in ("gateway", *FOLLOWERS, "sealer"):
        machine.processes[name].stop()
    _execute(machine, tally, heads, found)
    return found


def _promises(machine: Machine, tally: Tally, found: Verdict) -> None:
    """Every batch that was promised, by the gateway's 202 or by a node, stands on every chain, and no batch twice."""
    for name, node in machine.nodes.items():
        included = Counter(each.hash(machine.genesis.domain) for each in node.included(1))
        found.lost += [f"{name}: 0x{each.hex()} of {by}" for each, by in tally.accepted.items() if each not in included]
        found.doubled += [f"{name}: 0x{each.hex()}" for each, count in included.items() if count > 1]


def _parcels(machine: Machine, tally: Tally, found: Verdict) -> None:
    """Every parcel whose last step was visible is cleared by rule and released, filed once."""
    for at in range(0, len(tally.released), WORDS):
        part = tally.released[at : at + WORDS]
        for number, word in zip(part, machine.nodes["follower"].words(part).words, strict=True):
            parcel = Parcel(word)
            if not {Status.AUTO, Status.CLEARED, Status.RELEASED} <= set(parcel.status):
                found.lost.append(f"parcel 0x{number:064x} is {parcel.clearance}")
            if parcel.field("generation") != 1:
                found.doubled.append(f"parcel 0x{number:064x} was filed {parcel.field('generation')} times")


def _read_model(machine: Machine, found: Verdict) -> None:
    """The gateway's rows are those of a read model made anew."""
    gateway = machine.processes["gateway"]
    command = ["audit", "projection", "--rpc", machine.nodes["sealer"].url, "--home", str(gateway.home), "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "clients.cli", *command], capture_output=True, text=True, check=False, cwd=ROOT,
        env=os.environ | {"CLEARANCE_TOKEN": machine.tokens["sealer"]},
    )  # fmt: skip
    if done.returncode:
        found.findings.append(f"read model: {done.stdout}{done.stderr}")


def _execute(machine: Machine, tally: Tally, heads: list[Head], found: Verdict) -> None:
    """Execute every block of the three stores again with unmodified py-evm; compare heads, promises and one another."""
    ends: dict[str, Any] = {}
    for name in ("sealer", *FOLLOWERS):
        store = RocksStore(machine.home / name / "chain", read_only=True)
        index = ChainIndex(machine.genesis)
        report = audit_chain(machine.genesis, blocks_of_store(store), store=store, seen=index.add)
        store.close()
        ends[name] = json.dumps(report.subject, sort_keys=True)
        found.findings += [f"{name}: {each.code}: {each.sentence}" for each in report.findings]
        found.findings += [f"{name}: {each.sentence}" for each in check_heads(index, _genesis_hash(report), heads)]
        if name == "sealer":
            promised = list(load_receipts(tally.receipts.folder))
            found.receipts_checked = len(promised)
            late = {each.receipt.batch for each in promised if each.receipt.batch not in index.places}
            found.lost += [f"promised: 0x{each.hex()}" for each in late]
            found.findings += [f"{each.code}: {each.sentence}" for each in check_receipts(index, promised)]
    if len(set(ends.values())) != 1:
        found.findings.append(f"the chains differ: {ends}")
    if len(heads) < len(FOLLOWERS):
        found.findings.append("no follower countersigned anything")


def _genesis_hash(report: Any) -> bytes:
    return bytes.fromhex(report.subject["genesis"][2:])
