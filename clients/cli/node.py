"""`clearance node ...`: one process each, sealer or follower."""

from __future__ import annotations

import logging
import socket
from pathlib import Path
from typing import Annotated, Any

import typer

from clients.cli.console import USAGE, errors, fail, out, passphrase
from ledger.domain.errors import LedgerError

app = typer.Typer(no_args_is_help=True, help="Run a node: the sealer, or a follower that checks it.")

HomeOption = Annotated[Path, typer.Option("--home", help="The node's folder.")]


class PortTaken(LedgerError):
    """Another process listens there."""

    code = "port.taken"


def bind(host: str, port: int) -> socket.socket:
    """Take a port.

    Raises:
        PortTaken: another process listens there.
    """
    # asyncio sets TCP_NODELAY only on sockets that say they are TCP; without it every answer waits 40 ms
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise PortTaken(
            f"{host}:{port} is taken ({error.strerror}).", hint="Stop what listens there or choose another --port."
        ) from error
    return listener


@app.command()
def init(
    home: HomeOption,
    genesis: Annotated[Path, typer.Option(help="Reviewed genesis file of the chain.")],
    role: Annotated[str, typer.Option(help="sealer or follower: which keystores to make.")] = "follower",
    passphrase_file: Annotated[Path | None, typer.Option(help="File with the passphrase of the keystores.")] = None,
) -> None:
    """Lay out a node's folder with fresh keys; prints the addresses that belong into the genesis file."""
    import os

    from ledger.genesis import load
    from ledger.keys import LocalSigner
    from node.home import FOLLOWER_KEYS, SEALER_KEYS, Home

    names = {"sealer": SEALER_KEYS, "follower": FOLLOWER_KEYS}.get(role)
    if names is None:
        fail(LedgerError(f"No role named {role}.", hint="Use sealer or follower."), USAGE)
    with errors():
        keys = {name: LocalSigner(os.urandom(32)) for name in names}
        Home(home).make(load(genesis), keys, passphrase(passphrase_file))
        for name, signer in keys.items():
            out.print(f"{name} {signer.hex_address}", highlight=False)


@app.command()
def run(
    home: HomeOption,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the RPC, 0 for any free one.")] = 8545,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    follow: Annotated[str | None, typer.Option(help="Follow this node instead of sealing.")] = None,
    follow_token: Annotated[str, typer.Option(envvar="CLEARANCE_FOLLOW_TOKEN", help="Its access token.")] = "",
    peer: Annotated[list[str] | None, typer.Option(help="Followers a sealer takes newer blocks from first.")] = None,
    driver: Annotated[str, typer.Option(help="plain: py-evm as it is; fast: its opcode loop replaced.")] = "plain",
    states: Annotated[int, typer.Option(min=1, help="Blocks below the head whose states are kept.")] = 128,
    logical_clock: Annotated[bool, typer.Option(help="Demo chains only: the replay moves the clock.")] = False,
    passphrase_file: Annotated[Path | None, typer.Option(help="File with the passphrase of the keystores.")] = None,
) -> None:
    """Run a node in the foreground until it is stopped."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    with errors():
        listener = bind(host, port)
        service, token = build(
            home, follow, follow_token, peer or [], passphrase_file, driver, logical=logical_clock, states=states
        )
        address = f"http://{host}:{listener.getsockname()[1]}"
        out.print(f"{service.role} at {address}, head {service.chain.head.number}", highlight=False)
        serve(service, token, listener)


@app.command()
def stats(
    home: HomeOption,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Count what a node's store holds, of a running node too: heights, bytes by kind, live nodes, disk an entry."""
    from rich.table import Table

    from clients.cli.console import say_json
    from node.home import Home
    from node.stats import stats_of

    with errors():
        found = stats_of(Home(home).store)
    if as_json:
        say_json(found.as_dict())
        return
    table = Table(title=f"{home}: block {found.height}, states from block {found.oldest_state}", title_justify="left")
    for column in ("what", "keys", "bytes"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for name, held in found.spaces.items():
        table.add_row(name, f"{held.keys:,}", f"{held.bytes:,}")
    for name, size in found.memory.items():
        table.add_row(f"memory of {name}", "", f"{size:,}")
    table.add_row("files", "", f"{found.files_bytes:,}")
    out.print(table)
    share = "no entries" if found.bytes_per_entry is None else f"{found.bytes_per_entry:,} bytes on disk an entry"
    out.print(f"{found.entries:,} entries in {found.transactions:,} transactions, {share}", highlight=False)


@app.command()
def compact(
    home: HomeOption,
    states: Annotated[
        int | None,
        typer.Option(min=1, help="Blocks below the head whose states stay; without it those that are there."),
    ] = None,
) -> None:
    """Make a stopped node's files small: what was deleted goes at once instead of by and by."""
    from node.home import Home
    from node.stats import compact as compacted
    from node.store import RocksStore

    with errors():
        folder = Home(home).store
        before = sum(file.stat().st_size for file in folder.iterdir()) if folder.exists() else 0
        store = RocksStore(folder, create=False)
        try:
            compacted(store, states)
        finally:
            store.close()
        after = sum(file.stat().st_size for file in folder.iterdir())
        out.print(f"{folder}: {before:,} bytes before, {after:,} now", highlight=False)


@app.command()
def trust(
    home: HomeOption,
    countersignatures: Annotated[int | None, typer.Option(min=0, help="Followers that must sign; else all.")] = None,
) -> None:
    """Print the trust file of a node's chain, for those who check certificates. It follows from the genesis file."""
    import json

    from ledger.trust import Trust
    from node.genesis import execute_genesis
    from node.home import Home

    with errors():
        genesis = Home(home).genesis()
        found = Trust.of_genesis(genesis, execute_genesis(genesis).block.hash, countersignatures)
    typer.echo(json.dumps(found.as_dict(), indent=1))


@app.command()
def prefill(
    home: HomeOption,
    parcels: Annotated[int, typer.Option(min=1, help="Parcels to write.")] = 1_000_000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the sample members' keys.")] = 1,
) -> None:
    """Make a sealer's folder whose chain begins with parcels that nobody signed: for benchmarks, never for use."""
    from clients.cli.console import progress
    from clients.sample.prefilled import make_home

    with errors(), progress("words") as show:
        genesis = make_home(home, parcels, seed, lambda done: show(done, 3 * parcels))
        out.print(
            f"{home}: a bench chain with {genesis.bench.parcels if genesis.bench else 0} parcels", highlight=False
        )


def build(
    home: Path,
    follow: str | None,
    follow_token: str,
    peers: list[str],
    passphrase_file: Path | None,
    driver: str,
    *,
    logical: bool,
    states: int = 128,
) -> tuple[Any, str]:
    """Put a node together from its folder; return service and token."""
    from node.chain import Chain
    from node.clock import LogicalClock, SystemClock
    from node.evm.executor import Driver
    from node.follower import Follower
    from node.home import Home, HomeFault
    from node.pool import Pool
    from node.remote import RemoteNode
    from node.rules import MAX_DRIFT
    from node.sealer import Sealer, SealerKeys
    from node.service import NodeService
    from node.store import RocksStore

    folder = Home(home)
    genesis = folder.genesis()
    if driver not in set(Driver):
        raise LedgerError(f"There is no driver {driver[:20]}.", hint=f"Use {' or '.join(Driver)}.")
    if logical and not genesis.demo:
        raise LedgerError("A logical clock is for demo chains.", hint="Start without --logical-clock.")
    token = folder.token()
    stored = folder.passphrase_file if folder.passphrase_file.exists() and passphrase_file is None else passphrase_file
    word = passphrase(stored)
    names = ("follower",) if follow else ("sealer", "relayer", "stop-relayer")
    keys = [folder.signer(name, word) for name in names]
    followers = {address.lower() for address in genesis.followers}
    if follow and followers and keys[0].hex_address not in followers:
        raise HomeFault(
            f"The genesis file names no follower {keys[0].hex_address}; nobody would take its heads.",
            hint="Start with the keystore of a follower that the genesis file names.",
        )
    chain = Chain(RocksStore(folder.store), genesis, Driver(driver), states)
    folder.carry_code(genesis)
    chain.warm()
    clock = LogicalClock(max(genesis.timestamp, chain.head.timestamp)) if logical else SystemClock()
    drift = 1 << 40 if genesis.demo else MAX_DRIFT
    if follow:
        upstream = RemoteNode(follow, follow_token)
        return NodeService(chain, follower=Follower(chain, keys[0], clock, drift), upstream=upstream), token
    reached = [take_newer(chain, RemoteNode(url, follow_token), clock, drift) for url in peers]
    if folder.restored_file.exists() and followers and not any(reached):
        raise HomeFault(
            f"The store was restored from a backup and ends at block {chain.head.number}; a follower may have "
            "countersigned newer ones.",
            hint=f"Start with --peer and a follower's address. If none survived, delete {folder.restored_file}.",
        )
    service = NodeService(chain, sealer=Sealer(chain, SealerKeys(*keys), clock, Pool(chain.store)))
    service.check_not_below_countersigned()
    folder.restored_file.unlink(missing_ok=True)
    return service, token


def take_newer(chain: Any, peer: Any, clock: Any, drift: int) -> bool:
    """Take what a peer has beyond our head; return whether the peer is a follower that the genesis file names.

    Raises:
        LedgerError: it does not answer, or has another chain.
    """
    from node.follower import Follower
    from node.home import HomeFault

    try:
        told = peer.status()
        if told["genesisHash"] != "0x" + chain.genesis_hash.hex():
            raise HomeFault(f"{peer.url} has the chain of another genesis file.", hint="Name a follower of this chain.")
        height = int(told["height"])
        if height >= chain.head.number:  # one that lags has nothing to give
            Follower(chain, None, clock, drift).sync(peer)
        followers = {address.lower() for address in chain.genesis.followers}
        if height == 0:  # it has countersigned nothing; that is news only where there is nothing
            return bool(chain.head.number == 0)
        return any("0x" + head.signer(chain.domain).hex() in followers for head in peer.heads(height))
    finally:
        peer.close()


def serve(service: Any, token: str, listener: socket.socket) -> None:
    """Serve the RPC until a signal comes; the block in work is finished and the store closed."""
    import signal

    import uvicorn

    from clients.cli.processes import KEEP_ALIVE
    from node.rpc.app import create_app

    config = uvicorn.Config(
        create_app(service, token), log_level="warning", access_log=False, timeout_keep_alive=KEEP_ALIVE
    )
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: None)  # uvicorn raises what it caught once more when it is done
    service.start()
    try:
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        service.stop()
        service.chain.store.close()
