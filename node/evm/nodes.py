"""Nodes of the Merkle-Patricia trie as they are worked on, and their bytes (yellow paper, appendices B to D).

A branch is a list of 17 references (the last is empty: all keys of a state trie are equally long), a leaf or extension
a triple (is it a leaf, path in hexadecimal digits, value or reference). A reference is a hash, or the node itself where
its bytes are fewer than 32. Nodes are never changed in place: caches share them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from node.blocks import EMPTY_ROOT

Short = tuple[bool, str, Any]
Branch = list[Any]
Node = Short | Branch

EMPTY: Final = b""
HASH_BYTES: Final = 32
DIGITS: Final = "0123456789abcdef"
PLACE: Final = {digit: place for place, digit in enumerate(DIGITS)}
FULL_BRANCH_BYTES: Final = 532
"""Bytes of a branch with sixteen hashes, by far the most frequent: cut and joined by one expression each."""
TOP_BYTES: Final = 370
"""Bytes of a branch that counts as one of the top: eleven children. Of the last level whose branches are mostly full
half lack one or two."""


def decode(raw: bytes) -> Node:
    """Read a node; `raw` comes from the own store, so its form is not checked."""
    if len(raw) == FULL_BRANCH_BYTES and raw[3] == 0xA0 and raw[36] == 0xA0:
        return [raw[at : at + HASH_BYTES] for at in range(4, FULL_BRANCH_BYTES - 1, HASH_BYTES + 1)] + [EMPTY]
    items = _items(raw)
    if len(items) == 17:
        return items
    path, content = items
    digits = path.hex()
    return digits[0] in "23", digits[1:] if digits[0] in "13" else digits[2:], content


def _items(raw: bytes) -> list[Any]:
    """Return the items of an RLP list; a list among them is an embedded node."""
    items: list[Any] = []
    first = raw[0]
    at = 1 if first < 0xF8 else first - 0xF6
    end = len(raw)
    while at < end:
        first = raw[at]
        if first == 0xA0:
            items.append(raw[at + 1 : at + 33])
            at += 33
        elif first == 0x80:
            items.append(EMPTY)
            at += 1
        elif first < 0x80:
            items.append(raw[at : at + 1])
            at += 1
        elif first < 0xB8:
            items.append(raw[at + 1 : at + first - 0x7F])
            at += first - 0x7F
        elif first < 0xC0:
            start = at + first - 0xB6
            at = start + int.from_bytes(raw[at + 1 : start], "big")
            items.append(raw[start:at])
        else:  # shorter than 32 bytes, so its prefix is one byte
            items.append(decode(raw[at : at + first - 0xBF]))
            at += first - 0xBF
    return items


def encode(node: Node) -> bytes:
    """Return the RLP of a node."""
    if type(node) is list:
        try:
            joined = b"\xa0".join(node)
        except TypeError:  # an embedded node
            joined = EMPTY
        if len(joined) == FULL_BRANCH_BYTES - 4:
            return b"\xf9\x02\x11\xa0" + joined[:-1] + b"\x80"
        try:
            return list_of(b"".join([b"\xa0" + child if child else b"\x80" for child in node]))
        except TypeError:
            return list_of(b"".join([_reference(child) for child in node]))
    leaf, path, content = node
    sign = ("13" if len(path) & 1 else ("00", "20"))[leaf]
    return list_of(string(bytes.fromhex(sign + path)) + (string(content) if leaf else _reference(content)))


def _reference(reference: Any) -> bytes:
    if type(reference) is bytes:
        return b"\xa0" + reference if reference else b"\x80"
    return encode(reference)


def string(data: bytes) -> bytes:
    """Return the RLP of a byte string."""
    size = len(data)
    if size == 1 and data[0] < 0x80:
        return data
    if size < 56:
        return bytes((0x80 + size,)) + data
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((0xB7 + len(length),)) + length + data


def list_of(payload: bytes) -> bytes:
    """Return the RLP list of encoded items, joined."""
    size = len(payload)
    if size < 56:
        return bytes((0xC0 + size,)) + payload
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((0xF7 + len(length),)) + length + payload


class NodeCache:
    """Decoded nodes by hash in two generations: the older one goes whole when the younger is full.

    Nothing is sorted or counted when it is full, so it is as fast then as before. A node is what its hash says: an
    entry can be useless, never wrong. Branches with most of their children, which stand at the top of a trie and on the
    way to everything, are kept apart, so that leaves that pass through do not drive them out.
    """

    __slots__ = ("limit", "old", "old_tops", "tops", "tops_limit", "young")

    def __init__(self, limit: int = 40_000, tops_limit: int = 80_000) -> None:
        """Take how many nodes a generation has: 0.3 to 1 kB each, one of the top 1.3."""
        self.limit = limit
        self.tops_limit = tops_limit
        self.young: dict[bytes, Node] = {}
        self.old: dict[bytes, Node] = {}
        self.tops: dict[bytes, Node] = {}
        self.old_tops: dict[bytes, Node] = {}

    def load(self, key: bytes, read: Callable[[bytes], bytes]) -> Node:
        """Return a node, by `read` if it is not here; what that raises passes through."""
        node = self.tops.get(key)
        if node is None:
            node = self.young.get(key)
        if node is not None:
            return node
        node = self.old_tops.get(key)
        if node is not None:
            self.put(key, node, TOP_BYTES)
            return node
        node = self.old.get(key)
        if node is not None:
            self.put(key, node, 0)
            return node
        raw = read(key)
        node = decode(raw)
        self.put(key, node, len(raw))
        return node

    def put(self, key: bytes, node: Node, size: int) -> None:
        """Keep a node of so many bytes."""
        if size >= TOP_BYTES:
            if len(self.tops) >= self.tops_limit:
                self.old_tops, self.tops = self.tops, {}
            self.tops[key] = node
            return
        if len(self.young) >= self.limit:
            self.old, self.young = self.young, {}
        self.young[key] = node

    def drop(self, key: bytes) -> None:
        """Make room: a branch that was replaced is hardly read again."""
        self.tops.pop(key, None)


__all__ = [
    "EMPTY",
    "EMPTY_ROOT",
    "PLACE",
    "Branch",
    "Node",
    "NodeCache",
    "Short",
    "decode",
    "encode",
    "list_of",
    "string",
]
