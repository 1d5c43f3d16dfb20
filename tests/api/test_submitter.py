"""Accept, hand over, note, project: a crash between any two steps loses nothing and doubles nothing; one at a time."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from api import outbox, submitter
from api.bounds import Bounds
from api.gateway import Gateway
from api.problems import APIError
from api.submitter import RETRY_CODES, Submitter
from clients.cli.embedded import EmbeddedNode
from clients.sample.members import HANDLES, Keyring, sample_genesis
from clients.sample.plan import DAYS, START
from ledger.chain.batch import Batch
from ledger.chain.state import LedgerState
from ledger.domain.errors import LedgerError
from ledger.payloads import Spool
from ledger.store import leases
from ledger.store.access import Caller
from ledger.store.database import Database
from ledger.store.projector import Projector
from ledger.store.tables.outbox import SubmissionRow
from node.chain import Chain
from node.clock import LogicalClock
from node.evm.executor import Driver
from node.pool import PoolFull
from node.sealer import Sealer
from node.store import MemoryStore, StoreFault, StoreFull
from tests.node.days import SEED, sealer_keys

KEYRING = Keyring(SEED)
SHOP = "shop-01"


class Killed(BaseException):
    """Stands for a process that ends here: nothing catches it."""


class Node(EmbeddedNode):
    """An embedded sealer that can be told to fail, or to die, at a step."""

    def __init__(self, sealer: Sealer, clock: LogicalClock) -> None:
        super().__init__(sealer, clock)
        self.fault: BaseException | None = None
        self.after: BaseException | None = None
        self.final: int | None = None
        self.taken: Counter[bytes] = Counter()

    def state(self) -> LedgerState:
        return self.sealer.chain.state()

    def status(self) -> dict[str, Any]:
        return super().status() | ({} if self.final is None else {"final": self.final})

    def send_batches(self, batches: Sequence[Batch]) -> list[dict[str, Any] | LedgerError]:
        if self.fault:
            raise self.fault
        answers = super().send_batches(batches)
        for batch, answer in zip(batches, answers, strict=True):
            self.taken[batch.hash(self.sealer.chain.domain)] += not isinstance(answer, LedgerError)
        if self.after:
            raise self.after
        return answers

    def seal(self) -> None:
        while len(self.sealer.pool):
            self.sealer.seal()


class World:
    """A gateway without its web server."""

    def __init__(self, database: Database, home: Path) -> None:
        genesis = sample_genesis(KEYRING, START, DAYS)
        clock = LogicalClock(START)
        chain = Chain(MemoryStore(), genesis, Driver.FAST)
        self.node = Node(Sealer(chain, sealer_keys(), clock), clock)
        self.time = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
        self.gateway = Gateway(
            database, self.node, genesis, chain.genesis_hash, Spool(home), bytes(32), lambda: self.time, clock.now
        )
        self.caller = Caller(KEYRING.signer(SHOP).address, HANDLES[SHOP], 1, 0)
        self.seq = 0

    def batch(self, seq: int | None = None, **changes: int) -> Batch:
        values = {"lane": 1, "not_after": START + 7_200} | changes
        seq = self.seq if seq is None else seq
        self.seq = max(self.seq, seq + 1)
        return Batch.signed(self.gateway.genesis.domain, KEYRING.signer(SHOP), seq=seq, entries=[], **values)

    def accept(self, batch: Batch | None = None) -> SubmissionRow:
        return outbox.accept(self.gateway, self.caller, batch or self.batch())

    def project(self) -> None:
        Projector(self.gateway.database, self.node, self.gateway.genesis.domain).catch_up()

    def later(self, seconds: float) -> None:
        self.time += dt.timedelta(seconds=seconds)

    def states(self) -> list[str]:
        with self.gateway.database.read() as session:
            return [row.state for row in session.exec(select(SubmissionRow).order_by(SubmissionRow.number))]  # type: ignore[arg-type]

    def on_chain(self) -> int:
        return self.node.state().next_seq(self.caller.key, 1)


@pytest.fixture
def world(database: Database, tmp_path: Path) -> World:
    return World(database, tmp_path)


def test_the_whole_way(world: World) -> None:
    world.accept()
    assert world.states() == ["accepted"]
    assert Submitter(world.gateway).step() == 1
    assert world.states() == ["sent"]
    world.node.seal()
    world.project()
    assert world.states() == ["visible"]


@pytest.mark.parametrize("when", ["before sending", "after sending", "before noting", "after sealing"])
def test_a_crash_between_any_two_steps(world: World, when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [world.accept() for _ in range(5)]
    first = Submitter(world.gateway)
    with monkeypatch.context() as broken:
        if when == "before sending":
            world.node.fault = Killed()
        elif when == "after sending":
            world.node.after = Killed()
        else:
            broken.setattr(submitter.submissions, "note_sent", _killed)
        with pytest.raises(Killed):
            first.step()
    world.node.fault = world.node.after = None
    if when == "after sealing":
        world.node.seal()
    world.later(11)  # the dead process's lease is over
    second = Submitter(world.gateway)
    second.step()
    world.node.seal()
    world.project()
    assert world.states() == ["visible"] * 5
    assert world.on_chain() == 5
    included = Counter(batch.hash(world.gateway.genesis.domain) for batch in world.node.included(1))
    assert included == Counter(row.hash for row in rows), "each once"


def _killed(*_: object) -> None:
    raise Killed


def test_a_block_that_is_faster_than_the_note_of_its_receipt(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.accept()
    plain = world.node.send_batches

    def and_at_once(batches: Sequence[Batch]) -> list[dict[str, Any] | LedgerError]:
        answers = plain(batches)
        world.node.seal()
        world.project()
        return answers

    monkeypatch.setattr(world.node, "send_batches", and_at_once)
    Submitter(world.gateway).step()
    assert world.states() == ["visible"]
    with world.gateway.database.read() as session:
        assert session.exec(select(SubmissionRow)).one().receipt, "the promise is kept"


def test_a_node_that_lost_its_queue_gets_it_again(world: World, tmp_path: Path) -> None:
    world.accept()
    hands = Submitter(world.gateway)
    hands.step()
    fresh = World(world.gateway.database, tmp_path)
    world.gateway = replace(world.gateway, node=fresh.node)
    world.node = fresh.node
    hands = Submitter(world.gateway)
    world.later(11)
    hands.step()
    assert world.states() == ["accepted"]
    hands.step()
    world.node.seal()
    world.project()
    assert world.states() == ["visible"]


def test_push_back_keeps_everything_in_order(world: World) -> None:
    for _ in range(3):
        world.accept()
    hands = Submitter(world.gateway)
    world.node.fault = PoolFull("The queue is full for now.", hint="Send it again later.")
    with pytest.raises(PoolFull):
        hands.step()
    assert world.states() == ["accepted"] * 3
    world.node.fault = None
    assert hands.step() == 3
    world.node.seal()
    world.project()
    assert world.states() == ["visible"] * 3


def test_what_the_node_refuses_is_refused_with_its_code(world: World) -> None:
    world.accept()
    row = world.accept()
    world.node.sealer.accept(world.batch(0, not_after=START + 9_000))  # a rival for the first number, sent elsewhere
    Submitter(world.gateway).step()
    assert world.states() == ["refused", "sent"]
    with world.gateway.database.read() as session:
        dead = session.exec(select(SubmissionRow).where(SubmissionRow.id != row.id)).one()
        assert dead.code == "batch.sequence"
        assert dead.reason


def test_one_process_hands_over_at_a_time(world: World) -> None:
    world.accept()
    first, second = Submitter(world.gateway), Submitter(world.gateway)
    assert first.step() == 1
    world.accept()
    assert second.step() == 0, "the first holds the lease"
    world.later(11)
    assert second.step() == 1
    with pytest.raises(leases.LeaseLost), world.gateway.database.write() as session:
        first._lease.check(session)
    assert first.step() == 0


@pytest.mark.parametrize("held_up", ["by the node", "by its followers"])
def test_the_outbox_pushes_back_and_stops_pass(world: World, held_up: str) -> None:
    world.gateway = replace(world.gateway, bounds=Bounds(batches=3, stops=1))
    for _ in range(3):
        world.accept()
    if held_up == "by its followers":  # included, but nobody countersigns: nothing becomes visible
        Submitter(world.gateway).step()
        world.node.seal()
        world.node.final = 0
        Projector(world.gateway.database, world.node, world.gateway.genesis.domain).step()
        assert world.states() == ["included"] * 3
    with pytest.raises(APIError) as refused:
        world.accept()
    assert refused.value.code == "outbox.full"
    assert refused.value.retry_after
    identity = KEYRING.signer("identity")
    stop = Batch.signed(world.gateway.genesis.domain, identity, lane=0, seq=0, not_after=START + 7_200, entries=[])
    caller = Caller(identity.address, HANDLES["identity"], 1 << 6, 0)
    assert outbox.accept(world.gateway, caller, stop).state == "accepted"
    before = len(world.node.taken)
    world.later(11)  # the lease of the one that handed over before is over
    Submitter(world.gateway).step()
    assert list(world.node.taken)[before] == stop.hash(world.gateway.genesis.domain), "stops first"


def test_a_dead_node_loses_nothing(world: World) -> None:
    world.accept()
    world.node.fault = LedgerError("no answer", hint="")
    world.node.fault.code = "node.unreachable"  # type: ignore[attr-defined]
    with pytest.raises(LedgerError):
        Submitter(world.gateway).step()
    assert world.states() == ["accepted"]


class Unwell(LedgerError):
    """A refusal for reasons of the node's own."""


@pytest.mark.parametrize("code", sorted(RETRY_CODES))
def test_what_ails_the_node_buries_no_batch(world: World, code: str) -> None:
    world.accept()
    world.node.fault = Unwell("not now", hint="")
    world.node.fault.code = code
    with pytest.raises(Unwell):
        Submitter(world.gateway).step()
    assert world.states() == ["accepted"]


@pytest.mark.parametrize("fault", [StoreFull, StoreFault])
def test_the_codes_of_a_full_and_of_a_closing_store_are_known(fault: type[LedgerError]) -> None:
    """A sealer whose disk is full, or that is being stopped, answers by these."""
    assert fault.code in RETRY_CODES
