"""The one-pass trie against the `trie` package: any sequence of changes, the same roots, values and nodes."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import rlp
from eth_hash.auto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st
from trie import HexaryTrie

from node.blocks import EMPTY_ROOT
from node.evm.builder import trie_root
from node.evm.building import root_of_list
from node.evm.nodes import NodeCache, decode, encode
from node.evm.trie import Trie

SHORT = st.binary(min_size=2, max_size=2).map(lambda key: bytes(byte & 0x33 for byte in key))
"""Keys of four digits of four: full of neighbours, so that branches form, collapse and are embedded."""
MIDDLE = st.integers(0, 40).map(lambda number: bytes(10) + number.to_bytes(2, "big"))
"""Keys with a long common path: extensions split and join."""
LONG = st.integers(0, 30).map(lambda number: keccak(bytes([number])))
VALUE = st.one_of(
    st.binary(min_size=0, max_size=3), st.binary(min_size=30, max_size=40), st.just(b"x" * 460), st.just(b"")
)


def histories(key: st.SearchStrategy[bytes]) -> st.SearchStrategy[list[dict[bytes, bytes]]]:
    return st.lists(st.dictionaries(key, VALUE, max_size=12), max_size=8)


def occurrences(nodes: dict[bytes, bytes], root: bytes) -> Counter[bytes]:
    """Count, for every node kept under a hash, the places of the trie where it stands."""
    found: Counter[bytes] = Counter()

    def walk(reference: Any) -> None:
        node = reference
        if isinstance(reference, bytes):
            found[reference] += 1
            node = decode(nodes[reference])
        if isinstance(node, list):
            for child in node:
                if child:
                    walk(child)
        elif not node[0]:
            walk(node[2])

    if root != EMPTY_ROOT:
        walk(root)
    return found


def check(history: list[dict[bytes, bytes]], limit: int) -> None:
    nodes: dict[bytes, bytes] = {}
    wanted = HexaryTrie({})
    root, cache, live, content = EMPTY_ROOT, NodeCache(limit), Counter[bytes](), {}
    for changes in history:
        trie = Trie(nodes.__getitem__, cache)
        root = trie.update(root, sorted((key.hex(), value) for key, value in changes.items()))
        assert trie.tips <= trie.born.keys()
        if not trie.tips & nodes.keys():
            assert not trie.born.keys() & nodes.keys(), "what came was there before, and no tip of it"
        nodes |= trie.born
        for key, value in changes.items():
            wanted[key] = value
            content[key] = value
        assert root == wanted.root_hash
        live.update(trie.born.keys())
        live.update(trie.again)
        live.subtract(trie.dead)
        assert +live == occurrences(nodes, root)
        assert min(live.values(), default=0) >= 0
        for key, value in content.items():
            assert trie.get(root, key.hex()) == value
    for raw in nodes.values():
        assert encode(decode(raw)) == raw
        assert rlp.encode(rlp.decode(raw)) == raw


@settings(max_examples=400, deadline=None)
@given(histories(SHORT), st.sampled_from([1, 3, 1000]))
def test_small_key_space(history: list[dict[bytes, bytes]], limit: int) -> None:
    check(history, limit)


@settings(max_examples=300, deadline=None)
@given(histories(MIDDLE), st.sampled_from([1, 1000]))
def test_long_common_paths(history: list[dict[bytes, bytes]], limit: int) -> None:
    check(history, limit)


@settings(max_examples=200, deadline=None)
@given(histories(LONG), st.sampled_from([1, 1000]))
def test_hashed_keys(history: list[dict[bytes, bytes]], limit: int) -> None:
    check(history, limit)


def test_thousands_of_keys_come_and_go() -> None:
    first = {keccak(bytes([number >> 8, number & 255])): b"%d" % number for number in range(3_000)}
    second = {key: b"" if number % 3 else b"new" for number, key in enumerate(first)}
    third = dict.fromkeys(first, b"")
    check([first, second, first, third], 500)


def test_absent_keys_are_deleted_without_a_trace() -> None:
    trie = Trie({}.__getitem__)
    root = trie.update(EMPTY_ROOT, [("aa11", b"1" * 40), ("aa12", b"2" * 40)])
    born = dict(trie.born)
    for key in ("0000", "aa00", "aa13", "ab00", "ffff"):
        assert trie.update(root, [(key, b"")]) == root
    assert trie.update(root, [("aa11", b"1" * 40)]) == root
    assert (trie.born, trie.dead) == (born, [])


def test_the_top_of_a_large_trie_is_read_once_and_stays() -> None:
    """After warming, what passes through drives no full branch out: a path reads its sparse end from the store only."""
    dice = random.Random(5)
    items = sorted((dice.randbytes(32).hex(), b"\x81\xff") for _ in range(9_000))
    store: dict[bytes, bytes] = {}
    made = Trie(store.__getitem__)
    root = made.update(EMPTY_ROOT, items)
    store |= made.born
    read: list[bytes] = []

    def reading(key: bytes) -> bytes:
        read.append(key)
        return store[key]

    trie = Trie(reading, NodeCache(limit=50))
    trie.warm(root)
    read.clear()
    for key, value in items[::3]:
        assert trie.get(root, key) == value
    assert all(len(store[key]) < 532 for key in read)
    assert len(read) < 3 * len(items[::3])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 300), st.integers(0, 3), st.integers(0, 700))
def test_lists_of_a_block(count: int, shortest: int, longest: int) -> None:
    """Transactions and receipts by place: more than 128, and than 256, whose keys have more bytes."""
    dice = random.Random(count)
    items = [dice.randbytes(dice.randint(min(shortest, longest), longest)) or b"\0" for _ in range(count)]
    assert root_of_list(items) == trie_root(items)
