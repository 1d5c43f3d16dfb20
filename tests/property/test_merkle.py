"""The walk that certificates are checked with reads every proof as the `trie` package does, and no altered one."""

from __future__ import annotations

import pytest
import rlp
from eth_hash.auto import keccak
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trie import HexaryTrie

from ledger.chain.merkle import BadProof, proven
from node.evm.proofs import named_by_hash

KEYS = st.binary(min_size=1, max_size=3)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(entries=st.dictionaries(KEYS, st.binary(min_size=1, max_size=40), max_size=60), asked=KEYS, choice=st.data())
def test_proofs_are_read_as_the_trie_package_reads_them(
    entries: dict[bytes, bytes], asked: bytes, choice: st.DataObject
) -> None:
    trie = HexaryTrie({})
    for key, value in entries.items():
        trie[keccak(key)] = value
    if entries and choice.draw(st.booleans()):
        asked = choice.draw(st.sampled_from(sorted(entries)))
    nodes = list(named_by_hash(trie.get_proof(keccak(asked))))
    assert proven(trie.root_hash, asked, nodes) == entries.get(asked)
    found = HexaryTrie.get_from_proof(trie.root_hash, keccak(asked), [rlp.decode(node) for node in nodes])
    assert found == entries.get(asked, b"")
    if nodes:
        place = choice.draw(st.integers(0, len(nodes) - 1))
        for broken in (
            nodes[:place], nodes[:place] + nodes[place + 1 :], [*nodes, nodes[place]],
            [*nodes[:place], nodes[place] + b"\0", *nodes[place + 1 :]],
        ):  # fmt: skip
            with pytest.raises(BadProof):
                proven(trie.root_hash, asked, broken)


def short(digits: list[int], *, leaf: bool) -> bytes:
    """Return the path of a short node (Yellow Paper, appendix C)."""
    flags = [2 * leaf + 1] if len(digits) % 2 else [2 * leaf, 0]
    whole = [*flags, *digits]
    return bytes(high << 4 | low for high, low in zip(whole[::2], whole[1::2], strict=True))


def test_a_node_inside_another_is_gone_through() -> None:
    """No honest trie of hashed keys is deep enough to hold one; the walk reads what the rules allow all the same."""
    key = b"deep"
    path = [digit for byte in keccak(key) for digit in (byte >> 4, byte & 15)]
    branch: list[object] = [b""] * 17
    branch[path[50]] = [short(path[51:], leaf=True), b"\x07"]
    branch[path[50] ^ 1] = [short(path[51:], leaf=True), b"\x08"]
    below = rlp.encode(branch)
    root = rlp.encode([short(path[:50], leaf=False), keccak(below)])
    assert proven(keccak(root), key, [root, below]) == b"\x07"
    found = HexaryTrie.get_from_proof(keccak(root), keccak(key), [rlp.decode(root), rlp.decode(below)])
    assert found == b"\x07"
    with pytest.raises(BadProof):
        proven(keccak(root), key, [root, below, rlp.encode(branch[path[50]])])


@pytest.mark.parametrize("node", [[b""], [b"", b"x"], b"no list", [b"x"] * 16, [[b"x"], b"y"]])
def test_what_is_no_node_is_refused(node: object) -> None:
    data = rlp.encode(node)
    with pytest.raises(BadProof):
        proven(keccak(data), b"any", [data])
