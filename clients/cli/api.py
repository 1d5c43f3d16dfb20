"""`clearance api ...`: the gateway of customs as one process, its tables, its read model."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from clients.cli.authority import AuthorityFiles, register
from clients.cli.authority import desk as real_desk
from clients.cli.authority import keys as authority_keys
from clients.cli.authority_cases import reissue, resales
from clients.cli.console import USAGE, errors, fail, out, progress
from clients.cli.screening import DEMO_PAUSE, ScreeningSettings, screening_of
from clients.cli.vault import app as vault_app
from clients.cli.vault import open_vault, seals_of
from clients.cli.verifier import chosen, stand_in
from ledger.domain.errors import LedgerError

app = typer.Typer(no_args_is_help=True, help="Run the gateway: writers' and buyers' API over a node.")
app.add_typer(vault_app, name="vault")

HomeOption = Annotated[Path, typer.Option("--home", help="The gateway's folder.")]
NodeOption = Annotated[str, typer.Option("--node", envvar="CLEARANCE_NODE", help="Address of the node it asks.")]
TokenOption = Annotated[str, typer.Option("--token", envvar="CLEARANCE_TOKEN", help="Access token of that node.")]
DatabaseOption = Annotated[
    str, typer.Option("--database", envvar="CLEARANCE_DATABASE", help="SQLAlchemy address; else SQLite in the folder.")
]

app.command("stand-in")(stand_in)
app.command("keys")(authority_keys)
app.command("register")(register)
app.command("reissue")(reissue)
app.command("resales")(resales)

PATIENCE = 0.5
"""Seconds that the projector waits in one call for the node to move."""
GRACE = 10
"""Seconds that requests in work may take when the gateway is stopped."""


def open_database(home: Path, address: str) -> Any:
    """Open the gateway's database."""
    from ledger.store.database import Database

    home.mkdir(parents=True, exist_ok=True)
    return Database(address or f"sqlite:///{(home / 'gateway.db').resolve()}")


def master_key(home: Path, name: str) -> bytes:
    """Return a key of 32 bytes that lies in the folder, outside of the database; it is made when it is missing."""
    import os

    path = home / name
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return bytes.fromhex(path.read_text().strip())
    secret = os.urandom(32)
    with os.fdopen(descriptor, "w") as file:
        file.write(secret.hex() + "\n")
    return secret


class Demo(NamedTuple):
    """What a demo chain's gateway is made of; `pause` in milliseconds between two cuts."""

    seed: int
    parcels: int
    pause: int = DEMO_PAUSE


def demo_desk(made: Any, home: Path, seed: int, parcels: int, pause: int, verifier: Any = None) -> Any:
    """Put the identity authority of a demo chain together: keys from the seed, a register of made-up people.

    `verifier` says whose a number is, else that register does.

    Raises:
        LedgerError: the chain is no demo, or made from another seed.
    """
    import datetime as dt
    import random

    from api.identity.answers import Answers
    from api.identity.authority import IdentityAuthority
    from api.identity.desk import Desk
    from api.identity.sign_in import LogSender, SignIn
    from clients.cli.demo_register import fill
    from clients.sample.members import HANDLES, Keyring
    from clients.sample.plan import Dealer

    keyring = Keyring(seed)
    signer = keyring.signer("identity")
    known = {key.address.lower() for key in made.genesis.keys}
    if not made.genesis.demo or signer.hex_address not in known:
        raise LedgerError("This is no demo chain of that seed.", hint="Give the seed the chain was made from.")
    seals = seals_of(master_key(home, "identity.key"), made.payloads)
    fill(made.database, seals, Dealer(parcels, seed).deal().holders)
    authority = IdentityAuthority(
        made, seals, signer, HANDLES["identity"], keyring.opener("identity"), verifier=verifier,
        dice=random.Random(seed), pause=dt.timedelta(milliseconds=pause),
    )  # fmt: skip
    orgs = {org.handle: org for org in made.genesis.orgs}
    return Desk(seals, authority, SignIn(made, seals, LogSender()), Answers(made, authority, signer), orgs)


@contextmanager
def gateway(
    home: Path,
    node_url: str,
    token: str,
    database: Any,
    demo: tuple[int, ...] | None = None,
    allowed: tuple[str, ...] = (),
    verifier: Any = None,
    authority: AuthorityFiles | None = None,
    bounds: Any = None,
    screens: ScreeningSettings | None = None,
    rates: dict[str, str] | None = None,
) -> Iterator[tuple[Any, Any, Any, Any]]:
    """Put a gateway together; yield it, its background jobs, the authority's desk and screening.

    Args:
        home: folder of its keys.
        node_url: the node it asks, with `token`.
        token: access token of that node.
        database: open, with tables.
        demo: a demo chain's :class:`Demo`, whose identity authority then works here; None for members only.
        allowed: networks that webhooks may go to beside the public internet; a demo chain's may go to this machine.
        verifier: register that the identity authority asks, None for its own.
        authority: keys of the identity authority of a real chain, which then works here.
        bounds: beyond which callers are pushed back, None for the usual ones.
        screens: how it screens; a demo chain's does, at rate zero unless told.
        rates: how often one identity may ask, where it is not the usual.
    """
    import datetime as dt
    import time
    from ipaddress import ip_network

    from api.bounds import Bounds
    from api.gateway import Gateway, Hooks
    from api.gauges import Gauges
    from api.identity.authority import CUT
    from api.loops import Job, Loops
    from api.purging import Purge
    from api.submitter import Submitter
    from api.webhooks.dispatcher import Dispatcher
    from api.webhooks.guard import Guard
    from ledger.store.projector import Projector
    from ledger.store.sealing import Seals
    from node.remote import RemoteNode

    node, own = RemoteNode(node_url, token), RemoteNode(node_url, token)
    genesis = node.genesis()
    status = node.status()

    def chain_time() -> int:
        return int(node.status()["time"]) if genesis.demo else int(time.time())

    networks = ("127.0.0.0/8", "::1/128", *allowed) if genesis.demo else allowed
    guard = Guard(tuple(map(ip_network, networks)), plain=genesis.demo)
    hooks = Hooks(Seals(master_key(home, "webhooks.key")), guard)
    vault = open_vault(home, database)
    made = Gateway(
        database=database,
        node=node,
        genesis=genesis,
        genesis_hash=bytes.fromhex(status["genesisHash"][2:]),
        payloads=vault,
        secret=master_key(home, "cursor.key"),
        now=lambda: dt.datetime.now(dt.UTC),
        chain_time=chain_time,
        hooks=hooks,
        bounds=bounds or Bounds(),
        rates=rates or {},
    )
    projector = Projector(database, own, genesis.domain, patience=PATIENCE)
    played = Demo(*demo) if demo else None
    desk = demo_desk(made, home, *played, verifier=verifier) if played else None
    if authority:
        desk = real_desk(made, home, authority, verifier)
    screens = screens or ScreeningSettings(seed=played.seed if played else None)
    cuts = played.pause / 1_000 if played else CUT.total_seconds()
    screening = screening_of(made, home, screens)

    def project() -> int:
        done = projector.step()
        if done:
            made.bells.projected.ring()
        return done

    jobs = [
        Job("projector", project),
        Job("submitter", Submitter(made).step, idle=0.2, bells=(made.bells.accepted,)),
        Job("webhooks", Dispatcher(made, hooks).step, idle=0.2),
        Job("gauges", Gauges(made).step, idle=1.0),
        Job("purge", Purge(made).step, idle=60.0),
    ]
    if desk:
        jobs.append(
            Job("identity", desk.authority.step, idle=0.5, rest=cuts, bells=(made.bells.projected, made.bells.answered))
        )
    if screening:
        jobs.append(Job("screening", screening.step, idle=0.5, rest=cuts, bells=(made.bells.projected,)))
    try:
        yield made, Loops(jobs), desk, screening
    finally:
        node.close()
        own.close()
        vault.keys.data.close()


@app.command()
def run(
    node: NodeOption,
    token: TokenOption,
    home: HomeOption = Path(".clearance/gateway"),
    database: DatabaseOption = "",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port, 0 for any free one.")] = 8000,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    demo_seed: Annotated[int | None, typer.Option(help="Demo chains only: run the identity authority too.")] = None,
    demo_parcels: Annotated[int, typer.Option(help="Demo chains only: parcels of the sample day.")] = 200,
    demo_pause: Annotated[
        int, typer.Option(min=1, help="Demo chains only: milliseconds between two cuts of authority and screening.")
    ] = DEMO_PAUSE,
    webhook_allow: Annotated[
        list[str] | None, typer.Option(help="Network beside the public internet that webhooks may go to, CIDR.")
    ] = None,
    verifier: Annotated[
        str, typer.Option(envvar="CLEARANCE_VERIFIER", help="Address of UNI-PASS API028; else the own register.")
    ] = "",
    identity_key: Annotated[
        Path | None, typer.Option(envvar="CLEARANCE_IDENTITY_KEY", help="Keystore: run the identity authority too.")
    ] = None,
    identity_open_key: Annotated[
        Path | None, typer.Option(envvar="CLEARANCE_IDENTITY_OPEN_KEY", help="Its X25519 key, PEM.")
    ] = None,
    identity_master: Annotated[
        Path | None, typer.Option(envvar="CLEARANCE_IDENTITY_MASTER", help="Its register's key, else asked for.")
    ] = None,
    identity_passphrase_file: Annotated[
        Path | None, typer.Option(envvar="CLEARANCE_IDENTITY_PASSPHRASE_FILE", help="Passphrase, else asked for.")
    ] = None,
    code_command: Annotated[
        Path | None, typer.Option(envvar="CLEARANCE_CODE_COMMAND", help="Program that sends one-time codes.")
    ] = None,
    max_batches: Annotated[
        int | None, typer.Option(min=1, help="Batches on their way at once; beyond it writers are pushed back.")
    ] = None,
    max_requests: Annotated[
        int | None, typer.Option(min=1, help="Requests in work at once; three quarters of them may be writes.")
    ] = None,
    max_streams: Annotated[int | None, typer.Option(min=1, help="Event streams open at once.")] = None,
    rate: Annotated[
        list[str] | None, typer.Option(help="How often one key, holder or address may ask, as read=6000/minute.")
    ] = None,
    screening_key: Annotated[
        Path | None, typer.Option(envvar="CLEARANCE_SCREENING_KEY", help="Keystore: screen too.")
    ] = None,
    screening_open_key: Annotated[
        Path | None, typer.Option(envvar="CLEARANCE_SCREENING_OPEN_KEY", help="Its X25519 key, PEM.")
    ] = None,
    screening_passphrase_file: Annotated[
        Path | None, typer.Option(envvar="CLEARANCE_SCREENING_PASSPHRASE_FILE", help="Passphrase, else asked for.")
    ] = None,
    screening_model: Annotated[
        Path | None, typer.Option(envvar="CLEARANCE_SCREENING_MODEL", help="Trained scorer; else the rules.")
    ] = None,
    sample_rate: Annotated[
        float | None, typer.Option(min=0, max=100, help="Parcels the random sample picks, per cent; 1, in a demo 0.")
    ] = None,
) -> None:
    """Run the gateway in the foreground until it is stopped; tables are brought up to date first."""
    import uvicorn

    from api.app import create_app
    from api.bounds import Bounds
    from api.limits import read_rates
    from api.logs import configure
    from clients.cli.node import bind
    from clients.cli.processes import KEEP_ALIVE
    from ledger.store.migrations import migrate

    configure()
    logging.getLogger("httpx").setLevel(logging.WARNING)
    if screening_key and (demo_seed is not None or not screening_open_key):
        fail(LedgerError("--screening-key needs --screening-open-key, and no --demo-seed.", hint="See --help."), USAGE)
    if identity_key and (demo_seed is not None or not identity_open_key):
        fail(LedgerError("--identity-key needs --identity-open-key, and no --demo-seed.", hint="See --help."), USAGE)
    with errors():
        authority = None
        if identity_key and identity_open_key:
            authority = AuthorityFiles(
                identity_key, identity_open_key, identity_master, identity_passphrase_file, code_command
            )
        picked = sample_rate if sample_rate is not None else float(demo_seed is None)
        screens = ScreeningSettings(
            picked, demo_seed, screening_key, screening_open_key, screening_passphrase_file, screening_model, demo_pause
        )
        rates = read_rates(rate or ())
        listener = bind(host, port)
        opened = open_database(home, database)
        migrate(opened)
        demo = None if demo_seed is None else Demo(demo_seed, demo_parcels, demo_pause)
        allowed = tuple(webhook_allow or ())
        bounds = Bounds.of(max_batches, max_requests, max_streams)
        with (
            chosen(verifier, home) as register,
            gateway(home, node, token, opened, demo, allowed, register, authority, bounds, screens, rates) as (
                made,
                loops,
                desk,
                screening,
            ),
        ):
            out.print(f"gateway at http://{host}:{listener.getsockname()[1]}", highlight=False)
            app = create_app(made, loops, desk, screening)
            config = uvicorn.Config(
                app, log_config=None, access_log=False, timeout_graceful_shutdown=GRACE, timeout_keep_alive=KEEP_ALIVE
            )

            class Server(uvicorn.Server):
                def handle_exit(self, sig: int, frame: Any) -> None:
                    app.state.streams.close()  # else open streams would keep the process
                    super().handle_exit(sig, frame)

            Server(config).run(sockets=[listener])
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
