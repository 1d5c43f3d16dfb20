"""`clearance run`: sealer and follower as processes of their own, a sample day through them, its audit."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from clients.cli.console import FINDING, errors, out, progress
from clients.cli.demo import show
from ledger.domain.errors import LedgerError

DEMO_PEOPLE = tuple(
    {"pccc": f"P99{number:010}", "phone": f"0100000{number:04}"} for number in (1, 2, 3)
)  # fmt: skip
"""Made-up holders of numbers, as the sample day's register has them."""


RESULT, TRUTH = "result.json", "truth.json"
"""What the run came to and what was planted in it, for `clearance score`; nothing else reads the truth."""


def lay_out(home: Path, seed: int, begins: int | None = None) -> tuple[Any, Any]:
    """Make the folders of a demo sealer and follower; return keyring and genesis.

    The chain begins at the sample day's start, or at a moment, seconds UTC.
    """
    from clients.sample.members import Keyring, sample_genesis
    from clients.sample.plan import DAYS, START
    from node.home import FOLLOWER_KEYS, SEALER_KEYS, Home

    keyring = Keyring(seed)
    genesis = sample_genesis(keyring, START if begins is None else begins, DAYS)
    for name, keys in (("sealer", SEALER_KEYS), ("follower", FOLLOWER_KEYS)):
        folder = Home(home / name)
        word = os.urandom(16).hex()
        folder.make(genesis, {key: keyring.signer(key) for key in keys}, word)
        folder.write_secret(folder.passphrase_file, word)
    return keyring, genesis


def run(
    home: Annotated[Path, typer.Option(help="Folder of the run; made anew.")] = Path(".clearance/run"),
    parcels: Annotated[int, typer.Option(min=1, max=10_000, help="Parcels of the sample day.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the sample day.")] = 1,
    once: Annotated[bool, typer.Option(help="Stop after the audit instead of serving.")] = False,
    sample_rate: Annotated[
        float, typer.Option(min=0, max=100, help="Parcels that screening's random sample picks, per cent.")
    ] = 0.0,
) -> None:
    """Start sealer, follower and gateway on free ports, send a sample day through, audit it, serve until Ctrl-C."""
    from clients.cli.processes import free_port, start, start_gateway, wait_gateway, wait_ready
    from node.home import Home
    from node.remote import RemoteNode

    with errors():
        shutil.rmtree(home, ignore_errors=True)
        keyring, genesis = lay_out(home, seed)
        ports = free_port(), free_port(), free_port()
        nodes = {}
        processes = []
        try:
            url = f"http://127.0.0.1:{ports[0]}"
            token = Home(home / "sealer").token()
            processes.append(start(home / "sealer", ports[0], "--logical-clock", "--driver", "fast"))
            nodes["sealer"] = RemoteNode(url, token)
            wait_ready(nodes["sealer"], processes[0], home / "sealer")
            os.environ["CLEARANCE_FOLLOW_TOKEN"] = token
            processes.append(start(home / "follower", ports[1], "--follow", url))
            nodes["follower"] = RemoteNode(f"http://127.0.0.1:{ports[1]}", Home(home / "follower").token())
            wait_ready(nodes["follower"], processes[1], home / "follower")
            gateway = f"http://127.0.0.1:{ports[2]}"
            demo = "--demo-seed", str(seed), "--demo-parcels", str(parcels), "--sample-rate", str(sample_rate)
            processes.append(start_gateway(home / "gateway", ports[2], url, token, *demo))
            wait_gateway(gateway, processes[2], home / "gateway")
            summary = replay(home, keyring, genesis, nodes, gateway, parcels, seed)
            (home / RESULT).write_text(json.dumps(summary) + "\n")
            show(summary)
            tell(home, nodes, gateway)
            if summary["audit"] != "ok":
                raise typer.Exit(FINDING)
            if not once:
                watch(processes, home / "gateway" / "log")
        finally:
            for node in nodes.values():
                node.close()
            for process in reversed(processes):
                process.terminate()
            for process in processes:
                process.wait()


def replay(
    home: Path, keyring: Any, genesis: Any, nodes: dict[str, Any], gateway: str, parcels: int, seed: int
) -> dict[str, Any]:
    """Send a sample day through the gateway, wait for the follower, audit over its RPC; return the summary."""
    from clients.sample.buyers import GatewayBuyers
    from clients.sample.day import Day
    from clients.sample.gateway import GatewayReplay
    from clients.sample.plan import Dealer
    from clients.sample.result import outcomes
    from ledger.chain.receipts import ReceiptFolder
    from node.audit.chain import audit_chain, blocks_of_node
    from node.audit.members import MemberHistory
    from node.audit.report import Report
    from node.audit.samples import SampleHistory
    from node.service import wait_until

    sealer, follower = nodes["sealer"], nodes["follower"]
    plan = Dealer(parcels, seed).deal()
    (home / TRUTH).write_text(json.dumps(plan.truth, indent=1, sort_keys=True) + "\n")
    through = GatewayReplay(gateway, sealer, keyring, genesis.domain, ReceiptFolder(home / "receipts"))
    buyers = GatewayBuyers(gateway, home / "gateway" / "log")
    day = Day(plan, keyring, genesis, through, through.payloads, buyers=buyers)
    began = time.perf_counter()
    try:
        with progress("sample day") as bar:
            day.replay(bar)
    finally:
        through.close()
    seconds = time.perf_counter() - began
    head = sealer.status()
    if not wait_until(lambda: follower.status()["height"] >= head["height"], 60):
        raise LedgerError("The follower does not keep up.", hint=f"See {home / 'follower' / 'log'}.")
    sample = SampleHistory(MemberHistory(genesis))
    with progress("audit") as bar:
        found_in_chain = audit_chain(genesis, blocks_of_node(follower), progress=bar, seen=sample.add)
    report = Report("chain", found_in_chain.subject, (*found_in_chain.findings, *sample.check()))
    heads = [json.dumps(signed.as_dict()) for height in range(1, head["height"] + 1) for signed in sealer.heads(height)]
    (home / "heads.jsonl").write_text("\n".join(heads) + "\n")
    found, counts = outcomes(day.house_parcels, follower.included(1), follower.state(), sample.only_picked())
    tally = Counter(each["status"] for each in found.values())
    return {
        "parcels": parcels,
        "seed": seed,
        **counts,
        "auto_cleared": sum(each["by_rule"] for each in found.values()),
        "referred": sum(each["referred"] for each in found.values()),
        "picked_by_sample": sum(each["picked_by_sample"] for each in found.values()),
        "pending": tally["pending"],
        "blocks": head["height"],
        "entries_per_second": round(counts["entries"] / seconds, 1),
        "head_hash": head["blockHash"],
        "state_root": report.subject["state_root"],
        "outcomes": found,
        "audit": "ok" if report.ok else report.findings[0].sentence,
    }


def tell(home: Path, nodes: dict[str, Any], gateway: str) -> None:
    """Print where everything is."""
    out.print(f"{'gateway':9} {gateway}", highlight=False)
    out.print(
        f"buyers    {gateway}/  sign in as any of these; the code is shown here:", highlight=False, soft_wrap=True
    )
    for person in DEMO_PEOPLE:
        out.print(f"          {person['pccc']}  {person['phone']}", highlight=False)
    for name, node in nodes.items():
        status = node.status()
        out.print(f"{name:9} {node.url}  height {status['height']}, final {status['final']}", highlight=False)
    token = home / "sealer" / "token"
    out.print(f"score it: clearance score {home / RESULT} {home / TRUTH}", highlight=False, soft_wrap=True)
    out.print(f"access token in {token}; logs and stores under {home}", highlight=False, soft_wrap=True)
    out.print(
        f"try: clearance audit chain --rpc {nodes['sealer'].url} --token $(cat {token})"
        f" --receipts {home / 'receipts'} --heads {home / 'heads.jsonl'}",
        highlight=False,
        soft_wrap=True,
    )


def watch(processes: list[subprocess.Popen[bytes]], log: Path) -> None:
    """Serve until Ctrl-C, or until a process ends; one-time codes, which a demo sends nobody, are shown."""
    out.print("serving until Ctrl-C", highlight=False)
    with contextlib.suppress(KeyboardInterrupt):
        with log.open() as lines:
            while all(process.poll() is None for process in processes):
                for line in lines:
                    if "DEMO:" in line:
                        out.print(json.loads(line)["event"], highlight=False)
                time.sleep(0.2)
        raise LedgerError("A process ended.", hint="See the logs.")
