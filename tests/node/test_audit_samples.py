"""`audit samples`: every choice recomputed; each planted lie of screening is found by its own name."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from clients.cli.embedded import EmbeddedNode
from clients.cli.main import app
from clients.courier import Courier, Shipment
from clients.sample.members import HANDLES, Keyring, sample_genesis
from clients.sample.plan import DAYS, START
from ledger.chain.batch import Entry
from ledger.chain.sampling import (
    DAY,
    ONE,
    REVEAL_LATEST,
    commit_entry,
    day_end,
    day_of,
    day_subject,
    picked,
    picked_digest,
    reveal_entry,
)  # fmt: skip
from ledger.chain.writer import Writer
from ledger.domain.facts import Goods, Mode, Transport, country_number
from ledger.domain.kinds import KindNumber as K
from ledger.payloads import Spool
from node.audit.chain import audit_chain, blocks_of_chain
from node.audit.members import MemberHistory
from node.audit.samples import SampleHistory
from node.chain import Chain
from node.clock import LogicalClock
from node.evm.executor import Driver
from node.sealer import Sealer
from node.store import MemoryStore, RocksStore
from tests.node.days import SEED, sealer_keys

KEYRING = Keyring(SEED)
US = country_number("US")
KEY, OTHER = b"k" * 32, b"o" * 32
RATE = ONE // 2
TODAY = day_of(START)


@dataclass
class Screened:
    """A chain on which screening samples by hand, honestly or not."""

    home: Path
    store: MemoryStore | RocksStore = field(default_factory=MemoryStore)
    parcels: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        genesis = sample_genesis(KEYRING, START, DAYS)
        self.clock = LogicalClock(START)
        self.chain = Chain(self.store, genesis, Driver.FAST)
        self.node = EmbeddedNode(Sealer(self.chain, sealer_keys(), self.clock), self.clock)
        self.domain = genesis.domain
        self.screening = Writer(KEYRING.signer("screening"), HANDLES["screening"], self.domain, self.node)
        self.courier = Courier(
            Writer(KEYRING.signer("courier-1"), HANDLES["courier-1"], self.domain, self.node), bytes(32),
            Spool(self.home / "spool"), KEYRING.opener("courier-1"), [KEYRING.opener("screening").public_key()],
        )  # fmt: skip

    def seal(self) -> None:
        for writer in (self.screening, self.courier.writer):
            writer.flush(self.clock.now())
        list(self.node.seal_all())

    def commit(self, key: bytes = KEY, rate: int = RATE, day: int = TODAY) -> Screened:
        self.screening.trace(commit_entry(self.domain, day, rate, key, self.clock.now()))
        self.seal()
        return self

    def file(self, count: int = 12) -> Screened:
        goods = Goods(price=3_000, currency=840, goods_class=1, quantity=1)
        for _ in range(count):
            shipment = Shipment(
                f"H{len(self.parcels)}", (), Transport(US, US, Mode.EXPRESS_AIR, 40), self.clock.now(), goods=goods
            )
            self.parcels.append(self.courier.file(shipment, spooled=False))
        self.seal()
        return self

    def picks(self, parcel: int, key: bytes = KEY, rate: int = RATE) -> bool:
        height = next(
            batch.height for batch in self.node.included(1) for each in batch.entries()
            if each.entry.subject == parcel and each.kind is K.FILED
        )  # fmt: skip
        return picked(key, rate, parcel, self.chain.block(height).hash)

    def screen(self, judge: Callable[[int], bool | None] | None = None) -> Screened:
        """Write a result for each parcel: referred as picked, passed, or none."""
        for parcel in self.parcels:
            answer = self.picks(parcel) if judge is None else judge(parcel)
            if answer is not None:
                self.result(parcel, as_picked=answer)
        self.seal()
        return self

    def result(self, parcel: int, *, as_picked: bool, digest: bytes | None = None) -> None:
        filing = self.node.filing(parcel)
        kind = K.SCREENED_REFERRED if as_picked or digest else K.SCREENED_PASSED
        digest = digest or (picked_digest(KEY, parcel, filing) if as_picked else bytes(32))
        self.screening.write(Entry(parcel, kind, self.clock.now(), digest, names=filing))

    def reveal(self, key: bytes = KEY, rate: int = RATE, day: int = TODAY, after: int = 7_200) -> Screened:
        self.node.move_to(max(day_end(day) + after, self.clock.now()))
        self.screening.trace(reveal_entry(self.domain, day, rate, key, self.clock.now()))
        self.seal()
        return self

    def audited(self) -> SampleHistory:
        history = SampleHistory(MemberHistory(self.chain.genesis))
        assert audit_chain(self.chain.genesis, blocks_of_chain(self.chain), seen=history.add).ok
        return history

    def found(self) -> list[str]:
        return [each.code for each in self.audited().check()]


@pytest.fixture
def world(tmp_path: Path) -> Screened:
    return Screened(tmp_path)


def test_an_honest_day_passes(world: Screened) -> None:
    world.commit().file().screen().reveal()
    history = world.audited()
    assert list(history.check()) == []
    chosen = {parcel for parcel in world.parcels if world.picks(parcel)}
    assert history.picked() == chosen
    assert 0 < len(chosen) < len(world.parcels), "both kinds are there"
    assert history.summary() | {"parcels": 12, "picked": len(chosen), "days_revealed": 1} == history.summary()


def test_a_picked_parcel_that_was_passed_is_found(world: Screened) -> None:
    world.commit().file()
    spared = next(parcel for parcel in world.parcels if world.picks(parcel))
    world.screen(lambda parcel: world.picks(parcel) and parcel != spared).reveal()
    (found,) = world.audited().check()
    assert found.code == "sample.missing"
    assert f"{spared:064x}" in found.sentence


def test_a_parcel_referred_under_the_pretext_of_the_sample_is_found(world: Screened) -> None:
    world.commit().file()
    victim = next(parcel for parcel in world.parcels if not world.picks(parcel))
    world.screen(lambda parcel: world.picks(parcel) or parcel == victim).reveal()
    (found,) = world.audited().check()
    assert found.code == "sample.wrong"
    assert f"{victim:064x}" in found.sentence


def test_a_parcel_referred_for_another_reason_is_none_of_the_samples(world: Screened) -> None:
    world.commit().file()
    suspect = next(parcel for parcel in world.parcels if not world.picks(parcel))
    world.result(suspect, as_picked=False, digest=b"r" * 32)
    world.screen(lambda parcel: None if parcel == suspect else world.picks(parcel)).reveal()
    assert world.found() == []


def test_a_suspicion_does_not_stand_in_for_the_sample(world: Screened) -> None:
    world.commit().file()
    chosen = next(parcel for parcel in world.parcels if world.picks(parcel))
    world.result(chosen, as_picked=False, digest=b"r" * 32)
    world.screen(lambda parcel: None if parcel == chosen else world.picks(parcel)).reveal()
    assert world.found() == ["sample.missing"]


def test_another_key_than_the_one_committed_to_is_found(world: Screened) -> None:
    world.commit(OTHER).file().screen().reveal(KEY)
    assert "sample.key" in world.found()


def test_another_rate_than_the_one_committed_to_is_found(world: Screened) -> None:
    world.commit().file().screen().reveal(rate=RATE + 1)
    assert "sample.key" in world.found()


def test_a_commitment_after_the_filings_is_found(world: Screened) -> None:
    world.commit(day=TODAY - 1).file().commit().screen(lambda _: False).reveal()
    assert world.found() == ["sample.not-committed"]
    assert world.audited().picked() == frozenset(), "a key that came after a filing chooses nothing"


def test_a_day_without_commitment_is_found(world: Screened) -> None:
    world.commit().file(2).screen()
    world.node.move_to(START + DAY)
    world.file(2)
    assert world.found() == ["sample.not-committed"]


def test_two_commitments_for_one_day_are_found(world: Screened) -> None:
    world.commit().commit(OTHER).file().screen().reveal()
    assert world.found() == ["sample.committed-twice"]


def test_a_key_revealed_before_its_day_was_over_is_found(world: Screened) -> None:
    world.commit().file(6)
    world.screening.trace(reveal_entry(world.domain, TODAY, RATE, KEY, world.clock.now()))
    world.seal()
    world.file(6).screen()
    assert world.found() == ["sample.revealed-early"]


def test_a_key_that_is_kept_back_is_found(world: Screened) -> None:
    world.commit().file(2).screen(lambda _: False)
    assert world.found() == [], "it may be secret for a while"
    world.node.move_to(day_end(TODAY) + REVEAL_LATEST + 1)
    world.file(1)
    assert "sample.kept-back" in world.found()


def test_screening_without_any_commitment_is_found(world: Screened) -> None:
    world.file(2).screen(lambda _: False)
    assert world.found() == ["sample.none"]


def test_a_parcel_that_was_never_screened_is_counted_and_no_lie(world: Screened) -> None:
    world.commit().file().screen(lambda parcel: None if world.picks(parcel) else False).reveal()
    assert world.found() == []
    summary = world.audited().summary()
    assert summary["picked_unscreened"] == summary["picked"] > 0


def test_only_screening_speaks_of_day_keys(world: Screened) -> None:
    world.courier.writer.trace(commit_entry(world.domain, TODAY, RATE, OTHER, world.clock.now()))
    world.commit().file().screen().reveal()
    assert world.found() == []


def test_days_are_korean_and_subjects_of_one_chain(world: Screened) -> None:
    midnight = day_end(TODAY)
    assert (day_of(midnight - 1), day_of(midnight)) == (TODAY, TODAY + 1)
    assert (midnight + 9 * 3_600) % DAY == 0
    assert day_subject(world.domain, 5) & (1 << 64) - 1 == 5


@pytest.mark.parametrize("rate", [0, 10_000, 100_000, 500_000, ONE])
def test_the_rate_is_met(rate: int) -> None:
    """Fixed keys, 5,000 parcels: within five standard deviations, which are sqrt(n p (1 - p))."""
    count = 5_000
    chosen = sum(picked(KEY, rate, parcel, b"b" * 32) for parcel in range(count))
    share = rate / ONE
    assert abs(chosen - count * share) <= 5 * (count * share * (1 - share)) ** 0.5


def test_neither_parcel_nor_block_alone_decides() -> None:
    blocks = [bytes([number]) * 32 for number in range(64)]
    assert {picked(KEY, RATE, 1, block) for block in blocks} == {True, False}
    assert {picked(KEY, RATE, parcel, blocks[0]) for parcel in range(64)} == {True, False}
    assert [picked(KEY, RATE, 1, block) for block in blocks] != [picked(OTHER, RATE, 1, block) for block in blocks]


def test_the_command_and_its_exit_codes(tmp_path: Path) -> None:
    honest = Screened(tmp_path, RocksStore(tmp_path / "chain"))
    honest.commit().file(6).screen().reveal()
    (tmp_path / "genesis.json").write_text(honest.chain.genesis.dumps())
    chosen = sorted(honest.audited().picked())
    honest.store.close()
    done = audit("--home", str(tmp_path), "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["audit"], told["subject"]["picked"], told["subject"]["parcels"]) == ("samples", len(chosen), 6)
    again = Screened(tmp_path, RocksStore(tmp_path / "chain"))
    again.node.move_to(honest.clock.now())
    again.commit(OTHER)
    again.store.close()
    done = audit("--home", str(tmp_path))
    assert done.exit_code == 1, done.output
    assert "sample.committed-twice" in done.stdout
    assert audit().exit_code == 2
    assert audit("--rpc", "http://127.0.0.1:9").exit_code == 3


def audit(*words: str) -> Result:
    return CliRunner().invoke(app, ["audit", "samples", *words])
