"""The identity authority of a real chain: its keys come from files and prompts, never from a seed or a command line."""

from __future__ import annotations

import hmac
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from clients.cli.console import errors, out, passphrase
from clients.cli.vault import open_vault, seals_of
from ledger.domain.errors import LedgerError

KEYSTORE: Final = "identity.json"
OPEN_KEY: Final = "identity-open.pem"
MASTER: Final = "identity-master.key"
CHECK: Final = "identity.check"
"""Which master key the gateway's tables were written with: not secret, and no way back to the key."""


class AuthorityKeyFault(LedgerError):
    """A key of the authority cannot be used, or is not the one that belongs here."""

    code = "authority.key"


@dataclass(frozen=True, slots=True)
class AuthorityFiles:
    """Where the authority's keys are.

    Attributes:
        keystore: encrypted keystore of its ledger key.
        open_key: X25519 key that opens payloads, PEM, encrypted or readable by its owner only.
        master: file with the 32 bytes, in hex, that the register's fields and index are keyed by; None: asked for.
        passphrase_file: file with the passphrase of keystore and PEM; None: asked for.
        code_command: program that sends one-time codes; None: nobody can sign in.
    """

    keystore: Path
    open_key: Path
    master: Path | None = None
    passphrase_file: Path | None = None
    code_command: Path | None = None


def master_of(path: Path | None, home: Path) -> bytes:
    """Return the master key from a file or a prompt; a gateway goes on only with the one it began with.

    Under another key the register would look empty, and every filing would be stopped as nobody's.

    Raises:
        AuthorityKeyFault: readable by others, no 32 bytes in hex, or another one than the tables were written with.
    """
    from ledger.payloads import derive

    if path is None:
        text = str(typer.prompt("Master key of the register, 64 hex digits", hide_input=True))
    else:
        text = _private(path).decode(errors="replace")
    try:
        found = bytes.fromhex(text.strip())
    except ValueError:
        found = b""
    if len(found) != 32:
        raise AuthorityKeyFault("The master key is no 64 hex digits.", hint="Make keys with `clearance api keys`.")
    value = derive(found, "which master key").hex()
    check = home / CHECK
    home.mkdir(parents=True, exist_ok=True)
    if not check.exists():
        check.write_text(value + "\n")
    if not hmac.compare_digest(check.read_text().strip(), value):
        raise AuthorityKeyFault(
            "This is not the master key the register was written with.", hint="Give the key that belongs to this home."
        )
    return found


def opener_of(path: Path, word: str) -> Any:
    """Return the key that opens payloads; an encrypted PEM is opened by the passphrase.

    Raises:
        AuthorityKeyFault: readable by others, another passphrase, or no X25519 key.
    """
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    data = _private(path)
    try:
        found = load_pem_private_key(data, word.encode() if b"ENCRYPTED" in data else None)
    except (ValueError, TypeError) as error:
        raise AuthorityKeyFault(
            f"{path} is no PEM key, or the passphrase does not open it.", hint="Check both."
        ) from error
    if not isinstance(found, X25519PrivateKey):
        raise AuthorityKeyFault(f"{path} is no X25519 key.", hint="Make keys with `clearance api keys`.")
    return found


def _private(path: Path) -> bytes:
    try:
        if path.stat().st_mode & 0o077:
            raise AuthorityKeyFault(f"{path} can be read by other users.", hint=f"Run: chmod 600 {path}")
        return path.read_bytes()
    except OSError as error:
        raise AuthorityKeyFault(f"{path}: {error.strerror}.", hint="Check the path.") from error


def desk(made: Any, home: Path, files: AuthorityFiles, verifier: Any = None) -> Any:
    """Put the identity authority together from its files.

    Raises:
        LedgerError: a key cannot be opened, does not hold the role, or is not the one that payloads are sealed to.
    """
    from api.identity.answers import Answers
    from api.identity.authority import IdentityAuthority
    from api.identity.desk import Desk
    from api.identity.senders import CommandSender, NoSender
    from api.identity.sign_in import SignIn
    from ledger.domain.roles import Role
    from ledger.keys import LocalSigner

    word = passphrase(files.passphrase_file)
    signer = LocalSigner.load(files.keystore, word)
    opener = opener_of(files.open_key, word)
    member = made.node.state().member(signer.address)
    if member is None or not member.roles & Role.IDENTITY_AUTHORITY or not member.is_member_at(made.chain_time()):
        raise AuthorityKeyFault(
            f"{signer.hex_address} is no key of an identity authority in standing.", hint="Let its cold key enrol it."
        )
    if made.genesis.encryption.get(member.org) != opener.public_key().public_bytes_raw().hex():
        raise AuthorityKeyFault(
            "Payloads of this chain are not sealed to the opening key.",
            hint="Give the key whose public half the genesis file names for the authority.",
        )
    seals = seals_of(master_of(files.master, home), made.payloads)
    authority = IdentityAuthority(made, seals, signer, member.org, opener, verifier=verifier)
    sender = CommandSender(files.code_command) if files.code_command else NoSender()
    orgs = {org.handle: org for org in made.genesis.orgs}
    return Desk(seals, authority, SignIn(made, seals, sender), Answers(made, authority, signer), orgs)


def keys(
    folder: Annotated[Path, typer.Argument(help="Folder to make them in; nothing in it is overwritten.")],
    passphrase_file: Annotated[Path | None, typer.Option(help="File with the passphrase to encrypt them with.")] = None,
) -> None:
    """Make the keys of an identity authority; prints what belongs into the genesis file."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

    from ledger.keys import LocalSigner

    with errors():
        word = passphrase(passphrase_file)
        folder.mkdir(parents=True, exist_ok=True)
        signer, opener = LocalSigner(os.urandom(32)), X25519PrivateKey.generate()
        signer.save(folder / KEYSTORE, word)
        sealed = opener.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(word.encode()))
        for name, data in ((OPEN_KEY, sealed), (MASTER, os.urandom(32).hex().encode() + b"\n")):
            try:
                descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError as error:
                raise AuthorityKeyFault(f"{folder / name} exists already.", hint="Choose another folder.") from error
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
        out.print(f"ledger key {signer.hex_address}", highlight=False)
        out.print(f"payload key {opener.public_key().public_bytes_raw().hex()}", highlight=False)
        out.print(f"{MASTER} is not encrypted: keep it, and a copy, where the database is not", highlight=False)


def register(
    file: Annotated[Path, typer.Argument(help="CSV: number, name, phone and, if known, zip.")],
    home: Annotated[Path, typer.Option("--home", help="The gateway's folder.")] = Path(".clearance/gateway"),
    database: Annotated[
        str, typer.Option(envvar="CLEARANCE_DATABASE", help="SQLAlchemy address; else SQLite in the folder.")
    ] = "",
    master: Annotated[
        Path | None, typer.Option("--identity-master", envvar="CLEARANCE_IDENTITY_MASTER", help="Else asked for.")
    ] = None,
) -> None:
    """Put people and their numbers into the authority's own register; known numbers change nothing."""
    import csv

    from clients.cli.api import open_database
    from ledger.domain.errors import InvalidPCCC
    from ledger.domain.identifiers import PCCC
    from ledger.store.migrations import migrate
    from ledger.store.people import register_all

    with errors():
        key = master_of(master, home)
        told: dict[str, dict[str, str]] = {}
        with file.open(newline="", encoding="utf-8-sig") as text:
            for line, row in enumerate(csv.DictReader(text), 2):
                try:
                    number = PCCC.parse(row["number"]).value
                    told[number] = {"name": row["name"], "phone": row["phone"], "zip": row.get("zip") or ""}
                except (KeyError, InvalidPCCC) as error:  # what stands there is personal: only the line is named
                    raise LedgerError(f"Line {line} is no person.", hint="number,name,phone,zip are needed.") from error
        opened = open_database(home, database)
        migrate(opened)
        vault = open_vault(home, opened)
        with opened.write() as session:
            register_all(session, seals_of(key, vault), told)
        vault.keys.data.close()
        opened.close()
        out.print(f"{len(told)} numbers read", highlight=False)
