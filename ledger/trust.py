"""What a verifier of certificates gets once, from somebody he trusts: one small JSON file.

Whoever knows it needs neither node nor gateway to check what a certificate says.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final, Self

import rfc8785

from ledger.chain.evidence import all_unhexed, hexed, unhexed
from ledger.commitments import LedgerDomain
from ledger.domain.errors import LedgerError
from ledger.genesis import Genesis

ADDRESS_BYTES: Final = 20
HASH_BYTES: Final = 32
MAPS: Final = ("words", "filings")
"""State variables of the contract that certificates show."""
MOST_BYTES: Final = 1 << 20
"""Bytes of a document at most: a certificate's 256 headers and three proofs fit in half of that."""
MOST_OPENED: Final = 500
"""Lists and objects in a document at most."""


class InvalidTrust(LedgerError):
    """The trust file cannot be used."""

    code = "trust.invalid"


class DemoChain(LedgerError):
    """The trusted chain is a demo: its keys derive from a public seed, so anybody can sign what it says."""

    code = "trust.demo"


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose signatures count, and where the contract keeps its words.

    Attributes:
        genesis_hash: hash of block 0.
        sealer: address that seals blocks.
        followers: addresses that countersign heads.
        needed: how many of them must have countersigned.
        slots: storage slots of the maps, as the chain's contract was compiled.
        demo: whether the chain was made from a seed; see :meth:`for_real`.
    """

    domain: LedgerDomain
    genesis_hash: bytes
    sealer: bytes
    followers: tuple[bytes, ...]
    needed: int
    slots: dict[str, int]
    demo: bool

    @classmethod
    def of_genesis(cls, genesis: Genesis, genesis_hash: bytes, needed: int | None = None) -> Self:
        """Make it of a genesis file and its block 0; every follower must have countersigned unless told.

        Raises:
            InvalidTrust: there are not so many followers.
        """
        followers = tuple(sorted(unhexed(address) for address in genesis.followers))
        count = len(followers) if needed is None else needed
        slots = {name: genesis.code.slots[name] for name in MAPS}
        sealer = unhexed(genesis.sealer)
        return cls(genesis.domain, genesis_hash, sealer, followers, count, slots, genesis.demo).checked()

    def checked(self) -> Self:
        """Return it.

        Raises:
            InvalidTrust: addresses or hashes of a wrong length or twice, or more countersignatures than followers.
        """
        addresses = (self.domain.contract, self.sealer, *self.followers)
        if (
            any(len(each) != ADDRESS_BYTES for each in addresses)
            or len(self.genesis_hash) != HASH_BYTES
            or list(self.followers) != sorted(set(self.followers))
            or not 0 <= self.needed <= len(self.followers)
        ):
            raise InvalidTrust(
                f"{self.needed} countersignatures of {len(self.followers)} followers, or addresses that are none.",
                hint="Ask for no more countersignatures than there are followers.",
            )
        return self

    def for_real(self) -> Self:
        """Return it.

        Raises:
            DemoChain: signatures of this chain prove nothing.
        """
        if self.demo:
            raise DemoChain(
                "The trust file is of a demo chain: its keys are public, and anybody can make such a certificate.",
                hint="Get the trust file of the real chain; to try things out, add --demo.",
            )
        return self

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "object": "trust",
            "version": 1,
            "demo": self.demo,
            "chain_id": self.domain.chain_id,
            "contract": hexed(self.domain.contract),
            "genesis_hash": hexed(self.genesis_hash),
            "sealer": hexed(self.sealer),
            "followers": [hexed(each) for each in self.followers],
            "countersignatures": self.needed,
            "slots": self.slots,
        }

    @classmethod
    def loads(cls, text: str | bytes) -> Self:
        """Read a trust file's text.

        Raises:
            InvalidTrust: it is none.
        """
        try:
            document = read_document(text)
            found = cls(
                LedgerDomain(document["chain_id"], unhexed(document["contract"])),
                unhexed(document["genesis_hash"]),
                unhexed(document["sealer"]),
                all_unhexed(document["followers"]),
                document["countersignatures"],
                document["slots"],
                document["demo"],
            ).checked()
            numbers = (found.domain.chain_id, found.needed, *(found.slots[name] for name in MAPS))
            if any(type(each) is not int or each < 0 for each in numbers):
                raise ValueError("a number is none")
            if type(found.demo) is not bool:
                raise ValueError("demo is true or false")
            if rfc8785.dumps(found.as_dict()) != rfc8785.dumps(document):
                raise ValueError("fields are missing, unknown or written otherwise")
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise InvalidTrust("That is no trust file.", hint="Make one with `clearance node trust`.") from error
        return found


def read_document(text: str | bytes) -> Any:
    """Read a stranger's JSON: bounded, not nested deeply, no field twice (readers differ in which one they take).

    Raises:
        ValueError: it is not that.
    """
    plain = text.decode() if isinstance(text, bytes) else text
    if len(plain) > MOST_BYTES or plain.count("[") + plain.count("{") > MOST_OPENED:
        raise ValueError("too long, or nested so deeply that it would fill the reader's stack")
    return json.loads(plain, object_pairs_hook=_no_field_twice)


def _no_field_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a field stands twice")
    return found
