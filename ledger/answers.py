"""What the holder of a number says, and the identity authority's receipt for it: the same text and bytes everywhere.

A statement is canonical JSON (RFC 8785) that a device signs: it names the parcel as the chain does, and carries a time
and a nonce, so that an old signature cannot be used again. The receipt binds the statement, the device's signature and
the stops that the authority owes for it: each by parcel and by the digest its entry will carry, with a time limit.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import rfc8785
from eth_hash.auto import keccak

from ledger.commitments import LedgerDomain
from ledger.domain.errors import LedgerError
from ledger.keys import recover

FRESH_SECONDS: Final = 600
"""How far a signed statement's time may be from the authority's clock."""
STOP_WITHIN: Final = 2_400
"""Seconds of chain time within which a stop is on chain: half an hour at most until it is said, ten minutes more."""
UNSIGNED: Final = bytes(32)
"""What stands for the digest of a signature where there is none."""


class BadReceipt(LedgerError):
    """It is no receipt, or not for what was said."""

    code = "answer.receipt"


@dataclass(frozen=True, slots=True)
class Mark:
    """What makes a statement one of its kind: when it was made (seconds UTC), and a nonce of 32 hex digits."""

    at: int
    nonce: str

    @classmethod
    def fresh(cls) -> Self:
        """Return one of now, by this machine's clock."""
        return cls(int(time.time()), secrets.token_hex(16))


def parcel_text(parcel: int | bytes) -> str:
    """Return a parcel's id as statements and receipts spell it."""
    number = parcel if isinstance(parcel, int) else int.from_bytes(parcel, "big")
    return f"0x{number:064x}"


def statement(what: str, about: str, mark: Mark, details: Mapping[str, Any] | None = None) -> str:
    """Return what a device signs.

    Args:
        what: the answer.
        about: the use it is about, or `number`.
        mark: time and nonce.
        details: `parcel` of an answer about a use, `exempt` parcels of a freeze in rising order, `until` of a thaw.
    """
    told: dict[str, Any] = {
        "statement": "clearance.answer/v2",
        "what": what,
        "about": about,
        "at": mark.at,
        "nonce": mark.nonce,
    }
    return rfc8785.dumps(told | dict(details or {})).decode()


@dataclass(frozen=True, slots=True)
class OwedStop:
    """A stop that the authority owes: an entry on this parcel with this digest."""

    parcel: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class AnswerReceipt:
    """The authority's word that it took a statement.

    Attributes:
        at: chain's time when it was taken, seconds UTC.
        device_signature: r and s over the statement, None if nobody's device signed.
        stops_by: chain's time at which every stop stands there; 0 if none is owed.
        signature: the authority's, over the EIP-712 struct Answer.
    """

    statement: str
    at: int
    device_signature: bytes | None
    stops: tuple[OwedStop, ...]
    stops_by: int
    signature: bytes = b""

    def digest(self, domain: LedgerDomain) -> bytes:
        """Return what the authority signs."""
        device = keccak(self.device_signature) if self.device_signature else UNSIGNED
        owed = [part for stop in self.stops for part in (stop.parcel.to_bytes(32, "big"), stop.digest)]
        return domain.answer_digest(keccak(self.statement.encode()), self.at, device, owed, self.stops_by)

    def signer(self, domain: LedgerDomain) -> bytes:
        """Return the address that signed it.

        Raises:
            BadSignature: nobody did.
        """
        return recover(self.digest(domain), self.signature)

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "type": "Answer",
            "statement": self.statement,
            "digest": "0x" + keccak(self.statement.encode()).hex(),
            "at": self.at,
            "signed_by_buyer": self.device_signature is not None,
            "device_signature": "0x" + self.device_signature.hex() if self.device_signature else None,
            "stops": [{"parcel": parcel_text(stop.parcel), "digest": "0x" + stop.digest.hex()} for stop in self.stops],
            "stops_by": self.stops_by,
            "signature": "0x" + self.signature.hex(),
        }

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """Read a receipt.

        Raises:
            BadReceipt: it is none.
        """
        try:
            device = document["device_signature"]
            found = cls(
                str(document["statement"]), int(document["at"]), _bytes(device, 64) if device else None,
                _stops(document["stops"]), int(document["stops_by"]), _bytes(document["signature"], 65),
            )  # fmt: skip
            if found.as_dict() != {name: document[name] for name in found.as_dict()}:
                raise ValueError("it contradicts itself")
        except (KeyError, TypeError, ValueError) as error:
            raise BadReceipt("That is no receipt of an answer.", hint="Give the file that was kept.") from error
        return found


def _stops(listed: Sequence[Mapping[str, str]]) -> tuple[OwedStop, ...]:
    return tuple(OwedStop(int(each["parcel"], 16), _bytes(each["digest"], 32)) for each in listed)


def _bytes(text: str, size: int) -> bytes:
    found = bytes.fromhex(text.removeprefix("0x"))
    if len(found) != size:
        raise ValueError("wrong length")
    return found
