"""Receipts of a holder's answers, checked before anybody relies on them; `clearance audit answers` asks the chain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from clients.sdk.problems import Unexpected
from ledger.answers import AnswerReceipt, BadReceipt
from ledger.commitments import LedgerDomain
from ledger.domain.roles import Role
from ledger.genesis import Genesis
from ledger.keys import BadSignature


@dataclass(frozen=True, slots=True)
class Authorities:
    """Whose receipts count: which chain it is, and the addresses of the identity authority's keys there."""

    domain: LedgerDomain
    keys: frozenset[bytes]

    @classmethod
    def of_genesis(cls, genesis: Genesis) -> Self:
        """Take both from a reviewed genesis file; keys that were enrolled later are not in it."""
        keys = (key for key in genesis.keys if key.roles & Role.IDENTITY_AUTHORITY)
        return cls(genesis.domain, frozenset(bytes.fromhex(key.address[2:]) for key in keys))

    @classmethod
    def of_chain(cls, told: Mapping[str, Any]) -> Self:
        """Take both from what a gateway says of its chain.

        Raises:
            Unexpected: it says neither.
        """
        try:
            domain = LedgerDomain(int(told["chain_id"]), bytes.fromhex(told["contract"][2:]))
            return cls(domain, frozenset(bytes.fromhex(key[2:]) for key in told["identity_keys"]))
        except (KeyError, TypeError, ValueError) as error:
            raise Unexpected("The gateway does not say which chain it serves.", hint="Check its address.") from error


def check_receipt(document: Mapping[str, Any], text: str, signature: bytes | None, authorities: Authorities) -> bytes:
    """Check a receipt; return the address that signed it.

    It is (1) for this statement, (2) over this signature of the device, (3) signed by a key of an identity authority.

    Raises:
        Unexpected: it is not.
    """
    try:
        receipt = AnswerReceipt.of(document)
        signer = receipt.signer(authorities.domain)
    except (BadReceipt, BadSignature) as error:
        raise Unexpected("The receipt carries no valid signature.", hint="Keep it, and ask customs.") from error
    if receipt.statement != text or receipt.device_signature != signature:
        raise Unexpected("The receipt is for something else than was said.", hint="Keep it, and ask customs.")
    if signer not in authorities.keys:
        raise Unexpected(
            f"What was said is taken, but its receipt is signed by 0x{signer.hex()}, which is not among the identity "
            "authority's keys known here.",
            hint="Keep it. The key may have been enrolled later: look for it in `clearance audit roles`; whether the "
            "receipt is kept to, `clearance audit answers` says.",
        )
    return signer
