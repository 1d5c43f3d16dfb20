"""The vault: private payloads as ciphertext, found by a blind index, every opening noted, erased for good.

An envelope is sealed by its writer to its readers, who keep their keys; copies of the database last. So the vault wraps
each envelope once more under a data key of its own that is in no copy of the database (ADR 0013).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from sqlmodel import Session, col, select

from ledger.domain.errors import LedgerError
from ledger.payloads import Payload, PayloadStore
from ledger.store.database import Database
from ledger.store.datakeys import DataKeys, Erased, KeyFiles, KeyMissing, seal, unseal
from ledger.store.erasures import ErasureRegister
from ledger.store.rows import upsert
from ledger.store.sealing import BlindIndex
from ledger.store.tables.vault import EnvelopeRow, ErasureRow, OpeningRow, VaultIndexRow

PAYLOAD: Final = "payload"
OWN: Final = ("gateway", "handed to a reader it names")


class VaultDamaged(LedgerError):
    """An envelope in the vault is not what was put there."""

    code = "vault.damaged"


class Held(StrEnum):
    """What the vault has of a digest."""

    HELD = "held"
    ERASED = "erased"
    UNKNOWN = "unknown"


class Proof(StrEnum):
    """What comes of checking a payload against a digest on chain."""

    MATCHES = "matches"
    DIFFERS = "differs"
    ERASED = "erased"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class VaultKeys:
    """What lies outside the database: data keys, register of erasures, key of the index."""

    data: DataKeys
    register: ErasureRegister
    index: BlindIndex


def keys_in(folder: Path) -> VaultKeys:
    """Open a folder of keys; it is made if missing.

    It holds wrapping/ and index/ (keys by id), data-keys.db and erasures.jsonl. In production the wrapping keys come
    from a hardware module instead: put :class:`VaultKeys` together from its parts.

    Raises:
        RegisterBroken: the register of erasures was changed.
    """
    wrapping = KeyFiles(folder / "wrapping").all()
    index = BlindIndex(KeyFiles(folder / "index").all())
    return VaultKeys(DataKeys(folder / "data-keys.db", wrapping), ErasureRegister(folder / "erasures.jsonl"), index)


class Vault:
    """Keeps envelopes under their payload digests; a :class:`ledger.payloads.PayloadStore`."""

    def __init__(self, database: Database, keys: VaultKeys, now: Callable[[], dt.datetime]) -> None:
        """Take the database, the keys and a clock of aware UTC. Call `ledger.store.erasing.replay` before serving."""
        self._database, self._now = database, now
        self.keys = keys

    # ------------------------------------------------------------------------------------------------------- keeping
    def put(self, digest: bytes, envelope: bytes) -> None:
        """Keep an envelope. Keeping it again changes nothing, and what was erased is not kept again."""
        name = self.name(digest)
        with self._database.read() as session:
            if session.get(EnvelopeRow, digest) or session.get(ErasureRow, name):
                return
        try:
            key = self.keys.data.make(name)  # before the row: a row without key would be lost
        except Erased:
            return
        row = {"digest": digest, "name": name, "sealed": seal(key, envelope, digest), "kept_at": self._now()}
        with self._database.write() as session:
            if session.get(ErasureRow, name) is None:  # erased since: the register is the later word
                upsert(session, EnvelopeRow, [row], update=[])

    def get(self, digest: bytes) -> bytes | None:
        """Return an envelope, or None; noted as handed to one of its readers."""
        return self.fetch([digest], *OWN).get(digest)

    def reader(self, who: str, why: str) -> PayloadStore:
        """Return the vault as a program sees it whose openings are noted under its own name."""
        return VaultReader(self, who, why)

    def fetch(self, digests: Iterable[bytes], who: str, why: str) -> dict[bytes, bytes]:
        """Return the envelopes that are here, by digest, each opening noted and committed before.

        Do not call this within a write session: the note has a transaction of its own.

        Raises:
            VaultDamaged: a row is not what was put there.
            KeyMissing: the data keys are not those of this database.
        """
        wanted = list(dict.fromkeys(digests))
        with self._database.read() as session:
            chosen = select(EnvelopeRow.digest, EnvelopeRow.name, EnvelopeRow.sealed)
            rows = session.exec(chosen.where(col(EnvelopeRow.digest).in_(wanted), col(EnvelopeRow.sealed).isnot(None)))
            found = {digest: (name, sealed) for digest, name, sealed in rows}
        if not found:
            return {}
        with self._database.write() as session:
            at = self._now()
            session.add_all(OpeningRow(digest=digest, who=who, why=why, at=at) for digest in found)
        opened = {digest: self._unwrapped(digest, name, sealed or b"") for digest, (name, sealed) in found.items()}
        return {digest: envelope for digest, envelope in opened.items() if envelope is not None}

    def _unwrapped(self, digest: bytes, name: bytes, sealed: bytes) -> bytes | None:
        try:
            key = self.keys.data.get(name)
        except Erased:
            return None
        if key is None:
            raise KeyMissing("The payload's data key is not here.", hint="Put the file of data keys back.")
        try:
            return unseal(key, sealed, digest)
        except InvalidTag as error:
            raise VaultDamaged("An envelope was changed in the database.", hint="Restore it from a backup.") from error

    def name(self, digest: bytes) -> bytes:
        """Return the name of a payload's data key."""
        return self.keys.data.name(PAYLOAD, digest)

    # ------------------------------------------------------------------------------------------------------- finding
    def note_number(self, session: Session, digest: bytes, number: str) -> None:
        """Note whose number an opened payload declares; the identity authority does, in the transaction it judges in.

        A payload that is not here, or was erased meanwhile, is not noted.

        Raises:
            InvalidPCCC: it is no number.
        """
        row, lookup = session.get(EnvelopeRow, digest), self.keys.index.of(number)
        noted = select(VaultIndexRow).where(VaultIndexRow.digest == digest, VaultIndexRow.lookup == lookup)
        if row is None or row.sealed is None or session.exec(noted).first():
            return
        try:
            key = self.keys.data.make(row.name)
        except Erased:
            return
        sealed = seal(key, number.encode(), digest + lookup)
        session.add(VaultIndexRow(digest=digest, lookup=lookup, key=self.keys.index.newest, sealed=sealed))

    def find(self, session: Session, number: str) -> list[bytes]:
        """Return the digests of the payloads that declare a number.

        Raises:
            InvalidPCCC: it is no number.
        """
        chosen = select(VaultIndexRow.digest).where(col(VaultIndexRow.lookup).in_(self.keys.index.every(number)))
        return list(dict.fromkeys(session.exec(chosen)))

    def reindex(self, limit: int = 1_000) -> int:
        """Write rows of the index anew that stand under an older key; return how many. At 0 the older key can go."""
        with self._database.write() as session:
            chosen = select(VaultIndexRow).where(VaultIndexRow.key != self.keys.index.newest).limit(limit)
            rows = list(session.exec(chosen))
            for row in rows:
                sealed, digest, lookup = row.sealed, row.digest, row.lookup
                session.delete(row)
                session.flush()
                try:
                    key = self.keys.data.get(self.name(digest))
                except Erased:
                    continue
                number = unseal(key or b"", sealed, digest + lookup).decode()
                self.note_number(session, digest, number)
            return len(rows)

    # -------------------------------------------------------------------------------------------------------- asking
    def held(self, digest: bytes) -> Held:
        """Say whether a payload is here, was erased, or never came."""
        with self._database.read() as session:
            row = session.get(EnvelopeRow, digest)
            if session.get(ErasureRow, self.name(digest)) or (row is not None and row.sealed is None):
                return Held.ERASED
            return Held.UNKNOWN if row is None else Held.HELD

    def erased(self, digest: bytes) -> bool:
        """Whether a payload was here and was erased for good."""
        return self.held(digest) is Held.ERASED

    def proof(self, digest: bytes, shown: Payload | None = None) -> Proof:
        """Check a payload that somebody shows against a digest on chain.

        Nothing shown of an erased payload is a proof that verifies as erased, not one that fails.
        """
        if shown is not None:
            return Proof.MATCHES if shown.digest == digest else Proof.DIFFERS
        return Proof.ERASED if self.erased(digest) else Proof.UNKNOWN

    def openings(self, digest: bytes) -> Sequence[OpeningRow]:
        """Return who opened a payload, oldest first."""
        with self._database.read() as session:
            rows = list(session.exec(select(OpeningRow).where(OpeningRow.digest == digest).order_by("number")))
            session.expunge_all()
            return rows


class VaultReader:
    """The vault as one program sees it."""

    def __init__(self, vault: Vault, who: str, why: str) -> None:
        """Take the vault, and what its openings are noted as."""
        self._vault, self._who, self._why = vault, who, why

    def put(self, digest: bytes, envelope: bytes) -> None:
        """Keep an envelope."""
        self._vault.put(digest, envelope)

    def get(self, digest: bytes) -> bytes | None:
        """Return an envelope, or None."""
        return self._vault.fetch([digest], self._who, self._why).get(digest)


def fetch(store: PayloadStore, digests: Iterable[bytes], who: str, why: str) -> Mapping[bytes, bytes]:
    """Return envelopes by digest from a vault, which notes the openings, or from any other store."""
    if isinstance(store, Vault):
        return store.fetch(digests, who, why)
    found = {digest: store.get(digest) for digest in dict.fromkeys(digests)}
    return {digest: envelope for digest, envelope in found.items() if envelope is not None}
