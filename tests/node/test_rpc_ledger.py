"""The ledger's own methods over real HTTP: signed batches in, receipts out, the same answers from a follower."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest

from clients.sample.members import Keyring
from clients.sample.plan import START
from ledger.chain.batch import Batch, Entry
from ledger.commitments import LedgerDomain
from ledger.domain.errors import LedgerError
from ledger.domain.kinds import KindNumber as K
from ledger.domain.limits import MAX_BATCH_BYTES
from ledger.genesis import CONTRACT
from ledger.keys import LocalSigner
from node import service
from node.chain import Chain
from node.clock import LogicalClock
from node.follower import Follower
from node.pool import Pool, Queued
from node.remote import NodeRefused, RemoteNode, Unreachable
from node.rpc.ledger import batch_document
from node.sealer import Sealer
from node.service import MAX_WAITERS, NodeService, wait_until
from node.statements import Head, Inclusion, Receipt
from node.store import MemoryStore
from tests.node.days import SEED, Day, follower_key, sealer_keys
from tests.node.serving import TOKEN, served
from tests.node.test_faults import orders

KEYRING = Keyring(SEED)


@dataclass
class Pair:
    """A sealer and a follower, each behind its own RPC."""

    day: Day
    sealer: RemoteNode
    follower: RemoteNode
    seq: int = 0

    def batch(self, **changes: Any) -> Batch:
        values = {"lane": 1, "seq": self.seq, "not_after": START + 3_600, "entries": []} | changes
        return Batch.signed(self.day.genesis.domain, KEYRING.signer("shop-02"), **values)

    def next(self) -> Batch:
        batch = orders(self.day.genesis, KEYRING, "shop-02", self.seq)
        self.seq += 1
        return batch


@pytest.fixture(scope="module")
def pair(day: Day) -> Iterator[Pair]:
    clock = LogicalClock(START)
    sealer = NodeService(
        chain := Chain(MemoryStore(), day.genesis), sealer=Sealer(chain, sealer_keys(), clock)
    )  # fmt: skip
    with served(sealer) as at_sealer:
        upstream = RemoteNode(at_sealer.url, "a token for tests")
        copy = Chain(MemoryStore(), day.genesis)
        following = NodeService(copy, follower=Follower(copy, follower_key(), clock, 1 << 40), upstream=upstream)
        with served(following) as at_follower:
            yield Pair(day, at_sealer, at_follower)
        upstream.close()


def test_a_batch_from_receipt_to_final(pair: Pair) -> None:
    domain, batch = pair.day.genesis.domain, pair.next()
    receipt = Receipt.of(pair.sealer.send_batch(batch))
    assert receipt.batch == batch.hash(domain)
    assert receipt.signer(domain) == sealer_keys().sealer.address
    assert Receipt.of(pair.sealer.send_batch(batch)) == receipt
    assert wait_until(lambda: pair.sealer.batch_status(receipt.batch).get("final", False), 10)
    told = pair.sealer.batch_status(receipt.batch)
    inclusion = Inclusion.of(told["inclusion"])
    assert inclusion.signer(domain) == sealer_keys().sealer.address
    block, _ = pair.follower.blocks(inclusion.height, 1)[0]
    assert block.hash == inclusion.block_hash
    (head,) = pair.sealer.heads(inclusion.height)
    assert (head.block_hash, head.signer(domain)) == (block.hash, follower_key().address)


def test_a_caller_waits_until_the_node_moves(pair: Pair) -> None:
    def at_rest() -> bool:
        told = pair.sealer.status()
        return told["queued"] == 0 and bool(told["final"] == told["height"])

    assert wait_until(at_rest, 20)
    at = pair.sealer.status()
    began = time.monotonic()
    same = pair.sealer.await_status(at["height"], at["final"], 0.3)
    assert time.monotonic() - began >= 0.3
    assert same["height"] == at["height"]
    assert pair.sealer.await_status(at["height"] + 7, None, 20) == same, "it is elsewhere already"
    with ThreadPoolExecutor(MAX_WAITERS + 2) as pool:
        calls = [pool.submit(pair.sealer.await_status, at["height"], None, 20) for _ in range(MAX_WAITERS + 2)]
        done, _ = wait(calls, 10, FIRST_COMPLETED)
        assert done, "those beyond the limit are answered at once"
        pair.sealer.send_batch(pair.next())
        assert {call.result()["height"] for call in calls} - {at["height"]} == {at["height"] + 1}
    assert time.monotonic() - began < 20


def test_batches_sent_together_get_an_answer_each(pair: Pair) -> None:
    first, second = pair.next(), pair.next()
    gap = replace(second, seq=second.seq + 9)
    for node in (pair.sealer, pair.follower):
        answers = node.send_batches([first, gap, second])
        assert [isinstance(each, LedgerError) for each in answers] == [False, True, False]
        assert [Receipt.of(answers[place]).batch for place in (0, 2)] == [  # type: ignore[arg-type]
            each.hash(pair.day.genesis.domain) for each in (first, second)
        ]
        assert answers[1].code.startswith("batch.")  # type: ignore[union-attr]
    with pytest.raises(LedgerError, match="at most 64"):
        pair.sealer.send_batches([first] * 65)


def test_a_head_that_got_lost_on_its_way_is_sent_again(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    lost: list[Head] = []

    def loses_one(self: RemoteNode, head: Head) -> None:
        if not lost:
            lost.append(head)
            raise Unreachable("The connection was closed.")
        return sent(self, head)

    first = Receipt.of(pair.sealer.send_batch(pair.next()))
    assert wait_until(lambda: pair.sealer.batch_status(first.batch).get("final", False), 20)
    sent = RemoteNode.send_head
    monkeypatch.setattr(RemoteNode, "send_head", loses_one)
    receipt = Receipt.of(pair.sealer.send_batch(pair.next()))
    assert wait_until(lambda: pair.sealer.batch_status(receipt.batch).get("final", False), 20)
    assert len(lost) == 1


def test_a_follower_passes_on_and_answers_alike(pair: Pair) -> None:
    batch = pair.next()
    receipt = Receipt.of(pair.follower.send_batch(batch))
    assert wait_until(lambda: pair.follower.batch_status(receipt.batch).get("final", False), 10)
    assert wait_until(lambda: pair.follower.status()["blockHash"] == pair.sealer.status()["blockHash"], 10)
    assert [b.encode() for b, _ in pair.follower.blocks(0, 99)] == [b.encode() for b, _ in pair.sealer.blocks(0, 99)]
    for method, parameters in (
        ("eth_getLogs", [{"fromBlock": "0x0"}]), ("eth_getBlockByNumber", ["latest", True]), ("eth_chainId", []),
        ("clearance_genesis", []),
    ):  # fmt: skip
        assert pair.follower.call(method, *parameters) == pair.sealer.call(method, *parameters)
    assert (pair.sealer.status()["role"], pair.follower.status()["role"]) == ("sealer", "follower")


def test_a_page_of_long_blocks_ends_early_and_readers_go_on(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    while (height := pair.sealer.status()["height"]) <= 3:
        receipt = Receipt.of(pair.sealer.send_batch(pair.next()))
        assert wait_until(lambda digest=receipt.batch: pair.sealer.batch_status(digest).get("final", False), 10)
    monkeypatch.setattr(service, "PAGE_BYTES", 1)
    assert [block.height for block, _ in pair.sealer.blocks(1, 99)] == [1, 2]
    batches = list(pair.sealer.included(1))
    late = Follower(Chain(MemoryStore(), pair.day.genesis), None, LogicalClock(START), 1 << 40)
    late.sync(pair.sealer)
    assert late.chain.head.number == height
    monkeypatch.undo()
    assert len(list(pair.sealer.included(1))) == len(batches) > 0


def refused(pair: Pair, document: dict[str, Any]) -> str:
    height = pair.sealer.status()["height"]
    with pytest.raises(NodeRefused) as refusal:
        pair.sealer.call("clearance_sendBatch", document)
    assert refusal.value.hint
    assert pair.sealer.status()["height"] == height
    return refusal.value.code


def test_refusals_have_codes_and_say_what_to_do(pair: Pair) -> None:
    good = batch_document(pair.batch())
    stop = pair.batch(lane=0, seq=0, entries=[Entry(1, K.HELD, START)])
    stranger = Batch.signed(
        pair.day.genesis.domain, LocalSigner(b"\x09" * 32), lane=1, seq=0, not_after=START + 60, entries=[]
    )  # fmt: skip
    cases = {
        "batch.sequence": batch_document(pair.batch(seq=pair.seq + 5)),
        "batch.expired": batch_document(pair.batch(not_after=START - 1)),
        "batch.stop-lane": batch_document(stop),
        "batch.not-a-member": batch_document(stranger),
        "batch.shape": good | {"entries": "0x" + "00" * 31},
    }
    for code, document in cases.items():
        assert refused(pair, document) == code
    assert refused(pair, good | {"entries": "0x" + "00" * (MAX_BATCH_BYTES + 32)}) == "batch.shape"
    assert refused(pair, good | {"signature": "0x" + "00" * 65}) in {"batch.signature", "key.bad-signature"}
    for broken in (
        {}, good | {"signature": "0x12"}, good | {"lane": "one"}, good | {"seq": -1}, good | {"entries": 7},
        {name: value for name, value in good.items() if name != "notAfter"},
    ):  # fmt: skip
        assert refused(pair, broken) == "rpc.parameters"
    for number in (hex(1 << 64), hex((1 << 256) - 1)):
        assert refused(pair, good | {"lane": number}) in {"batch.shape", "rpc.parameters"}


def test_a_replay_and_a_batch_for_another_chain_are_refused(pair: Pair) -> None:
    batch = pair.next()
    digest = Receipt.of(pair.sealer.send_batch(batch)).batch
    assert wait_until(lambda: pair.sealer.batch_status(digest)["state"] == "included", 10)
    used = Batch.signed(
        pair.day.genesis.domain, KEYRING.signer("shop-02"), lane=1, seq=batch.seq, not_after=START + 99, entries=[]
    )
    assert refused(pair, batch_document(used)) == "batch.sequence"
    for domain in (LedgerDomain(pair.day.genesis.chain_id + 1, CONTRACT), LedgerDomain(820_250, b"\1" * 20)):
        foreign = Batch.signed(
            domain, KEYRING.signer("shop-02"), lane=1, seq=pair.seq, not_after=START + 99, entries=[]
        )
        assert refused(pair, batch_document(foreign)) == "batch.not-a-member"


def test_push_back_has_a_code_of_its_own_and_the_same_batch_comes_in_later(day: Day) -> None:
    chain = Chain(MemoryStore(), day.genesis)
    first, second = (orders(day.genesis, KEYRING, "shop-02", seq) for seq in (0, 1))
    pool = Pool(chain.store, max_bytes=Queued(0, first, b"").size, stop_reserve=0)
    service = NodeService(chain, sealer=Sealer(chain, sealer_keys(), LogicalClock(START), pool))
    service._pause = 2.0  # the first batch waits that long for company
    with served(service) as node:
        node.send_batch(first)
        call = {"jsonrpc": "2.0", "id": 1, "method": "clearance_sendBatch", "params": [batch_document(second)]}
        answer = httpx.post(node.url, json=call, headers={"Authorization": f"Bearer {TOKEN}"}).json()
        assert (answer["error"]["code"], answer["error"]["data"]["code"]) == (-32005, "pool.full")
        digest = second.hash(chain.domain)
        assert node.batch_status(digest) == {"state": "unknown"}, "nothing was promised"
        assert wait_until(lambda: node.status()["queued"] == 0, 10)
        assert Receipt.of(node.send_batch(second)).batch == digest
        assert wait_until(lambda: node.batch_status(digest)["state"] == "included", 10)


def test_many_at_once_are_all_kept_once(pair: Pair) -> None:
    """Writers send in parallel, each its own lane; every receipt is kept, nothing is doubled."""
    batches = [pair.batch(lane=lane, seq=0) for lane in range(100, 116)]
    receipts: list[Receipt] = []

    def send(batch: Batch) -> None:
        node = RemoteNode(pair.sealer.url, "a token for tests")
        receipts.append(Receipt.of(node.send_batch(batch)))
        receipts.append(Receipt.of(node.send_batch(batch)))
        node.close()

    threads = [threading.Thread(target=send, args=(batch,)) for batch in batches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(receipts) == 2 * len(batches)
    assert len({receipt.batch for receipt in receipts}) == len(batches)
    assert wait_until(lambda: pair.sealer.status()["queued"] == 0, 10)
    included = [each.hash(pair.day.genesis.domain) for each in pair.sealer.included(1)]
    assert all(included.count(receipt.batch) == 1 for receipt in receipts)


def test_a_wrong_token_and_a_wrong_address(pair: Pair) -> None:
    for node in (RemoteNode(pair.sealer.url, "wrong"), RemoteNode("http://127.0.0.1:1", "x")):
        with pytest.raises(Unreachable) as trouble:
            node.status()
        assert (trouble.value.code, bool(trouble.value.hint)) == ("node.unreachable", True)
        node.close()
