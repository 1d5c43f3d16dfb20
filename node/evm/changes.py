"""Which trie nodes a block made come and go, found by comparing two states: for a driver that does not count itself.

Where both states have the same reference nothing is looked at, so the work is that of the changed paths alone. It is
also what the fast driver's own count is compared with (`tests/node/test_evm_drivers.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import rlp

from node.evm.nodes import DIGITS, EMPTY, EMPTY_ROOT, decode

EMPTY_CODE: Final = bytes.fromhex("c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470")


class Changes:
    """Nodes that came and went between two states.

    Attributes:
        born: how many places of the new state have a node that stands there anew, by its hash.
        dead: hashes of nodes that went, one for each place.
        codes: hashes of code that accounts have anew.
    """

    def __init__(self, read: Callable[[bytes], bytes]) -> None:
        """Take what returns a node's bytes, of the old state and the new one."""
        self._read = read
        self.born: Counter[bytes] = Counter()
        self.dead: list[bytes] = []
        self.codes: set[bytes] = set()

    def compare_states(self, old: bytes, new: bytes) -> None:
        """Compare two states by their roots."""
        before: dict[str, bytes] = {}
        after: dict[str, bytes] = {}
        self._compare_roots(old, new, before, after)
        for key in before.keys() | after.keys():
            old_root, old_code = _storage_and_code(before.get(key))
            new_root, new_code = _storage_and_code(after.get(key))
            self._compare_roots(old_root, new_root, {}, {})
            if new_code not in (old_code, EMPTY_CODE):
                self.codes.add(new_code)

    def _compare_roots(self, old: bytes, new: bytes, before: dict[str, bytes], after: dict[str, bytes]) -> None:
        self._compare(EMPTY if old == EMPTY_ROOT else old, EMPTY if new == EMPTY_ROOT else new, "", before, after)

    def _compare(self, old: Any, new: Any, path: str, before: dict[str, bytes], after: dict[str, bytes]) -> None:
        """Compare what stands at one place, as references or as the rest of a short node."""
        if old == new:
            return
        if type(old) is bytes and old:
            self.dead.append(old)
            old = decode(self._read(old))
        if type(new) is bytes and new:
            self.born[new] += 1
            new = decode(self._read(new))
        for node, leaves in ((old, before), (new, after)):
            if _is_leaf(node):
                leaves[path + node[1]] = node[2]
        if (not old or _is_leaf(old)) and (not new or _is_leaf(new)):
            return
        for place, digit in enumerate(DIGITS):
            self._compare(_child(old, place, digit), _child(new, place, digit), path + digit, before, after)


def _is_leaf(node: Any) -> bool:
    return type(node) is tuple and node[0]


def _child(node: Any, place: int, digit: str) -> Any:
    """Return what stands one digit further."""
    if type(node) is list:
        return node[place]
    if not node or node[1][:1] != digit:
        return EMPTY
    leaf, path, content = node
    return (leaf, path[1:], content) if leaf or len(path) > 1 else content


def _storage_and_code(account: bytes | None) -> tuple[bytes, bytes]:
    if not account:
        return EMPTY_ROOT, EMPTY_CODE
    _, _, root, code = rlp.decode(account)
    return root, code
