"""Parcels and masters opened from the book: noted before they are sent, and the same batch sent again if need be.

A parcel's id comes from salts made once: a command that began anew would open a second parcel under one house bill.
"""

from __future__ import annotations

from typing import Any

import typer

from clients.cli.console import err
from clients.cli.party import Dead, Party, write
from ledger.domain.errors import LedgerError


def open_noted(at: Party, book: Any, what: Any, bill: str, *, as_json: bool) -> None:
    """Send the one entry that the writer holds, noted in the book under its bill; wait for its end.

    Raises:
        LedgerError: it came to nothing, and the book forgot it; or its end is not known, and the book keeps it.
    """
    from clients.sender import NOT_NOW, PUSH_BACK

    at.note = lambda batch: book.begin(what, bill, batch)
    try:
        at.writer.flush(at.now())
    except LedgerError as error:
        if error.code.startswith("batch.") and error.code not in PUSH_BACK | NOT_NOW:
            book.forget(what, bill)  # sent this once, and refused at the door
        raise
    _finish(at, book, what, bill, as_json=as_json)


def resume(at: Party, book: Any, what: Any, bill: str, batch: Any, *, as_json: bool) -> None:
    """Follow the batch that a command before began, and send the same again where it is not known.

    Raises:
        LedgerError: as :func:`open_noted`; what a gate refuses now may stand through another: the book keeps it.
    """
    from clients.gate import State

    err.print("begun before: that batch is followed, whatever is told now", highlight=False)
    try:
        if at.gate.status(batch.hash(at.writer.domain)).state is State.UNKNOWN:
            at.gate.send(batch)
    except LedgerError as error:
        error.hint = f"{error.hint} Only if the ledger has it not: clearance courier book forget {bill}".strip()
        raise
    at.sent.append(batch)
    _finish(at, book, what, bill, as_json=as_json)


def _finish(at: Party, book: Any, what: Any, bill: str, *, as_json: bool) -> None:
    try:
        write(at, as_json=as_json)
    except (Dead, typer.Exit):
        book.forget(what, bill)
        raise
    except LedgerError as error:
        error.hint = "Run the same command again: it follows this batch, and sends no other."
        raise
    book.end(what, bill)


def refuse_known(found: object) -> None:
    """Refuse a bill that the book knows.

    Raises:
        LedgerError: it does.
    """
    if found is not None:
        raise LedgerError(
            "The book knows this bill already.",
            hint="Correct a parcel with `clearance courier correct`, report a master's arrival, or use another bill.",
        )
