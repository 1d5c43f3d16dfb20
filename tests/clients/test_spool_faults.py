"""Nothing is lost and nothing doubled, whatever the network, the gate, the clock and the disk do."""

from __future__ import annotations

import itertools
import random
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import clients.spool
from clients.gate import State
from clients.sender import NOT_NOW, PUSH_BACK, Blocked, Sender
from clients.spool import SCAN_LANE, SCAN_TRACE_LANE, Item, Spool
from clients.spool_file import SpoolDiskFull, SpoolForeign, SpoolFull, SpoolInUse
from ledger.chain.batch import Batch, Entry
from ledger.commitments import LedgerDomain
from ledger.domain.error_texts import ERROR_TEXTS
from ledger.domain.errors import LedgerError
from ledger.keys import LocalSigner
from tests.clients.simulated import DOMAIN, START, Refusal, SimulatedGate

SIGNER = LocalSigner.from_seed(b"a courier", "scans")


def item(number: int, lane: int = SCAN_LANE) -> Item:
    return Item(Entry(number + 1, 7, START), lane, b"event %d %d" % (number, lane), f"row {number + 2}", "CARRIED_IN")


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    made = Spool(tmp_path / "spool.db", DOMAIN, SIGNER)
    yield made
    made.close()


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients.spool, "MAX_ENTRIES", 3)


def pump(sender: Sender, gate: SimulatedGate, rounds: int = 60, seconds: int = 0) -> None:
    for _ in range(rounds):
        sender.step()
        gate.seal()
        gate.now += seconds


def subjects(gate: SimulatedGate, lane: int = SCAN_LANE) -> list[int]:
    return [entry.subject for entry in gate.entries(lane)]


FAULTS = st.lists(st.sampled_from(["", "lost request", "lost answer", "pool full", "forgets"]), max_size=25)


@given(
    faults=FAULTS, count=st.integers(1, 30), seconds=st.sampled_from([0, 40, 400]), near=st.sampled_from([0, 100]),
    restarts=st.integers(0, 3),
)  # fmt: skip
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_network_does_entries_enter_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, faults: list[str], count: int, seconds: int, near: int, restarts: int,
) -> None:  # fmt: skip
    path = tmp_path_factory.mktemp("spool") / "spool.db"
    gate = SimulatedGate(faults=faults, near=near)
    before = clients.spool.MAX_ENTRIES
    clients.spool.MAX_ENTRIES = 3  # type: ignore[misc]
    try:
        spool = Spool(path, DOMAIN, SIGNER)
        spool.add([item(number, lane) for number in range(count) for lane in (SCAN_LANE, SCAN_TRACE_LANE)])
        for _ in range(restarts):
            pump(Sender(spool, gate, life=600), gate, 3, seconds)
            spool.close()
            spool = Spool(path, DOMAIN, SIGNER)
        pump(Sender(spool, gate, life=600), gate, 80, seconds)
    finally:
        clients.spool.MAX_ENTRIES = before  # type: ignore[misc]
    assert subjects(gate) == [number + 1 for number in range(count)]
    assert subjects(gate, SCAN_TRACE_LANE) == [number + 1 for number in range(count)]
    assert spool.counts() == {"open": 0, "recorded": 2 * count, "rejected": 0, "refused": 0}
    spool.close()


def test_the_same_bytes_are_sent_until_the_batch_is_over_by_the_chains_time(spool: Spool) -> None:
    gate = SimulatedGate(faults=["lost request"] * 5)
    sent: list[Batch] = []
    gate.on_send = sent.append
    spool.add([item(1)])
    sender = Sender(spool, gate, life=600)
    for _ in range(5):
        sender.step()
    assert len(set(sent)) == 1
    gate.near, gate.faults = 1_800, []
    sender.step()
    assert len(set(sent)) == 1  # too near its end for this gate, but it may still enter: it is not signed again
    (waiting,) = spool.stuck()
    assert waiting.code == "batch.near-expiry"
    gate.now += 601
    gate.near = 0
    pump(sender, gate, 2)
    assert len(set(sent)) == 2
    first, last = sent[0], sent[-1]
    assert (first.lane, first.seq, first.entries) == (last.lane, last.seq, last.entries)
    assert last.not_after > first.not_after
    assert subjects(gate) == [2]


def test_an_older_form_that_got_in_after_all_counts(spool: Spool) -> None:
    gate = SimulatedGate()
    spool.add([item(1)])
    old = spool.sign(SCAN_LANE, 0, START + 600)
    assert old
    new = spool.sign_again(old, START + 6_000)
    gate.queue.append((old.name, old.batch))
    gate.seal()
    pump(Sender(spool, gate), gate, 3)
    assert subjects(gate) == [2]
    assert spool.batch(new.id).state == "visible"
    assert spool.counts()["recorded"] == 1


@pytest.mark.usefixtures("small_batches")
def test_push_back_waits_as_long_as_told_and_goes_on_in_order(spool: Spool) -> None:
    gate = SimulatedGate(faults=["", "pool full", "pool full"])
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        gate.seal()

    spool.add([item(number) for number in range(9)])
    seen: list[tuple[int, int]] = []
    Sender(spool, gate).run(sleep=sleep, progress=lambda *told: seen.append(told))
    assert slept.count(7.0) == 2
    assert subjects(gate) == list(range(1, 10))
    assert seen == sorted(seen)
    assert seen[-1] == (9, 9)


def test_without_a_told_time_it_waits_longer_each_time(spool: Spool) -> None:
    gate = SimulatedGate(faults=["lost request"] * 8)
    slept: list[float] = []
    spool.add([item(1)])

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        gate.seal()

    Sender(spool, gate).run(sleep=sleep)
    assert all(after > before for before, after in itertools.pairwise(slept[:7]))


@pytest.mark.usefixtures("small_batches")
def test_the_gap_of_a_refused_batch_is_filled_with_an_empty_one(spool: Spool) -> None:
    gate = SimulatedGate()
    spool.add([item(number) for number in range(6)])
    first, second = spool.sign(SCAN_LANE, 0, START + 600), spool.sign(SCAN_LANE, 1, START + 600)
    assert first
    assert second
    gate.dead[first.name] = "batch.stop-lane"
    gate.dead[second.name] = "batch.sequence"
    for each in (first, second):
        spool.note_state(each, "sent")
    pump(Sender(spool, gate), gate, 4)
    assert [len(batch.unpacked()) for _, batch in gate.chain] == [0, 3]
    assert subjects(gate) == [4, 5, 6]
    assert spool.counts() == {"open": 0, "recorded": 3, "rejected": 0, "refused": 3}
    assert {row.code for row in spool.rows() if row.outcome == "refused"} == {"batch.stop-lane"}


def test_a_number_that_another_program_took_is_left_to_it_when_the_batch_is_over(spool: Spool) -> None:
    gate = SimulatedGate()
    spool.add([item(1)])
    sender = Sender(spool, gate, life=600)
    gate.faults = ["lost request"]
    sender.step()
    foreign = Batch.signed(DOMAIN, SIGNER, lane=SCAN_LANE, seq=0, not_after=START + 900, entries=())
    gate.chain.append((foreign.hash(DOMAIN), foreign))
    pump(sender, gate, 3)
    assert subjects(gate) == []
    (waiting,) = spool.stuck()
    assert waiting.code == "batch.sequence"
    gate.now += 601
    pump(sender, gate, 3)
    assert subjects(gate) == [2]


@pytest.mark.parametrize("code", ["batch.not-a-member", "auth.required"])
def test_a_key_that_may_not_write_loses_nothing(spool: Spool, code: str) -> None:
    gate = SimulatedGate()
    allowed = False

    def refuse(_: Batch) -> None:
        if not allowed:
            raise Refusal(code)

    gate.on_send = refuse
    spool.add([item(1)])
    with pytest.raises(LedgerError) as caught:
        Sender(spool, gate).run(sleep=lambda _: None)
    assert caught.value.code == code
    assert spool.counts()["open"] == 1
    assert spool.stuck()[0].code == code
    allowed = True
    pump(Sender(spool, gate), gate, 2)
    assert subjects(gate) == [2]
    assert not spool.stuck()


def test_time_over_says_what_waits(spool: Spool) -> None:
    spool.add([item(1)])
    with pytest.raises(Blocked, match="1 entries wait"):
        Sender(spool, SimulatedGate(faults=["lost request"] * 9)).run(timeout=0)


def test_one_process_sends(spool: Spool, tmp_path: Path) -> None:
    with spool.sending(), pytest.raises(SpoolInUse), Spool(spool.path, DOMAIN, SIGNER).sending():
        pass
    with spool.sending():
        pass


def test_a_spool_of_another_key_or_chain_is_refused(spool: Spool) -> None:
    with pytest.raises(SpoolForeign, match="another key"):
        Spool(spool.path, DOMAIN, LocalSigner.from_seed(b"another", "key"))
    with pytest.raises(SpoolForeign, match="another chain"):
        Spool(spool.path, LedgerDomain(1, DOMAIN.contract), SIGNER)


def test_the_spool_is_bounded(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db", DOMAIN, SIGNER, max_waiting=10)
    spool.add([item(number) for number in range(10)])
    with pytest.raises(SpoolFull):
        spool.add([item(10)])
    assert spool.counts()["open"] == 10
    assert spool.path.stat().st_mode & 0o077 == 0
    spool.close()


def test_what_ended_long_ago_is_forgotten_and_nothing_else(spool: Spool) -> None:
    gate = SimulatedGate()
    spool.add([item(1)])
    pump(Sender(spool, gate), gate, 2)
    spool.add([item(2)])
    assert spool.prune(now=1 << 33) == 1
    assert [row.place for row in spool.rows()] == ["row 4"]
    pump(Sender(spool, gate), gate, 2)
    assert subjects(gate) == [2, 3]


# ---------------------------------------------------------------------------------------------------------------- disk
@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("room", range(0, 40, 3))
def test_a_full_disk_loses_nothing(tmp_path: Path, room: int) -> None:
    """SQLite is given so many pages more than it has: what it meets then is what a full disk gives it."""
    spool = Spool(tmp_path / "spool.db", DOMAIN, SIGNER)
    spool.add([item(number) for number in range(20)])
    (pages,) = spool._db.execute("PRAGMA page_count").fetchone()
    spool._db.execute(f"PRAGMA max_page_count = {pages + room}").fetchone()
    gate, sender, full = SimulatedGate(), Sender(spool, SimulatedGate()), 0
    sender = Sender(spool, gate)
    for start in range(20, 420, 20):
        try:
            spool.add([item(number) for number in range(start, start + 20)])
            pump(sender, gate, 2)
        except SpoolDiskFull as error:
            assert error.hint
            full += 1
    assert full
    spool._db.execute("PRAGMA max_page_count = 1000000").fetchone()
    for start in range(20, 420, 20):
        spool.add([item(number) for number in range(start, start + 20)])  # what was not taken is given again
    pump(sender, gate, 80)
    assert sorted(subjects(gate)) == list(range(1, 421))
    spool.close()


def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    """The system itself refuses the write."""
    spool = Spool(tmp_path / "spool.db", DOMAIN, SIGNER)
    spool.add([item(1)])
    before, heard = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))
    try:
        with pytest.raises(SpoolDiskFull):
            add_for_ever(spool)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, heard)
    kept = spool.counts()["open"]
    gate = SimulatedGate()
    pump(Sender(spool, gate), gate, 60)
    assert len(set(subjects(gate))) == len(subjects(gate)) == kept
    spool.close()


def add_for_ever(spool: Spool) -> None:
    for start in range(10, 100_000, 500):
        spool.add([item(number) for number in range(start, start + 500)])


def test_every_code_the_sender_knows_is_a_code() -> None:
    known = {code for code in PUSH_BACK | NOT_NOW if not code.startswith("rpc.")}
    assert known <= ERROR_TEXTS.keys()
    assert {state.value for state in State} >= {"accepted", "sent", "included", "visible", "refused", "expired"}


def test_random_orders_of_adding_and_sending(spool: Spool) -> None:
    dice, gate = random.Random(7), SimulatedGate()
    sender = Sender(spool, gate)
    number = 0
    for _ in range(60):
        if dice.random() < 0.5:
            count = dice.randrange(1, 5)
            spool.add([item(number + each) for each in range(count)])
            number += count
        pump(sender, gate, 1)
    pump(sender, gate, 5)
    assert subjects(gate) == list(range(1, number + 1))
