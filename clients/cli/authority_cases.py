"""`clearance api reissue|resales FILE`: what an operator of the identity authority's own register notes of people.

Numbers are personal: they stand in a file, never in a command line, and errors name the line only.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from clients.cli.authority import master_of
from clients.cli.console import errors, out
from clients.cli.vault import opened, seals_of
from ledger.domain.errors import LedgerError

Home = Annotated[Path, typer.Option("--home", help="The gateway's folder.")]
Address = Annotated[str, typer.Option(envvar="CLEARANCE_DATABASE", help="SQLAlchemy address; else SQLite in the home.")]
Master = Annotated[
    Path | None, typer.Option("--identity-master", envvar="CLEARANCE_IDENTITY_MASTER", help="Else asked for.")
]
HOME = Path(".clearance/gateway")


def reissue(
    file: Annotated[Path, typer.Argument(help="CSV: old,new.")],
    home: Home = HOME, database: Address = "", master: Master = None,
) -> None:  # fmt: skip
    """Give people new numbers (재발급): the old ones are dead, what was declared stays theirs."""
    from ledger.store import people

    def note(session: Any, seals: Any, row: dict[str, str], at: str) -> None:
        old, new = _number(row, "old", at), _number(row, "new", at)
        if people.holder(session, seals, new) is not None:
            raise LedgerError(f"{at}: the new number is held already.", hint="Look at how it was issued.")
        try:
            people.reissue(session, seals, old, new)
        except KeyError as error:
            raise LedgerError(f"{at}: nobody holds the old number.", hint="Register its holder first.") from error

    _each(file, note, home, database, master)


def resales(
    file: Annotated[Path, typer.Argument(help="CSV: number,report,date; report is customs' number of it.")],
    home: Home = HOME, database: Address = "", master: Master = None,
) -> None:  # fmt: skip
    """Note reports that people sell what they declared for their own use (되팔이); a known report changes nothing."""
    import datetime as dt

    from ledger.domain.rules import KST
    from ledger.store import history, people

    def note(session: Any, seals: Any, row: dict[str, str], at: str) -> None:
        found = people.holder(session, seals, _number(row, "number", at))
        if found is None:
            raise LedgerError(f"{at}: nobody holds the number.", hint="Register its holder first.")
        try:
            day = dt.datetime.combine(dt.date.fromisoformat(row["date"]), dt.time(12), KST)
        except (KeyError, TypeError, ValueError) as error:
            raise LedgerError(f"{at}: no day.", hint="number,report,date are needed; a day is 2026-11-23.") from error
        history.report_resale(session, found.person, (row.get("report") or "")[:40], day)

    _each(file, note, home, database, master)


def _number(row: dict[str, str], column: str, at: str) -> str:
    from ledger.domain.errors import InvalidPCCC
    from ledger.domain.identifiers import PCCC

    try:
        return PCCC.parse(row[column]).value
    except (KeyError, InvalidPCCC, AttributeError):  # what stands there is personal
        raise LedgerError(f"{at}: no {column} number.", hint="See --help for the columns.") from None


def _each(file: Path, note: Any, home: Path, database: str, master: Path | None) -> None:
    """Note every line in one transaction: all of a file or nothing."""
    import csv

    with errors():
        try:
            with file.open(newline="", encoding="utf-8-sig") as text:
                rows = list(csv.DictReader(text))
        except OSError as error:
            raise LedgerError(f"{file}: {error.strerror}.", hint="Check the path.") from error
        except (UnicodeDecodeError, csv.Error):  # what stands there is personal
            raise LedgerError(f"{file} cannot be read as CSV in UTF-8.", hint="See --help for the columns.") from None
        key = master_of(master, home)
        with opened(home, database) as (tables, vault), tables.write() as session:
            for line, row in enumerate(rows, 2):
                note(session, seals_of(key, vault), row, f"Line {line}")
        out.print(f"{len(rows)} noted", highlight=False)
