"""How the command line speaks: one clear line for an error, tables and bars for people, JSON for machines."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ledger.domain.errors import LedgerError

OK, FINDING, USAGE, UNREACHABLE = 0, 1, 2, 3
"""Exit statuses of every command."""

out = Console()
err = Console(stderr=True)


def say_json(document: dict[str, Any]) -> None:
    """Print one line of JSON."""
    sys.stdout.write(json.dumps(document, sort_keys=True, ensure_ascii=False) + "\n")


def fail(error: LedgerError, status: int = FINDING) -> NoReturn:
    """Print one clear line and stop."""
    said = f"{error.code}: {error.detail}"  # it may repeat what others wrote: no markup of theirs is obeyed
    err.print(f"[red]error[/red] {escape(said)}", highlight=False, soft_wrap=True)
    if error.hint:
        err.print(f"      {escape(error.hint)}", highlight=False, soft_wrap=True)
    raise typer.Exit(status)


@contextmanager
def errors() -> Iterator[None]:
    """Turn refusals into one clear line and an exit status."""
    try:
        yield
    except LedgerError as error:
        fail(error, UNREACHABLE if error.code in ("api.unreachable", "node.unreachable") else FINDING)


@contextmanager
def progress(label: str, *, quiet: bool = False) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on standard error while something long goes on."""
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        console=err, disable=quiet or not err.is_terminal,
    )  # fmt: skip
    with bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def passphrase(file: Path | None) -> str:
    """Read a passphrase from a file, from CLEARANCE_PASSPHRASE_FILE, or from a prompt.

    Raises:
        LedgerError: the file cannot be read.
    """
    named = file or (
        Path(os.environ["CLEARANCE_PASSPHRASE_FILE"]) if "CLEARANCE_PASSPHRASE_FILE" in os.environ else None
    )
    if named is None:
        return str(typer.prompt("Passphrase of the keystore", hide_input=True))
    try:
        return named.read_text().rstrip("\n")
    except OSError as error:
        raise LedgerError(f"{named}: {error.strerror}.", hint="Give a file with the passphrase.") from error
