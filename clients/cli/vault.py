"""The vault of a gateway, and `clearance api vault ...`: erase a person, change keys, see who opened what."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.table import Table

from clients.cli.console import errors, out, say_json
from ledger.domain.errors import LedgerError

app = typer.Typer(no_args_is_help=True, help="Private payloads and people: erase, change keys, list openings.")

HomeOption = Annotated[Path, typer.Option("--home", help="The gateway's folder.")]
DatabaseOption = Annotated[
    str, typer.Option("--database", envvar="CLEARANCE_DATABASE", help="SQLAlchemy address; else SQLite in the folder.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
HOME: Final = Path(".clearance/gateway")

FOLDER: Final = "vault.key"
"""Folder of its keys within a gateway's: `clearance backup` leaves out whatever ends with .key."""
CHECK: Final = "vault.check"
"""Which keys the gateway's tables were written with: not secret, and no way back to them."""
SPOOL: Final = "payloads"
"""Folder of envelopes that a gateway kept before it had a vault."""


class WrongVault(LedgerError):
    """The vault's keys are missing, or are not those of this gateway."""

    code = "vault.key-missing"


def open_vault(home: Path, database: Any, *, alone: bool = False) -> Any:
    """Open the vault of a gateway; carry out every erasure that was registered, whatever was restored.

    `alone`: no other process may work with its keys meanwhile, since they are to be changed.

    Raises:
        WrongVault: its keys are missing, or belong to another gateway.
        RegisterBroken: the register of erasures was changed.
        InUse: another process works with it, or works with it alone.
    """
    import datetime as dt

    from ledger.store.erasing import replay
    from ledger.store.vault import Vault, keys_in

    folder, check = home / FOLDER, home / CHECK
    hint = f"Put the folder {FOLDER} back that belongs to this gateway; no backup holds it."
    if check.exists() and not folder.exists():
        raise WrongVault(f"{folder} is missing.", hint=hint)
    keys = keys_in(folder, alone=alone)
    value = keys.data.name("vault", b"which").hex()
    if not check.exists():
        check.write_text(value + "\n")
    if not hmac.compare_digest(check.read_text().strip(), value):
        keys.data.close()
        raise WrongVault(f"{folder} holds the keys of another gateway.", hint=hint)
    vault = Vault(database, keys, lambda: dt.datetime.now(dt.UTC))
    replay(database, vault)
    take_in(home / SPOOL, vault)
    return vault


def take_in(spool: Path, vault: Any) -> None:
    """Put what a gateway kept in a folder before it had a vault into the vault."""
    for path in sorted(spool.glob("??/" + "?" * 64)):
        vault.put(bytes.fromhex(path.name), path.read_bytes())
        path.unlink()


def seals_of(master: bytes, vault: Any) -> Any:
    """Return the keys of a register beside a vault."""
    from ledger.store.sealing import Seals

    return Seals.beside(master, vault.keys.index, vault.keys.data)


@contextmanager
def opened(home: Path, address: str, *, alone: bool = False) -> Iterator[tuple[Any, Any]]:
    """Open database and vault of a gateway that was started once.

    Raises:
        WrongVault: no vault there.
    """
    from clients.cli.api import open_database
    from ledger.store.migrations import migrate

    if not (home / FOLDER).exists():
        raise WrongVault(f"There is no {home / FOLDER}.", hint="Give --home of a gateway that was started once.")
    database = open_database(home, address)
    try:
        migrate(database)
        vault = open_vault(home, database, alone=alone)
        try:
            yield database, vault
        finally:
            vault.keys.data.close()
    finally:
        database.close()


def say_held(home: Path, events: list[dict[str, Any]], database: str = "") -> None:
    """Say of filings whether a gateway's vault holds it: a digest verifies as erased, too."""
    with opened(home, database) as (_, vault):
        for event in events:
            if event["kind"] in ("FILED", "CORRECTED"):
                event["payload"] = vault.held(bytes.fromhex(event["digest"][2:])).value


@app.command()
def erase(
    home: HomeOption = HOME,
    database: DatabaseOption = "",
    number_file: Annotated[Path | None, typer.Option(help="File with the number; else it is asked for.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Erase the person who holds a number, for good: register, uses, every payload. The gateway may be running.

    The number is never an argument: argument lists are seen by others and kept in histories.
    """
    import datetime as dt

    from ledger.store import people
    from ledger.store.erasing import erase_person
    from ledger.store.sealing import Seals

    with errors():
        try:
            text = number_file.read_text() if number_file else str(typer.prompt("Number", hide_input=True))
        except OSError as error:
            raise LedgerError(f"{number_file}: {error.strerror}.", hint="Check the path.") from error
        with opened(home, database) as (store, vault):
            seals = Seals(bytes(32), vault.keys.index, vault.keys.data)  # nothing under a master key is opened here
            with store.read() as session:
                person = people.who_holds(session, seals, text.strip())
            if person is None:
                raise LedgerError("Nobody holds this number.", hint="It was erased already, or never registered.")
            count = erase_person(store, vault, seals, person, dt.datetime.now(dt.UTC))
        register = home / FOLDER / "erasures.jsonl"
        if as_json:
            say_json({"payloads": count, "register": str(register)})
            return
        out.print(f"erased, with {count} payloads; nothing brings them back", highlight=False)
        out.print(f"copy {register} to where no backup of this machine lies", highlight=False, soft_wrap=True)


@app.command()
def replay(
    register: Annotated[Path, typer.Argument(help="Copy of a register of erasures that was kept elsewhere.")],
    home: HomeOption = HOME,
    database: DatabaseOption = "",
) -> None:
    """Carry out the erasures of a newer copy of the register: needed if database and keys were both restored."""
    from ledger.store.erasing import replay as carry_out

    with errors():
        if not register.is_file():
            raise LedgerError(f"There is no {register}.", hint="Check the path.")
        with opened(home, database) as (store, vault):
            out.print(f"{carry_out(store, vault, register)} erasures hold", highlight=False)


@app.command()
def rotate(
    what: Annotated[str, typer.Argument(help="wrapping: what data keys lie under; index: what numbers are found by.")],
    home: HomeOption = HOME,
    database: DatabaseOption = "",
) -> None:
    """Change a key and destroy the older ones, and with them what old copies still hold. Stop the gateway first."""
    from ledger.store import people
    from ledger.store.datakeys import KeyFiles
    from ledger.store.sealing import Seals

    with errors():
        if what not in ("wrapping", "index"):
            raise LedgerError(f"There is no key {what[:40]}.", hint="Rotate wrapping or index.")
        with opened(home, database, alone=True):
            files = KeyFiles(home / FOLDER / what)
            newest = files.add()
        with opened(home, database, alone=True) as (store, vault):
            if what == "wrapping":
                done = vault.keys.data.rewrap(files.all())
            else:
                done = 0
                seals = Seals(bytes(32), vault.keys.index, vault.keys.data)
                while count := vault.reindex() + _numbers(store, people, seals):
                    done += count
        for number in sorted(files.all()):
            if number < newest:
                files.destroy(number)
        out.print(f"{done} rows under {what} key {newest}; older keys are destroyed", highlight=False)


def _numbers(database: Any, people: Any, seals: Any) -> int:
    with database.write() as session:
        return int(people.reindex(session, seals))


@app.command()
def openings(
    digest: Annotated[str, typer.Argument(help="Payload digest, as on chain.")],
    home: HomeOption = HOME,
    database: DatabaseOption = "",
    as_json: JsonOption = False,
) -> None:
    """List who opened a payload, when and why."""
    from clients.cli.session import read_id

    with errors():
        name = read_id(digest).to_bytes(32, "big")
        with opened(home, database) as (_, vault):
            rows = [(row.at.isoformat(timespec="seconds"), row.who, row.why) for row in vault.openings(name)]
            held = vault.held(name).value
        if as_json:
            say_json({"payload": held, "openings": [dict(zip(("at", "who", "why"), row, strict=True)) for row in rows]})
            return
        table = Table("at", "who", "why", title=f"payload {held}, opened {len(rows)} times", title_justify="left")
        for row in rows:
            table.add_row(*row)
        out.print(table)


@app.command()
def copy(
    to: Annotated[Path, typer.Argument(help="New folder, where no backup of the database lies.")],
    home: HomeOption = HOME,
    database: DatabaseOption = "",
) -> None:
    """Copy the vault's keys while the gateway runs: without them every payload is lost with the machine."""
    import shutil

    with errors():
        if to.exists():
            raise LedgerError(f"{to} exists already.", hint="Choose a new folder.")
        with opened(home, database) as (_, vault):
            shutil.copytree(home / FOLDER, to, ignore=shutil.ignore_patterns("data-keys.db*", "in-use"))
            to.chmod(0o700)
            vault.keys.data.copy(to / "data-keys.db")
        out.print(f"{to}: keep it apart, and destroy older copies after an erasure", highlight=False, soft_wrap=True)
