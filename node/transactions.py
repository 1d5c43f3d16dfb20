"""Reads raw transactions without an EVM: who is called with what."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from eth_hash.auto import keccak

from node.blocks import content_of, items_of

FIELDS: Final = {0: (0, 1, 2, 3, 4, 5), 1: (1, 2, 3, 4, 5, 6), 2: (1, 3, 4, 5, 6, 7)}
"""Places of nonce, gas price (or fee cap), gas, to, value and data, by transaction type (EIP-2718, 2930, 1559)."""


@dataclass(frozen=True, slots=True)
class Body:
    """The fields that a reader of the chain needs."""

    type: int
    nonce: int
    gas_price: int
    gas: int
    to: bytes
    value: int
    data: bytes
    v: int
    r: int
    s: int


@lru_cache(maxsize=64)
def body_of(raw: bytes) -> Body:
    """Return the fields of a raw transaction that an executor has accepted."""
    kind = raw[0] if raw[0] < 0x80 else 0
    items = items_of(raw[1:] if kind else raw)  # rlp's own decoding takes milliseconds for long calldata
    nonce, price, gas, to, value, data = (content_of(items[place]) for place in FIELDS[kind])
    counted = [int.from_bytes(each, "big") for each in (nonce, price, gas)]
    v, r, s = (int.from_bytes(content_of(item), "big") for item in items[-3:])
    return Body(kind, counted[0], counted[1], counted[2], to, int.from_bytes(value, "big"), data, v, r, s)


def hash_of(raw: bytes) -> bytes:
    """Return the hash of a raw transaction."""
    return keccak(raw)
