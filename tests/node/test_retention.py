"""States of the window stay readable to the last node, older ones go, whichever driver made the blocks."""

from __future__ import annotations

import random
from collections import Counter

import pytest
import rlp
from eth_hash.auto import keccak

from ledger.genesis import CONTRACT
from node.blocks import EMPTY_ROOT, Block, ExecutedBlock, Header
from node.chain import Chain
from node.evm.executor import Driver, Executor, StatePruned, nodes_of
from node.evm.nodes import NodeCache
from node.evm.trie import Trie
from node.retention import Retention
from node.store import MemoryStore, Space
from tests.node.days import Day


def states_of(store: MemoryStore, headers: list[Header]) -> set[bytes]:
    """Return every node of some states; fails if one is missing."""
    return {key for header in headers for key in nodes_of(store, header.state_root)}


@pytest.mark.parametrize("driver", list(Driver))
def test_a_chain_keeps_the_states_of_its_window_and_no_other(day: Day, driver: Driver) -> None:
    original = Chain(day.memory(), day.genesis)
    window = original.head.number // 3
    store = MemoryStore()
    chain = Chain(store, day.genesis, driver, window)
    headers = [chain.head]
    for height in range(1, original.head.number + 1):
        block = original.block(height)
        chain.append(chain.executor.validate(chain.head, block), original.seal(height))
        headers.append(block.header)
        kept = states_of(store, headers[-window - 1 :])
        assert {key for key, _ in store.scan(Space.NODE)} == kept
    with pytest.raises(StatePruned):
        chain.state(headers[1]).next_seq(bytes(20), 1)
    assert chain.executor.storage(headers[-window], CONTRACT, 0) >= 0


def test_both_drivers_keep_the_same(day: Day) -> None:
    original = Chain(day.memory(), day.genesis)
    found = []
    for driver in Driver:
        store = MemoryStore()
        chain = Chain(store, day.genesis, driver, 5)
        for height in range(1, original.head.number + 1):
            executed = chain.executor.validate(chain.head, original.block(height))
            chain.append(executed, original.seal(height))
        found.append({key: value for space in (b"n", b"c") for key, value in store.scan(space)})
        dead = {key: Counter(_split(value)) for key, value in store.scan(Space.DEAD)}
        found.append(dead)  # type: ignore[arg-type]
    assert found[0] == found[2]
    assert found[1] == found[3]


def _split(listed: bytes) -> list[bytes]:
    return [listed[at : at + 32] for at in range(0, len(listed), 32)]


def test_drivers_take_turns_on_one_store(day: Day) -> None:
    original = Chain(day.memory(), day.genesis)
    store, dice = MemoryStore(), random.Random(8)
    for height in range(1, original.head.number + 1):
        chain = Chain(store, day.genesis, dice.choice(list(Driver)), 3)
        chain.append(chain.executor.validate(chain.head, original.block(height)), original.seal(height))
    assert chain.head.hash == original.head.hash
    chain = Chain(store, day.genesis)
    assert {key for key, _ in store.scan(Space.NODE)} >= nodes_of(store, chain.head.state_root)


def block_of(height: int, root: bytes, trie: Trie, *, counted: bool) -> ExecutedBlock:
    header = Header(parent_hash=bytes(32), number=height, state_root=root)
    dead = tuple(trie.dead) if counted else None
    return ExecutedBlock(Block(header), (), dict(trie.born), dict(trie.again) if counted else {}, dead)


@pytest.mark.parametrize("window", [1, 2, 7])
@pytest.mark.parametrize("counted", [True, False])
def test_nodes_that_stand_twice_come_again_and_go(window: int, counted: bool) -> None:
    """A trie of a few digits and values: the same nodes stand in many places, go and come back within the window."""
    dice, store = random.Random(window), MemoryStore()
    retention, cache = Retention(store, window), NodeCache(4)
    path = keccak(b"account").hex()[:58]
    accounts = [b"", *(rlp.encode([nonce, 0, EMPTY_ROOT, keccak(b"")]) for nonce in (1, 2))]
    root, roots, shared = EMPTY_ROOT, [EMPTY_ROOT], 0
    for height in range(1, 250):
        trie = Trie(lambda key: store.node(key) or b"", cache)
        changes = {
            path + dice.choice("012") + dice.choice("01") + dice.choice("0123") * 4: dice.choice(accounts)
            for _ in range(dice.choice([1, 2, 9]))
        }
        before, root = root, trie.update(root, sorted(changes.items()))
        store.commit(retention.writes(block_of(height, root, trie, counted=counted), before))
        roots.append(root)
        shared += any(store.scan(Space.SHARED))
        live = {key for each in roots[-window - 1 :] for key in nodes_of(store, each)}
        assert {key for key, _ in store.scan(Space.NODE)} == live, height
    assert shared > 50


def test_an_executor_says_when_a_state_is_gone(day: Day) -> None:
    chain = Chain(day.memory(), day.genesis)
    for driver in Driver:
        executor = Executor(MemoryStore(), day.genesis.chain_id, driver=driver)
        with pytest.raises(StatePruned):
            executor.call(chain.head, CONTRACT, b"")
        with pytest.raises(StatePruned):
            executor.proof(chain.head, CONTRACT, [])
