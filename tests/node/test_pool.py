"""The queue: bounded, stops first, durable, and what comes in raw cannot harm it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clients.sample.members import Keyring
from clients.sample.plan import START
from ledger.chain.batch import Batch, Entry
from ledger.chain.calls import SUBMIT, submit_data
from ledger.chain.transaction import sign_legacy, transaction_hash
from ledger.domain.kinds import KindNumber as K
from ledger.genesis import CONTRACT, Genesis
from ledger.keys import LocalSigner
from node.audit.chain import audit_chain, blocks_of_store
from node.audit.receipts import ChainIndex
from node.chain import Chain
from node.clock import LogicalClock
from node.evm.executor import InvalidTransaction
from node.pool import HEADER_BYTES, Pool, PoolFull, Queued
from node.rules import batch_of, is_stop
from node.sealer import MAX_RAW_BYTES, MAX_RAW_WAITING, RAW_BLOCK_GAS, Sealer
from node.store import MemoryStore, Space
from tests.node.days import SEED, Day, follow, sealer_keys

KEYRING, STRANGER = Keyring(SEED), LocalSigner(b"\x07" * 32)
U64 = st.integers(0, 2**64 - 2)
BATCHES = st.builds(
    Batch, lane=st.sampled_from([0, 1, 2, 2**63]) | U64, seq=U64, not_after=U64, entries=st.binary(max_size=200),
    signature=st.binary(min_size=65, max_size=65),
)  # fmt: skip


@pytest.fixture
def sealer(day: Day) -> Sealer:
    return Sealer(Chain(MemoryStore(), day.genesis), sealer_keys(), LogicalClock(START))


def plain(lane: int = 1, size: int = 0) -> Batch:
    return Batch(lane, 0, START, bytes(size), bytes(65))


def raw(genesis: Genesis, nonce: int, data: bytes, gas: int = 2_000_000) -> bytes:
    return sign_legacy(STRANGER, nonce=nonce, to=CONTRACT, data=data, chain_id=genesis.chain_id, gas=gas)


def stop(genesis: Genesis) -> Batch:
    entries = [Entry(5, K.IDENTITY_STOPPED, START)]
    return Batch.signed(
        genesis.domain, KEYRING.signer("identity"), lane=0, seq=0, not_after=START + 60, entries=entries
    )


# -------------------------------------------------------------------------------------------------- order and bounds
@given(batch=BATCHES, number=U64)
def test_what_is_kept_reads_back_as_it_was(batch: Batch, number: int) -> None:
    item = Queued(number, batch, b"")
    assert Queued.decode(number, item.encode()) == item
    assert item.stop == (batch.lane == 0)


@settings(max_examples=50)
@given(batches=st.lists(BATCHES, max_size=20))
def test_stops_come_first_and_each_keeps_its_turn_after_a_restart_too(batches: list[Batch]) -> None:
    store = MemoryStore()
    pool = Pool(store)
    for batch in batches:
        pool.add(batch, b"", {})
    stops = [batch for batch in batches if batch.lane == 0]
    others = [batch for batch in batches if batch.lane]
    for each in (pool, Pool(store)):
        assert [item.batch for item in each.in_order()] == stops + others


def test_it_is_bounded_to_the_byte_and_stops_have_room_of_their_own() -> None:
    store = MemoryStore()
    pool = Pool(store, max_bytes=3 * (HEADER_BYTES + 32), stop_reserve=HEADER_BYTES)
    for _ in range(3):
        pool.add(plain(size=32), b"", {})
    for lane in (1, 2**63):
        with pytest.raises(PoolFull) as refusal:
            pool.add(plain(lane), b"", {b"x": b"never"})
        assert (refusal.value.code, bool(refusal.value.hint)) == ("pool.full", True)
    pool.add(plain(lane=0), b"", {})
    with pytest.raises(PoolFull):
        pool.add(plain(lane=0), b"", {})
    assert (len(pool), store.get(b"x")) == (4, None)
    assert len(list(store.scan(Space.QUEUE))) == 4


def test_room_comes_back_with_what_leaves_and_a_restart_counts_alike() -> None:
    store = MemoryStore()
    pool = Pool(store, max_bytes=HEADER_BYTES)
    first = pool.add(plain(), b"", {})
    with pytest.raises(PoolFull):
        Pool(store, max_bytes=HEADER_BYTES).add(plain(), b"", {})
    store.commit({pool.key(first): None})
    pool.drop([first])
    pool.drop([first])
    assert pool.add(plain(), b"", {}).number > first.number
    with pytest.raises(PoolFull):
        pool.add(plain(), b"", {})


def test_what_the_store_did_not_keep_does_not_wait() -> None:
    class Broken(MemoryStore):
        def commit(self, *_: object, **__: object) -> None:
            raise OSError("no space left")

    pool = Pool(Broken())
    with pytest.raises(OSError, match="no space"):
        pool.add(plain(), b"", {})
    assert (len(pool), list(pool.in_order())) == (0, [])


# ------------------------------------------------------------------------------------------------- raw transactions
def broken_submits(genesis: Genesis) -> dict[str, bytes]:
    """Return calldata that names `submit` and is none."""
    batch = Batch.signed(
        genesis.domain, KEYRING.signer("shop-01"), lane=1, seq=0, not_after=START + 60, entries=[]
    )  # fmt: skip
    good = submit_data(batch, START)

    def put(place: int, value: int) -> bytes:
        return good[: 4 + 32 * place] + value.to_bytes(32, "big") + good[36 + 32 * place :]

    return {
        "selector only": SUBMIT,
        "cut": good[:-40],
        "lane too wide": put(0, 2**256 - 1),
        "seq too high": put(1, 2**64 - 1),
        "v of two bytes": put(4, 300),
        "pointer into nowhere": put(7, 2**256 - 1),
        "length beyond the end": put(8, 2**64),
    }


@pytest.mark.parametrize(
    "name",
    ["selector only", "cut", "lane too wide", "seq too high", "v of two bytes", "pointer into nowhere",
     "length beyond the end"],
)  # fmt: skip
def test_calldata_that_is_no_batch_stops_nobody(sealer: Sealer, name: str) -> None:
    """It enters the block and reverts; sealer, follower and audit go on, and batches behind it come in."""
    chain = sealer.chain
    bad = raw(chain.genesis, 0, broken_submits(chain.genesis)[name])
    assert (batch_of(bad), is_stop(bad)) == (None, False)
    sealer.accept_raw(bad)
    good = stop(chain.genesis)
    sealer.accept(good)
    block = sealer.seal()
    assert block is not None
    assert block.transactions[1:] == (bad,)
    assert [receipt.status for receipt in chain.receipts(1)] == [1, 0]
    assert sealer.status(good.hash(chain.domain))["state"] == "included"
    follower, _ = follow(chain)
    assert follower.chain.head == chain.head
    index = ChainIndex(chain.genesis)
    assert audit_chain(chain.genesis, blocks_of_store(chain.store), seen=index.add).ok
    assert list(index.places) == [good.hash(chain.domain)]


def test_a_raw_stop_goes_first_too(sealer: Sealer) -> None:
    chain = sealer.chain
    relayed = raw(chain.genesis, 0, submit_data(stop(chain.genesis), START))
    sealer.accept(
        Batch.signed(chain.domain, KEYRING.signer("shop-01"), lane=1, seq=0, not_after=START + 60, entries=[])
    )
    sealer.accept_raw(relayed)
    block = sealer.seal()
    assert block is not None
    assert block.transactions[0] == relayed
    assert sealer.chain.place_of_batch(stop(chain.genesis).hash(chain.domain)) == (1, 0)


def test_a_raw_stop_that_would_overtake_its_own_nonce_is_refused_not_lost(sealer: Sealer) -> None:
    genesis = sealer.chain.genesis
    sealer.accept_raw(raw(genesis, 0, b""))
    late = raw(genesis, 1, submit_data(stop(genesis), START))
    with pytest.raises(InvalidTransaction, match="nonce"):
        sealer.accept_raw(late)
    sealer.seal()
    sealer.accept_raw(late)
    sealer.seal()
    assert sealer.chain.place_of_transaction(transaction_hash(late)) == (2, 0)


def test_a_raw_transaction_waits_once_and_is_bounded(sealer: Sealer) -> None:
    genesis = sealer.chain.genesis
    once = raw(genesis, 0, b"")
    assert sealer.accept_raw(once) == sealer.accept_raw(once) == transaction_hash(once)
    assert len(sealer.pool) == 1
    sealer.seal()
    sealer.accept_raw(once)
    assert len(sealer.pool) == 0
    with pytest.raises(InvalidTransaction, match=str(MAX_RAW_BYTES)):
        sealer.accept_raw(raw(genesis, 1, bytes(MAX_RAW_BYTES)))
    for bad in (b"", b"\x80", b"\xc0", b"\x03\xc0", b"\x05abc", once[:-1], once + b"\0"):
        with pytest.raises(InvalidTransaction):
            sealer.accept_raw(bad)
    assert len(sealer.pool) == 0


def test_raw_transactions_that_wait_are_few_and_none_is_executed_for_it(sealer: Sealer) -> None:
    """Each is checked behind those that wait: were they executed for it, a loop in one would be paid by all."""
    genesis = sealer.chain.genesis
    for nonce in range(MAX_RAW_WAITING):
        sealer.accept_raw(raw(genesis, nonce, b""))
    with pytest.raises(PoolFull):
        sealer.accept_raw(raw(genesis, MAX_RAW_WAITING, b""))
    sealer.pool.drop(list(sealer.pool.in_order())[-1:])
    with pytest.raises(InvalidTransaction, match="nonce"):
        sealer.accept_raw(raw(genesis, MAX_RAW_WAITING, b""))


def test_a_block_holds_no_more_raw_gas_than_an_audit_can_bear(sealer: Sealer) -> None:
    genesis = sealer.chain.genesis
    for nonce in range(3):
        sealer.accept_raw(raw(genesis, nonce, b"", gas=RAW_BLOCK_GAS // 2))
    sizes = [len(block.transactions) for block in iter(sealer.seal, None)]
    assert sizes == [2, 1]
    alone = raw(genesis, 3, b"", gas=RAW_BLOCK_GAS + 1)
    sealer.accept_raw(alone)
    assert sealer.seal() is not None, "one that asks for more stands alone"


def test_bytes_that_are_no_transaction_carry_nothing() -> None:
    for bad in (b"", b"\x80", b"\xc0", b"\x03\xc0", b"\x05abc", b"\xc1", b"\xc9" + b"\xc0" * 9):
        assert (batch_of(bad), is_stop(bad)) == (None, False)


# ------------------------------------------------------------------------------------------------------------- gaps
def test_a_batch_behind_one_that_expired_can_be_sent_again(sealer: Sealer) -> None:
    """The writer fills the gap with an empty batch and sends the very same bytes again."""
    domain, signer = sealer.chain.domain, KEYRING.signer("shop-01")
    assert isinstance(sealer.clock, LogicalClock)

    def signed(seq: int, until: int) -> Batch:
        return Batch.signed(domain, signer, lane=1, seq=seq, not_after=until, entries=[])

    second = signed(1, START + 3_600)
    sealer.accept(signed(0, START + 10))
    first_promise = sealer.accept(second)
    sealer.clock.move_to(START + 11)
    assert sealer.seal() is None
    digest = second.hash(domain)
    assert (sealer.status(digest)["state"], sealer.status(digest)["code"]) == ("refused", "batch.sequence")
    sealer.accept(signed(0, START + 3_600))
    again = sealer.accept(second)
    assert again.accepted_at == first_promise.accepted_at + 11
    assert sealer.status(digest)["state"] == "accepted"
    sealer.seal()
    assert sealer.status(digest)["state"] == "included"
    assert sealer.accept(second) == again
