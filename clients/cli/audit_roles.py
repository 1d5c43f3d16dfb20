"""`clearance audit roles`: who could do what at a block."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from clients.cli.audit_source import GenesisFile, Home, Json, Key, Pass, Rpc, Token, auditor, finish, source
from clients.cli.console import USAGE, errors, fail, out, progress
from ledger.domain.errors import LedgerError


def roles(
    at: Annotated[int | None, typer.Option(min=0, help="Block; the head unless told.")] = None,
    rpc: Rpc = None,
    home: Home = None,
    genesis: GenesisFile = None,
    token: Token = "",
    successor: Annotated[
        Path | None, typer.Option(help="New file: genesis of a chain that takes over members and rules as they stand.")
    ] = None,
    key: Key = None,
    passphrase_file: Pass = None,
    as_json: Json = False,
) -> None:
    """Say who could do what at a block: orgs, keys with their validity then, and what one org lets another write."""
    from node.audit.chain import audit_chain
    from node.audit.members import MemberHistory
    from node.audit.report import Report

    with errors(), source(rpc, token, home, genesis) as given:
        signer = auditor(key, passphrase_file)
        members = MemberHistory(given.genesis)
        with progress("audit", quiet=as_json) as bar:
            report = audit_chain(given.genesis, _until(at, given.blocks), progress=bar, seen=members.add)
        listed = members.describe()
        if successor and report.ok:
            _write(successor, members.successor().dumps())
        if not as_json:
            show_members(listed, report.subject["height"])
        subject = dict(report.subject) | {"time": _time(members.time), "members": listed}
        finish(Report("roles", subject, report.findings), as_json=as_json, signer=signer)


def _until(at: int | None, blocks: Iterable[Any]) -> Iterator[Any]:
    for raw in blocks:
        if at is not None and at > raw.total:
            fail(LedgerError(f"There is no block {at}: the head is {raw.total}.", hint="Give a block up to it."), USAGE)
        yield raw
        if raw.height == at:
            return


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x") as file:
            file.write(text)
    except OSError as error:
        raise LedgerError(f"{path}: {error.strerror}.", hint="Give a file that is not there yet.") from error


def _time(seconds: int | None) -> str:
    if seconds is None:
        return ""
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat().replace("+00:00", "Z")


def show_members(listed: dict[str, Any], height: int) -> None:
    """Print orgs, their keys and what one lets another write."""
    orgs = Table(title=f"Organisations at block {height}", title_justify="left")
    for column in ("org", "name", "roles", "standing", "group", "office", "seat", "cold key"):
        orgs.add_column(column, overflow="fold")
    for each in listed["orgs"]:
        numbers = (str(each[name] or "") for name in ("group", "office", "seat"))
        orgs.add_row(
            str(each["handle"]), each["name"], " ".join(each["roles"]), each["standing"], *numbers, each["cold"]
        )
    out.print(orgs)
    for each in listed["keys"]:
        since, until = _time(each["valid_from"] or None), _time(each["valid_to"])
        window = "".join([f" from {since}" if since else "", f" to {until}" if until else ""])
        said = f"{each['key']} {each['name']}: {' '.join(each['roles'])}, {each['state']}{window}"
        out.print(said, highlight=False, soft_wrap=True)
    for each in listed["let"]:
        said = f"org {each['org']} lets org {each['writer']} write {' '.join(each['kinds'])}"
        out.print(said, highlight=False, soft_wrap=True)
    out.print(f"governors and rule makers decide by {listed['quorum']} votes", highlight=False)
