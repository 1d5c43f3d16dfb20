"""Audit reports: deterministic, so that two offices can compare digests, and signed by the auditor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import rfc8785
from eth_hash.auto import keccak

from ledger.chain.batch import Signer


@dataclass(frozen=True, slots=True)
class Found:
    """Something that is not as it must be.

    Attributes:
        code: stable slug of the check that failed.
        height: block it was found at, None if none.
        sentence: what is wrong, naming what was altered.
    """

    code: str
    height: int | None
    sentence: str

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"code": self.code, "height": self.height, "sentence": self.sentence}


@dataclass(frozen=True, slots=True)
class Report:
    """What an audit looked at and found. Two audits of one chain give the same bytes."""

    kind: str
    subject: Mapping[str, Any]
    findings: tuple[Found, ...] = field(default=())

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def body(self) -> dict[str, Any]:
        """Return the part that is signed."""
        return {
            "audit": self.kind,
            "ok": self.ok,
            "subject": dict(self.subject),
            "findings": [found.as_dict() for found in self.findings],
        }

    def digest(self) -> bytes:
        """Return keccak-256 of the canonical body (RFC 8785)."""
        return keccak(rfc8785.dumps(self.body()))

    def signed(self, signer: Signer | None) -> dict[str, Any]:
        """Return the report for JSON, with digest and, if a signer is given, its signature over the digest."""
        document = self.body() | {"digest": "0x" + self.digest().hex()}
        if signer is not None:
            document["signature"] = "0x" + signer.sign_digest(self.digest()).hex()
        return document
