"""A follower executes before it keeps, refuses bad and second blocks, keeps nothing of them, and countersigns heads."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ledger.keys import LocalSigner
from node.blocks import Block, InvalidBlock
from node.chain import Chain, height_key
from node.clock import LogicalClock
from node.evm.builder import trie_root
from node.follower import Follower
from node.rules import MAX_DRIFT, is_stop
from node.sealer import Sealer
from node.service import NodeService, wait_until
from node.store import MemoryStore, Space
from tests.node.days import Copy, Day, follow, follower_key, sealer_keys


@pytest.fixture(scope="module")
def source(day: Day) -> Copy:
    return Copy(Chain(day.memory(), day.genesis))


def fresh(source: Copy, height: int, signer: LocalSigner | None = None) -> Follower:
    """Return a follower that stands below a height."""
    clock = LogicalClock(source.chain.head.timestamp)
    follower = Follower(Chain(MemoryStore(), source.chain.genesis), signer or follower_key(), clock)
    for block, seal in source.blocks(1, height - 1):
        follower.take(block, seal)
    return follower


def seal(source: Copy, block: Block, signer: LocalSigner | None = None) -> bytes:
    digest = source.chain.domain.seal_digest(source.chain.genesis_hash, block.height, block.hash)
    return (signer or sealer_keys().sealer).sign_digest(digest)


def kept(follower: Follower) -> dict[bytes, bytes]:
    store = follower.chain.store
    spaces = [value for name, value in vars(Space).items() if not name.startswith("_")]
    return {space + key: value for space in spaces for key, value in store.scan(space)}


def refuses(follower: Follower, block: Block, sealed: bytes) -> str:
    """Check that a block is refused and nothing of it kept; return the code."""
    before, head = kept(follower), follower.chain.head
    with pytest.raises(InvalidBlock) as refusal:
        follower.take(block, sealed)
    assert (kept(follower), follower.chain.head) == (before, head)
    assert refusal.value.hint
    return refusal.value.code


def test_it_ends_where_the_sealer_is_and_countersigned_every_block(day: Day, source: Copy) -> None:
    follower, heard = follow(source.chain)
    assert follower.chain.head == source.chain.head
    newest = heard.heads[-1]
    assert (newest.height, newest.block_hash) == (source.chain.head.number, source.chain.head.hash)
    assert newest.signer(source.chain.domain) == follower_key().address
    own = {int.from_bytes(key[:8], "big") for key, _ in follower.chain.store.scan(Space.HEAD)}
    assert own == set(range(1, source.chain.head.number + 1))


@pytest.mark.parametrize("field", ["state_root", "receipts_root", "transactions_root", "gas_used", "bloom"])
def test_a_block_that_does_not_execute_to_what_it_says(source: Copy, field: str) -> None:
    follower = fresh(source, 6)
    ((block, _),) = source.blocks(6, 1)
    value = getattr(block.header, field)
    wrong = value + 1 if isinstance(value, int) else bytes([value[0] ^ 1]) + value[1:]
    bad = replace(block, header=replace(block.header, **{field: wrong}))
    assert refuses(follower, bad, seal(source, bad)) == "block.field"
    follower.take(*source.blocks(6, 1)[0])


def test_a_seal_of_another_key_or_of_another_block(source: Copy) -> None:
    follower = fresh(source, 6)
    (block, sealed), (_, next_seal) = source.blocks(6, 2)
    assert refuses(follower, block, seal(source, block, LocalSigner(b"\5" * 32))) == "block.seal"
    assert refuses(follower, block, next_seal) == "block.seal"
    assert refuses(follower, block, b"") == "block.seal"
    assert refuses(follower, block, bytes(64) + b"\x1b") == "block.seal"
    follower.take(block, sealed)


def test_a_second_block_at_a_height(source: Copy) -> None:
    follower = fresh(source, 7)
    ((block, _),) = source.blocks(6, 1)
    other = replace(block, header=replace(block.header, timestamp=block.header.timestamp + 1))
    assert refuses(follower, other, seal(source, other)) == "block.second"
    assert follower.take(*source.blocks(6, 1)[0]) is None, "the same block again is no harm"


def test_a_block_that_leaves_one_out(source: Copy) -> None:
    follower = fresh(source, 6)
    assert refuses(follower, *source.blocks(7, 1)[0]) == "block.invalid"


def test_a_block_from_the_future(source: Copy) -> None:
    follower = fresh(source, 6)
    block, sealed = source.blocks(6, 1)[0]
    slow = Follower(follower.chain, None, LogicalClock(block.header.timestamp - MAX_DRIFT - 1), MAX_DRIFT)
    assert refuses(slow, block, sealed) == "block.future"
    Follower(follower.chain, None, LogicalClock(block.header.timestamp - MAX_DRIFT), MAX_DRIFT).take(block, sealed)


def test_stops_that_stand_last(source: Copy) -> None:
    height = next(
        block.height
        for block, _ in source.blocks(1, 1000)
        if 0 < sum(is_stop(raw) for raw in block.transactions) < len(block.transactions)
    )
    follower = fresh(source, height)
    ((block, _),) = source.blocks(height, 1)
    turned = replace(block, transactions=tuple(sorted(block.transactions, key=is_stop)))
    assert refuses(follower, turned, seal(source, turned)) == "block.stops-first"


@pytest.mark.parametrize("garbage", [b"\xc0", b"\x05abc", b"\x03\xc0", b"\xc9" + b"\xc0" * 9])
def test_a_block_that_holds_what_is_no_transaction(source: Copy, garbage: bytes) -> None:
    """The sealer's own key seals it, with the root of the body it sends."""
    follower = fresh(source, 6)
    ((block, sealed),) = source.blocks(6, 1)
    body = (*block.transactions, garbage)
    bad = replace(block, header=replace(block.header, transactions_root=trie_root(body)), transactions=body)
    assert refuses(follower, bad, seal(source, bad)) == "block.transaction"
    follower.take(block, sealed)


def test_a_head_that_was_never_sent_is_sent_at_the_next_start(source: Copy) -> None:
    """Killed between keeping a block and sending its head: the block becomes final all the same."""
    follower = fresh(source, 6)
    heard = Copy(fresh(source, 6).chain)
    service = NodeService(follower.chain, follower=follower, upstream=heard)  # type: ignore[arg-type]
    service.start()
    assert wait_until(lambda: bool(heard.heads), 5)
    service.stop()
    (head,) = heard.heads
    assert (head.height, head.block_hash) == (5, follower.chain.head.hash)
    assert head.signer(source.chain.domain) == follower_key().address


def test_a_source_that_lost_its_past(day: Day, source: Copy) -> None:
    follower = fresh(source, 8)
    shorter = Copy(fresh(source, 4).chain)
    with pytest.raises(InvalidBlock, match="has no block 7"):
        follower.sync(shorter)


def test_a_sealer_that_lost_blocks_takes_them_from_its_follower_first(source: Copy) -> None:
    """Restored from a backup, it catches up and then seals on top: never a second block at a countersigned height."""
    ahead, behind = fresh(source, 9), fresh(source, 5)
    clock = LogicalClock(source.chain.head.timestamp)
    taken = Follower(behind.chain, None, clock).sync(Copy(ahead.chain))
    assert taken == 4
    assert behind.chain.head == ahead.chain.head
    sealer = Sealer(behind.chain, sealer_keys(), clock)
    assert sealer.chain.head.number == 8
    assert behind.chain.store.get(Space.SEAL + height_key(8)) == source.chain.seal(8)
