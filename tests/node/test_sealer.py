"""The sealer: stops first, bounded queue, promises, refusals with codes, and never below a countersigned head."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from clients.cli.processes import free_port, start, wait_ready
from clients.cli.run import lay_out
from clients.sample.members import Keyring
from clients.sample.plan import START
from ledger.chain.batch import Batch, Entry
from ledger.domain.errors import LedgerError
from ledger.domain.kinds import KindNumber as K
from ledger.domain.limits import MAX_BATCH_BYTES
from ledger.keys import LocalSigner
from node.chain import Chain
from node.clock import LogicalClock
from node.follower import Follower
from node.home import Home
from node.pool import Pool, PoolFull, Queued
from node.remote import RemoteNode
from node.rules import is_stop
from node.sealer import INCLUDE_WITHIN, MAX_BLOCK_ITEMS, BatchRefused, Sealer, SealerKeys
from node.service import NodeService, wait_until
from node.statements import Head, Receipt
from node.store import MemoryStore, RocksStore, StoreFault
from tests.node.days import SEED, Copy, Day, follower_key, sealer_keys
from tests.node.serving import TOKEN, served
from tests.node.test_faults import orders

KEYRING = Keyring(SEED)


@pytest.fixture
def sealer(day: Day) -> Sealer:
    return Sealer(Chain(MemoryStore(), day.genesis), sealer_keys(), LogicalClock(START))


def signed(sealer: Sealer, who: str = "shop-01", entries: tuple[Entry, ...] = (), **changes: int) -> Batch:
    values = {"lane": 1, "seq": 0, "not_after": START + 3_600} | changes
    return Batch.signed(sealer.chain.domain, KEYRING.signer(who), entries=list(entries), **values)


def test_two_members_sign_the_same_bytes_and_both_are_promised_and_included(sealer: Sealer) -> None:
    domain = sealer.chain.domain
    both = [
        Batch.signed(domain, Keyring(SEED).signer(name), lane=1, seq=0, not_after=START + 86_400, entries=[])
        for name in ("shop-11", "shop-12")
    ]
    assert both[0].digest(domain) == both[1].digest(domain)
    receipts = [sealer.accept(batch) for batch in both]
    assert [receipt.batch for receipt in receipts] == [batch.hash(domain) for batch in both]
    assert receipts[0].batch != receipts[1].batch
    sealer.seal()
    assert {sealer.status(batch.hash(domain))["state"] for batch in both} == {"included"}
    state = sealer.chain.state()
    assert [state.next_seq(Keyring(SEED).signer(name).address, 1) for name in ("shop-11", "shop-12")] == [1, 1]


def test_a_promise_is_signed_and_the_same_when_asked_again(sealer: Sealer) -> None:
    batch = signed(sealer)
    first = sealer.accept(batch)
    assert first.signer(sealer.chain.domain) == sealer_keys().sealer.address
    assert first.include_by - first.accepted_at == INCLUDE_WITHIN
    assert (sealer.accept(batch), len(sealer.pool)) == (first, 1)
    digest = batch.hash(sealer.chain.domain)
    assert sealer.status(digest)["state"] == "accepted"
    sealer.seal()
    told = sealer.status(digest)
    assert (told["state"], told["inclusion"]["height"]) == ("included", 1)
    assert (sealer.accept(batch), len(sealer.pool)) == (first, 0)
    assert sealer.status(b"\1" * 32) == {"state": "unknown"}


def test_batches_taken_together_are_judged_one_after_another_and_kept_with_one_write(
    sealer: Sealer, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = []
    commit = sealer.chain.store.commit
    monkeypatch.setattr(sealer.chain.store, "commit", lambda changes: (writes.append(len(changes)), commit(changes)))
    first, second = signed(sealer), signed(sealer, seq=1)
    answers = sealer.accept_all([first, first, signed(sealer, seq=5), second, signed(sealer, "shop-02")])
    assert answers[0] == answers[1]
    assert [getattr(each, "code", "promised") for each in answers] == [
        "promised", "promised", "batch.sequence", "promised", "promised",
    ]  # fmt: skip
    assert (len(writes), len(sealer.pool)) == (1, 3)
    assert sealer.accept_all([second, signed(sealer, seq=2)])[0] == answers[3]
    sealer.seal()
    assert sealer.chain.state().next_seq(KEYRING.signer("shop-01").address, 1) == 3


def test_after_push_back_nothing_that_follows_is_taken(sealer: Sealer) -> None:
    fits = Queued(0, signed(sealer), b"").size
    sealer.pool = Pool(sealer.chain.store, max_bytes=2 * fits)
    answers = sealer.accept_all([signed(sealer, seq=number) for number in range(4)])
    assert [getattr(each, "code", "promised") for each in answers] == ["promised"] * 2 + ["pool.full"] * 2
    sealer.seal()
    assert isinstance(sealer.accept(signed(sealer, seq=2)), Receipt), "its number was not used up"


def test_what_could_not_be_kept_uses_up_no_number(sealer: Sealer, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(changes: object) -> None:
        raise StoreFault("no room", hint="")

    both = [signed(sealer), signed(sealer, seq=1)]
    with monkeypatch.context() as broken:
        broken.setattr(sealer.chain.store, "commit", fails)
        with pytest.raises(StoreFault):
            sealer.accept_all(both)
    assert len(sealer.pool) == 0
    assert isinstance(sealer.accept(signed(sealer)), Receipt)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"seq": 1}, "batch.sequence"),
        ({"not_after": START - 1}, "batch.expired"),
        ({"who": "nobody"}, "batch.not-a-member"),
        ({"lane": 0}, "batch.stop-lane"),
    ],
)
def test_what_cannot_be_included_is_not_promised(sealer: Sealer, changes: dict[str, int], code: str) -> None:
    with pytest.raises(BatchRefused) as refusal:
        sealer.accept(signed(sealer, **changes))  # type: ignore[arg-type]
    assert (refusal.value.code, bool(refusal.value.hint), len(sealer.pool)) == (code, True, 0)


def test_bad_bytes_are_not_promised(sealer: Sealer) -> None:
    good = signed(sealer)
    for bad in (
        replace(good, signature=bytes(65)), replace(good, entries=b""), replace(good, entries=bytes(32) + b"\1"),
        replace(good, entries=bytes(MAX_BATCH_BYTES + 32)),
    ):  # fmt: skip
        with pytest.raises(LedgerError):
            sealer.accept(bad)
    assert len(sealer.pool) == 0


def test_numbers_of_what_waits_count(sealer: Sealer) -> None:
    sealer.accept(signed(sealer, seq=0))
    with pytest.raises(BatchRefused, match="is 1, not 0"):
        sealer.accept(signed(sealer, seq=0, not_after=START + 60))
    sealer.accept(signed(sealer, seq=1))
    sealer.seal()
    assert sealer.chain.head.number == 1
    sealer.accept(signed(sealer, seq=2))


def test_a_stop_overtakes_everything_that_waits(sealer: Sealer) -> None:
    for seq in range(3):
        sealer.accept(signed(sealer, seq=seq))
    stop = Entry(5, K.IDENTITY_STOPPED, START)
    sealer.accept(signed(sealer, "identity", (stop,), lane=0))
    block = sealer.seal()
    assert block is not None
    assert [is_stop(raw) for raw in block.transactions] == [True, False, False, False]


def test_a_batch_that_expires_while_it_waits_is_refused_and_said_so(sealer: Sealer) -> None:
    batch = signed(sealer, not_after=START + 10)
    sealer.accept(batch)
    assert isinstance(sealer.clock, LogicalClock)
    sealer.clock.move_to(START + 11)
    assert sealer.seal() is None
    told = sealer.status(batch.hash(sealer.chain.domain))
    assert (told["state"], told["code"], len(sealer.pool)) == ("refused", "batch.expired", 0)
    sealer.accept(signed(sealer))  # its number is free again


def test_no_block_without_anything_to_put_in(sealer: Sealer) -> None:
    assert sealer.seal() is None
    assert sealer.chain.head.number == 0


def test_a_block_holds_so_many(sealer: Sealer) -> None:
    for seq in range(MAX_BLOCK_ITEMS + 3):
        sealer.accept(signed(sealer, seq=seq))
    first, second = sealer.seal(), sealer.seal()
    assert first is not None
    assert second is not None
    assert (len(first.transactions), len(second.transactions)) == (MAX_BLOCK_ITEMS, 3)
    assert second.header.base_fee == 0


def test_a_full_queue_pushes_back_but_takes_stops(day: Day) -> None:
    chain = Chain(MemoryStore(), day.genesis)
    pool = Pool(chain.store, max_bytes=4_000, stop_reserve=1_000)
    sealer = Sealer(chain, sealer_keys(), LogicalClock(START), pool)
    taken = 0
    with pytest.raises(PoolFull) as refusal:  # noqa: PT012
        for seq in range(100):
            sealer.accept(orders(day.genesis, KEYRING, "shop-01", seq))
            taken += 1
    assert (refusal.value.code, 0 < taken < 20) == ("pool.full", True)
    late = orders(day.genesis, KEYRING, "shop-01", taken)
    assert sealer.status(late.hash(chain.domain))["state"] == "unknown", "nothing was promised"
    sealer.accept(signed(sealer, "identity", (Entry(5, K.IDENTITY_STOPPED, START),), lane=0))
    sealer.seal()
    sealer.accept(late)


def test_the_queue_outlives_the_process(day: Day) -> None:
    store = MemoryStore()
    first = Sealer(Chain(store, day.genesis), sealer_keys(), LogicalClock(START))
    batches = [signed(first, seq=seq) for seq in range(3)]
    for batch in batches:
        first.accept(batch)
    second = Sealer(Chain(store, day.genesis), sealer_keys(), LogicalClock(START))
    assert len(second.pool) == 3
    second.accept(signed(second, seq=3))
    second.seal()
    assert {second.status(batch.hash(second.chain.domain))["state"] for batch in batches} == {"included"}


def test_a_fault_of_its_own_stops_the_node_and_it_promises_no_more(sealer: Sealer) -> None:
    def broken() -> None:
        raise RuntimeError("no such case was thought of")

    service = NodeService(sealer.chain, sealer=sealer)
    sealer.seal = broken  # type: ignore[method-assign, assignment]
    service.start()
    service.send_batch(signed(sealer))
    assert wait_until(lambda: service.trouble is not None, 5)
    assert service.trouble is not None
    assert service.trouble.code == "node.stopped"
    with pytest.raises(LedgerError, match="has stopped"):
        service.send_batch(signed(sealer, seq=1))
    assert len(sealer.pool) == 1, "what was promised still waits"
    service.stop()


def test_another_key_is_no_sealer(day: Day) -> None:
    keys = SealerKeys(LocalSigner(b"\3" * 32), sealer_keys().relayer, sealer_keys().stop_relayer)
    with pytest.raises(BatchRefused) as refusal:
        Sealer(Chain(MemoryStore(), day.genesis), keys, LogicalClock(START))
    assert refusal.value.code == "sealer.wrong-key"


def test_it_does_not_seal_below_a_countersigned_head(sealer: Sealer) -> None:
    service = NodeService(sealer.chain, sealer=sealer)
    service.check_not_below_countersigned()
    head = Head.signed(sealer.chain.domain, follower_key(), sealer.chain.genesis_hash, 3, b"\7" * 32)
    service.take_head(head)
    with pytest.raises(LedgerError, match="countersigned block 3; this store ends at 0"):
        NodeService(sealer.chain, sealer=sealer).check_not_below_countersigned()


def test_heads_of_strangers_and_two_heads_of_one_height_are_refused(sealer: Sealer) -> None:
    service = NodeService(sealer.chain, sealer=sealer)
    domain, genesis_hash = sealer.chain.domain, sealer.chain.genesis_hash
    with pytest.raises(LedgerError, match="not signed by a follower"):
        service.take_head(Head.signed(domain, LocalSigner(b"\4" * 32), genesis_hash, 1, b"\7" * 32))
    with pytest.raises(LedgerError, match="not signed by a follower"):
        service.take_head(Head.signed(domain, follower_key(), b"\1" * 32, 1, b"\7" * 32))
    service.take_head(Head.signed(domain, follower_key(), genesis_hash, 1, b"\7" * 32))
    service.take_head(Head.signed(domain, follower_key(), genesis_hash, 1, b"\7" * 32))
    with pytest.raises(LedgerError, match="two blocks of one height"):
        service.take_head(Head.signed(domain, follower_key(), genesis_hash, 1, b"\x08" * 32))
    assert len(service.heads(1)) == 1


def test_a_block_is_final_when_every_follower_countersigned_it(sealer: Sealer) -> None:
    service = NodeService(sealer.chain, sealer=sealer)
    batch = signed(sealer)
    sealer.accept(batch)
    block = sealer.seal()
    assert block is not None
    digest = batch.hash(sealer.chain.domain)
    assert (service.final_height(), service.batch_status(digest)["final"]) == (0, False)
    service.take_head(
        Head.signed(sealer.chain.domain, follower_key(), sealer.chain.genesis_hash, block.height, block.hash)
    )
    assert (service.final_height(), service.batch_status(digest)["final"]) == (1, True)


@pytest.mark.parametrize(("at_peer", "at_home"), [(6, 2), (4, 6)], ids=["restored", "peer lags"])
def test_started_with_a_peer_it_takes_the_newer_blocks_first_and_seals_on_top(
    day: Day, tmp_path: Path, at_peer: int, at_home: int
) -> None:
    """The command itself, on a store restored from an old backup, with a follower over HTTP."""
    lay_out(tmp_path, SEED)
    home = Home(tmp_path / "sealer")
    home.genesis_file.write_text(day.genesis.dumps())
    source = Copy(Chain(day.memory(), day.genesis))
    clock = LogicalClock(source.chain.head.timestamp)
    ahead, backup = Chain(MemoryStore(), day.genesis), Chain(RocksStore(home.store), day.genesis)
    for chain, height in ((ahead, at_peer), (backup, at_home)):
        for block, seal in source.blocks(1, height):
            Follower(chain, None, clock).take(block, seal)
    newest = max(ahead.head, backup.head, key=lambda head: head.number)
    backup.store.close()
    following = NodeService(ahead, follower=Follower(ahead, None, clock), upstream=Copy(ahead))  # type: ignore[arg-type]
    with served(following) as peer:
        process = start(home.path, port := free_port(), "--logical-clock", "--peer", peer.url, "--follow-token", TOKEN)
        node = RemoteNode(f"http://127.0.0.1:{port}", home.token())
        try:
            wait_ready(node, process, home.path)
            assert node.status()["blockHash"] == "0x" + newest.hash.hex()
            batch = Batch.signed(
                day.genesis.domain, KEYRING.signer("shop-01"), lane=77, seq=0, not_after=2**40, entries=[]
            )
            node.send_batch(batch)
            assert wait_until(lambda: node.status()["height"] == 7, 10)
            assert node.blocks(7, 1)[0][0].header.parent_hash == newest.hash
        finally:
            node.close()
            process.terminate()
            assert process.wait(30) == 0
