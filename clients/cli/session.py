"""What the commands of all parties share: options, a session at a node, sending with every outcome explained."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from clients.cli.console import out, passphrase, say_json
from ledger.domain.errors import LedgerError

Node = Annotated[str, typer.Option(envvar="CLEARANCE_NODE", help="Address of a node.")]
API: Final = "http://127.0.0.1:8000"
Api = Annotated[str, typer.Option("--api", envvar="CLEARANCE_API", help="Address of the gateway's API.")]
NodeInstead = Annotated[
    str, typer.Option("--node", envvar="CLEARANCE_NODE", help="Go straight to the node at this address instead.")
]
Token = Annotated[str, typer.Option(envvar="CLEARANCE_TOKEN", help="Access token of the node, with --node.")]
Key = Annotated[Path, typer.Option(envvar="CLEARANCE_KEY", help="Keystore of the party's key.")]
Pass = Annotated[Path | None, typer.Option("--passphrase-file", help="File with its passphrase; else it is asked.")]
SpoolFolder = Annotated[Path, typer.Option("--spool", envvar="CLEARANCE_SPOOL", help="Folder of encrypted payloads.")]
OpenKey = Annotated[Path, typer.Option("--open-key", envvar="CLEARANCE_OPEN_KEY", help="X25519 key, PEM, mode 0600.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

WAIT_SECONDS: Final = 30


@dataclass(frozen=True, slots=True)
class Session:
    """A party at a node."""

    node: Any
    genesis: Any
    writer: Any
    receipts: list[dict[str, Any]]


def open_session(url: str, token: str, key: Path, passphrase_file: Path | None) -> Session:
    """Open the keystore and find the org behind the key.

    Raises:
        LedgerError: wrong passphrase, unreachable node, or no member.
    """
    from ledger.chain.writer import Writer
    from ledger.keys import LocalSigner
    from node.remote import RemoteNode

    signer = LocalSigner.load(key, passphrase(passphrase_file))
    node = RemoteNode(url, token)
    genesis = node.genesis()
    member = node.state().member(signer.address)
    if member is None:
        raise LedgerError(f"{signer.hex_address} is no key of a member.", hint="Let the org's cold key enrol it.")
    return Session(node, genesis, Writer(signer, member.org, genesis.domain, node), [])


def now_of(session: Session) -> int:
    """Return the time to claim: the machine's, or a demo chain's own."""
    if session.genesis.demo:
        return int(session.node.status()["time"])
    return int(time.time())


def wait_included(node: Any) -> None:
    """Wait until nothing waits for a block.

    Raises:
        LedgerError: it takes longer than half a minute.
    """
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        if node.status()["queued"] == 0:
            return
        time.sleep(0.05)
    raise LedgerError("The batch was accepted and waits for a block.", hint="Ask the node again later.")


def send(session: Session, *, as_json: bool) -> None:
    """Send what waits and say what became of every entry."""
    from ledger.domain.rejections import REJECTION_TEXTS

    start = session.node.status()["height"] + 1
    session.writer.flush(now_of(session))
    wait_included(session.node)
    rows = [
        {
            "subject": f"0x{each.entry.subject:064x}",
            "kind": each.kind.name,
            "outcome": each.rejection.name if each.rejection else "recorded",
            "effects": [effect.code.name for effect in each.effects],
            "explained": REJECTION_TEXTS[each.rejection].en if each.rejection else "",
            "hint": REJECTION_TEXTS[each.rejection].hint if each.rejection else "",
        }
        for batch in session.node.included(start)
        if batch.key == session.writer.signer.address
        for each in batch.entries()
    ]
    if as_json:
        say_json({"entries": rows})
    for row in rows if not as_json else ():
        effects = f" ({', '.join(row['effects'])})" if row["effects"] else ""
        out.print(f"{row['kind']} {row['subject']}: {row['outcome']}{effects}", highlight=False, soft_wrap=True)
        if row["explained"]:
            out.print(f"  {row['explained']} {row['hint']}", highlight=False, soft_wrap=True)
    if any(row["explained"] for row in rows) or not rows:
        raise typer.Exit(1)


def load_open_key(path: Path) -> Any:
    """Open an X25519 key that only its owner can read.

    Raises:
        LedgerError: readable by others, or no such key.
    """
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        if path.stat().st_mode & 0o077:
            raise LedgerError(f"{path} can be read by other users.", hint=f"Run: chmod 600 {path}")
        found = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise LedgerError(f"{path}: {error.strerror}.", hint="Check the path.") from error
    except (ValueError, TypeError) as error:
        raise LedgerError(f"{path} is no X25519 key in PEM.", hint="Give the party's payload key.") from error
    if not isinstance(found, X25519PrivateKey):
        raise LedgerError(f"{path} is no X25519 key.", hint="Give the party's payload key.")
    return found


def readers(genesis: Any, *roles: Any) -> dict[int, Any]:
    """Return public payload keys by org handle, of orgs with one of the roles."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

    wanted = {org.handle for role in roles for org in genesis.orgs_with(role)}
    return {
        org: X25519PublicKey.from_public_bytes(bytes.fromhex(key))
        for org, key in genesis.encryption.items()
        if org in wanted
    }


def read_id(text: str) -> int:
    """Read an id.

    Raises:
        LedgerError: it is none.
    """
    try:
        if not text.startswith("0x") or len(text) != 66:
            raise ValueError
        return int(text, 16)
    except ValueError as error:
        raise LedgerError(f"{text[:70]} is no id.", hint="An id is 0x and 64 hex digits.") from error
