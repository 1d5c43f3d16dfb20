"""Tries built from sorted keys in one pass, part by part: memory is that of a part, whatever the size of the trie.

`node.evm.trie` changes a trie that is there and remembers what came and went; here nothing was there before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from node.evm.hashing import keccak
from node.evm.nodes import DIGITS, EMPTY, EMPTY_ROOT, PLACE, Branch, Node, encode, string

Keep = Callable[[bytes], bytes]
"""Takes a node's bytes to keep; returns their hash."""


def part(items: Sequence[tuple[str, bytes]], at: int, keep: Keep) -> Node | None:
    """Return the node, not yet kept, above items that share their first `at` digits; None if there are none.

    Args:
        items: keys in hexadecimal digits and values, sorted, each key once.
        at: how many digits of the keys the way to this node has used.
        keep: takes the bytes of every node below.
    """
    return _node(items, 0, len(items), at, keep) if items else None


def _node(items: Sequence[tuple[str, bytes]], start: int, end: int, at: int, keep: Keep) -> Node:
    first = items[start][0]
    if end - start == 1:
        return True, first[at:], items[start][1]
    last, split = items[end - 1][0], at
    while first[split] == last[split]:
        split += 1
    branch: Branch = [EMPTY] * 17
    while start < end:
        digit, stop = items[start][0][split], start + 1
        while stop < end and items[stop][0][split] == digit:
            stop += 1
        branch[PLACE[digit]] = _reference(_node(items, start, stop, split + 1, keep), keep)
        start = stop
    return _behind(first[at:split], branch, keep)


def _reference(node: Node, keep: Keep) -> Node | bytes:
    raw = encode(node)
    return node if len(raw) < 32 else keep(raw)


def _behind(path: str, node: Node, keep: Keep) -> Node:
    """Return a node behind a path: joined with its own path if it has one."""
    if not path:
        return node
    if type(node) is list:
        return False, path, _reference(node, keep)
    leaf, rest, content = node
    return leaf, path + rest, content


def join(parts: Sequence[Node | None], keep: Keep) -> Node | None:
    """Return the node above sixteen parts, one for each digit, of which some may be missing."""
    there = [(digit, node) for digit, node in zip(DIGITS, parts, strict=True) if node is not None]
    if len(there) < 2:
        return _behind(*there[0], keep) if there else None
    branch: Branch = [EMPTY] * 17
    for digit, node in there:
        branch[PLACE[digit]] = _reference(node, keep)
    return branch


def root(node: Node | None, keep: Keep) -> bytes:
    """Keep the node at the top; return the trie's root."""
    return EMPTY_ROOT if node is None else keep(encode(node))


def root_of_list(items: Sequence[bytes]) -> bytes:
    """Return the root of a trie of items by place, as blocks have of transactions and receipts; nothing is kept.

    Keys are the places as RLP, none of which begins another.
    """
    keys = [string(place.to_bytes((place.bit_length() + 7) // 8, "big")).hex() for place in range(len(items))]
    return root(part(sorted(zip(keys, items, strict=True)), 0, keccak), keccak)
