"""Kill -9 at random points of sealer and follower: nothing acknowledged is lost, nothing is doubled."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from clients.cli.run import lay_out
from clients.sample.members import Keyring
from clients.sample.plan import START
from ledger.chain.batch import Batch, Entry, detail
from ledger.commitments import order_commitment
from ledger.domain.kinds import KindNumber as K
from ledger.genesis import Genesis
from node.audit.chain import audit_chain, blocks_of_node
from node.blocks import Block
from node.home import Home
from node.remote import NodeRefused, RemoteNode, Unreachable
from node.service import wait_until
from node.statements import Receipt
from tests.node.processes import NodeProcess

pytestmark = pytest.mark.slow
KILLS, INSIDE = 50, 10
SHOP = "shop-01"


class Writer:
    """A seller that sends order after order and sends each again until it has a receipt."""

    def __init__(self, keyring: Keyring, genesis: Genesis, node: RemoteNode) -> None:
        self.receipts: dict[bytes, Receipt] = {}
        self._signer, self._genesis, self._node = keyring.signer(SHOP), genesis, node
        self._org = next(org.handle for org in genesis.orgs if org.name == SHOP)
        self._stop = threading.Event()
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        self._thread.start()

    def finish(self) -> None:
        self._stop.set()
        self._thread.join()
        if self._fault:
            raise self._fault

    def _run(self) -> None:
        try:
            seq = 0
            while not self._stop.is_set():
                self._send(self._batch(seq))
                seq += 1
                time.sleep(0.04)  # so that the follower keeps up on two cores
        except BaseException as fault:  # tell the test, whatever it was
            self._fault = fault

    def _batch(self, seq: int) -> Batch:
        domain, entries = self._genesis.domain, []
        for number in range(3):
            commitment = order_commitment(1, seq.to_bytes(32, "big"), number.to_bytes(32, "big"))
            subject = domain.subject_id(K.ORDER_OPENED, self._org, commitment)
            handed = detail(K.ORDER_OPENED, handed=1)
            entries.append(Entry(subject, K.ORDER_OPENED, START, commitment, handed, extra=(1,)))
        return Batch.signed(domain, self._signer, lane=1, seq=seq, not_after=START + 86_400, entries=entries)

    def _send(self, batch: Batch) -> None:
        digest = batch.digest(self._genesis.domain)
        while not self._stop.is_set():
            try:
                self.receipts[digest] = Receipt.of(self._node.send_batch(batch))
                return
            except Unreachable:
                time.sleep(0.02)
            except NodeRefused as refusal:
                if refusal.code != "pool.full":
                    raise
                time.sleep(0.1)


def test_fifty_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    dice = random.Random(11)
    keyring, genesis = lay_out(tmp_path, 3)
    sealer = NodeProcess(tmp_path / "sealer", ("--logical-clock",))
    at_sealer = sealer.start()
    follower = NodeProcess(
        tmp_path / "follower", ("--follow", at_sealer.url),
        {"CLEARANCE_FOLLOW_TOKEN": Home(tmp_path / "sealer").token()},
    )  # fmt: skip
    at_follower = follower.start()
    writer = Writer(keyring, genesis, at_sealer)
    writer.start()
    inside: Counter[str] = Counter()
    seen: dict[int, str] = {}
    for kill in range(KILLS):
        name, process, node = (("sealer", sealer, at_sealer), ("follower", follower, at_follower))[kill % 2]
        status = node.status()
        assert seen.setdefault(status["height"], status["blockHash"]) == status["blockHash"]
        assert status["trouble"] is None
        inside[name] += process.kill_at_commit(dice.randint(1, 6), 5, dice.choice([0, 0, 0.0005, 0.002, 0.01]))
        process.start().close()
    writer.finish()
    assert sum(inside.values()) >= INSIDE, inside
    assert min(inside["sealer"], inside["follower"]) >= 1, inside
    assert wait_until(lambda: at_sealer.status()["queued"] == 0, 60)
    head = at_sealer.status()
    assert wait_until(lambda: at_follower.status()["blockHash"] == head["blockHash"], 120)
    included = [each.batch.digest(genesis.domain) for each in at_sealer.included(1)]
    assert len(writer.receipts) > KILLS
    assert set(writer.receipts) <= set(included), "a promised batch is not in the chain"
    assert max(Counter(included).values()) == 1, "a batch is in the chain twice"
    report = audit_chain(genesis, blocks_of_node(at_follower))
    assert report.ok, report.findings
    hashes = {raw.height: "0x" + Block.decode(raw.data).hash.hex() for raw in blocks_of_node(at_follower)}
    assert {height: hashes[height] for height in seen if height} == {h: each for h, each in seen.items() if h}
    for node, process in ((at_follower, follower), (at_sealer, sealer)):
        node.close()
        assert process.stop() == 0
