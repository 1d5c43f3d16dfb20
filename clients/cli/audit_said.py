"""`clearance audit receipts|answers|orders|key`: what was promised, handed over, and said by a key."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.table import Table

from clients.cli.audit_source import GenesisFile, Home, Json, Key, Pass, Rpc, Token, auditor, finish, source
from clients.cli.console import USAGE, errors, fail, out, progress
from ledger.domain.errors import LedgerError

DAY: Final = 86_400
SHOWN: Final = 100
"""Lines of a table at most; `--json` has all."""


def receipts(
    folder: Annotated[Path, typer.Argument(help="Folder of receipts a client kept.")],
    rpc: Rpc = None,
    home: Home = None,
    genesis: GenesisFile = None,
    token: Token = "",
    heads: Annotated[Path | None, typer.Option(help="File of countersigned heads, one a line.")] = None,
    key: Key = None,
    passphrase_file: Pass = None,
    as_json: Json = False,
) -> None:
    """Find promised batches that are not there, stops that came too late, and a past that was sealed again."""
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

    with errors(), source(rpc, token, home, genesis) as given:
        signer = auditor(key, passphrase_file)
        index, members = ChainIndex(given.genesis), MemberHistory(given.genesis)

        def seen(executed: Any) -> None:
            index.add(executed)
            members.add(executed)

        with progress("audit", quiet=as_json) as bar:
            report = audit_chain(given.genesis, given.blocks, store=given.store, progress=bar, seen=seen)
        promised = list(load_receipts(folder))
        findings = [*report.findings, *check_receipts(index, promised, suspensions(index, members))]
        if heads:
            findings += check_heads(index, bytes.fromhex(report.subject["genesis"][2:]), load_heads(heads))
        subject = dict(report.subject) | {"receipts": len(promised)}
        finish(Report("receipts", subject, tuple(findings)), as_json=as_json, signer=signer)


def answers(
    receipts: Annotated[list[Path], typer.Argument(metavar="RECEIPT...", help="Receipts of answers, or folders.")],
    rpc: Rpc = None,
    home: Home = None,
    genesis: GenesisFile = None,
    token: Token = "",
    key: Key = None,
    passphrase_file: Pass = None,
    as_json: Json = False,
) -> None:
    """Say whether the stops that a holder's receipts promise stand on chain; one not due yet is not missing."""
    from ledger.answers import BadReceipt
    from node.audit.answers import StopIndex, check_answers, load_answers
    from node.audit.chain import audit_chain
    from node.audit.members import MemberHistory
    from node.audit.report import Report

    with errors():
        try:
            kept = list(load_answers(receipts))
        except BadReceipt as error:
            fail(error, USAGE)
        signer = auditor(key, passphrase_file)
        with source(rpc, token, home, genesis) as given:
            index, members = StopIndex(), MemberHistory(given.genesis)

            def seen(executed: Any) -> None:
                index.add(executed)
                members.add(executed)

            with progress("audit", quiet=as_json) as bar:
                report = audit_chain(given.genesis, given.blocks, store=given.store, progress=bar, seen=seen)
        findings = (*report.findings, *check_answers(index, members, kept))
        owed = [stop for _, receipt in kept for stop in receipt.stops]
        stands = sum((stop.parcel, stop.digest) in index.places for stop in owed)
        told = {"receipts": len(kept), "stops_owed": len(owed), "stops_on_chain": stands}
        finish(Report("answers", dict(report.subject) | told, findings), as_json=as_json, signer=signer)


def orders(
    rpc: Rpc = None,
    home: Home = None,
    genesis: GenesisFile = None,
    token: Token = "",
    days: Annotated[int, typer.Option(min=0, help="Days an order may wait for its filing.")] = 14,
    key: Key = None,
    passphrase_file: Pass = None,
    as_json: Json = False,
) -> None:
    """Find orders handed to a courier and never used: the way round the match."""
    from node.audit.chain import audit_chain
    from node.audit.members import MemberHistory
    from node.audit.orders import OrderBook
    from node.audit.report import Report

    with errors(), source(rpc, token, home, genesis) as given:
        signer = auditor(key, passphrase_file)
        members = MemberHistory(given.genesis)
        book = OrderBook(members)

        def seen(executed: Any) -> None:
            members.add(executed)
            book.add(executed)

        with progress("audit", quiet=as_json) as bar:
            report = audit_chain(given.genesis, given.blocks, store=given.store, progress=bar, seen=seen)
        subject = dict(report.subject) | {"days": days} | book.summary(days * DAY)
        finish(Report("orders", subject, report.findings + book.findings(days * DAY)), as_json=as_json, signer=signer)


def of_key(
    address: Annotated[str, typer.Argument(help="Address of the key, 0x and 40 digits.")],
    rpc: Rpc = None,
    home: Home = None,
    genesis: GenesisFile = None,
    token: Token = "",
    since: Annotated[str, typer.Option(help="From this time on, RFC 3339; else from the beginning.")] = "",
    key: Key = None,
    passphrase_file: Pass = None,
    as_json: Json = False,
) -> None:
    """List what a key signed and touched since a moment: for the day it turns out to be stolen."""
    from node.audit.chain import audit_chain
    from node.audit.keys import KeyHistory
    from node.audit.members import MemberHistory
    from node.audit.report import Report

    with errors(), source(rpc, token, home, genesis) as given:
        signer = auditor(key, passphrase_file)
        members = MemberHistory(given.genesis)
        history = KeyHistory(read_address(address), read_time(since), members)

        with progress("audit", quiet=as_json) as bar:
            report = audit_chain(given.genesis, given.blocks, store=given.store, progress=bar, seen=history.add)
        if history.key not in members.keys:
            raise LedgerError("The chain knows no such key.", hint="Check the address and the chain.")
        if not as_json:
            show_key(history)
        subject = dict(report.subject) | history.whole()
        finish(Report("key", subject, report.findings), as_json=as_json, signer=signer)


def read_address(text: str) -> bytes:
    """Read an address, or stop with a usage error."""
    try:
        found = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        found = b""
    if len(found) != 20:
        fail(LedgerError("That is no address.", hint="Give 0x and 40 hex digits."), USAGE)
    return found


def read_time(text: str) -> int:
    """Read an aware time as seconds UTC, 0 for none; or stop with a usage error."""
    if not text:
        return 0
    try:
        found: dt.datetime | None = dt.datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        fail(LedgerError("That is no time with a zone.", hint="Give 2026-11-23T09:00:00+09:00, say."), USAGE)
    return int(found.timestamp())


def show_key(history: Any) -> None:
    """Print what a key did."""
    for each in history.own:
        out.print(f"block {each['block']}, {each['time']}: {each['what']} by {each['by']}", highlight=False)
    table = Table(title="What it signed", title_justify="left")
    for column in ("block", "time", "kind", "subject", "outcome"):
        table.add_column(column, overflow="fold")
    for each in history.said[-SHOWN:]:
        outcome = " ".join([each["outcome"], *each["effects"]])
        table.add_row(str(each["block"]), each["time"], each["kind"], each["subject"], outcome)
    out.print(table)
    if len(history.said) > SHOWN:
        out.print(f"the last {SHOWN} of {len(history.said)} entries; --json has all", highlight=False)
    for each in history.changes:
        out.print(f"block {each['block']}: changed {each['what']} {each['a']} {each['b']}", highlight=False)
