"""Merkle proofs of accounts and storage (EIP-1186) from the state trie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import rlp
from eth_hash.auto import keccak
from trie import HexaryTrie

from node.blocks import EMPTY_ROOT, Header
from node.evm.state import Nodes, check_kept

EMPTY_CODE = keccak(b"")
HASH_BYTES = 32


class _Reader(dict[bytes, bytes]):
    """A read-only mapping over a node store, as the trie library asks for one."""

    def __init__(self, nodes: Nodes) -> None:
        super().__init__()
        self._nodes = nodes

    def __getitem__(self, key: bytes) -> bytes:
        value = self._nodes.node(key)
        if value is None:
            raise KeyError(key)
        return value

    def __contains__(self, key: object) -> bool:
        return isinstance(key, bytes) and self._nodes.node(key) is not None


@dataclass(frozen=True, slots=True)
class StorageProof:
    """Proof of one storage word."""

    slot: int
    value: int
    nodes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class AccountProof:
    """Proof of an account and some of its storage."""

    nonce: int
    balance: int
    storage_hash: bytes
    code_hash: bytes
    nodes: tuple[bytes, ...]
    storage: tuple[StorageProof, ...]


def prove(nodes: Nodes, header: Header, address: bytes, slots: Sequence[int]) -> AccountProof:
    """Return the proof of an account and slots against the block's state root.

    Raises:
        StatePruned: the state is no longer kept.
    """
    check_kept(nodes, header)
    reader = _Reader(nodes)
    trie = HexaryTrie(reader, header.state_root)
    key = keccak(address)
    found = trie.get(key)
    nonce, balance, storage_root, code_hash = rlp.decode(found) if found else (b"", b"", EMPTY_ROOT, EMPTY_CODE)
    storage = HexaryTrie(reader, storage_root)
    return AccountProof(
        int.from_bytes(nonce, "big"),
        int.from_bytes(balance, "big"),
        storage_root,
        code_hash,
        named_by_hash(trie.get_proof(key)),
        tuple(_prove_slot(storage, slot) for slot in slots),
    )


def _prove_slot(storage: HexaryTrie, slot: int) -> StorageProof:
    key = keccak(slot.to_bytes(32, "big"))
    found = storage.get(key)
    value = int.from_bytes(rlp.decode(found), "big") if found else 0
    return StorageProof(slot, value, named_by_hash(storage.get_proof(key)))


def named_by_hash(nodes: Sequence[object]) -> tuple[bytes, ...]:
    """Return the nodes that are named by their hash; a shorter one stands inside the one before it (EIP-1186)."""
    encoded = [rlp.encode(node) for node in nodes]
    return tuple(node for place, node in enumerate(encoded) if place == 0 or len(node) >= HASH_BYTES)
