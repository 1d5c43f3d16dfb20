"""`clearance courier scans|spool`: a file of scans, signed, kept and sent, and what still waits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from clients.cli.console import FINDING, UNREACHABLE, err, errors, out, progress, say_json
from clients.cli.desk import HOME, HomeFolder, desk
from clients.cli.listen import Name, OwnKey, Seed, signer_of
from clients.cli.session import API, Api, Json, NodeInstead, Pass, Token
from ledger.domain.errors import LedgerError


def scans(
    file: Annotated[Path, typer.Argument(help="Scans: .csv, or .json as EPCIS 2.0.")],
    api: Api = API, node: NodeInstead = "", token: Token = "", key: OwnKey = None,
    passphrase_file: Pass = None, demo_seed: Seed = None, name: Name = "courier-1", home: HomeFolder = HOME,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait until every entry has ended.")] = 120.0,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Convert a file of scans, sign, keep and send it, and say what became of every row.

    Running it again is safe: what was given before is followed, not sent twice. Which house bill is which parcel stands
    in the book (`clearance courier book load`). Ends with 0 if all is recorded, 1 if something was rejected, 3 if
    something still waits. Example: clearance courier scans today.csv --key courier.json --api https://gateway.example
    """
    from clients.convert.taking import convert, shown, take
    from clients.sender import Sender

    with errors():
        try:
            data = file.read_bytes()
        except OSError as error:
            raise LedgerError(f"{file}: {error.strerror}.", hint="Check the path.") from error
        signer = signer_of(key, passphrase_file, demo_seed, name)
        with desk(home, api, node, token, signer) as at:
            found = convert(data, at.book, at.now(), as_json=file.suffix.lower() in (".json", ".jsonld"))
            taken = take(at.spool, found, file.name)
            status = _send(Sender(at.spool, at.gate), taken.ticket, wait, as_json=as_json)
            rows = [shown(row) for row in at.spool.rows(taken.ticket)]
            counts = at.spool.counts(taken.ticket)
            at.spool.prune()
        if as_json:
            say_json(
                {"counts": counts, "entries": rows, "dropped": [each.as_dict() for each in found.dropped],
                 "rejected": [each.as_dict() for each in found.rejected]}
            )  # fmt: skip
        else:
            show(rows, found, counts)
    bad = found.rejected or counts["rejected"] or counts["refused"]
    if status or bad:
        raise typer.Exit(status or FINDING)


def _send(sender: Any, ticket: int, wait: float, *, as_json: bool) -> int:
    """Send a ticket; return the exit status: what waits is kept and can be sent later."""
    try:
        with progress("entries", quiet=as_json) as bar:
            sender.run(ticket=ticket, timeout=wait, progress=bar)
    except LedgerError as error:
        if error.code not in ("spool.blocked", "spool.in-use"):
            raise
        err.print(f"[yellow]kept[/yellow] {error.code}: {error.detail} {error.hint}", highlight=False, soft_wrap=True)
        return UNREACHABLE
    return 0


def show(rows: list[dict[str, Any]], found: Any, counts: dict[str, int]) -> None:
    """Show what did not go as it should, row by row, and how much did."""
    table = Table(title="Scans", title_justify="left")
    for column in ("row", "event", "outcome", "why", "what to do"):
        table.add_column(column)
    for row in rows:
        if row["outcome"] != "recorded":
            reason = row["reason"] or {"code": "", "en": "", "ko": "", "hint": ""}
            why = f"{reason['code']}\n{reason['ko']}\n{reason['en']}".strip()
            table.add_row(row["place"], row["event"], row["outcome"], why, reason["hint"])
    for each in found.rejected:
        told = each.as_dict()
        table.add_row(each.place, "", "not sent", f"{each.code}\n{told['ko']}\n{told['en']}", told["hint"])
    if table.row_count:
        out.print(table)
    line = ", ".join(f"{count} {what}" for what, count in counts.items() if count or what == "recorded")
    out.print(f"{line}; {len(found.dropped)} left out, {len(found.rejected)} not sent", highlight=False)


def spool(home: HomeFolder = HOME, as_json: Json = False) -> None:
    """Say what waits in the spool, and why. It needs no key and no network."""
    from clients.convert.taking import explained, shown
    from clients.spool_file import SpoolReader

    with errors():
        if not (home / "spool.db").exists():
            raise LedgerError(f"There is no spool in {home}.", hint="Give the folder with --home.")
        opened = SpoolReader(home / "spool.db")
        counts, stuck = opened.counts(), opened.stuck()
        rows = [shown(row) for row in opened.rows(open_only=True, limit=1_000)]
        opened.close()
    batches = [
        {"batch": "0x" + each.name.hex(), "lane": str(each.batch.lane), "seq": str(each.batch.seq), "state": each.state,
         "entries": each.count, "not_after": each.batch.not_after,
         "reason": explained(each.code) | {"detail": each.reason}}
        for each in stuck
    ]  # fmt: skip
    if as_json:
        say_json({"counts": counts, "batches": batches, "entries": rows})
        return
    out.print(", ".join(f"{count} {what}" for what, count in counts.items()), highlight=False)
    for each in batches:
        told: Any = each["reason"]
        out.print(f"batch {str(each['batch'])[:18]} of {each['entries']} waits: {told['code']}", highlight=False)
        out.print(f"  {told['ko']} {told['en']} {told['detail']}", highlight=False, soft_wrap=True)
    table = Table(title="Waiting", title_justify="left")
    for column in ("row", "event", "state"):
        table.add_column(column)
    for row in rows:
        table.add_row(row["place"], row["event"], row["state"])
    if rows:
        out.print(table)
