"""`clearance seller ...`: what a shop or marketplace does by its own key."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from clients.cli.console import errors
from clients.cli.session import Json, Key, Node, Pass, SpoolFolder, Token, now_of, open_session, readers, send
from ledger.domain.errors import LedgerError

app = typer.Typer(no_args_is_help=True, help="The seller: record orders, hand them to couriers.")


@app.command("order")
def seller_order(
    file: Annotated[Path, typer.Argument(help="JSON: reference, price, currency, goods_class, quantity, use, "
                                              "description, hs6, courier (org), buyer.")],
    node: Node, key: Key, spool: SpoolFolder, token: Token = "", passphrase_file: Pass = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Record an order and hand it to its courier; the buyer's data travels encrypted."""
    from clients.seller import Sale, Seller
    from ledger.domain.facts import Goods, Use
    from ledger.domain.money import Money
    from ledger.domain.roles import Role
    from ledger.payloads import Spool

    with errors():
        session = open_session(node, token, key, passphrase_file)
        try:
            told = json.loads(file.read_text())
            price = Money.parse(str(told["price"]), told["currency"])
            goods = Goods(
                price.minor, price.currency.number, int(told["goods_class"]), int(told["quantity"]),
                use=Use[told.get("use", "personal").upper()],
            )  # fmt: skip
            now = now_of(session)
            sale = Sale(
                told["reference"], goods, told["description"], told["hs6"], now, int(told["courier"]), told["buyer"]
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LedgerError(f"{file}: {error}.", hint="Give every field named in --help.") from error
        public = readers(session.genesis, Role.COURIER, Role.IDENTITY_AUTHORITY, Role.SCREENING)
        checkers = readers(session.genesis, Role.IDENTITY_AUTHORITY, Role.SCREENING)
        Seller(session.writer, os.urandom(32), Spool(spool), public).record(sale, tuple(checkers))
        send(session, as_json=as_json)
