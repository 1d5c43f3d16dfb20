"""`clearance api ...`: the gateway of customs as one process, its tables, its read model."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from clients.cli.console import errors, out, progress
from ledger.domain.errors import LedgerError

app = typer.Typer(no_args_is_help=True, help="Run the gateway: writers' and buyers' API over a node.")

HomeOption = Annotated[Path, typer.Option("--home", help="The gateway's folder.")]
NodeOption = Annotated[str, typer.Option("--node", envvar="CLEARANCE_NODE", help="Address of the node it asks.")]
TokenOption = Annotated[str, typer.Option("--token", envvar="CLEARANCE_TOKEN", help="Access token of that node.")]
DatabaseOption = Annotated[
    str, typer.Option("--database", envvar="CLEARANCE_DATABASE", help="SQLAlchemy address; else SQLite in the folder.")
]


def open_database(home: Path, address: str) -> Any:
    """Open the gateway's database."""
    from ledger.store.database import Database

    home.mkdir(parents=True, exist_ok=True)
    return Database(address or f"sqlite:///{(home / 'gateway.db').resolve()}")


def cursor_secret(home: Path) -> bytes:
    """Return the key that list cursors are signed with; it is made when it is missing."""
    import os

    path = home / "cursor.key"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return bytes.fromhex(path.read_text().strip())
    secret = os.urandom(32)
    with os.fdopen(descriptor, "w") as file:
        file.write(secret.hex() + "\n")
    return secret


@contextmanager
def gateway(home: Path, node_url: str, token: str, database: Any) -> Iterator[tuple[Any, Any]]:
    """Put a gateway together; yield it and its background jobs."""
    import datetime as dt
    import time

    from api.gateway import Gateway
    from api.loops import Job, Loops
    from api.submitter import Submitter
    from ledger.payloads import Spool
    from ledger.store.projector import Projector
    from node.remote import RemoteNode

    node, own = RemoteNode(node_url, token), RemoteNode(node_url, token)
    genesis = node.genesis()
    status = node.status()

    def chain_time() -> int:
        return int(node.status()["time"]) if genesis.demo else int(time.time())

    made = Gateway(
        database=database,
        node=node,
        genesis=genesis,
        genesis_hash=bytes.fromhex(status["genesisHash"][2:]),
        payloads=Spool(home / "payloads"),
        secret=cursor_secret(home),
        now=lambda: dt.datetime.now(dt.UTC),
        chain_time=chain_time,
    )
    projector = Projector(database, own, genesis.domain)
    try:
        yield made, Loops([Job("projector", projector.step), Job("submitter", Submitter(made).step)])
    finally:
        node.close()
        own.close()


@app.command()
def run(
    node: NodeOption,
    token: TokenOption,
    home: HomeOption = Path(".clearance/gateway"),
    database: DatabaseOption = "",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port, 0 for any free one.")] = 8000,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
) -> None:
    """Run the gateway in the foreground until it is stopped; tables are brought up to date first."""
    import uvicorn

    from api.app import create_app
    from api.logs import configure
    from clients.cli.node import bind
    from ledger.store.migrations import migrate

    configure()
    logging.getLogger("httpx").setLevel(logging.WARNING)
    with errors():
        listener = bind(host, port)
        opened = open_database(home, database)
        migrate(opened)
        with gateway(home, node, token, opened) as (made, loops):
            out.print(f"gateway at http://{host}:{listener.getsockname()[1]}", highlight=False)
            config = uvicorn.Config(create_app(made, loops), log_config=None, access_log=False)
            uvicorn.Server(config).run(sockets=[listener])
        opened.close()


@app.command()
def migrate(home: HomeOption = Path(".clearance/gateway"), database: DatabaseOption = "") -> None:
    """Bring the tables up to date."""
    from ledger.store.migrations import migrate as bring_up

    with errors():
        opened = open_database(home, database)
        bring_up(opened)
        opened.close()
        out.print("the tables are up to date", highlight=False)


@app.command()
def reindex(
    node: NodeOption, token: TokenOption, home: HomeOption = Path(".clearance/gateway"), database: DatabaseOption = ""
) -> None:
    """Make the read model anew from genesis. Stop the gateway first; submissions stay."""
    from ledger.store.projector import Projector
    from node.remote import RemoteNode

    with errors():
        opened = open_database(home, database)
        remote = RemoteNode(node, token)
        projector = Projector(opened, remote, remote.genesis().domain)
        projector.clear()
        with progress("reindex") as bar:
            height = projector.catch_up(bar)
        if height < remote.status()["final"]:
            raise LedgerError("The node went on while rows were made.", hint="Start the gateway; it takes the rest.")
        out.print(f"the read model stands at block {height}", highlight=False)
