"""The key of a buyer's device (ECDSA P-256): it signs what the holder of a number says. Kept encrypted on disk.

What it signs is a statement of `ledger.answers`; the signature is r and s, 32 bytes each, over its SHA-256, as
WebCrypto gives it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from ledger.domain.errors import LedgerError


class DeviceKeyFault(LedgerError):
    """The device's key cannot be used."""

    code = "device.unusable"


class DeviceKey:
    """A device's key."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        """Take the key."""
        self._key = key

    @classmethod
    def make(cls, path: Path, passphrase: str) -> Self:
        """Make a key and keep it in a new file, encrypted, for its owner only.

        Raises:
            DeviceKeyFault: no passphrase, or the file cannot be written.
        """
        if not passphrase:
            raise DeviceKeyFault("A device's key needs a passphrase.", hint="Choose one of several words.")
        made = ec.generate_private_key(ec.SECP256R1())
        form = BestAvailableEncryption(passphrase.encode())
        data = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, form)
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(data)
        except OSError as error:
            raise DeviceKeyFault(f"{path}: {error.strerror}.", hint="Give another folder with --home.") from error
        return cls(made)

    @classmethod
    def load(cls, path: Path, passphrase: str) -> Self:
        """Open a kept key.

        Raises:
            DeviceKeyFault: no such file, no such key, or a wrong passphrase.
        """
        try:
            found = load_pem_private_key(path.read_bytes(), passphrase.encode())
        except OSError as error:
            raise DeviceKeyFault(
                f"{path}: {error.strerror}.", hint="Sign in first: clearance buyer sign-in."
            ) from error
        except (ValueError, TypeError) as error:
            raise DeviceKeyFault("The passphrase is wrong, or the file is no key.", hint="Try again.") from error
        if not isinstance(found, ec.EllipticCurvePrivateKey) or not isinstance(found.curve, ec.SECP256R1):
            raise DeviceKeyFault("The file holds another kind of key.", hint="Sign in with an empty --home.")
        return cls(found)

    @property
    def public(self) -> bytes:
        """Uncompressed point, 65 bytes: what is bound at sign-in."""
        return self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def sign(self, text: str) -> bytes:
        """Sign a statement; return r and s, 64 bytes."""
        r, s = decode_dss_signature(self._key.sign(text.encode(), ec.ECDSA(SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")
