"""`clearance demo` and `clearance score`: the sample day, nothing left running."""

from __future__ import annotations

import json
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from clients.cli.console import FINDING, USAGE, errors, fail, out, progress, say_json
from ledger.domain.errors import LedgerError

Parcels = Annotated[int, typer.Option(min=1, max=100_000, help="Parcels of the sample day.")]
Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same chain, byte for byte.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def run_day(home: Path, parcels: int, seed: int, *, quiet: bool) -> tuple[Any, Any, dict[str, Any]]:
    """Replay a sample day on an embedded sealer in a folder; return plan, sealer and summary."""
    from clients.cli.demo_authority import DemoAuthority
    from clients.cli.embedded import EmbeddedNode
    from clients.sample.day import Day
    from clients.sample.members import Keyring, sample_genesis
    from clients.sample.plan import DAYS, START, Dealer
    from clients.sample.result import outcomes
    from ledger.chain.writer import Writer
    from ledger.payloads import PayloadStore, Spool
    from node.chain import Chain
    from node.clock import LogicalClock
    from node.sealer import Sealer, SealerKeys
    from node.store import RocksStore

    plan = Dealer(parcels, seed).deal()
    keyring = Keyring(seed)
    genesis = sample_genesis(keyring, START, DAYS)
    clock = LogicalClock(START)
    chain = Chain(RocksStore(home / "chain"), genesis)
    keys = SealerKeys(keyring.signer("sealer"), keyring.signer("relayer"), keyring.signer("stop-relayer"))
    sealer = Sealer(chain, keys, clock)
    node = EmbeddedNode(sealer, clock)
    spool = Spool(home / "spool")

    def authority(writer: Writer, payloads: PayloadStore) -> DemoAuthority:
        return DemoAuthority(writer, payloads, keyring.opener("identity"), plan.holders, chain.state)

    day = Day(plan, keyring, genesis, node, lambda _: spool, authority=authority)
    began = time.perf_counter()
    with progress("sample day", quiet=quiet) as bar:
        day.replay(bar)
    seconds = time.perf_counter() - began
    found, counts = outcomes(day.house_parcels, node.included(1), chain.state())
    tally = Counter(each["status"] for each in found.values())
    summary = {
        "parcels": parcels,
        "seed": seed,
        **counts,
        "auto_cleared": sum(each["by_rule"] for each in found.values()),
        "referred": sum(each["referred"] for each in found.values()),
        "pending": tally["pending"],
        "statuses": dict(sorted(tally.items())),
        "blocks": chain.head.number,
        "entries_per_second": round(counts["entries"] / seconds, 1),
        "head_hash": "0x" + chain.head.hash.hex(),
        "state_root": "0x" + chain.head.state_root.hex(),
        "outcomes": found,
    }
    return plan, sealer, summary


def audit_embedded(chain: Any, *, quiet: bool) -> str:
    """Execute the chain again from genesis; return "ok" or the finding."""
    from node.audit.chain import audit_chain, blocks_of_chain

    with progress("audit", quiet=quiet) as bar:
        report = audit_chain(chain.genesis, blocks_of_chain(chain), progress=bar)
    return "ok" if report.ok else report.findings[0].sentence


def demo(
    parcels: Parcels = 200,
    seed: Seed = 1,
    truth: Annotated[Path | None, typer.Option(help="Write what was planted here; only `score` reads it.")] = None,
    as_json: Json = False,
) -> None:
    """Replay a sample day on a private chain, audit it, and print what came of every parcel."""
    with errors(), tempfile.TemporaryDirectory(prefix="clearance-demo-") as folder:
        plan, sealer, summary = run_day(Path(folder), parcels, seed, quiet=as_json)
        summary["audit"] = audit_embedded(sealer.chain, quiet=as_json)
        sealer.chain.store.close()
        if truth:
            truth.write_text(json.dumps(plan.truth, indent=1, sort_keys=True) + "\n")
    if as_json:
        say_json(summary)
    else:
        show(summary)
    if summary["audit"] != "ok":
        raise typer.Exit(FINDING)


def show(summary: dict[str, Any]) -> None:
    """Print a summary for people."""
    table = Table(title=f"Sample day of {summary['parcels']} parcels, seed {summary['seed']}", title_justify="left")
    table.add_column("what")
    table.add_column("count", justify="right")
    table.add_column("meaning")
    rows = (
        ("entries", "entries", "signed statements on chain, traces included"),
        ("auto_cleared", "cleared by rule", "the contract cleared them, no person looked"),
        ("referred", "referred", "an officer decides: a finding stands against them"),
        ("pending", "pending", "something is still missing, here the duty"),
        ("rejected_entries", "rejected entries", "the contract refused them, with a reason"),
        ("blocks", "blocks", "sealed and stored"),
    )
    for key, name, meaning in rows:
        table.add_row(name, f"{summary[key]:,}", meaning)
    out.print(table)
    findings = Counter(name for each in summary["outcomes"].values() for name in each["findings"])
    if findings:
        from ledger.domain.findings import FINDING_TEXTS, Finding

        listed = Table(title="Findings", title_justify="left")
        for column in ("finding", "parcels", "in words"):
            listed.add_column(column, justify="right" if column == "parcels" else "left")
        for name, count in findings.most_common():
            listed.add_row(name, str(count), FINDING_TEXTS[Finding[name]].en)
        out.print(listed)
    out.print(f"head {summary['head_hash']}\nstate root {summary['state_root']}", highlight=False, soft_wrap=True)
    out.print(f"audit: [bold]{summary['audit']}[/bold], {summary['entries_per_second']:,} entries/s", highlight=False)


def _read(path: Path) -> dict[str, Any]:
    try:
        lines = path.read_text().strip()
        document: dict[str, Any] = json.loads(lines if lines.startswith("{\n") else lines.splitlines()[-1])
    except (OSError, ValueError, IndexError) as error:
        fail(LedgerError(f"{path} is no JSON file.", hint="Give a result of `demo --json` and its --truth."), USAGE)
        raise AssertionError from error
    return document


def score(
    result: Annotated[Path, typer.Argument(help="Output of `clearance demo --json`.")],
    truth: Annotated[Path, typer.Argument(help="File written by `clearance demo --truth`.")],
    permute: Annotated[int | None, typer.Option(help="Deal the labels anew by this seed: falls to chance.")] = None,
    as_json: Json = False,
) -> None:
    """Compare planted cases with what was caught, per kind; exit 0 when all of it was."""
    from clients.sample.score import score as compare

    found, planted = _read(result), _read(truth)
    try:
        scored = compare(found["outcomes"], planted, permute)
    except (KeyError, ValueError):
        fail(LedgerError("Result and truth are not of the same day.", hint="Make both in one run of `demo`."), USAGE)
    if as_json:
        say_json(scored.as_dict())
    else:
        table = Table(title="Planted and caught", title_justify="left")
        table.add_column("kind")
        for column in ("planted", "caught", "share"):
            table.add_column(column, justify="right")
        for kind in scored.kinds:
            table.add_row(kind.case, str(kind.planted), str(kind.caught), f"{kind.share:.1%}")
        out.print(table)
        out.print(f"clean parcels {scored.clean:,}, referred among them {scored.clean_referred}", highlight=False)
    if not scored.ok:
        raise typer.Exit(FINDING)
