"""The register of erasures: an append-only file that is replayed after every start and every restore.

It names data keys, by keyed hashes: it holds no personal data, so that copies of it may lie wherever they are safe, and
should. A copy that is newer than a restored backup is what keeps the backup from bringing people back.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ledger.domain.errors import LedgerError

FIRST: Final = "0" * 64


class RegisterBroken(LedgerError):
    """The register was changed: it only ever grows."""

    code = "vault.register-broken"


@dataclass(frozen=True, slots=True)
class Erasure:
    """One subject that was erased."""

    name: bytes
    at: dt.datetime


class ErasureRegister:
    """Lines of JSON, each with the SHA-256 of the one before."""

    def __init__(self, path: Path) -> None:
        """Use a file; a last line that a crash cut short is dropped, its erasure was never confirmed.

        Raises:
            RegisterBroken: a line was changed or taken out.
        """
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        self._path = path
        whole = path.read_bytes()
        kept = whole[: whole.rfind(b"\n") + 1]
        if kept != whole:
            with path.open("r+b") as file:
                file.truncate(len(kept))
                os.fsync(file.fileno())
        self.read()

    def read(self) -> list[Erasure]:
        """Return every erasure, oldest first.

        Raises:
            RegisterBroken: a line was changed or taken out.
        """
        return [found for found, _ in _lines(self._path.read_bytes())]

    def append(self, names: Iterable[bytes], at: dt.datetime) -> list[Erasure]:
        """Add the names that are not there yet, synced before this returns; return what was added."""
        with self._path.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            content = file.read()
            known = _lines(content)
            held = {each.name for each, _ in known}
            previous = known[-1][1] if known else FIRST
            added = [Erasure(name, at) for name in dict.fromkeys(names) if name not in held]
            for number, each in enumerate(added, len(known) + 1):
                line = _line(number, each, previous)
                previous = hashlib.sha256(line).hexdigest()
                file.write(line + b"\n")
            file.flush()
            os.fsync(file.fileno())
        return added

    def merge(self, copy: Path) -> int:
        """Take what another copy of the register has more; return how much.

        Raises:
            RegisterBroken: the copy was changed.
        """
        held = {each.name for each in self.read()}
        new = [each for each, _ in _lines(copy.read_bytes()) if each.name not in held]
        for each in new:
            self.append([each.name], each.at)
        return len(new)


def _line(number: int, each: Erasure, previous: str) -> bytes:
    told = {"number": number, "name": each.name.hex(), "at": each.at.isoformat(), "previous": previous}
    return json.dumps(told, separators=(",", ":")).encode()


def _lines(content: bytes) -> list[tuple[Erasure, str]]:
    found: list[tuple[Erasure, str]] = []
    previous = FIRST
    broken = RegisterBroken("The register of erasures was changed.", hint="Put an unchanged copy in its place.")
    for number, line in enumerate(content.splitlines(), 1):
        try:
            told = json.loads(line)
            each = Erasure(bytes.fromhex(told["name"]), dt.datetime.fromisoformat(told["at"]))
        except (ValueError, KeyError, TypeError) as error:
            raise broken from error
        if (told["number"], told["previous"]) != (number, previous):
            raise broken
        previous = hashlib.sha256(line).hexdigest()
        found.append((each, previous))
    return found
