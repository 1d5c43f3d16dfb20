"""Somebody who holds everything public and wants to know whose parcels these are.

He knows the rules of the product, every byte on chain and on disk, and (more than any real attacker) every private
payload but for the identity number (PCCC) in it. What he lacks are the salts and keys of the parties.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from eth_hash.auto import keccak

from ledger.payloads import payload_digest

WINDOW: Final = 12
"""Bytes compared: two of the 10^7 hashes he computes never agree in so many by chance."""
HASHES: Final[tuple[Callable[[bytes], bytes], ...]] = (keccak, lambda data: hashlib.sha256(data).digest())


def pccc(number: int) -> str:
    """Return the made-up identity number of a made-up person."""
    return f"P99{number:010}"


@dataclass(frozen=True)
class Effort:
    """How many identity numbers are tried: as they are, under every public salt, and in whole guessed payloads."""

    plain: int
    salted: int
    guessed: int


@dataclass(frozen=True)
class Public:
    """Everything that anyone may see.

    Attributes:
        blobs: bytes of blocks, receipts, state, files.
        salts: 32-byte values among them that could be a salt: ids, digests, revealed salts.
        templates: payloads as the attacker guesses them, the identity number cut out between head and tail.
    """

    blobs: tuple[bytes, ...]
    salts: tuple[bytes, ...]
    templates: tuple[tuple[bytes, bytes], ...]

    def with_batch(self, calldata: bytes, salts: Iterable[bytes]) -> Public:
        """Return the same and one batch more."""
        return Public((*self.blobs, calldata), (*self.salts, *salts), self.templates)

    def windows(self) -> frozenset[bytes]:
        """Return every run of bytes that a hash could be hidden in."""
        return frozenset(blob[at : at + WINDOW] for blob in self.blobs for at in range(len(blob) - WINDOW + 1))


def _plain(person: str) -> Iterator[bytes]:
    for text in (person.encode(), person[1:].encode()):
        for digest in HASHES:
            yield digest(text)


def _salted(person: str, salt: bytes) -> Iterator[bytes]:
    text = person.encode()
    for digest in HASHES:
        yield digest(salt + text)
        yield digest(text + salt)
    yield hmac.digest(salt, text, "sha256")
    yield payload_digest(salt, text)


def find_people(public: Public, effort: Effort) -> set[str]:
    """Try everything obvious; return the identity numbers that some public value gives away.

    Whole digests count, and their low 160 bits, as the chain keeps some.
    """
    seen = public.windows()

    def is_there(digest: bytes) -> bool:
        return digest[:WINDOW] in seen or digest[-20 : -20 + WINDOW] in seen

    found: set[str] = set()
    for person in map(pccc, range(effort.plain)):
        if any(map(is_there, _plain(person))):
            found.add(person)
    for person in map(pccc, range(effort.salted)):
        if any(is_there(digest) for salt in public.salts for digest in _salted(person, salt)):
            found.add(person)
    for person in map(pccc, range(effort.guessed)):
        payloads = [head + person.encode() + tail for head, tail in public.templates]
        if any(is_there(payload_digest(salt, guess)) for salt in public.salts for guess in payloads):
            found.add(person)
    return found
