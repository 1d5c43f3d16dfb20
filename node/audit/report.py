"""Audit reports: deterministic, so that two offices can compare digests, and signed by the auditor.

What is signed is keccak(keccak("clearance.audit-report/v1") | RFC 8785 JSON of audit, ok, subject and findings), so
that a report can be checked years later with nothing but itself and the auditor's address.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import rfc8785
from eth_hash.auto import keccak

REPORT_TAG: Final = keccak(b"clearance.audit-report/v1")


class Auditor(Protocol):
    """Holds the key that signs reports; see `ledger.keys`."""

    @property
    def hex_address(self) -> str:
        """Address of the key, 0x hex."""
        ...

    def sign_digest(self, digest: bytes) -> bytes:
        """Return the 65-byte signature r, s, v with v 27 or 28."""
        ...


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
        """Return keccak-256 of the canonical body (RFC 8785) behind the tag of reports."""
        return keccak(REPORT_TAG + rfc8785.dumps(self.body()))

    def signed(self, auditor: Auditor | None) -> dict[str, Any]:
        """Return the report for JSON with its digest and, if somebody signs, who and the signature over the digest."""
        document = self.body() | {"digest": "0x" + self.digest().hex()}
        if auditor is not None:
            signature = auditor.sign_digest(self.digest())
            document |= {"signer": auditor.hex_address, "signature": "0x" + signature.hex()}
        return document
