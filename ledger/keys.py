"""Keys of members, sealers and relayers: secp256k1, low-s, at rest only inside encrypted keystores.

Keystores are Web3 Secret Storage version 3 (scrypt). A passphrase comes from a prompt or a file, never from an
argument, so that it stands in no process list.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

from coincurve import PrivateKey, PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from eth_hash.auto import keccak
from eth_keyfile import create_keyfile_json, decode_keyfile_json

from ledger.domain.errors import LedgerError

CURVE_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""Order n of secp256k1 (SEC 2)."""
SCRYPT_WORK: Final = 2**15
"""Work factor of new keystores."""


class KeyFault(LedgerError):
    """A key or signature cannot be used."""

    code = "key.unusable"


class WrongPassphrase(KeyFault):
    """The passphrase does not open the keystore."""

    code = "key.wrong-passphrase"


class BadSignature(KeyFault):
    """The signature recovers to nobody."""

    code = "key.bad-signature"


def address_of(public: PublicKey) -> bytes:
    """Return the 20-byte address of a public key."""
    return keccak(public.format(compressed=False)[1:])[-20:]


class LocalSigner:
    """A private key held in this process."""

    def __init__(self, secret: bytes) -> None:
        """Take a 32-byte secret."""
        self._key = PrivateKey(secret)
        self.address = address_of(self._key.public_key)

    def __repr__(self) -> str:
        """Show the address, never the secret."""
        return f"LocalSigner({self.hex_address})"

    @property
    def hex_address(self) -> str:
        """The address as 0x and 40 lower-case digits."""
        return "0x" + self.address.hex()

    @classmethod
    def from_seed(cls, seed: bytes, label: str) -> LocalSigner:
        """Derive a key for demos and tests: HKDF-SHA256 of a seed, by label."""
        wide = HKDF(algorithm=SHA256(), length=48, salt=None, info=b"clearance key " + label.encode()).derive(seed)
        return cls((int.from_bytes(wide, "big") % (CURVE_ORDER - 1) + 1).to_bytes(32, "big"))

    def sign_digest(self, digest: bytes) -> bytes:
        """Return r, s, v (65 bytes, v 27 or 28, low s; deterministic, RFC 6979)."""
        signature: bytes = self._key.sign_recoverable(digest, hasher=None)
        return signature[:64] + bytes([27 + signature[64]])

    def save(self, path: Path, passphrase: str) -> None:
        """Write an encrypted keystore that only its owner can read.

        Raises:
            KeyFault: the file exists already.
        """
        document = create_keyfile_json(self._key.secret, passphrase.encode(), kdf="scrypt", iterations=SCRYPT_WORK)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError as error:
            raise KeyFault(
                f"{path} exists already.", hint="Choose another name; keys are never overwritten."
            ) from error
        with os.fdopen(descriptor, "w") as file:
            json.dump(document, file)
            file.flush()
            os.fsync(file.fileno())

    @classmethod
    def load(cls, path: Path, passphrase: str) -> LocalSigner:
        """Open an encrypted keystore.

        Raises:
            KeyFault: the file is missing, readable by others, or no keystore.
            WrongPassphrase: the passphrase does not open it.
        """
        try:
            if path.stat().st_mode & 0o077:
                raise KeyFault(f"{path} can be read by other users.", hint=f"Run: chmod 600 {path}")
            document = json.loads(path.read_text())
        except OSError as error:
            raise KeyFault(f"{path}: {error.strerror}.", hint="Check the path of the keystore.") from error
        except ValueError as error:
            raise KeyFault(f"{path} is no keystore.", hint="Give a version 3 keystore file.") from error
        try:
            return cls(decode_keyfile_json(document, passphrase.encode()))
        except (ValueError, TypeError, KeyError, AttributeError, NotImplementedError) as error:  # of a hostile document
            if "MAC mismatch" in str(error):
                raise WrongPassphrase(f"The passphrase does not open {path}.", hint="Try again.") from error
            raise KeyFault(f"{path} is no keystore.", hint="Give a version 3 keystore file.") from error


def recover(digest: bytes, signature: bytes) -> bytes:
    """Return the address that signed a digest.

    Raises:
        BadSignature: wrong length, v not 27 or 28, s in the upper half (EIP-2), or no point on the curve.
    """
    if len(signature) != 65 or signature[64] not in (27, 28):
        raise BadSignature("A signature has 65 bytes, the last 27 or 28.", hint="Send r, s, v.")
    if int.from_bytes(signature[32:64], "big") > CURVE_ORDER // 2:
        raise BadSignature("The s of the signature is in the upper half.", hint="Use the low-s form (EIP-2).")
    try:
        raw = signature[:64] + bytes([signature[64] - 27])
        return address_of(PublicKey.from_signature_and_message(raw, digest, hasher=None))
    except Exception as error:  # coincurve raises bare Exception for a signature that is no curve point
        raise BadSignature("The signature recovers to no key.", hint="Sign the EIP-712 digest.") from error
