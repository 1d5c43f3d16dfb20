"""`clearance audit ...`: exit 0 ok, 1 finding, 2 usage, 3 unreachable; `--json` for machines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from clients.cli.console import FINDING, USAGE, errors, fail, out, passphrase, progress, say_json
from ledger.domain.errors import LedgerError

app = typer.Typer(no_args_is_help=True, help="Check the chain and what was promised, by executing it again.")

Rpc = Annotated[str | None, typer.Option(help="Address of a node.")]
Token = Annotated[str, typer.Option(envvar="CLEARANCE_TOKEN", help="Access token of that node.")]
Home = Annotated[Path | None, typer.Option(help="Folder of a stopped node: audits the files themselves.")]
GenesisFile = Annotated[Path | None, typer.Option("--genesis", help="Reviewed genesis file; else the node's own.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@contextmanager
def source(rpc: str | None, token: str, home: Path | None, genesis: Path | None) -> Iterator[tuple[Any, Any, Any]]:
    """Yield genesis, raw blocks and store (None over RPC)."""
    from ledger.genesis import load
    from node.audit.chain import blocks_of_node, blocks_of_store
    from node.remote import RemoteNode
    from node.store import RocksStore

    if (rpc is None) == (home is None):
        fail(LedgerError("Give either --rpc or --home.", hint="See clearance audit --help."), USAGE)
    if rpc is not None:
        node = RemoteNode(rpc, token)
        yield (load(genesis) if genesis else node.genesis()), blocks_of_node(node), None
        node.close()
    elif home is not None:
        store = RocksStore(home / "chain", read_only=True)
        yield load(genesis or home / "genesis.json"), blocks_of_store(store), store
        store.close()


def finish(report: Any, *, as_json: bool, signer: Any = None) -> None:
    """Print a report and exit by what was found."""
    document = report.signed(signer)
    if as_json:
        say_json(document)
    else:
        table = Table(title=f"audit {report.kind}", title_justify="left")
        table.add_column("what")
        table.add_column("value", overflow="fold")
        for name, value in document["subject"].items():
            table.add_row(name, str(value))
        table.add_row("digest of the report", document["digest"])
        out.print(table)
        for found in report.findings:
            out.print(f"[red]FAIL[/red] {found.code}: {found.sentence}", highlight=False, soft_wrap=True)
        if report.ok:
            out.print("[green]OK[/green] nothing found", highlight=False)
    if not report.ok:
        raise typer.Exit(FINDING)


@app.command()
def chain(
    rpc: Rpc = None,
    home: Home = None,
    genesis: GenesisFile = None,
    token: Token = "",
    receipts: Annotated[Path | None, typer.Option(help="Folder of receipts a client kept.")] = None,
    heads: Annotated[Path | None, typer.Option(help="File of countersigned heads, one a line.")] = None,
    evm: Annotated[str, typer.Option(help="A second EVM to compare with: anvil.")] = "",
    jobs: Annotated[int, typer.Option(min=1, max=64, help="Stretches of a --home to execute at the same time.")] = 1,
    key: Annotated[Path | None, typer.Option(help="Keystore that signs the report.")] = None,
    passphrase_file: Annotated[Path | None, typer.Option(help="File with its passphrase.")] = None,
    as_json: Json = False,
) -> None:
    """Execute every block again from genesis and compare roots, seals, order of stops and links."""
    from ledger.keys import LocalSigner
    from node.audit.anvil import SecondEvm
    from node.audit.chain import audit_chain
    from node.audit.members import MemberHistory
    from node.audit.receipts import (
        ChainIndex,
        check_heads,
        check_receipts,
        load_heads,
        load_receipts,
        suspensions,
    )
    from node.audit.report import Report

    if evm not in ("", "anvil"):
        fail(LedgerError(f"No second EVM named {evm}.", hint="Use --evm anvil."), USAGE)
    if jobs > 1:
        alone = home is not None and not (evm or receipts or heads)
        in_stretches(home if alone else None, genesis, jobs, key, passphrase_file, as_json=as_json)
        return
    with errors(), source(rpc, token, home, genesis) as (file, blocks, store):
        signer = LocalSigner.load(key, passphrase(passphrase_file)) if key else None
        index, members = ChainIndex(file), MemberHistory(file)
        second = SecondEvm(file) if evm else None
        try:

            def seen(executed: Any) -> None:
                index.add(executed)
                members.add(executed)
                if second:
                    second.execute(executed)

            with progress("audit", quiet=as_json) as bar:
                report = audit_chain(file, blocks, store=store, progress=bar, seen=seen)
            if second:
                second.finish()
        finally:
            if second:
                second.close()
        findings = list(report.findings)
        if second:
            findings += second.findings
        if receipts:
            findings += check_receipts(index, load_receipts(receipts), suspensions(index, members))
        if heads:
            findings += check_heads(index, bytes.fromhex(report.subject["genesis"][2:]), load_heads(heads))
        subject = dict(report.subject) | ({"second_evm": second.name} if second else {})
        finish(Report("chain", subject, tuple(findings)), as_json=as_json, signer=signer)


def in_stretches(
    home: Path | None, genesis: Path | None, jobs: int, key: Path | None, passphrase_file: Path | None, *, as_json: bool
) -> None:
    """Audit a stopped node's chain, several stretches at a time."""
    from ledger.genesis import load
    from ledger.keys import LocalSigner
    from node.audit.ranges import audit_in_stretches

    if home is None:
        fail(LedgerError("--jobs goes with --home alone.", hint="Leave out --evm, --receipts and --heads."), USAGE)
    with errors(), progress("audit", quiet=as_json) as bar:
        signer = LocalSigner.load(key, passphrase(passphrase_file)) if key else None
        report = audit_in_stretches(load(genesis or home / "genesis.json"), home / "chain", jobs, bar)
        finish(report, as_json=as_json, signer=signer)


@app.command()
def parcel(
    number: Annotated[str, typer.Argument(metavar="ID", help="Id of the parcel, 0x and 64 digits.")],
    rpc: Rpc = None,
    home: Home = None,
    genesis: GenesisFile = None,
    token: Token = "",
    vault: Annotated[Path | None, typer.Option(help="A gateway's folder: says whether payloads were erased.")] = None,
    as_json: Json = False,
) -> None:
    """Say who signed what of a parcel, with key validity then, times claimed and received, and the rule rows used."""
    from clients.cli.session import read_id
    from clients.cli.vault import say_held
    from node.audit.chain import audit_chain
    from node.audit.members import MemberHistory
    from node.audit.parcel import ParcelHistory
    from node.audit.report import Report

    with errors(), source(rpc, token, home, genesis) as (file, blocks, store):
        members = MemberHistory(file)
        history = ParcelHistory(read_id(number), members)

        def seen(executed: Any) -> None:
            history.add(executed)
            members.add(executed)

        with progress("audit", quiet=as_json) as bar:
            report = audit_chain(file, blocks, store=store, progress=bar, seen=seen)
        if not history.events:
            raise LedgerError("The chain says nothing of this parcel.", hint="Check the id and the chain.")
        if vault is not None:
            say_held(vault, history.events)
        subject = dict(report.subject) | {"parcel": number, "events": history.ordered(), "rules": history.rules}
        if not as_json:
            show_parcel(history)
            subject = dict(report.subject) | {"parcel": number}
        finish(Report("parcel", subject, report.findings), as_json=as_json)


def show_parcel(history: Any) -> None:
    """Print a parcel's story."""
    table = Table(title="Who signed what", title_justify="left")
    for column in ("block", "kind", "outcome", "signed by", "key then", "claimed", "received", "block time"):
        table.add_column(column, overflow="fold")
    for event in history.ordered():
        held = [f"payload {event['payload']}"] if "payload" in event else []
        outcome = " ".join([event["outcome"], *event["effects"], *held])
        times = [event[name].replace("+00:00", "Z") for name in ("claimed", "received", "block_time")]
        table.add_row(str(event["block"]), event["kind"], outcome, event["name"], event["key_then"], *times)
    out.print(table)
    if history.rules:
        listed = Table(title=f"Rules in force at {history.rules['at']}", title_justify="left")
        listed.add_column("row")
        listed.add_column("value", justify="right")
        for name, row in history.rules["rows"].items():
            listed.add_row(name, "none" if row["value"] is None else hex(row["value"]))
        for currency, rate in history.rules["rates"].items():
            listed.add_row(f"rate {currency}, week {history.rules['week']}", str(rate))
        out.print(listed)


@app.command()
def roles(
    at: Annotated[int | None, typer.Option(min=0, help="Block; the head unless told.")] = None,
    rpc: Rpc = None,
    home: Home = None,
    genesis: GenesisFile = None,
    token: Token = "",
    as_json: Json = False,
) -> None:
    """Say who could do what at a block."""
    from itertools import takewhile

    from node.audit.chain import audit_chain
    from node.audit.members import MemberHistory
    from node.audit.report import Report

    with errors(), source(rpc, token, home, genesis) as (file, blocks, _):
        members = MemberHistory(file)
        until = takewhile(lambda raw: at is None or raw.height <= at, blocks)
        with progress("audit", quiet=as_json) as bar:
            report = audit_chain(file, until, progress=bar, seen=members.add)
        listed = list(members.describe())
        if not as_json:
            table = Table(title=f"Who could do what at block {report.subject['height']}", title_justify="left")
            for column in ("org", "name", "roles", "standing", "key", "key state"):
                table.add_column(column, overflow="fold")
            for each in listed:
                state = "suspended" if each["key_suspended"] else "in use"
                table.add_row(
                    str(each["org"]), each["name"], " ".join(each["roles"]), each["standing"], each["key"], state
                )
            out.print(table)
        subject = dict(report.subject) | ({"members": listed} if as_json else {})
        finish(Report("roles", subject, report.findings), as_json=as_json)


@app.command()
def projection(
    rpc: Annotated[str, typer.Option(help="Address of a node you trust: your own.")],
    token: Token = "",
    home: Annotated[Path, typer.Option(help="The gateway's folder.")] = Path(".clearance/gateway"),
    database: Annotated[str, typer.Option(envvar="CLEARANCE_DATABASE", help="SQLAlchemy address; else SQLite.")] = "",
    as_json: Json = False,
) -> None:
    """Make the read model anew from the chain and compare: finds rows that were planted, altered or dropped."""
    from clients.cli.api import open_database
    from ledger.store.comparison import differences
    from ledger.store.migrations import check_current
    from node.audit.report import Found, Report
    from node.remote import RemoteNode

    with errors():
        opened, node = open_database(home, database), RemoteNode(rpc, token)
        check_current(opened)
        genesis = node.genesis()
        with progress("audit", quiet=as_json) as bar:
            found = [
                Found("projection.differs", None, f"{each.sentence}.")
                for each in differences(opened, node, genesis.domain, bar)
            ]
        opened.close()
        node.close()
        finish(Report("projection", {"node": rpc}, tuple(found)), as_json=as_json)


@app.command()
def samples(
    rpc: Rpc = None, home: Home = None, genesis: GenesisFile = None, token: Token = "", as_json: Json = False
) -> None:
    """Recompute every choice of screening's random sample, from the chain and the keys it revealed."""
    from node.audit.chain import audit_chain
    from node.audit.members import MemberHistory
    from node.audit.report import Report
    from node.audit.samples import SampleHistory

    with errors(), source(rpc, token, home, genesis) as (file, blocks, store):
        members = MemberHistory(file)
        history = SampleHistory(members)

        def seen(executed: Any) -> None:
            members.add(executed)
            history.add(executed)

        with progress("audit", quiet=as_json) as bar:
            report = audit_chain(file, blocks, store=store, progress=bar, seen=seen)
        days = {members.name(org): [day.as_dict() for day in days] for org, days in history.days().items()}
        if not as_json:
            show_days(days)
        subject = dict(report.subject) | history.summary() | ({"screening": days} if as_json else {})
        finish(Report("samples", subject, (*report.findings, *history.check())), as_json=as_json)


def show_days(days: dict[str, list[dict[str, Any]]]) -> None:
    """Print what each day's key picked."""
    table = Table(title="Random sample", title_justify="left")
    for column in ("screening", "day (KST)", "key", "rate", "parcels", "picked", "without payload"):
        table.add_column(column, overflow="fold")
    for name, listed in days.items():
        for day in (each for each in listed if each["parcels"]):
            rate = "" if day["rate_per_million"] is None else f"{day['rate_per_million'] / 10_000:g} %"
            key = "revealed" if day["revealed"] else "secret yet"
            told = str(day["parcels"]), str(day["picked"]) if day["revealed"] else "", str(day["unscreened"])
            table.add_row(name, day["day"], key, rate, *told)
    out.print(table)
