"""Private payloads: canonical JSON under a salt, encrypted by the writer's client to those who may read it.

The digest on chain is over salt and plaintext, never over ciphertext, and the salt is random, so it says nothing to
others. Content is sealed once with ChaCha20-Poly1305; the content key is sealed to each reader by HPKE (RFC 9180,
X25519, HKDF-SHA256, ChaCha20-Poly1305).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import rfc8785
import rlp
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from eth_hash.auto import keccak

from ledger.domain.errors import LedgerError

PAYLOAD_TAG: Final = keccak(b"clearance.payload/v1")
VERSION: Final = b"CLP1"
MAX_PLAINTEXT: Final = 65_536
MAX_READERS: Final = 16
MAX_ENVELOPE: Final = MAX_PLAINTEXT + 4_096
"""Bytes of an envelope: its plaintext, and what sealing to 16 readers adds."""
_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
_ONCE: Final = bytes(12)
"""Nonce of the content: each content key seals one content."""


class PayloadFault(LedgerError):
    """A payload cannot be sealed or opened."""

    code = "payload.unusable"


class NotForYou(PayloadFault):
    """It was not sealed to this key."""

    code = "payload.not-for-you"


def derive(secret: bytes, label: str) -> bytes:
    """Derive an independent salt from a parcel's secret: HKDF-SHA256 by label, 32 bytes."""
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=label.encode()).derive(secret)


def payload_digest(salt: bytes, plaintext: bytes) -> bytes:
    """Return the digest that stands on chain."""
    return keccak(PAYLOAD_TAG + salt + plaintext)


@dataclass(frozen=True, slots=True)
class Payload:
    """An opened payload. Its content may be personal: it is in no repr."""

    salt: bytes = field(repr=False)
    plaintext: bytes = field(repr=False)

    @property
    def digest(self) -> bytes:
        """Digest that stands on chain."""
        return payload_digest(self.salt, self.plaintext)

    @property
    def content(self) -> dict[str, Any]:
        """The JSON object."""
        found: dict[str, Any] = json.loads(self.plaintext)
        return found

    @classmethod
    def of(cls, content: dict[str, Any], salt: bytes) -> Payload:
        """Make a payload of a JSON object (RFC 8785).

        Raises:
            PayloadFault: more than 64 KiB.
        """
        plaintext = rfc8785.dumps(content)
        if len(plaintext) > MAX_PLAINTEXT:
            raise PayloadFault("A payload has at most 64 KiB.", hint="Leave out what customs does not need.")
        return cls(salt, plaintext)

    def sealed(self, readers: Iterable[X25519PublicKey]) -> bytes:
        """Return the envelope that only `readers` can open."""
        key = os.urandom(32)
        digest = self.digest
        slots = [[reader.public_bytes_raw(), _SUITE.encrypt(key, reader, digest)] for reader in readers]
        if not 1 <= len(slots) <= MAX_READERS:
            raise PayloadFault(f"A payload has 1 to {MAX_READERS} readers.", hint="Name those who must open it.")
        body = ChaCha20Poly1305(key).encrypt(_ONCE, self.salt + self.plaintext, digest)
        envelope: bytes = rlp.encode([VERSION, digest, slots, body])
        return envelope


def open_payload(envelope: bytes, key: X25519PrivateKey, digest: bytes) -> Payload:
    """Open an envelope and check it against the digest on chain.

    Raises:
        NotForYou: it was sealed to others.
        PayloadFault: damaged, or of another digest.
    """
    own = key.public_key().public_bytes_raw()
    damaged = PayloadFault("The envelope is damaged.", hint="Ask the writer to put it into the spool again.")
    try:
        version, said, slots, body = rlp.decode(envelope)
        sealed = next((sealed for reader, sealed in slots if reader == own), None)
    except (rlp.DecodingError, ValueError, TypeError) as error:
        raise damaged from error
    if version != VERSION or said != digest:
        raise PayloadFault("The envelope is of another payload or version.", hint="Look it up by its digest.")
    if sealed is None:
        raise NotForYou("The envelope was not sealed to this key.", hint="Only the readers it names can open it.")
    try:
        content = ChaCha20Poly1305(_SUITE.decrypt(sealed, key, digest)).decrypt(_ONCE, body, digest)
    except (InvalidTag, ValueError, TypeError) as error:  # TypeError: a list where bytes must stand
        raise damaged from error
    payload = Payload(content[:32], content[32:])
    if payload.digest != digest:
        raise PayloadFault("The content does not match the digest on chain.", hint="Refuse the filing that names it.")
    return payload


def readers_of(envelope: bytes, digest: bytes) -> tuple[bytes, ...]:
    """Return the X25519 public keys an envelope is sealed to.

    Raises:
        PayloadFault: it is no envelope of this payload.
    """
    try:
        version, said, slots, _ = rlp.decode(envelope)
        readers = tuple(bytes(reader) for reader, _ in slots)
    except (rlp.DecodingError, ValueError, TypeError) as error:
        raise PayloadFault("That is no envelope.", hint="Send what sealing the payload gave.") from error
    if version != VERSION or said != digest:
        raise PayloadFault("The envelope is of another payload or version.", hint="Send it under its own digest.")
    return readers


class PayloadStore(Protocol):
    """Where envelopes are kept under their payload digests: a spool folder, or the vault."""

    def put(self, digest: bytes, envelope: bytes) -> None:
        """Keep an envelope; keeping it again changes nothing."""
        ...

    def get(self, digest: bytes) -> bytes | None:
        """Return an envelope, or None."""
        ...


class Spool:
    """Folder of envelopes under their payload digests, until there is a vault."""

    def __init__(self, folder: Path) -> None:
        """Use a folder; it is made if missing."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    def _path(self, digest: bytes) -> Path:
        if len(digest) != 32:
            raise PayloadFault("A payload digest has 32 bytes.", hint="Give the digest that stands on chain.")
        name = digest.hex()
        return self._folder / name[:2] / name

    def put(self, digest: bytes, envelope: bytes) -> None:
        """Keep an envelope; keeping it again changes nothing. It is there whole or not at all."""
        path = self._path(digest)
        if path.exists():
            return
        path.parent.mkdir(exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}")
        with draft.open("wb") as file:
            file.write(envelope)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)

    def get(self, digest: bytes) -> bytes | None:
        """Return an envelope, or None."""
        try:
            return self._path(digest).read_bytes()
        except FileNotFoundError:
            return None
