"""`clearance backup`: a service's folder as files whose sums a manifest names; made while it runs."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from clients.cli.console import errors, out, progress, say_json
from ledger.domain.errors import LedgerError

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
DATABASE: Final = "gateway.db"
NEEDS: Final = "needs.json"
"""File in a restored folder: what must be put back from elsewhere before the service starts."""
ARCHIVES: Final = (".tar", ".tar.gz", ".tgz")
BLOCK: Final = 1 << 20
LEFT_OUT: Final = ("log", "token", "passphrase", "restored")
"""Names that no backup holds: a restored service gets fresh tokens, passphrases are kept apart from keystores."""
MADE_ANEW: Final = "cursor.key"
"""A gateway's key whose loss costs nothing but the lists that clients page through just now."""

Database = Annotated[
    str, typer.Option(envvar="CLEARANCE_DATABASE", help="SQLAlchemy address; else SQLite in the folder.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Progress = Callable[[int, int], None]


class BackupFault(LedgerError):
    """A backup cannot be made or used."""

    code = "backup.invalid"


# ------------------------------------------------------------------------------------------------------------ files
def sum_of(path: Path) -> str:
    """Return the SHA-256 of a file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def listing(folder: Path) -> dict[str, dict[str, Any]]:
    """Return sum and size of every file below a folder but the manifest, by path."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / MANIFEST)
    return {str(p.relative_to(folder)): {"sha256": sum_of(p), "bytes": p.stat().st_size} for p in files}


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read a backup's manifest.

    Raises:
        BackupFault: none, or of another format.
    """
    try:
        found: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
        if found["format"] != FORMAT or not {"apart", "chain", "database", "files"} <= found.keys():
            raise BackupFault(f"The backup is of format {found['format']}.", hint="Use the version that made it.")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BackupFault(f"{folder} is no backup.", hint=f"Give the folder or archive with {MANIFEST}.") from error
    return found


def check_files(folder: Path, manifest: dict[str, Any]) -> None:
    """Check that a backup's files are those of its manifest: none changed, none missing, none more.

    Raises:
        BackupFault: a file is not.
    """
    told, found = manifest["files"], listing(folder)
    for name in sorted(told.keys() | found.keys()):
        if told.get(name) != found.get(name):
            what = (
                "is missing" if name not in found else "is not in the manifest" if name not in told else "was changed"
            )
            raise BackupFault(f"{name} {what}.", hint="Use another backup.")


def sync(folder: Path) -> None:
    """Bring files and folders to the disk."""
    for path in (*folder.rglob("*"), folder):
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


def is_archive(path: Path) -> bool:
    """Whether a path names an archive."""
    return path.name.endswith(ARCHIVES)


@contextmanager
def draft_beside(path: Path) -> Iterator[Path]:
    """Yield an empty folder on the disk of `path`, gone afterwards unless it was moved.

    Raises:
        BackupFault: it cannot be written.
    """
    folder: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        yield folder
    except OSError as error:
        raise BackupFault(f"{error.filename or path}: {error.strerror}.", hint="Check room and rights.") from error
    finally:
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def unpacked(source: Path) -> Iterator[Path]:
    """Yield a backup's folder; an archive is unpacked for the while.

    Raises:
        BackupFault: it cannot be read.
    """
    if not is_archive(source):
        yield source
        return
    with draft_beside(source) as folder:
        try:
            with tarfile.open(source) as packed:
                unpack(packed, folder)
        except (tarfile.TarError, EOFError, FileNotFoundError) as error:
            raise BackupFault(f"{source} is no archive of a backup.", hint="Use another backup.") from error
        yield folder


def unpack(packed: tarfile.TarFile, folder: Path) -> None:
    """Unpack plain files and folders; anything else has no place in a backup, nor has a path that leads out of it."""
    for member in packed:
        name = Path(member.name)
        content = packed.extractfile(member) if member.isfile() else None
        if name.is_absolute() or ".." in name.parts or not (content or member.isdir()):
            raise BackupFault(f"The archive holds {member.name[:80]!r}, which is no file of it.", hint="Do not use it.")
        target = folder / name
        (target.parent if content else target).mkdir(parents=True, exist_ok=True)
        if content:
            with content, target.open("wb") as file:
                shutil.copyfileobj(content, file, BLOCK)


# ----------------------------------------------------------------------------------------------------------- backup
def gather(home: Path, folder: Path, address: str, *, with_keys: bool, bar: Progress) -> dict[str, Any]:
    """Copy a service into a folder; return what the manifest says of it.

    The order matters: the database first, then the chain, then the payloads. So the chain reaches at least as far as
    the read model, and every payload that a block of the copy names is in the copy.
    """
    from clients.cli.api import open_database
    from clients.cli.up import DEMO
    from ledger.genesis import load
    from ledger.store.backup import save
    from node.backup import check_store, copy_store
    from node.home import Home

    sealer = Home(home / "sealer")
    genesis = load(sealer.genesis_file)
    shutil.copyfile(sealer.genesis_file, folder / "genesis.json")
    if (home / DEMO).exists():
        shutil.copyfile(home / DEMO, folder / DEMO)
    if not address and not (home / "gateway" / DATABASE).exists():
        raise BackupFault(f"There is no {home / 'gateway' / DATABASE}.", hint="Give --database, or start it once.")
    database = open_database(home / "gateway", address)
    try:
        place = save(database, folder / DATABASE)
    finally:
        database.close()
    copy_store(sealer.store, folder / "chain")
    chain = check_store(folder / "chain", genesis, bar)
    check_together(folder, place)
    copy_gateway(home / "gateway", folder / "gateway")
    keystores = [path for name in ("sealer", "follower") for path in sorted((home / name / "keys").glob("*.json"))]
    for path in keystores if with_keys else ():
        target = folder / "keys" / path.parent.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    apart = [path for path in sorted((home / "gateway").glob("*.key")) if path.name != MADE_ANEW]
    return {
        "chain": chain,
        "database": {"revision": place.revision, "height": place.height},
        "apart": [str(path.relative_to(home)) for path in [*([] if with_keys else keystores), *apart]],
        "follower": (home / "follower" / "genesis.json").exists(),
    }


def check_together(folder: Path, place: Any) -> None:
    """Check that database and chain of a backup belong together.

    Raises:
        BackupFault: the read model was made from blocks that the chain has not.
    """
    from ledger.genesis import load
    from node.backup import block_hash

    if place.block_hash is None:
        return
    if block_hash(folder / "chain", load(folder / "genesis.json"), place.height) != place.block_hash:
        raise BackupFault(
            f"The read model's block {place.height} is not in the chain.",
            hint="Audit the node. If its chain is right: clearance api reindex, then back up again.",
        )


def copy_gateway(source: Path, target: Path) -> None:
    """Copy the gateway's files: payloads and whatever else it keeps beside its database.

    Never its keys: they open what the database and the payloads say of people, and stay outside for that reason.
    """

    def left_out(folder: str, names: list[str]) -> set[str]:
        plain = {n for n in names if n.startswith(DATABASE) or n in LEFT_OUT or n.endswith(".log")}
        drafts = {n for n in names if Path(folder, n).suffix[1:].isdigit()}  # payloads that are just being written
        return plain | drafts | {n for n in names if n.endswith(".key")}

    shutil.copytree(source, target, ignore=left_out)


def write(folder: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest and bring everything to the disk."""
    import datetime as dt

    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    document = {"format": FORMAT, "made_at": now} | manifest | {"files": listing(folder)}
    (folder / MANIFEST).write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")
    sync(folder)


def backup(
    to: Annotated[Path, typer.Option(help="Where to: a new folder, or a file that ends with .tar or .tar.gz.")],
    home: Annotated[Path, typer.Option(help="Folder of the service; it may be running.")] = Path(".clearance/up"),
    with_keys: Annotated[bool, typer.Option(help="The keystores too. They stay encrypted.")] = False,
    database: Database = "",
    as_json: Json = False,
) -> None:
    """Copy a service, running or not: chain, database, payloads, genesis; then check the copy.

    Passphrases, access tokens and the gateway's own keys are never in it.
    """
    with errors():
        if not (home / "sealer" / "genesis.json").exists():
            raise BackupFault(f"There is no service in {home}.", hint="Check --home.")
        if to.exists():
            raise BackupFault(f"{to} exists already.", hint="Choose another name; backups are never overwritten.")
        with draft_beside(to) as folder, progress("backup", quiet=as_json) as bar:
            write(folder, gather(home, folder, database, with_keys=with_keys, bar=bar))
            if is_archive(to):
                archive(folder, to)
                with unpacked(to) as again:
                    check_files(again, read_manifest(again))
            else:
                check_files(folder, read_manifest(folder))
                folder.rename(to)
                folder.mkdir()  # what is cleaned up
            with unpacked(to) as again:
                manifest = read_manifest(again)
                digest = sum_of(again / MANIFEST)
        say_backup(to, manifest, digest, as_json=as_json)


def archive(folder: Path, to: Path) -> None:
    """Pack a folder into one file, there whole or not at all."""
    draft = folder.with_name(folder.name + ".part")
    try:
        with tarfile.open(draft, "w" if to.suffix == ".tar" else "w:gz") as packed:
            packed.add(folder, arcname=".")
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.replace(to)
    finally:
        draft.unlink(missing_ok=True)


def say_backup(to: Path, manifest: dict[str, Any], digest: str, *, as_json: bool) -> None:
    """Print what was made."""
    chain, files = manifest["chain"], manifest["files"]
    size = sum(each["bytes"] for each in files.values())
    if as_json:
        told = {"to": str(to), "manifest": digest, "files": len(files), "bytes": size}
        say_json(told | {"chain": chain, "database": manifest["database"], "apart": manifest["apart"]})
        return
    out.print(f"{to}: {len(files)} files, {size / 1e6:.1f} MB, checked", highlight=False, soft_wrap=True)
    out.print(f"block {chain['height']} {chain['block_hash']}", highlight=False, soft_wrap=True)
    place = manifest["database"]
    out.print(f"database at revision {place['revision']}, block {place['height']}", highlight=False)
    out.print(f"manifest sha256 {digest}", highlight=False, soft_wrap=True)
    if manifest["apart"]:
        out.print(f"not in it, keep copies elsewhere: {', '.join(manifest['apart'])}", highlight=False, soft_wrap=True)
