"""Ethereum transactions as the relayer makes them: legacy, EIP-155, gas price 0."""

from __future__ import annotations

from typing import Final

import rlp
from eth_hash.auto import keccak

from ledger.chain.batch import Signer

BATCH_GAS: Final = 100_000_000
"""Gas a wrapped batch may use; the dearest batch of the largest size stays below it (tests/contract)."""


def sign_legacy(signer: Signer, *, nonce: int, to: bytes, data: bytes, chain_id: int, gas: int = BATCH_GAS) -> bytes:
    """Return the raw signed transaction (EIP-155)."""
    fields = [nonce, 0, gas, to, 0, data]
    signature = signer.sign_digest(keccak(rlp.encode([*fields, chain_id, 0, 0])))
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    encoded: bytes = rlp.encode([*fields, signature[64] - 27 + 35 + 2 * chain_id, r, s])
    return encoded


def transaction_hash(raw: bytes) -> bytes:
    """Return the hash of a raw transaction."""
    return keccak(raw)
