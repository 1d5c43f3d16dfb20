"""Kill -9 at random points of sealer and follower: nothing acknowledged is lost, nothing is doubled."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from clients.cli.run import lay_out
from clients.sample.members import Keyring
from clients.sample.plan import START
from ledger.chain.batch import Batch, Entry, detail
from ledger.chain.receipts import ReceiptFolder
from ledger.commitments import order_commitment
from ledger.domain.kinds import KindNumber as K
from ledger.genesis import Genesis
from node.home import Home
from node.remote import NodeRefused, RemoteNode, Unreachable
from node.service import wait_until
from node.statements import Receipt
from tests.e2e.test_sample_day import clearance
from tests.node.processes import BEGUN, DONE, WRITTEN, NodeProcess

pytestmark = pytest.mark.slow
ROUNDS = 25
INSIDE = 10
"""Kills inside a commit that this must see at least."""
ANY_TIME = 0.3
"""Share of the kills that fall at a uniformly random time; the others aim at the steps of a commit."""
PATIENCE = 60
SHOP = "shop-01"


class Writer:
    """A seller that sends order after order, each again until it has a receipt, and keeps the receipts."""

    def __init__(self, keyring: Keyring, genesis: Genesis, node: RemoteNode, folder: Path) -> None:
        self.receipts: dict[bytes, Receipt] = {}
        self.again = 0
        self._kept = ReceiptFolder(folder)
        self._signer, self._genesis, self._node = keyring.signer(SHOP), genesis, node
        self._org = next(org.handle for org in genesis.orgs if org.name == SHOP)
        self._stop = threading.Event()
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def finish(self) -> None:
        self._stop.set()
        self._thread.join(PATIENCE)
        if self._fault:
            raise self._fault
        assert not self._thread.is_alive()

    def _run(self) -> None:
        try:
            seq = 0
            while not self._stop.is_set():
                self._send(self._batch(seq))
                seq += 1
                self._stop.wait(0.03)  # so that the follower keeps up on two cores
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
        digest = batch.hash(self._genesis.domain)
        while True:
            try:
                answer = self._node.send_batch(batch)
            except Unreachable:
                self.again += 1
                if self._stop.wait(0.02):
                    return
                continue
            except NodeRefused as refusal:
                if refusal.code != "pool.full":
                    raise
                time.sleep(0.1)
                continue
            self._kept.keep(batch, answer)
            self.receipts[digest] = Receipt.of(answer)
            return


@dataclass
class Acknowledged:
    """What the nodes have told, and must still tell after every kill."""

    genesis: Genesis
    blocks: dict[int, str] = field(default_factory=dict)
    places: dict[bytes, tuple[int, str]] = field(default_factory=dict)
    checked: int = 0

    def note_block(self, status: dict[str, object]) -> None:
        """Keep a head; a height has one hash, whoever tells it and when."""
        height, block_hash = int(str(status["height"])), str(status["blockHash"])
        assert self.blocks.setdefault(height, block_hash) == block_hash, f"two blocks {height}"

    def note_batch(self, node: RemoteNode, digest: bytes) -> None:
        """Ask after a promised batch: it waits or is included, under the receipt that was given; never forgotten."""
        answer = node.batch_status(digest)
        assert answer["state"] in {"accepted", "included"}, answer
        if answer["state"] == "included":
            inclusion = answer["inclusion"]
            place = inclusion["height"], inclusion["blockHash"]
            assert self.places.setdefault(digest, place) == place, "included twice, or moved"
            assert self.blocks.setdefault(*place) == place[1]
        else:
            assert digest not in self.places, "an included batch waits again"

    def check(self, sealer: RemoteNode, follower: RemoteNode, receipts: dict[bytes, Receipt]) -> None:
        """Check both nodes, just restarted, against all that was acknowledged."""
        behind, ahead = follower.status(), sealer.status()  # in this order: the sealer only grows
        assert (behind["trouble"], ahead["trouble"]) == (None, None)
        assert behind["height"] <= ahead["height"]
        self.note_block(behind)
        self.note_block(ahead)
        # hashes are chained: what stands under a block that is still there is still there too
        for height in sorted(self.blocks)[-3:]:
            assert block_hash(sealer, height) == self.blocks[height]
        assert block_hash(sealer, behind["height"]) == behind["blockHash"], "the follower's head is no prefix"
        given = list(receipts)
        for digest in [*given[max(0, self.checked - 5) :], *list(self.places)[-3:]]:
            self.note_batch(sealer, digest)
        for digest in given[self.checked :]:
            assert "0x" + receipts[digest].signer(self.genesis.domain).hex() == self.genesis.sealer.lower()
        self.checked = len(given)


def block_hash(node: RemoteNode, height: int) -> str:
    """Return the hash of the block a node has at a height."""
    return "0x" + node.blocks(height, 1)[0][0].hash.hex()


@dataclass
class World:
    """A running sealer and follower, behind RPC."""

    home: Path
    keyring: Keyring
    genesis: Genesis
    sealer: NodeProcess
    follower: NodeProcess
    at_sealer: RemoteNode
    at_follower: RemoteNode


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    keyring, genesis = lay_out(tmp_path, 3)
    token = {"CLEARANCE_FOLLOW_TOKEN": Home(tmp_path / "sealer").token()}
    sealer = NodeProcess(tmp_path / "sealer", ("--logical-clock",), seed=1_000)
    follower = NodeProcess(tmp_path / "follower", environment=token, seed=2_000)
    try:
        at_sealer = sealer.start()
        follower.options = ("--follow", at_sealer.url, "--driver", "fast")  # the sealer runs the other one
        at_follower = follower.start()
        yield World(tmp_path, keyring, genesis, sealer, follower, at_sealer, at_follower)
        at_sealer.close()
        at_follower.close()
    finally:
        follower.kill()
        sealer.kill()


def test_fifty_kills_lose_and_double_nothing(world: World) -> None:
    dice = random.Random(11)
    writer = Writer(world.keyring, world.genesis, world.at_sealer, world.home / "receipts")
    writer.start()
    told = Acknowledged(world.genesis)
    died: dict[str, Counter[bytes]] = {"sealer": Counter(), "follower": Counter()}
    at_any_time: Counter[str] = Counter()
    for _ in range(ROUNDS):
        newest = list(writer.receipts)[-1:]
        told.note_block(world.at_sealer.status())
        for digest in newest:
            told.note_batch(world.at_sealer, digest)
        pair = [("follower", world.follower), ("sealer", world.sealer)]
        if dice.random() < 0.3:  # seldom: without its sealer a follower soon has nothing to commit
            pair.reverse()
        for (name, process), patience in zip(pair, (3, 0.5), strict=True):
            if dice.random() < ANY_TIME:
                time.sleep(dice.uniform(0, patience))
                died[name][process.kill()] += 1
                at_any_time[name] += 1
            else:
                step = dice.choice([BEGUN, BEGUN, WRITTEN, DONE])
                died[name][process.kill_at(step, dice.randint(1, 5), patience)] += 1
        for _, process in pair:
            process.launch()
        for _, process in pair:
            process.ready().close()
        told.check(world.at_sealer, world.at_follower, writer.receipts)
    writer.finish()
    for name, counts in died.items():
        assert counts.total() == ROUNDS
        assert 0 < at_any_time[name] < ROUNDS
        assert counts[BEGUN] + counts[WRITTEN] >= INSIDE // 2, f"too few kills of the {name} fell inside a commit"
    assert died["sealer"][WRITTEN] + died["follower"][WRITTEN], "no kill fell between a write and its acknowledgement"
    check_the_end(world, writer, told)


def check_the_end(world: World, writer: Writer, told: Acknowledged) -> None:
    """Check that every promise is kept once, and that the audit finds nothing in either folder."""
    assert len(writer.receipts) > ROUNDS
    assert writer.again, "no batch had to be sent again"
    assert wait_until(lambda: world.at_sealer.status()["queued"] == 0, PATIENCE)
    head = world.at_sealer.status()
    assert wait_until(lambda: bool(world.at_follower.status()["blockHash"] == head["blockHash"]), 3 * PATIENCE)
    included = Counter(each.hash(world.genesis.domain) for each in world.at_sealer.included(1))
    assert set(writer.receipts) <= set(included), "a promised batch is not in the chain"
    assert max(included.values()) == 1, "a batch is in the chain twice"
    for node in (world.at_sealer, world.at_follower):
        assert {height: block_hash(node, height) for height in told.blocks} == told.blocks
    heads = [json.dumps(signed.as_dict()) for h in sorted(told.blocks) for signed in world.at_sealer.heads(h)]
    assert heads
    (world.home / "heads").write_text("\n".join(heads) + "\n")
    assert (world.follower.stop(), world.sealer.stop()) == (0, 0)
    for name in ("sealer", "follower"):
        done = clearance(
            "audit", "chain", "--json", "--home", str(world.home / name),
            "--receipts", str(world.home / "receipts"), "--heads", str(world.home / "heads"),
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        document = json.loads(done.stdout)
        assert document["ok"]
        assert document["subject"]["height"] == head["height"]
