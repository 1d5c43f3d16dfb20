"""`clearance courier ...`: what an express carrier does by its own key."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from clients.cli import book, certificates, courier_gateway, filing, listen, masters, scans
from clients.cli.console import errors, out, say_json
from clients.cli.desk import HOME, HomeFolder
from clients.cli.party import party, write
from clients.cli.session import API, Api, Json, NodeInstead, OpenKey, Pass, SpoolFolder, Token, read_id
from ledger.domain.errors import LedgerError

app = typer.Typer(no_args_is_help=True, help="The courier: inbox of orders, filings drafted from it, events.")
app.command("listen")(listen.listen)
app.command("trigger")(listen.trigger)
app.command("scans")(scans.scans)
app.command("certificate")(certificates.of_courier)
app.command("spool")(scans.spool)
app.command("gateway")(courier_gateway.gateway)
app.command("file")(filing.file)
app.command("correct")(filing.correct)
app.add_typer(masters.app, name="master")
app.add_typer(book.app, name="book")


@app.command("inbox")
def courier_inbox(
    everything: Annotated[bool, typer.Option("--all", help="Also those that a parcel has used.")] = False,
    opener: filing.Opener = 0,
    api: Api = API, node: NodeInstead = "", token: Token = "", spool: SpoolFolder = None, open_key: OpenKey = None,
    key: listen.OwnKey = None, passphrase_file: Pass = None, demo_seed: listen.Seed = None,
    name: listen.Name = "courier-1", home: HomeFolder = HOME, as_json: Json = False,
) -> None:  # fmt: skip
    """List the orders handed to this courier that wait to be filed, checked against what their sellers signed.

    What it shows of an order is kept in the folder, nothing of the buyer: a payload is fetched once.
    Example: clearance courier inbox --key courier.json --open-key courier.pem --api https://gateway.example
    """
    where, who = (api, node, token, spool), (key, passphrase_file, demo_seed, name)
    with errors(), filing.courier_at(where, who, open_key, opener, home) as (at, courier):
        filing.read_inbox(at, courier, used=everything)
        inbox = courier.inbox
        rows = [
            {"reference": item.reference, "order": f"0x{item.order:064x}", "signed_by": item.signed_by,
             "price": item.goods.price, "currency": item.goods.currency, "goods_class": item.goods.goods_class,
             "quantity": item.goods.quantity, "description": item.description,
             "parcel": f"0x{inbox.used[item.order]:064x}" if item.order in inbox.used else None}
            for item in inbox.listing(used=everything)
        ]  # fmt: skip
        unreadable = [
            {"order": f"0x{order:064x}", "signed_by": inbox.handed[order].seller, "reason": why.name,
             "ko": why.value.ko, "en": why.value.en}
            for order, why in inbox.unreadable.items()
        ]  # fmt: skip
    if as_json:
        say_json({"orders": rows, "unreadable": unreadable})
    else:
        show_inbox(rows, unreadable)


def show_inbox(rows: list[dict[str, Any]], unreadable: list[dict[str, Any]]) -> None:
    """Show orders, and below them those that cannot be read, with the reason and whom to ask."""
    table = Table(title="Orders handed to you", title_justify="left")
    columns = {
        "reference": "reference", "signed_by": "signed by org", "price": "price (minor)", "currency": "currency",
        "goods_class": "class", "quantity": "quantity", "description": "description", "parcel": "used by",
    }  # fmt: skip
    for column in columns.values():
        table.add_column(column)
    for row in rows:
        table.add_row(*(Text(str(row[name] or "")) for name in columns))  # a seller's markup is not obeyed
    out.print(table)
    for each in unreadable:
        line = f"{each['order']} of org {each['signed_by']}: {each['ko']} {each['en']} Ask the seller."
        out.print(line, highlight=False, soft_wrap=True)


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
