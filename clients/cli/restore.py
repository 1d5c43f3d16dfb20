"""`clearance restore`: a backup becomes a service's folder again, and newer blocks come from the followers."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from clients.cli.backup import (
    DATABASE,
    NEEDS,
    BackupFault,
    Database,
    Json,
    check_files,
    draft_beside,
    read_manifest,
    sync,
    unpacked,
)
from clients.cli.console import errors, out, progress, say_json
from clients.cli.up import DEMO


@dataclass(frozen=True, slots=True)
class Peers:
    """Followers that survived.

    Attributes:
        none_left: the operator says that no follower survived.
    """

    urls: tuple[str, ...]
    token: str
    none_left: bool


def lay_out(source: Path, manifest: dict[str, Any], folder: Path, peers: Peers) -> None:
    """Make a service's folder of a checked backup."""
    import secrets

    from node.home import Home

    roles = ["sealer", *(["follower"] if peers.none_left and manifest["follower"] else [])]
    for name in roles:
        made = Home(folder / name)
        made.keystore("x").parent.mkdir(parents=True)
        shutil.copyfile(source / "genesis.json", made.genesis_file)
        made.write_secret(made.token_file, secrets.token_urlsafe(32))
        for key in sorted((source / "keys" / name).glob("*.json")):
            shutil.copyfile(key, made.keystore(key.stem))
            made.keystore(key.stem).chmod(0o600)
    if (source / DEMO).exists():
        shutil.copyfile(source / DEMO, folder / DEMO)
    shutil.copytree(source / "chain", Home(folder / "sealer").store)
    shutil.copytree(source / "gateway", folder / "gateway")
    needed = [name for name in manifest["apart"] if name.partition("/")[0] in (*roles, "gateway")]
    if needed:
        (folder / NEEDS).write_text(json.dumps(needed, indent=1) + "\n")


def put_database(source: Path, folder: Path, address: str) -> None:
    """Put the database where the restored gateway will look for it."""
    from ledger.store.backup import load
    from ledger.store.database import Database

    if not address:
        shutil.copyfile(source / DATABASE, folder / "gateway" / DATABASE)
        return
    with tempfile.TemporaryDirectory() as scratch:  # bringing it up to date must not touch the backup
        shutil.copyfile(source / DATABASE, Path(scratch) / DATABASE)
        database = Database(address)
        try:
            load(Path(scratch) / DATABASE, database)
        finally:
            database.close()


def catch_up(home: Path, peers: Peers) -> tuple[int, bool]:
    """Take newer blocks from followers; return the height reached and whether a follower was heard.

    Without one the store is marked: the sealer does not start before it has heard one.
    """
    from clients.cli.node import take_newer
    from node.chain import Chain
    from node.clock import SystemClock
    from node.home import Home
    from node.remote import RemoteNode
    from node.rules import MAX_DRIFT
    from node.store import RocksStore

    sealer = Home(home / "sealer")
    genesis = sealer.genesis()
    sealer.restored_file.write_text("restored\n")
    chain = Chain(RocksStore(sealer.store, create=False), genesis)
    try:
        drift = 1 << 40 if genesis.demo else MAX_DRIFT
        heard = [take_newer(chain, RemoteNode(url, peers.token), SystemClock(), drift) for url in peers.urls]
    finally:
        chain.store.close()
    if any(heard) or peers.none_left or not genesis.followers:
        sealer.restored_file.unlink()
    return chain.head.number, any(heard)


def restore(
    source: Annotated[Path, typer.Option("--from", help="Folder or archive of a backup.")],
    home: Annotated[Path, typer.Option(help="New or empty folder.")] = Path(".clearance/up"),
    peer: Annotated[list[str] | None, typer.Option(help="A follower that survived, running: newer blocks.")] = None,
    peer_token: Annotated[str, typer.Option(envvar="CLEARANCE_PEER_TOKEN", help="Its access token.")] = "",
    no_follower_left: Annotated[
        bool, typer.Option("--no-follower-left", help="No follower survived: restore one that starts anew.")
    ] = False,
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Make a service's folder of a backup; newer blocks come from the followers that survived.

    A follower may have countersigned blocks that the backup does not hold: the sealer seals nothing before it has heard
    a follower, here or when it starts (`--peer`).
    """
    from ledger.store.backup import check
    from node.backup import check_store

    with errors():
        if home.exists() and (not home.is_dir() or any(home.iterdir())):
            raise BackupFault(f"{home} is not empty.", hint="Restore into a new folder.")
        peers = Peers(tuple(peer or ()), peer_token, none_left=no_follower_left)
        with unpacked(source) as copy, draft_beside(home) as folder, progress("restore", quiet=as_json) as bar:
            manifest = read_manifest(copy)
            check_files(copy, manifest)
            lay_out(copy, manifest, folder, peers)
            chain = check_store(folder / "sealer" / "chain", folder_genesis(folder), bar)
            if chain != manifest["chain"]:
                raise BackupFault("The chain is not the one of the manifest.", hint="Use another backup.")
            height, heard = catch_up(folder, peers)
            put_database(copy, folder, database)
            if not database:
                check(folder / "gateway" / DATABASE)
            sync(folder)
            with contextlib.suppress(FileNotFoundError):
                home.rmdir()
            folder.rename(home)
            folder.mkdir()  # what is cleaned up
        say_restore(home, manifest, height, peers, heard=heard, as_json=as_json)


def folder_genesis(folder: Path) -> Any:
    """Return the genesis of a restored folder."""
    from ledger.genesis import load

    return load(folder / "sealer" / "genesis.json")


def say_restore(home: Path, manifest: dict[str, Any], height: int, peers: Peers, *, heard: bool, as_json: bool) -> None:
    """Print what was made and what comes next."""
    before = manifest["chain"]["height"]
    if as_json:
        say_json({"home": str(home), "height": height, "backup_height": before, "follower_heard": heard})
        return
    out.print(f"{home}: block {height}; the backup of {manifest['made_at']} ended at block {before}", highlight=False)
    if (home / NEEDS).exists():
        needed = ", ".join(json.loads((home / NEEDS).read_text()))
        out.print(f"put back into {home}: {needed}", highlight=False, soft_wrap=True)
    wait = not heard and not peers.none_left
    start = f"clearance up --home {home}" + (" --peer URL --peer-token TOKEN" if wait else "")
    out.print(f"next: {start}", highlight=False, soft_wrap=True)
