"""Keyed look-up and sealed fields: what the database alone cannot read. The master key lives outside of it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, Final

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from ledger.domain.identifiers import PCCC
from ledger.payloads import derive

NONCE: Final = 12


class Seals:
    """Keys derived from one master key of 32 bytes."""

    def __init__(self, master: bytes) -> None:
        """Derive the keys."""
        self._index = derive(master, "number index")
        self._fields = ChaCha20Poly1305(derive(master, "sealed fields"))
        self._codes = derive(master, "one-time codes")

    def number(self, text: str) -> bytes:
        """Return the index of an identity number (개인통관고유부호).

        Raises:
            InvalidPCCC: it is none.
        """
        return _mac(self._index, PCCC.parse(text).value.encode())

    def code(self, ticket: bytes, text: str) -> bytes:
        """Return what is kept of a one-time code, bound to its ticket."""
        return _mac(self._codes, ticket + text.encode())

    def seal(self, content: Mapping[str, Any], about: bytes) -> bytes:
        """Seal a small document, bound to the row it stands in."""
        nonce = os.urandom(NONCE)
        return nonce + self._fields.encrypt(nonce, json.dumps(content, ensure_ascii=False).encode(), about)

    def open(self, sealed: bytes, about: bytes) -> dict[str, Any]:
        """Open what :meth:`seal` gave.

        Raises:
            InvalidTag: another key, another row, or damage.
        """
        found: dict[str, Any] = json.loads(self._fields.decrypt(sealed[:NONCE], sealed[NONCE:], about))
        return found


def _mac(key: bytes, data: bytes) -> bytes:
    made = HMAC(key, SHA256())
    made.update(data)
    return made.finalize()
