"""`python -m tests.soak [--minutes M] [--kills N] [--seed S]`: a table, and one line of JSON last. Exit 1: not good."""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ledger.chain.receipts import ReceiptFolder
from tests.soak.machine import machine
from tests.soak.troubles import Troubles
from tests.soak.verdict import Verdict, judge
from tests.soak.writers import ByGateway, ByNode, Convoy, Tally

MINUTES = 15.0
CONVOYS = 5
"""Through the gateway; one more sends to a follower's RPC."""
PAUSE = 0.3
TELL = 30.0


def soak(home: Path, *, seconds: float, kills: int, seed: int, pause: float = PAUSE, say: Any = None) -> dict[str, Any]:
    """Run the service in a folder until the time is over or so many kills are done; return what was counted and found.

    Raises:
        Broken: a process or a batch did what no trouble excuses.
    """
    tally = Tally(ReceiptFolder(home / "receipts"))
    began = time.monotonic()
    with machine(home, seed) as made:
        convoys = [Convoy(made, tally, number, ByGateway(made, tally), pause) for number in range(CONVOYS)]
        convoys.append(Convoy(made, tally, CONVOYS, ByNode(made, tally, "follower-2"), pause))
        for convoy in convoys:
            convoy.start()
        troubles = Troubles(made, random.Random(seed), kills)
        told = began
        while time.monotonic() - began < seconds and troubles.kills.total() < kills:
            troubles.happen()
            for convoy in convoys:
                if convoy.fault:
                    raise convoy.fault
            if say and time.monotonic() - told > TELL:
                told = time.monotonic()
                say(f"{told - began:.0f} s, {troubles.kills.total()} kills, {len(tally.accepted)} batches")
        for process in made.processes.values():
            process.bend("clock", 0)
        for convoy in convoys:
            convoy.finish()
        for convoy in convoys:
            convoy.join()
        loaded = time.monotonic() - began
        verdict = judge(made, tally)
    return _told(tally, troubles, verdict, loaded, time.monotonic() - began, seed)


def _told(
    tally: Tally, troubles: Troubles, verdict: Verdict, loaded: float, seconds: float, seed: int
) -> dict[str, Any]:
    return {
        "kills": troubles.kills.total(),
        "kills_inside_commit": troubles.inside.total(),
        "receipts_checked": verdict.receipts_checked,
        "lost": len(verdict.lost),
        "doubled": len(verdict.doubled),
        "findings": [*verdict.lost[:5], *verdict.doubled[:5], *verdict.findings[:5], *tally.faults[:5]],
        "promises_checked": len(tally.accepted),
        "entries": tally.entries,
        "parcels_released": len(tally.released),
        "sent_again": tally.again,
        "kills_by_process": dict(sorted(troubles.kills.items())),
        "kills_inside_by_process": dict(sorted(troubles.inside.items())),
        "troubles": dict(sorted(troubles.others.items())),
        "blocks": verdict.height,
        "load_seconds": round(loaded, 1),
        "seconds": round(seconds, 1),
        "seed": seed,
        "ok": verdict.good and not tally.faults,
    }


def show(result: dict[str, Any]) -> None:
    """Print a result for people."""
    table = Table(title=f"Soak, seed {result['seed']}", title_justify="left")
    table.add_column("what")
    table.add_column("count", justify="right", overflow="fold")
    flat = {name: value for name, value in result.items() if not isinstance(value, dict | list) and name != "seed"}
    nested = {f"{name}: {each}": count for name, told in result.items() if isinstance(told, dict)
              for each, count in told.items()}  # fmt: skip
    for name, value in (flat | nested).items():
        table.add_row(name.replace("_", " "), str(value) if isinstance(value, bool) else f"{value:,}")
    console = Console(stderr=True)
    console.print(table)
    for each in result["findings"]:
        console.print(f"FAIL {each}", highlight=False, soft_wrap=True)


def main() -> int:
    """Soak, print, return the exit status."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=float(os.environ.get("SOAK_MINUTES", MINUTES)))
    parser.add_argument("--kills", type=int, default=1 << 30, help="Stop after so many kills.")
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="clearance-soak-") as folder:
        result = soak(
            Path(folder), seconds=given.minutes * 60, kills=given.kills, seed=given.seed,
            say=lambda line: print(line, file=sys.stderr, flush=True),
        )  # fmt: skip
    show(result)
    print(json.dumps(result))
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
