"""A node's folder: genesis file, keystores, access token, store.

Everything secret in it is readable by its owner only.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ledger.domain.errors import LedgerError
from ledger.genesis import Genesis, load
from ledger.keys import LocalSigner

log = logging.getLogger("clearance.node")

SEALER_KEYS: Final = ("sealer", "relayer", "stop-relayer")
FOLLOWER_KEYS: Final = ("follower",)


class HomeFault(LedgerError):
    """The folder cannot be used."""

    code = "home.unusable"


@dataclass(frozen=True, slots=True)
class Home:
    """Paths inside a node's folder."""

    path: Path

    @property
    def store(self) -> Path:
        """Folder of the store."""
        return self.path / "chain"

    @property
    def genesis_file(self) -> Path:
        """The genesis file."""
        return self.path / "genesis.json"

    @property
    def token_file(self) -> Path:
        """File with the access token of the RPC."""
        return self.path / "token"

    @property
    def passphrase_file(self) -> Path:
        """File with the passphrase of the keystores, where an operator chose to keep one."""
        return self.path / "passphrase"

    @property
    def restored_file(self) -> Path:
        """Mark of a sealer's store that was restored: its followers may have countersigned newer blocks."""
        return self.path / "restored"

    def keystore(self, name: str) -> Path:
        """Return the path of a keystore."""
        return self.path / "keys" / f"{name}.json"

    def genesis(self, *, bench: bool = False) -> Genesis:
        """Read the genesis file.

        Raises:
            InvalidGenesis: it is missing or malformed, or a benchmark's and `bench` does not allow that.
        """
        return load(self.genesis_file, bench=bench)

    def token(self) -> str:
        """Read the access token.

        Raises:
            HomeFault: there is none.
        """
        try:
            return self.token_file.read_text().strip()
        except OSError as error:
            raise HomeFault(
                f"{self.token_file} is missing.", hint="Make the folder with `clearance node init`."
            ) from error

    def signer(self, name: str, passphrase: str) -> LocalSigner:
        """Open a keystore.

        Raises:
            KeyFault: missing, readable by others, or another passphrase.
        """
        return LocalSigner.load(self.keystore(name), passphrase)

    def check_free(self) -> None:
        """Check that no node's folder is here.

        Raises:
            HomeFault: it holds a genesis file already.
        """
        if self.genesis_file.exists():
            raise HomeFault(f"{self.path} is a node's folder already.", hint="Choose another --home.")

    def make(self, genesis: Genesis, keys: Mapping[str, LocalSigner], passphrase: str) -> None:
        """Lay the folder out: genesis file, keystores, a fresh token.

        Raises:
            HomeFault: it holds a genesis file already.
        """
        self.check_free()
        self.keystore("x").parent.mkdir(parents=True, exist_ok=True)
        self.genesis_file.write_text(genesis.dumps())
        for name, signer in keys.items():
            signer.save(self.keystore(name), passphrase)
        self.write_secret(self.token_file, secrets.token_urlsafe(32))

    def carry_code(self, genesis: Genesis) -> None:
        """Write the contract into a genesis file of before files carried it; call it when its chain has opened.

        Later releases bring another contract and could not make block 0 from the old file any more.
        """
        try:
            if "code" in json.loads(self.genesis_file.read_text()):
                return
            draft = self.genesis_file.with_suffix(".new")
            with draft.open("w") as file:
                file.write(genesis.dumps())
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.genesis_file)
        except OSError as error:  # it opens today; the next start tries again
            log.warning("%s does not carry its contract yet: %s", self.genesis_file, error.strerror)

    @staticmethod
    def write_secret(path: Path, text: str) -> None:
        """Write a file that only its owner can read."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text + "\n")
