"""Hashes that bind: ids, order commitments, filing digests, EIP-712 digests.

Keccak-256 and ABI words live here so that `ledger.domain` needs the standard library only. Every preimage starts
with a tag, so that no hash of one kind can be taken for another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from eth_hash.auto import keccak

from ledger.domain.kinds import KindNumber
from ledger.domain.limits import DOMAIN_NAME, DOMAIN_VERSION

ID_TAG: Final = keccak(b"clearance.id/v1")
ORDER_TAG: Final = keccak(b"clearance.order/v1")
FILING_TAG: Final = keccak(b"clearance.filing/v1")
REST_TAG: Final = keccak(b"clearance.rest/v1")
BATCH_TAG: Final = keccak(b"clearance.batch/v1")

DOMAIN_TYPE: Final = keccak(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
BATCH_TYPE: Final = keccak(b"Batch(uint64 lane,uint64 seq,uint64 notAfter,bytes entries)")
RECEIPT_TYPE: Final = keccak(b"Receipt(bytes32 batch,uint64 acceptedAt,uint64 includeBy)")
INCLUSION_TYPE: Final = keccak(b"Inclusion(bytes32 batch,uint64 height,bytes32 blockHash)")
SEAL_TYPE: Final = keccak(b"Seal(bytes32 genesisHash,uint64 height,bytes32 blockHash)")
HEAD_TYPE: Final = keccak(b"Head(bytes32 genesisHash,uint64 height,bytes32 blockHash)")
ANSWER_TYPE: Final = keccak(b"Answer(bytes32 digest,uint64 at,bytes32 device,bytes32[] stops,uint64 stopsBy)")
SIGN_IN_TYPE: Final = keccak(b"SignIn(address key,bytes32 challenge,uint64 expires)")

MASK_160: Final = (1 << 160) - 1


def word(value: int) -> bytes:
    """Return an unsigned integer as an ABI word of 32 bytes."""
    return value.to_bytes(32, "big")


@dataclass(frozen=True, slots=True)
class LedgerDomain:
    """Chain and contract that ids and signatures are bound to.

    Attributes:
        chain_id: EIP-155 chain id.
        contract: address of the ledger's contract, 20 bytes.
    """

    chain_id: int
    contract: bytes

    def separator(self) -> bytes:
        """Return the EIP-712 domain separator."""
        return keccak(
            DOMAIN_TYPE
            + keccak(DOMAIN_NAME.encode())
            + keccak(DOMAIN_VERSION.encode())
            + word(self.chain_id)
            + self.contract.rjust(32, b"\0")
        )

    def typed(self, struct_hash: bytes) -> bytes:
        """Return the EIP-712 digest of a struct."""
        return keccak(b"\x19\x01" + self.separator() + struct_hash)

    def self_hash(self) -> bytes:
        """Return the hash of chain and contract that every id contains."""
        return keccak(ID_TAG + word(self.chain_id) + self.contract.rjust(32, b"\0"))

    def subject_id(self, kind: KindNumber, opener: int, digest: bytes) -> int:
        """Return the id of the subject that `opener` opens with an entry of `kind` and `digest`."""
        return int.from_bytes(keccak(self.self_hash() + word(kind) + word(opener) + digest), "big")

    def batch_digest(self, lane: int, seq: int, not_after: int, entries: bytes) -> bytes:
        """Return the digest a writer signs."""
        return self.typed(keccak(BATCH_TYPE + word(lane) + word(seq) + word(not_after) + keccak(entries)))

    def receipt_digest(self, batch: bytes, accepted_at: int, include_by: int) -> bytes:
        """Return the digest a sealer signs when it takes a batch."""
        return self.typed(keccak(RECEIPT_TYPE + batch + word(accepted_at) + word(include_by)))

    def inclusion_digest(self, batch: bytes, height: int, block_hash: bytes) -> bytes:
        """Return the digest a sealer signs when a batch stands in a block."""
        return self.typed(keccak(INCLUSION_TYPE + batch + word(height) + block_hash))

    def seal_digest(self, genesis_hash: bytes, height: int, block_hash: bytes) -> bytes:
        """Return the digest the sealer signs for a block it makes."""
        return self.typed(keccak(SEAL_TYPE + genesis_hash + word(height) + block_hash))

    def head_digest(self, genesis_hash: bytes, height: int, block_hash: bytes) -> bytes:
        """Return the digest a follower signs for a head it executed and stored."""
        return self.typed(keccak(HEAD_TYPE + genesis_hash + word(height) + block_hash))

    def answer_digest(self, statement: bytes, at: int, device: bytes, stops: Sequence[bytes], stops_by: int) -> bytes:
        """Return the digest the identity authority signs when it takes an answer of a number's holder.

        Args:
            statement: hash of what was said.
            at: chain's time, seconds UTC.
            device: hash of the device's signature, zero where there is none.
            stops: parcel and digest of every stop owed, in turn.
            stops_by: chain's time by which they stand there, seconds UTC.
        """
        owed = keccak(b"".join(stops))
        return self.typed(keccak(ANSWER_TYPE + statement + word(at) + device + owed + word(stops_by)))

    def sign_in_digest(self, key: bytes, challenge: bytes, expires: int) -> bytes:
        """Return the digest a member's key signs to sign in at a gateway: it says nothing that a batch could mean."""
        return self.typed(keccak(SIGN_IN_TYPE + key.rjust(32, b"\0") + challenge + word(expires)))


def order_commitment(goods_word: int, rest_digest: bytes, salt: bytes) -> bytes:
    """Return the commitment to an order's facts: the digest of its opening entry."""
    return keccak(ORDER_TAG + word(goods_word) + rest_digest + salt)


def batch_hash(digest: bytes, key: bytes) -> bytes:
    """Return the name of a batch: its digest together with who signed it.

    The digest alone names nothing: two members may sign the same bytes, an empty batch say, and a stranger may sign a
    copy of another's.
    """
    return keccak(BATCH_TAG + digest + key.rjust(32, b"\0"))


def rest_digest(salt: bytes, rest: bytes) -> bytes:
    """Return the digest of an order's rest (canonical bytes of order date, HS code, description)."""
    return keccak(REST_TAG + salt + rest)


def filing_digest(generation: int, entry: bytes) -> int:
    """Return the low 160 bits of a filing's digest.

    Args:
        generation: filings of the parcel before this one.
        entry: the packed entry: id, header, payload digest and all filing words.
    """
    return int.from_bytes(keccak(FILING_TAG + word(generation) + entry), "big") & MASK_160
