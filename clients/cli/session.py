"""What the commands of all parties share: options, ids, keys that open payloads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import typer

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
SpoolFolder = Annotated[
    Path | None,
    typer.Option("--spool", envvar="CLEARANCE_SPOOL", help="Folder of encrypted payloads, with --node."),
]
OpenKey = Annotated[
    Path | None,
    typer.Option("--open-key", envvar="CLEARANCE_OPEN_KEY", help="X25519 key that opens orders: PEM, mode 0600."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


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
