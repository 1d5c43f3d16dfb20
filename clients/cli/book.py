"""`clearance courier book ...`: which house bill is which parcel, and where a place stands on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clients.cli.console import errors, out
from clients.cli.desk import HOME, HomeFolder, make_home
from clients.cli.session import read_id
from ledger.domain.errors import LedgerError

app = typer.Typer(no_args_is_help=True, help="The book: which house bill is which parcel, where a place stands.")


@app.command("load")
def book_load(
    file: Annotated[Path, typer.Argument(help="CSV: house_bill, parcel (id), master_bill, master (id).")],
    home: HomeFolder = HOME,
) -> None:
    """Note bills and ids from a file, all or none."""
    import csv

    from clients.convert.book import Book

    with errors():
        try:
            rows = list(csv.DictReader(file.read_text(encoding="utf-8-sig").splitlines()))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise LedgerError(f"{file} cannot be read as CSV in UTF-8.", hint="Check the path.") from error
        opened = Book(make_home(home) / "book.db")
        parcels = [row for row in rows if row.get("house_bill") and row.get("parcel")]
        opened.note_parcels(
            (row["house_bill"], read_id(row["parcel"]), row.get("master_bill") or "") for row in parcels
        )
        masters = {row["master_bill"]: row["master"] for row in rows if row.get("master_bill") and row.get("master")}
        for bill, number in masters.items():
            opened.note_master(bill, read_id(number))
        opened.close()
        out.print(f"{len(parcels)} parcels, {len(masters)} masters noted", highlight=False)


@app.command("place")
def book_place(
    name: Annotated[str, typer.Argument(help="Read point or location as EPCIS events name it.")],
    phase: Annotated[str, typer.Argument(help="export, transit, import or delivery.")],
    home: HomeFolder = HOME,
) -> None:
    """Note where a place stands: what `arriving` and `departing` mean depends on it."""
    from clients.convert.book import Book
    from clients.convert.meanings import Phase

    with errors():
        if phase not in tuple(Phase):
            raise LedgerError(f"{phase} is no phase.", hint=f"Use one of {', '.join(Phase)}.")
        opened = Book(make_home(home) / "book.db")
        opened.note_place(name, Phase(phase))
        opened.close()


@app.command("forget")
def book_forget(
    bill: Annotated[str, typer.Argument(help="House bill or master bill that never came onto the ledger.")],
    home: HomeFolder = HOME,
) -> None:
    """Forget a bill, to file or open it anew. Only if the ledger has it not: else it would stand there twice."""
    import contextlib

    from clients.convert.book import Book

    with errors(), contextlib.closing(Book(make_home(home) / "book.db")) as book:
        if not [what for what in ("parcel", "master") if book.forget(what, bill)]:
            raise LedgerError("The book knows no such bill.", hint="Check the bill and --home.")
