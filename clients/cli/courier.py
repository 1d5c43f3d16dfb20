"""`clearance courier ...`: what an express carrier does by its own key."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from clients.cli import book, courier_gateway, listen, scans
from clients.cli.console import errors, out, say_json
from clients.cli.party import party, write
from clients.cli.session import (
    API,
    Api,
    Json,
    Key,
    Node,
    NodeInstead,
    OpenKey,
    Pass,
    Session,
    SpoolFolder,
    Token,
    load_open_key,
    now_of,
    open_session,
    read_id,
    readers,
    send,
)
from ledger.domain.errors import LedgerError

app = typer.Typer(no_args_is_help=True, help="The courier: inbox of orders, filings drafted from it, events.")
app.command("listen")(listen.listen)
app.command("trigger")(listen.trigger)
app.command("scans")(scans.scans)
app.command("spool")(scans.spool)
app.command("gateway")(courier_gateway.gateway)
app.add_typer(book.app, name="book")


def _courier(session: Session, spool: Path, open_key: Path) -> Any:
    from clients.courier import Courier
    from ledger.domain.roles import Role
    from ledger.payloads import Spool

    public = readers(session.genesis, Role.IDENTITY_AUTHORITY, Role.SCREENING)
    found = Courier(session.writer, os.urandom(32), Spool(spool), load_open_key(open_key), list(public.values()))
    for batch in session.node.included(1):
        found.watch(batch)
    return found


@app.command("inbox")
def courier_inbox(
    node: Node, key: Key, spool: SpoolFolder, open_key: OpenKey, token: Token = "", passphrase_file: Pass = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """List the orders handed to this courier, opened and checked against what their sellers signed."""
    with errors():
        session = open_session(node, token, key, passphrase_file)
        found = _courier(session, spool, open_key)
        rows = [
            {
                "reference": item.reference,
                "order": f"0x{item.order:064x}",
                "signed_by": item.signed_by,
                "price": item.goods.price,
                "currency": item.goods.currency,
                "goods_class": item.goods.goods_class,
                "quantity": item.goods.quantity,
                "description": item.rest["description"],
            }
            for item in found.inbox.readable()
        ]
        if as_json:
            say_json(
                {"orders": rows, "unreadable": {f"0x{k:064x}": v.value.en for k, v in found.inbox.unreadable.items()}}
            )
            return
        table = Table(title="Orders handed to you", title_justify="left")
        for column in ("reference", "signed by org", "price (minor)", "currency", "class", "quantity", "description"):
            table.add_column(column)
        for row in rows:
            table.add_row(*(str(row[name]) for name in row if name != "order"))
        out.print(table)


@app.command("file")
def courier_file(
    house_bill: Annotated[str, typer.Argument(help="House bill (HBL) of the parcel.")],
    references: Annotated[list[str], typer.Argument(help="References of the orders in the box.")],
    node: Node, key: Key, spool: SpoolFolder, open_key: OpenKey,
    dispatch: Annotated[str, typer.Option(help="Dispatch country, ISO 3166-1.")],
    office: Annotated[int, typer.Option(help="Customs office, for example 40.")],
    declared: Annotated[bool, typer.Option(help="File on a declaration instead of the list.")] = False,
    draft: Annotated[bool, typer.Option(help="Show the filing and who signed each field; send nothing.")] = False,
    token: Token = "", passphrase_file: Pass = None, as_json: Json = False,
) -> None:  # fmt: skip
    """File a parcel from the inbox: nothing is keyed in again."""
    from clients.courier import Shipment
    from ledger.domain.facts import Mode, Track, Transport, country_number
    from ledger.domain.identifiers import CountryCode

    with errors():
        session = open_session(node, token, key, passphrase_file)
        found = _courier(session, spool, open_key)
        country = country_number(CountryCode.parse(dispatch).value)
        track = Track.DECLARED if declared else Track.LIST
        transport = Transport(country, country, Mode.EXPRESS_AIR, office, track)
        items = [found.inbox.find(name) for name in references]
        shipment = Shipment(
            house_bill, tuple(items), transport, now_of(session), shop=str(items[0].signed_by),
            consignee=items[0].buyer,
        )  # fmt: skip
        if draft:
            show_draft(shipment, items, session.writer.org, as_json=as_json)
            return
        found.file(shipment)
        send(session, as_json=as_json)


def show_draft(shipment: Any, items: list[Any], courier_org: int, *, as_json: bool) -> None:
    """Show every field of a filing with the org that signs it."""
    rows: list[tuple[str, str, int]] = []
    for item in items:
        rows += [
            (f"{item.reference} {name}", str(int(getattr(item.goods, name))), item.signed_by)
            for name in ("price", "currency", "goods_class", "quantity", "use")
        ]
        rows.append((f"{item.reference} description", item.rest["description"], item.signed_by))
    rows += [
        (name, str(int(getattr(shipment.transport, name))), courier_org)
        for name in ("dispatch", "origin", "mode", "office", "track")
    ]
    if as_json:
        say_json({"draft": [{"field": field, "value": value, "signed_by": org} for field, value, org in rows]})
        return
    table = Table(title=f"Draft of {shipment.house_bill}", title_justify="left")
    for column in ("field", "value", "signed by org"):
        table.add_column(column)
    for field, value, org in rows:
        table.add_row(field, value, str(org))
    out.print(table)


@app.command("event")
def courier_event(
    subject: Annotated[str, typer.Argument(help="Id of the parcel or master, 0x and 64 digits.")],
    kind: Annotated[str, typer.Argument(help="CARRIED_IN, RELEASED, MASTER_ARRIVED or MASTER_UNLOADED.")],
    api: Api = API, node: NodeInstead = "", token: Token = "", key: listen.OwnKey = None, passphrase_file: Pass = None,
    demo_seed: listen.Seed = None, name: listen.Name = "courier-1", as_json: Json = False,
) -> None:  # fmt: skip
    """Record an event of a parcel or master now, and wait for what became of it; for files of events see `scans`.

    Example: clearance courier event 0x1f... CARRIED_IN --key courier.json --api https://gateway.example
    """
    from ledger.chain.batch import Entry
    from ledger.domain.kinds import KindNumber

    with errors():
        allowed = ("CARRIED_IN", "RELEASED", "MASTER_ARRIVED", "MASTER_UNLOADED")
        if kind not in allowed:
            raise LedgerError(f"{kind} is no event.", hint=f"Use one of {', '.join(allowed)}.")
        number = read_id(subject)
        with party(api, node, token, listen.signer_of(key, passphrase_file, demo_seed, name)) as at:
            at.writer.write(Entry(number, KindNumber[kind], at.now()))
            write(at, as_json=as_json)
