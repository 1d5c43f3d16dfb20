"""Which register is asked whose a number is: the gateway's own, UNI-PASS API028, or its stand-in on this machine."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from clients.cli.console import errors, out
from ledger.domain.errors import LedgerError

KEY: Final = "CLEARANCE_VERIFIER_KEY"
KEY_FILE: Final = "verifier.key"


def api_key(home: Path) -> str:
    """Return the key of the API from the environment, else from the gateway's folder: never from the command line.

    Raises:
        LedgerError: it is in neither.
    """
    found = os.environ.get(KEY, "").strip()
    if not found:
        with contextlib.suppress(OSError):
            found = (home / KEY_FILE).read_text().strip()
    if not found:
        raise LedgerError("The verifier's key is missing.", hint=f"Set {KEY}, or write it to {home / KEY_FILE}.")
    return found


@contextlib.contextmanager
def chosen(url: str, home: Path) -> Iterator[Any]:
    """Yield the verifier of an address, None for the own register.

    Raises:
        LedgerError: no key, or no address.
    """
    if not url:
        yield None
        return
    from api.identity.verifier import UnipassRegister

    register = UnipassRegister(url, api_key(home))
    try:
        yield register
    finally:
        register.close()


def stand_in(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port, 0 for any free one.")] = 8028,
    demo_seed: Annotated[int, typer.Option(help="Seed of the sample day.")] = 1,
    demo_parcels: Annotated[int, typer.Option(help="Parcels of the sample day.")] = 200,
    home: Annotated[Path, typer.Option("--home", help="Folder with its key, made if missing.")] = Path(
        ".clearance/gateway"
    ),
) -> None:
    """Stand in for UNI-PASS API028 on this machine, for demos: the register of the sample day's made-up people."""
    import secrets

    from clients.sample.people import register_of
    from clients.sample.plan import Dealer
    from clients.sample.register_server import StandIn

    with errors():
        home.mkdir(parents=True, exist_ok=True)
        try:
            key = api_key(home)
        except LedgerError:
            key = secrets.token_hex(16)
            with os.fdopen(os.open(home / KEY_FILE, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
                file.write(key + "\n")
        server = StandIn(port, register_of(Dealer(demo_parcels, demo_seed).deal().holders), key)
        out.print(f"register at {server.url}", highlight=False)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()
        server.server_close()
