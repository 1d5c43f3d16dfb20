"""Keyed look-up and sealed fields: what the database alone cannot read. Every key lies outside of it.

What is sealed of a person stands under the person's own data key, so that it is gone with that key, in every copy.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from ledger.domain.identifiers import PCCC
from ledger.payloads import derive
from ledger.store.datakeys import DataKeys, KeyMissing, mac

NONCE: Final = 12
PERSON: Final = "person"
Reader = Callable[[bytes, bytes], dict[str, Any]]
"""Opens what was sealed, by what it is bound to."""


class BlindIndex:
    """Keyed index of identity numbers: HMAC-SHA256 of the normalised number (개인통관고유부호).

    There are several keys by id while they are changed: the newest writes, all of them find.
    """

    def __init__(self, keys: Mapping[int, bytes]) -> None:
        """Take the keys by id, at least one."""
        self._keys = dict(sorted(keys.items(), reverse=True))
        self.newest = max(self._keys)

    def with_older(self, keys: Mapping[int, bytes]) -> BlindIndex:
        """Return the index that finds under these keys too."""
        return BlindIndex({**keys, **self._keys})

    def of(self, number: str) -> bytes:
        """Return the index of a number under the newest key.

        Raises:
            InvalidPCCC: it is none.
        """
        return mac(self._keys[self.newest], PCCC.parse(number).value.encode())

    def every(self, number: str) -> list[bytes]:
        """Return the index of a number under every key, newest first.

        Raises:
            InvalidPCCC: it is none.
        """
        plain = PCCC.parse(number).value.encode()
        return [mac(key, plain) for key in self._keys.values()]


class Seals:
    """Keys derived from one master key of 32 bytes, the blind index, and people's own keys."""

    def __init__(self, master: bytes, index: BlindIndex | None = None, people: DataKeys | None = None) -> None:
        """Derive the keys.

        Args:
            master: 32 bytes.
            index: the index of numbers, else one whose only key derives from the master.
            people: holds a data key for each person; without it nothing is sealed for a person alone.
        """
        self.index = index or BlindIndex({0: derive(master, "number index")})
        self.people = people
        self._fields = ChaCha20Poly1305(derive(master, "sealed fields"))
        self._codes = derive(master, "one-time codes")
        self._equals = derive(master, "equal values")

    @classmethod
    def beside(cls, master: bytes, index: BlindIndex, people: DataKeys) -> Seals:
        """Return the keys of a register beside a vault: its index, which finds what was there before it, its keys."""
        return cls(master, index.with_older({0: derive(master, "number index")}), people)

    def number(self, text: str) -> bytes:
        """Return the index of an identity number (개인통관고유부호).

        Raises:
            InvalidPCCC: it is none.
        """
        return self.index.of(text)

    def code(self, ticket: bytes, text: str) -> bytes:
        """Return what is kept of a one-time code, bound to its ticket."""
        return mac(self._codes, ticket + text.encode())

    def equal(self, what: str, text: str) -> bytes:
        """Return a value that is equal for equal texts and says nothing else."""
        return mac(self._equals, what.encode() + b"\0" + text.encode())

    def name_of(self, person: bytes) -> bytes | None:
        """Return the name of a person's data key, None where there are none."""
        return self.people.name(PERSON, person) if self.people else None

    def look_for_nobody(self) -> None:
        """Look for the key of a person there is not."""
        if self.people:
            self.people.get(self.people.name(PERSON, os.urandom(16)))

    def seal(self, content: Mapping[str, Any], about: bytes, person: bytes | None = None) -> bytes:
        """Seal a small document, bound to the row it stands in, under a person's own key if it is his.

        Raises:
            Erased: the person was erased.
        """
        nonce = os.urandom(NONCE)
        name = self.name_of(person) if person else None
        fields = ChaCha20Poly1305(self.people.make(name)) if self.people and name else self._fields
        return nonce + fields.encrypt(nonce, json.dumps(content, ensure_ascii=False).encode(), about)

    def open(self, sealed: bytes, about: bytes, person: bytes | None = None) -> dict[str, Any]:
        """Open what :meth:`seal` gave.

        Raises:
            InvalidTag: another key, another row, or damage.
            Erased: the person was erased.
            KeyMissing: the person's key is not here.
        """
        return self.reader(person)(sealed, about)

    def reader(self, person: bytes | None) -> Reader:
        """Return what opens rows of one person, whose key is looked up once for all of them. Do not keep it.

        Raises:
            Erased: the person was erased.
            KeyMissing: the person's key is not here.
        """
        if self.people is None or not person:
            return partial(_decrypted, self._fields)
        key = self.people.get(self.people.name(PERSON, person))
        return partial(_opened_by, self._fields) if key is None else partial(_decrypted, ChaCha20Poly1305(key))


def _decrypted(fields: ChaCha20Poly1305, sealed: bytes, about: bytes) -> dict[str, Any]:
    return json.loads(fields.decrypt(sealed[:NONCE], sealed[NONCE:], about))  # type: ignore[no-any-return]


def _opened_by(fields: ChaCha20Poly1305, sealed: bytes, about: bytes) -> dict[str, Any]:
    """Open a row of before people had keys of their own."""
    try:
        return _decrypted(fields, sealed, about)
    except InvalidTag as error:
        raise KeyMissing("The person's data key is not here.", hint="Put the file of data keys back.") from error
