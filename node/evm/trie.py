"""Merkle-Patricia tries changed in one pass: the changed keys sorted, one walk from the root, each node hashed once.

The `trie` package sets key by key, and decodes and hashes the whole path for each. Roots are equal
(`tests/property/test_trie.py`), deletions and nodes shorter than a hash included. It also counts which nodes came and
which went, for each place of the trie by itself: that is what lets a store forget old states (`node/retention.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from node.evm.hashing import keccak
from node.evm.nodes import EMPTY, EMPTY_ROOT, PLACE, Branch, Node, NodeCache, Short, encode

Item = tuple[str, bytes]
"""Key in hexadecimal digits, value; an empty value deletes."""


def _common(one: str, other: str) -> str:
    """Return what two paths have in common from the start."""
    for place, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return one[:place]
    return min(one, other, key=len)


class Trie:
    """Reads and changes tries that lie in one store. Keys of a trie are equally long, as hashed keys are.

    Attributes:
        born: bytes of the nodes that came, by hash.
        again: how often beyond the first time a node came, at other places.
        dead: hashes of nodes that went, one for each place.
        tips: hashes of the nodes that came without one below them that came. A store holds a node with all below it, so
            if none of these was there before, none of all that came was.
    """

    def __init__(self, read: Callable[[bytes], bytes], cache: NodeCache | None = None) -> None:
        """Take what returns a node's bytes (KeyError if there is none) and a cache of decoded nodes."""
        self._stored = read
        self._cache = cache or NodeCache()
        self.born: dict[bytes, bytes] = {}
        self.again: dict[bytes, int] = {}
        self.dead: list[bytes] = []
        self.tips: set[bytes] = set()
        self._bare: set[int] = set()  # branches, by identity, whose new children are too short for a hash, or gone

    def _read(self, key: bytes) -> bytes:
        raw = self.born.get(key)
        return self._stored(key) if raw is None else raw

    def _load(self, reference: Any) -> Node:
        if type(reference) is not bytes:
            return reference  # type: ignore[no-any-return]  # an embedded node
        node = self._cache.tops.get(reference)
        return self._cache.load(reference, self._read) if node is None else node

    def get(self, root: bytes, key: str) -> bytes:
        """Return the value under a key, empty if there is none."""
        if root == EMPTY_ROOT:
            return EMPTY
        reference: Any = root
        at = 0
        while True:
            node = self._load(reference)
            if type(node) is list:
                reference = node[PLACE[key[at]]]
                if not reference:
                    return EMPTY
                at += 1
                continue
            leaf, path, content = node
            if leaf:
                found: bytes = content if key[at:] == path else EMPTY
                return found
            if not key.startswith(path, at):
                return EMPTY
            at += len(path)
            reference = content

    def warm(self, root: bytes) -> None:
        """Load the branches at the top of a trie, level by level, as long as the cache has room for them."""
        level = [] if root == EMPTY_ROOT else [root]
        while level and len(self._cache.tops) + len(level) <= self._cache.tops_limit:
            nodes = [self._load(reference) for reference in level]
            level = [
                child for node in nodes if type(node) is list for child in node[:-1] if type(child) is bytes and child
            ]
            if len(level) < 12 * len(nodes):  # below here branches are sparse, and too many
                return

    def update(self, root: bytes, items: Sequence[Item]) -> bytes:
        """Return the root after changes.

        Args:
            root: root before.
            items: changes sorted by key, each key once.
        """
        if not items:
            return root
        if root == EMPTY_ROOT:
            made = self._build(items, 0)
        else:
            node = self._load(root)
            made = self._change(node, items, 0)
            if made is node:
                return root
            self._bury(root)
        if made is None:
            return EMPTY_ROOT
        return self._keep(made, encode(made))  # a root is hashed however short it is

    def _keep(self, node: Node, raw: bytes) -> bytes:
        key = keccak(raw)
        if key in self.born:
            self.again[key] = self.again.get(key, 0) + 1
        else:
            self.born[key] = raw
            if id(node) in self._bare if type(node) is list else node[0] or not self._came(node[2]):
                self.tips.add(key)
        self._cache.put(key, node, len(raw))
        return key

    def _came(self, reference: Any) -> bool:
        return type(reference) is bytes and reference in self.born

    def _seal(self, node: Node) -> Any:
        """Return the reference to a new node."""
        raw = encode(node)
        return node if len(raw) < 32 else self._keep(node, raw)

    def _change(self, node: Node, items: Sequence[Item], at: int) -> Node | None:
        """Return the node after changes below it: itself if nothing changed, None if nothing is left."""
        if len(items) == 1 and items[0][1]:
            return self._put(node, *items[0], at)
        if type(node) is list:
            return self._change_branch(node, items, at)
        if node[0]:
            return self._change_leaf(node, items, at)  # type: ignore[arg-type]
        return self._change_extension(node, items, at)  # type: ignore[arg-type]

    def _put(self, node: Node, key: str, value: bytes, at: int) -> Node:
        """Return the node after one value was set below it: the way most changes take below the top."""
        if type(node) is not list:
            change = self._change_leaf if node[0] else self._change_extension
            made = change(node, [(key, value)], at)  # type: ignore[arg-type]
            return node if made is None else made
        place = PLACE[key[at]]
        reference = node[place]
        if reference:
            child = self._load(reference)
            made = self._put(child, key, value, at + 1)
            if made is child:
                return node
            self._bury(reference)
        else:
            made = (True, key[at + 1 :], value)
        new = node.copy()
        new[place] = below = self._seal(made)
        if type(below) is not bytes:
            self._bare.add(id(new))
        return new

    def _change_leaf(self, node: Short, items: Sequence[Item], at: int) -> Node | None:
        _, path, value = node
        if len(items) == 1:
            key, new = items[0]
            if key[at:] == path:
                return node if new == value else (True, path, new) if new else None
            if not new:
                return node
        own = items[0][0][:at] + path
        place = 0
        while place < len(items) and items[place][0] < own:
            place += 1
        if place == len(items) or items[place][0] != own:
            items = [*items[:place], (own, value), *items[place:]]
        made = self._build(items, at)
        return node if made == node else made

    def _change_extension(self, node: Short, items: Sequence[Item], at: int) -> Node | None:
        _, path, reference = node
        below = at + len(path)
        first, last = items[0][0], items[-1][0]
        shared = _common(_common(path, first[at:below]), last[at:below])
        if shared == path:
            child = self._load(reference)
            made = self._change(child, items, below)
            if made is child:
                return node
            self._bury(reference)
            return None if made is None else self._prefixed(path, made)
        real = [item for item in items if item[1] or item[0].startswith(path, at)]
        if len(real) < len(items):  # what is not there is deleted without a trace
            return self._change_extension(node, real, at) if real else node
        split = len(shared)
        branch: Branch = [EMPTY] * 17
        rest = path[split + 1 :]
        branch[PLACE[path[split]]] = self._seal((False, rest, reference)) if rest else reference
        made = self._change_branch(branch, items, at + split)
        return self._prefixed(shared, made) if made is not None else None

    def _change_branch(  # noqa: C901  # one loop over the children, walked for every changed key
        self, node: Branch, items: Sequence[Item], at: int
    ) -> Node | None:
        new, fresh, emptied = node, [], False
        start, count = 0, len(items)
        while start < count:
            digit = items[start][0][at]
            end = start + 1
            while end < count and items[end][0][at] == digit:
                end += 1
            part = items if end - start == count else items[start:end]
            start = end
            place = PLACE[digit]
            reference = node[place]
            made: Node | None
            if not reference:
                made = self._build(part, at + 1)
                if made is None:
                    continue
            else:
                child = self._load(reference)
                made = self._change(child, part, at + 1)
                if made is child:
                    continue
                self._bury(reference)
            if new is node:
                new = node.copy()
            if made is None:
                new[place] = EMPTY
                emptied = True
            else:
                new[place] = made
                fresh.append(place)
        if emptied:
            left = [place for place, child in enumerate(new) if child]
            if len(left) < 2:
                return self._collapse(new, left[0], fresh) if left else None
        bare = new is not node
        for place in fresh:
            new[place] = below = self._seal(new[place])
            bare = bare and type(below) is not bytes
        if bare:
            self._bare.add(id(new))
        return new

    def _collapse(self, branch: Branch, place: int, fresh: list[int]) -> Node:
        """Return what stands for a branch of which one child is left."""
        digit = f"{place:x}"
        child = branch[place]
        if place in fresh:
            return self._prefixed(digit, child)
        node = self._load(child)
        if type(node) is list:
            return (False, digit, child)
        self._bury(child)
        return self._prefixed(digit, node)

    def _prefixed(self, path: str, node: Node) -> Node:
        """Return a node that is not yet kept, behind a path: joined with its own path if it has one."""
        if not path:
            return node
        if type(node) is list:
            return (False, path, self._seal(node))
        leaf, rest, content = node
        return (leaf, path + rest, content)

    def _bury(self, reference: Any) -> None:
        if type(reference) is bytes:
            self.dead.append(reference)
            self._cache.drop(reference)

    def _build(self, items: Sequence[Item], at: int) -> Node | None:
        """Return a trie of items alone, of which some delete what is not there."""
        if not all(item[1] for item in items):
            items = [item for item in items if item[1]]
        if not items:
            return None
        if len(items) == 1:
            key, value = items[0]
            return (True, key[at:], value)
        path = _common(items[0][0][at:], items[-1][0][at:])
        made = self._change_branch([EMPTY] * 17, items, at + len(path))
        return None if made is None else self._prefixed(path, made)
