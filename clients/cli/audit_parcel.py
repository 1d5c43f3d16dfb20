"""`clearance audit parcel`: who signed what of a parcel, when, and by which rules it was judged."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from clients.cli.audit_source import GenesisFile, Home, Json, Key, Pass, Rpc, Token, auditor, finish, source
from clients.cli.console import errors, out, progress
from ledger.domain.errors import LedgerError


def parcel(
    number: Annotated[str, typer.Argument(metavar="ID", help="Id of the parcel, 0x and 64 digits.")],
    rpc: Rpc = None,
    home: Home = None,
    genesis: GenesisFile = None,
    token: Token = "",
    vault: Annotated[Path | None, typer.Option(help="A gateway's folder: says whether payloads were erased.")] = None,
    key: Key = None,
    passphrase_file: Pass = None,
    as_json: Json = False,
) -> None:
    """Say who signed what of a parcel, with key validity then, times claimed and received, and the rule rows used."""
    from clients.cli.session import read_id
    from clients.cli.vault import say_held
    from node.audit.chain import audit_chain
    from node.audit.members import MemberHistory
    from node.audit.parcel import ParcelHistory
    from node.audit.report import Report

    with errors(), source(rpc, token, home, genesis) as given:
        signer = auditor(key, passphrase_file)
        history = ParcelHistory(read_id(number), MemberHistory(given.genesis))
        with progress("audit", quiet=as_json) as bar:
            report = audit_chain(given.genesis, given.blocks, store=given.store, progress=bar, seen=history.add)
        events = history.events()
        if not events:
            raise LedgerError("The chain says nothing of this parcel.", hint="Check the id and the chain.")
        if vault is not None:
            say_held(vault, events)
        if not as_json:
            show_parcel(events)
        subject = dict(report.subject) | {"parcel": f"0x{history.subject:064x}", "events": events}
        finish(Report("parcel", subject, report.findings), as_json=as_json, signer=signer)


def show_parcel(events: list[dict[str, Any]]) -> None:
    """Print what was said, each with its signer, its times and the rules it met."""
    for event in events:
        held = [f"payload {event['payload']}"] if "payload" in event else []
        window = [event[name] for name in ("key_valid_from", "key_valid_to")]
        claimed, received, sealed = (event[name] for name in ("claimed", "received", "block_time"))
        _say(0, f"block {event['block']}  {' '.join([event['kind'], event['outcome'], *event['effects'], *held])}")
        _say(1, f"of {event['subject']}")
        _say(1, f"signed by {event['name']} (org {event['org']}), key {event['key']}, {event['key_then']} then")
        if any(window):
            _say(1, f"key valid from {window[0] or 'ever'} to {window[1] or 'ever'}")
        _say(1, f"claimed {claimed}, received {received}, block {sealed}")
        for rule in event["rules"]:
            since = f", since {rule['since']}" if rule["since"] else ""
            _say(1, f"rule {rule['rule']}: {rule['says']} (row {rule['row']}{since})")


def _say(level: int, text: str) -> None:
    out.print("  " * level + text.replace("+00:00", "Z"), highlight=False, soft_wrap=True, markup=False)
