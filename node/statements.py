"""What nodes sign beside the chain: receipts for accepted batches, inclusions, seals and countersigned heads.

EIP-712 structs under the ledger's domain: a promise that is not kept can be shown to anybody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from ledger.chain.batch import Signer
from ledger.commitments import LedgerDomain
from ledger.keys import recover


@dataclass(frozen=True, slots=True)
class Receipt:
    """The sealer's promise to include a batch.

    Attributes:
        batch: hash of the batch.
        accepted_at: when it was durably queued, seconds UTC.
        include_by: by when it stands in a block, unless a rival batch, a suspension or its expiry excuses.
        signature: the sealer's, 65 bytes.
    """

    batch: bytes
    accepted_at: int
    include_by: int
    signature: bytes

    @classmethod
    def signed(cls, domain: LedgerDomain, signer: Signer, batch: bytes, accepted_at: int, include_by: int) -> Self:
        """Sign a promise."""
        digest = domain.receipt_digest(batch, accepted_at, include_by)
        return cls(batch, accepted_at, include_by, signer.sign_digest(digest))

    def signer(self, domain: LedgerDomain) -> bytes:
        """Return who signed it.

        Raises:
            BadSignature: nobody did.
        """
        return recover(domain.receipt_digest(self.batch, self.accepted_at, self.include_by), self.signature)

    def encode(self) -> bytes:
        """Return the bytes kept in the store."""
        return self.batch + self.accepted_at.to_bytes(8, "big") + self.include_by.to_bytes(8, "big") + self.signature

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what :meth:`encode` gave."""
        return cls(data[:32], int.from_bytes(data[32:40], "big"), int.from_bytes(data[40:48], "big"), data[48:])

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "type": "Receipt",
            "batch": "0x" + self.batch.hex(),
            "acceptedAt": self.accepted_at,
            "includeBy": self.include_by,
            "signature": "0x" + self.signature.hex(),
        }

    @classmethod
    def of(cls, document: dict[str, Any]) -> Self:
        """Read it from JSON."""
        return cls(
            bytes.fromhex(document["batch"][2:]),
            int(document["acceptedAt"]),
            int(document["includeBy"]),
            bytes.fromhex(document["signature"][2:]),
        )


@dataclass(frozen=True, slots=True)
class Inclusion:
    """The sealer's statement that a batch stands in a block."""

    batch: bytes
    height: int
    block_hash: bytes
    signature: bytes

    @classmethod
    def signed(cls, domain: LedgerDomain, signer: Signer, batch: bytes, height: int, block_hash: bytes) -> Self:
        """Sign the statement."""
        return cls(batch, height, block_hash, signer.sign_digest(domain.inclusion_digest(batch, height, block_hash)))

    def signer(self, domain: LedgerDomain) -> bytes:
        """Return who signed it."""
        return recover(domain.inclusion_digest(self.batch, self.height, self.block_hash), self.signature)

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "type": "Inclusion",
            "batch": "0x" + self.batch.hex(),
            "height": self.height,
            "blockHash": "0x" + self.block_hash.hex(),
            "signature": "0x" + self.signature.hex(),
        }

    @classmethod
    def of(cls, document: dict[str, Any]) -> Self:
        """Read it from JSON."""
        return cls(
            bytes.fromhex(document["batch"][2:]),
            int(document["height"]),
            bytes.fromhex(document["blockHash"][2:]),
            bytes.fromhex(document["signature"][2:]),
        )


@dataclass(frozen=True, slots=True)
class Head:
    """A follower's countersignature under a block that it executed and stored; never two for one height."""

    genesis_hash: bytes
    height: int
    block_hash: bytes
    signature: bytes

    @classmethod
    def signed(cls, domain: LedgerDomain, signer: Signer, genesis_hash: bytes, height: int, block_hash: bytes) -> Self:
        """Countersign a head."""
        digest = domain.head_digest(genesis_hash, height, block_hash)
        return cls(genesis_hash, height, block_hash, signer.sign_digest(digest))

    def signer(self, domain: LedgerDomain) -> bytes:
        """Return who signed it."""
        return recover(domain.head_digest(self.genesis_hash, self.height, self.block_hash), self.signature)

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "type": "Head",
            "genesisHash": "0x" + self.genesis_hash.hex(),
            "height": self.height,
            "blockHash": "0x" + self.block_hash.hex(),
            "signature": "0x" + self.signature.hex(),
        }

    @classmethod
    def of(cls, document: dict[str, Any]) -> Self:
        """Read it from JSON."""
        return cls(
            bytes.fromhex(document["genesisHash"][2:]),
            int(document["height"]),
            bytes.fromhex(document["blockHash"][2:]),
            bytes.fromhex(document["signature"][2:]),
        )
