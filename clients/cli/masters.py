"""`clearance courier master ...`: a flight's or voyage's bill, its arrival and unloading."""

from __future__ import annotations

import contextlib
import os
from typing import Annotated, Any

import typer

from clients.cli.begun import open_noted, refuse_known, resume
from clients.cli.console import errors
from clients.cli.desk import HOME, HomeFolder, make_home
from clients.cli.listen import Name, OwnKey, Seed, signer_of
from clients.cli.party import party, write
from clients.cli.session import API, Api, Json, NodeInstead, Pass, Token, read_id
from ledger.domain.errors import LedgerError

app = typer.Typer(no_args_is_help=True, help="Flights and voyages: open a master bill, report arrival and unloading.")

Bill = Annotated[str, typer.Argument(help="Master bill (MAWB, MBL), or the id of a master: 0x and 64 digits.")]


@app.command("open")
def master_open(
    master_bill: Annotated[str, typer.Argument(help="Master bill (MAWB, MBL).")],
    api: Api = API, node: NodeInstead = "", token: Token = "", key: OwnKey = None, passphrase_file: Pass = None,
    demo_seed: Seed = None, name: Name = "courier-1", home: HomeFolder = HOME, as_json: Json = False,
) -> None:  # fmt: skip
    """Record a master bill and note it in the book; prints its handle, which filings name with --master.

    If it ended before it said what became of the bill, run it again: it follows what it began.
    Example: clearance courier master open 180-12345675 --key courier.json --api https://gateway.example
    """
    from clients.convert.book import Book
    from clients.courier import open_master

    with errors(), contextlib.closing(Book(make_home(home) / "book.db")) as book:
        begun = book.begun("master", master_bill)
        if begun is None:
            refuse_known(book.master(master_bill))
        with party(api, node, token, signer_of(key, passphrase_file, demo_seed, name)) as at:
            if begun is not None:
                resume(at, book, "master", master_bill, begun, as_json=as_json)
                return
            open_master(at.writer, os.urandom(32), master_bill, at.now())
            open_noted(at, book, "master", master_bill, as_json=as_json)


def _report(
    kind: str, bill: str, where: tuple[str, str, str], who: tuple[Any, ...], home: Any, *, as_json: bool
) -> None:
    from clients.convert.book import Book
    from ledger.chain.batch import Entry
    from ledger.domain.kinds import KindNumber

    with errors(), contextlib.closing(Book(make_home(home) / "book.db")) as book:
        master = read_id(bill) if bill.startswith("0x") else book.master(bill)
        if master is None:
            raise LedgerError("The book knows no such master bill.", hint="Give the id of the master instead.")
        with party(*where, signer_of(*who)) as at:
            at.writer.write(Entry(master, KindNumber[kind], at.now()))
            write(at, as_json=as_json)


@app.command("arrived")
def master_arrived(
    master_bill: Bill, api: Api = API, node: NodeInstead = "", token: Token = "", key: OwnKey = None,
    passphrase_file: Pass = None, demo_seed: Seed = None, name: Name = "courier-1", home: HomeFolder = HOME,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Record now that a flight or voyage arrived (입항보고 수리)."""
    who = (key, passphrase_file, demo_seed, name)
    _report("MASTER_ARRIVED", master_bill, (api, node, token), who, home, as_json=as_json)


@app.command("unloaded")
def master_unloaded(
    master_bill: Bill, api: Api = API, node: NodeInstead = "", token: Token = "", key: OwnKey = None,
    passphrase_file: Pass = None, demo_seed: Seed = None, name: Name = "courier-1", home: HomeFolder = HOME,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Record now that a flight or voyage was unloaded (하기·하선신고 수리)."""
    who = (key, passphrase_file, demo_seed, name)
    _report("MASTER_UNLOADED", master_bill, (api, node, token), who, home, as_json=as_json)
