"""Read-only calls, estimates, reads of state, Merkle proofs."""

from __future__ import annotations

import pytest
import rlp
from eth_hash.auto import keccak
from trie import HexaryTrie
from trie.exceptions import BadTrieProof

from node.evm.transactions import InvalidTransaction
from tests.node.evm_world import ADDRESSES, CONTRACT, LABEL, NOBODY, WEI, World, creation, data_of, deployed, words_of


@pytest.fixture(scope="module")
def world() -> World:
    made = World()
    made.run([made.note("ada", 3, 4), made.sign("ben", CONTRACT, data_of("fill(uint256,uint256)", 100, 60))])
    made.run([made.sign("ben", CONTRACT, data_of("take()"), value=9)])
    return made


def test_immutables_and_storage_of_the_constructor_are_there(world: World) -> None:
    result = world.executor.call(world.head, CONTRACT, data_of("label()"))
    assert words_of(result.output, "uint256") == (LABEL,)
    assert world.word(0) == LABEL
    assert list(deployed()[1].values()) == [LABEL]


def test_a_call_changes_nothing(world: World) -> None:
    before = world.word(3)
    result = world.executor.call(world.head, CONTRACT, data_of("note(uint256,uint256,bytes)", 3, 77, b""))
    assert result.reason is None
    assert result.gas_used > 21_000
    assert world.word(3) == before == 4


@pytest.mark.parametrize(
    ("data", "gas", "reason"),
    [
        (data_of("note(uint256,uint256,bytes)", 3, 13, b""), 10**6, "note: unlucky"),
        (data_of("undone(uint256)", 3), 10**6, "note: undone"),
        (data_of("spin()"), 10**5, "OutOfGas"),
        (data_of("nothing()"), 10**6, ""),
    ],
)
def test_why_a_call_was_undone(world: World, data: bytes, gas: int, reason: str) -> None:
    result = world.executor.call(world.head, CONTRACT, data, gas=gas)
    assert result.reason == reason
    assert 21_000 < result.gas_used <= gas


def test_a_call_that_cannot_be_tried_is_refused(world: World) -> None:
    with pytest.raises(InvalidTransaction):
        world.executor.call(world.head, CONTRACT, data_of("take()"), sender=NOBODY, value=1)
    with pytest.raises(InvalidTransaction):
        world.executor.call(world.head, CONTRACT, data_of("label()"), gas=1_000)


def test_a_creation_can_be_called(world: World) -> None:
    result = world.executor.call(world.head, None, creation(), sender=ADDRESSES["ada"])
    assert result.output == deployed()[0]


def test_calls_see_the_state_of_their_block(world: World) -> None:
    assert [world.word(3, header) for header in world.headers] == [0, 4, 4]


@pytest.mark.parametrize(
    "data",
    [
        data_of("note(uint256,uint256,bytes)", 50, 1, b"x" * 60),
        data_of("note(uint256,uint256,bytes)", 3, 0, b""),
        data_of("clear(uint256,uint256)", 100, 60),
        data_of("fill(uint256,uint256)", 200, 40),
        data_of("deep(address,uint256)", CONTRACT, 0),
        data_of("deep(address,uint256)", CONTRACT, 1),
    ],
    ids=["write", "unset", "refunds", "many", "inner", "inner twice"],
)
def test_an_estimate_suffices_and_is_near(world: World, data: bytes) -> None:
    sender = ADDRESSES["ada"]
    estimate = world.executor.estimate_gas(world.head, CONTRACT, data, sender)
    assert world.executor.call(world.head, CONTRACT, data, sender, gas=estimate).reason is None
    assert world.executor.call(world.head, CONTRACT, data, sender, gas=estimate * 9 // 10).reason is not None


def test_no_estimate_of_what_reverts(world: World) -> None:
    with pytest.raises(InvalidTransaction, match="note: undone"):
        world.executor.estimate_gas(world.head, CONTRACT, data_of("undone(uint256)", 1), ADDRESSES["ada"])


def test_accounts_and_words(world: World) -> None:
    nonce, balance, code = world.executor.account(world.head, CONTRACT)
    assert (nonce, balance, code) == (1, 9, deployed()[0])
    assert world.executor.account(world.head, ADDRESSES["ben"])[:2] == (2, WEI - 9)
    assert world.executor.storage(world.head, CONTRACT, 1) == 1
    assert world.executor.reader(world.headers[0])(CONTRACT, 1) == 0


def slot_of(key: int) -> int:
    """Return the slot of words[key] (Vyper: keccak(slot, key), words at slot 0)."""
    return int.from_bytes(keccak(bytes(32) + key.to_bytes(32, "big")), "big")


def test_a_proof_leads_from_the_state_root_to_account_and_words(world: World) -> None:
    slots = [slot_of(3), slot_of(130), slot_of(99), 1]
    proof = world.executor.proof(world.head, CONTRACT, slots)
    nodes = [rlp.decode(node) for node in proof.nodes]
    account = HexaryTrie.get_from_proof(world.head.state_root, keccak(CONTRACT), nodes)
    assert rlp.decode(account) == [b"\x01", b"\x09", proof.storage_hash, proof.code_hash]
    assert proof.code_hash == keccak(deployed()[0])
    for each, value in zip(proof.storage, (4, 31, 0, 1), strict=True):
        assert each.value == value
        key = keccak(each.slot.to_bytes(32, "big"))
        found = HexaryTrie.get_from_proof(proof.storage_hash, key, [rlp.decode(node) for node in each.nodes])
        assert found == (rlp.encode(value) if value else b"")


def test_a_proof_does_not_fit_another_state(world: World) -> None:
    proof = world.executor.proof(world.head, CONTRACT, [])
    nodes = [rlp.decode(node) for node in proof.nodes]
    with pytest.raises(BadTrieProof):
        HexaryTrie.get_from_proof(world.headers[0].state_root, keccak(CONTRACT), nodes)


def test_absence_is_proved_too(world: World) -> None:
    proof = world.executor.proof(world.head, NOBODY, [7])
    assert (proof.nonce, proof.balance, proof.code_hash, proof.storage[0].value) == (0, 0, keccak(b""), 0)
    nodes = [rlp.decode(node) for node in proof.nodes]
    assert HexaryTrie.get_from_proof(world.head.state_root, keccak(NOBODY), nodes) == b""
