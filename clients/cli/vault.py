"""The vault of a gateway: its keys in a folder that no backup holds."""

from __future__ import annotations

import hmac
from pathlib import Path
from typing import Any, Final

from ledger.domain.errors import LedgerError

FOLDER: Final = "vault.key"
"""Folder of its keys within a gateway's: `clearance backup` leaves out whatever ends with .key."""
CHECK: Final = "vault.check"
"""Which keys the gateway's tables were written with: not secret, and no way back to them."""
SPOOL: Final = "payloads"
"""Folder of envelopes that a gateway kept before it had a vault."""


class WrongVault(LedgerError):
    """The vault's keys are missing, or are not those of this gateway."""

    code = "vault.key-missing"


def open_vault(home: Path, database: Any) -> Any:
    """Open the vault of a gateway; carry out every erasure that was registered, whatever was restored.

    Raises:
        WrongVault: its keys are missing, or belong to another gateway.
        RegisterBroken: the register of erasures was changed.
    """
    import datetime as dt

    from ledger.store.erasing import replay
    from ledger.store.vault import Vault, keys_in

    folder, check = home / FOLDER, home / CHECK
    hint = f"Put the folder {FOLDER} back that belongs to this gateway; no backup holds it."
    if check.exists() and not folder.exists():
        raise WrongVault(f"{folder} is missing.", hint=hint)
    keys = keys_in(folder)
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
