"""`clearance audit ...`: exit 0 ok, 1 finding, 2 usage, 3 unreachable; `--json` for machines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from clients.cli import audit_parcel, audit_roles, audit_said
from clients.cli.audit_source import GenesisFile, Home, Json, Key, Pass, Rpc, Token, auditor, finish, source
from clients.cli.console import USAGE, errors, fail, out, progress
from ledger.domain.errors import LedgerError

app = typer.Typer(no_args_is_help=True, help="Check the chain and what was promised, by executing it again.")
for name, command in (
    ("parcel", audit_parcel.parcel),
    ("roles", audit_roles.roles),
    ("receipts", audit_said.receipts),
    ("answers", audit_said.answers),
    ("orders", audit_said.orders),
    ("key", audit_said.of_key),
):
    app.command(name)(command)


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
    key: Key = None,
    passphrase_file: Pass = None,
    as_json: Json = False,
) -> None:
    """Execute every block again from genesis and compare roots, seals, order of stops and links."""
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
    with errors(), source(rpc, token, home, genesis) as given:
        signer = auditor(key, passphrase_file)
        index, members = ChainIndex(given.genesis), MemberHistory(given.genesis)
        second = SecondEvm(given.genesis) if evm else None
        try:

            def seen(executed: Any) -> None:
                index.add(executed)
                members.add(executed)
                if second:
                    second.execute(executed)

            with progress("audit", quiet=as_json) as bar:
                report = audit_chain(given.genesis, given.blocks, store=given.store, progress=bar, seen=seen)
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
    from node.audit.ranges import audit_in_stretches

    if home is None:
        fail(LedgerError("--jobs goes with --home alone.", hint="Leave out --evm, --receipts and --heads."), USAGE)
    with errors():
        signer = auditor(key, passphrase_file)
        with progress("audit", quiet=as_json) as bar:
            report = audit_in_stretches(load(genesis or home / "genesis.json"), home / "chain", jobs, bar)
        finish(report, as_json=as_json, signer=signer)


@app.command()
def projection(
    rpc: Annotated[str, typer.Option(help="Address of a node you trust: your own.")],
    token: Token = "",
    home: Annotated[Path, typer.Option(help="The gateway's folder.")] = Path(".clearance/gateway"),
    database: Annotated[str, typer.Option(envvar="CLEARANCE_DATABASE", help="SQLAlchemy address; else SQLite.")] = "",
    key: Key = None,
    passphrase_file: Pass = None,
    as_json: Json = False,
) -> None:
    """Make the read model anew from the chain and compare: finds rows that were planted, altered or dropped."""
    from clients.cli.api import open_database
    from ledger.store.comparison import differences
    from ledger.store.migrations import check_current
    from ledger.store.projector import Projector
    from node.audit.report import Found, Report
    from node.remote import RemoteNode

    with errors():
        signer = auditor(key, passphrase_file)
        opened, node = open_database(home, database), RemoteNode(rpc, token)
        check_current(opened)
        genesis = node.genesis()
        with progress("audit", quiet=as_json) as bar:
            found = [
                Found("projection.differs", None, f"{each.sentence}.")
                for each in differences(opened, node, genesis.domain, bar)
            ]
        subject = {
            "genesis": node.status()["genesisHash"],
            "height": Projector(opened, node, genesis.domain).height(),
            "node": rpc,
        }
        opened.close()
        node.close()
        finish(Report("projection", subject, tuple(found)), as_json=as_json, signer=signer)


@app.command()
def samples(
    rpc: Rpc = None, home: Home = None, genesis: GenesisFile = None, token: Token = "", key: Key = None,
    passphrase_file: Pass = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Recompute every choice of screening's random sample, from the chain and the keys it revealed."""
    from node.audit.chain import audit_chain
    from node.audit.members import MemberHistory
    from node.audit.report import Report
    from node.audit.samples import SampleHistory

    with errors(), source(rpc, token, home, genesis) as given:
        signer = auditor(key, passphrase_file)
        members = MemberHistory(given.genesis)
        history = SampleHistory(members)

        with progress("audit", quiet=as_json) as bar:
            report = audit_chain(given.genesis, given.blocks, store=given.store, progress=bar, seen=history.add)
        days = {members.name(org): [day.as_dict() for day in days] for org, days in history.days().items()}
        if not as_json:
            show_days(days)
        subject = dict(report.subject) | history.summary() | {"screening": days}
        finish(Report("samples", subject, (*report.findings, *history.check())), as_json=as_json, signer=signer)


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
