"""Reads one value out of a Merkle-Patricia proof (EIP-1186) with nothing but Keccak-256 and RLP.

Stricter than a trie library that takes the nodes as a bag: one proof has one form, so nothing can be put beside it.
Tests compare it with the `trie` package.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import rlp
from eth_hash.auto import keccak

from ledger.domain.errors import LedgerError

EMPTY_ROOT: Final = keccak(rlp.encode(b""))
"""Root of a trie that holds nothing."""
BRANCH, SHORT = 17, 2
"""Items of a node: sixteen children and a value; or a path and what is at its end."""
ODD, LEAF = 1, 2
"""Flags in the first digit of a short node's path (Yellow Paper, appendix C)."""
HINT: Final = "Ask for the certificate again; it was damaged, or whoever gave it invented it."


class BadProof(LedgerError):
    """The nodes do not lead from the root along the key."""

    code = "certificate.proof"


def proven(root: bytes, key: bytes, nodes: Sequence[bytes]) -> bytes | None:
    """Return what a proof shows under a key of a trie with hashed keys; None if it shows that nothing is there.

    It establishes: (1) the first node hashes to the root, each other one to the hash that the one before it names on
    the way of the key's digits; (2) the way ends in a value, or where no way goes on; (3) no node is left over.

    Raises:
        BadProof: one of these is not so.
    """
    path = _digits(keccak(key))
    waiting = iter(nodes)
    found: Any = root
    if root == EMPTY_ROOT and not nodes:
        return None
    try:
        while True:
            node = found if isinstance(found, list) else _named(found, waiting)
            path, found, done = _step(node, path)
            if done or found == b"":
                break
        value = bytes(found)
    except (rlp.exceptions.RLPException, ValueError, TypeError, IndexError) as error:
        raise BadProof("A node of the proof is no node of a trie.", hint=HINT) from error
    if next(waiting, None) is not None:
        raise BadProof("The proof holds nodes that lie on no way.", hint=HINT)
    return value or None


def _named(name: bytes, waiting: Iterator[bytes]) -> list[Any]:
    data = next(waiting, None)
    if data is None or keccak(data) != name:
        raise BadProof("A node of the proof is missing, or is not the one that its hash names.", hint=HINT)
    node = rlp.decode(data)
    if not isinstance(node, list):
        raise ValueError("no list")
    return node


def _step(node: list[Any], path: list[int]) -> tuple[list[int], Any, bool]:
    """Go through one node: return what is left of the path, what stands there, and whether that is the value."""
    if len(node) == BRANCH:
        return path[1:], node[path[0]], False
    if len(node) != SHORT:
        raise ValueError("neither branch nor short node")
    first, *more = _digits(node[0])
    own = more if first & ODD else more[1:]
    if path[: len(own)] != own:
        return path, b"", True
    rest = path[len(own) :]
    if first & LEAF:
        return rest, b"" if rest else node[1], True
    return rest, node[1], False


def _digits(data: bytes) -> list[int]:
    return [digit for byte in data for digit in (byte >> 4, byte & 15)]
