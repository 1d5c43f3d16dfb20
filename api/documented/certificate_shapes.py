"""Shape of a clearance certificate."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from api.documented.shapes import Hex, Moment


class CertifiedChain(BaseModel):
    """The chain that a certificate is of."""

    chain_id: int
    contract: Hex
    genesis_hash: Hex


class CertifiedStatus(BaseModel):
    """What block and words say, in clear; whoever verifies compares it with what is proven."""

    height: int
    time: Moment
    clearance: Literal["unfiled", "pending", "referred", "cleared", "refused", "recalled", "observed"]
    decided_by: Literal["rule", "officer"] | None
    status: list[str]
    findings: list[str]
    generation: int
    opener: int
    office: int
    filed_at: Moment | None
    carried_in_at: Moment | None


class CertifiedBlock(BaseModel):
    """A final block."""

    header: Hex = Field(description="RLP.")
    seal: Hex = Field(description="The sealer's signature, EIP-712 `Seal`.")


class CertifiedHead(BaseModel):
    """A follower's countersignature, EIP-712 `Head`."""

    follower: Hex
    height: int
    signature: Hex


class Countersigned(BaseModel):
    """Who countersigned the block or a later one."""

    later: list[Hex] = Field(description="Headers that follow the block, up to the highest head.")
    heads: list[CertifiedHead]


class CertificateProof(BaseModel):
    """Nodes of Merkle-Patricia proofs (EIP-1186)."""

    account: list[Hex]
    word: list[Hex]
    filing: list[Hex]


class Certificate(BaseModel):
    """A clearance certificate; `clearance verify` checks it offline. Keep it as it is: no field can be changed."""

    object: Literal["certificate"]
    version: Literal[1]
    chain: CertifiedChain
    parcel: Hex
    says: CertifiedStatus
    word: Hex
    filing: Hex | None
    block: CertifiedBlock
    countersigned: Countersigned
    proof: CertificateProof
