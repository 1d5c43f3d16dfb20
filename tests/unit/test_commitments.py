"""What is signed is EIP-712 as eth-account computes it, and the published vectors are what this code gives."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from eth_account.messages import encode_typed_data
from eth_hash.auto import keccak
from hypothesis import given
from hypothesis import strategies as st

from ledger.chain.batch import unpack
from ledger.commitments import LedgerDomain, order_commitment, rest_digest
from ledger.genesis import CONTRACT
from ledger.keys import recover

DOMAIN = LedgerDomain(4242, CONTRACT)
PROTOCOL = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()
VECTORS = dict(
    re.findall(r"^\| (.+?) \| `?(0x[0-9a-f]+|\{.*\}|\d+)`? \|$", PROTOCOL.partition("## Test vectors")[2], re.M)
)
U64, B32 = st.integers(0, 2**64 - 1), st.binary(min_size=32, max_size=32)
TYPES = {
    name: [tuple(field.split()) for field in fields.split(",")]
    for name, fields in re.findall(r"^(Batch|Receipt|Inclusion|Seal|Head)\(([^)]*)\)$", PROTOCOL, re.M)
}


def reference(primary: str, values: dict[str, Any]) -> bytes:
    """Return the digest by eth-account, from the types as docs/protocol.md prints them."""
    kinds = [
        ("name", "string"), ("version", "string"), ("chainId", "uint256"), ("verifyingContract", "address"),
    ]  # fmt: skip
    message = encode_typed_data(
        full_message={
            "types": {
                "EIP712Domain": [{"name": name, "type": kind} for name, kind in kinds],
                primary: [{"name": name, "type": kind} for kind, name in TYPES[primary]],
            },
            "primaryType": primary,
            "domain": {
                "name": "Clearance Ledger", "version": "1", "chainId": 4242, "verifyingContract": "0x" + CONTRACT.hex(),
            },
            "message": values,
        }
    )  # fmt: skip
    return keccak(b"\x19" + message.version + message.header + message.body)


@given(lane=U64, seq=U64, until=U64, entries=st.binary(max_size=300))
def test_a_batch(lane: int, seq: int, until: int, entries: bytes) -> None:
    values = {"lane": lane, "seq": seq, "notAfter": until, "entries": entries}
    assert DOMAIN.batch_digest(lane, seq, until, entries) == reference("Batch", values)


@given(digest=B32, other=B32, first=U64, second=U64)
def test_what_nodes_sign(digest: bytes, other: bytes, first: int, second: int) -> None:
    found = {
        "Receipt": (DOMAIN.receipt_digest(digest, first, second), (digest, first, second)),
        "Inclusion": (DOMAIN.inclusion_digest(digest, first, other), (digest, first, other)),
        "Seal": (DOMAIN.seal_digest(digest, first, other), (digest, first, other)),
        "Head": (DOMAIN.head_digest(digest, first, other), (digest, first, other)),
    }
    for name, (ours, values) in found.items():
        assert ours == reference(name, dict(zip((field for _, field in TYPES[name]), values, strict=True)))


def test_nothing_signed_for_one_purpose_is_good_for_another() -> None:
    digests = {DOMAIN.seal_digest(b"\1" * 32, 5, b"\2" * 32), DOMAIN.head_digest(b"\1" * 32, 5, b"\2" * 32),
               DOMAIN.inclusion_digest(b"\1" * 32, 5, b"\2" * 32)}  # fmt: skip
    assert len(digests) == 3
    assert LedgerDomain(4243, CONTRACT).batch_digest(1, 0, 9, b"") != DOMAIN.batch_digest(1, 0, 9, b"")


def vector(start: str) -> str:
    return next(value for name, value in VECTORS.items() if name.startswith(start))


def hexed(start: str) -> bytes:
    return bytes.fromhex(vector(start)[2:])


def test_the_published_vectors() -> None:
    assert len(VECTORS) >= 15
    assert DOMAIN.separator() == hexed("domain separator")
    assert rest_digest(b"\1" * 32, vector("rest").encode()) == hexed("rest digest")
    goods = int.from_bytes(hexed("goods word"), "big")
    assert order_commitment(goods, hexed("rest digest"), b"\2" * 32) == hexed("order commitment")
    entries = hexed("entries of the batch")
    assert DOMAIN.batch_digest(1, 0, 1_760_007_200, entries) == hexed("batch digest")
    assert recover(hexed("batch digest"), hexed("signature")) == hexed("address of the key")
    (entry,) = unpack(entries)
    assert entry.packed() == hexed("ORDER_OPENED entry")
    assert entry.subject.to_bytes(32, "big") == hexed("order id")


@pytest.mark.parametrize("name", ["Batch", "Receipt", "Inclusion", "Seal", "Head"])
def test_every_type_is_published(name: str) -> None:
    assert name in TYPES
