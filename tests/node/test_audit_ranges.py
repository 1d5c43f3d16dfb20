"""Stretches executed at the same time find what one pass finds, and trust nothing that lies in the store."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from typer.testing import CliRunner

from clients.cli.main import app
from node.audit.chain import audit_chain, blocks_of_store
from node.audit.ranges import Stretch, audit_in_stretches, cut
from node.audit.report import Report
from node.blocks import Block
from node.chain import Chain, height_key
from node.evm.executor import Driver, nodes_of
from node.store import RocksStore, Space
from tests.node.days import Day, sealer_keys


@pytest.fixture(scope="module")
def kept(day: Day, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The day's chain with all its states, on disk."""
    folder = tmp_path_factory.mktemp("kept")
    original, store = Chain(day.memory(), day.genesis), RocksStore(folder / "chain")
    chain = Chain(store, day.genesis, Driver.FAST, window=10_000)
    for height in range(1, original.head.number + 1):
        chain.append(chain.executor.validate(chain.head, original.block(height)), original.seal(height))
    store.close()
    (folder / "genesis.json").write_text(day.genesis.dumps())
    return folder


@pytest.fixture
def home(kept: Path, tmp_path: Path) -> Path:
    """A copy to alter."""
    shutil.copytree(kept, tmp_path / "home")
    return tmp_path / "home"


def altered(home: Path, change: Callable[[RocksStore], None], day: Day) -> Report:
    store = RocksStore(home / "chain")
    change(store)
    store.close()
    report = audit_in_stretches(day.genesis, home / "chain", 2)
    assert not report.ok
    return report


def test_stretches_cover_the_chain_once() -> None:
    for head in range(40):
        for oldest in range(head + 1):
            for jobs in (1, 2, 5):
                stretches = cut(head, oldest, jobs)
                assert stretches[0].below == 0
                assert stretches[-1].last == head
                assert all(one.last == other.below for one, other in pairwise(stretches))
                assert (
                    all(each.below < each.last and (each.below == 0 or each.below >= oldest) for each in stretches)
                    or not head
                )
    assert cut(10, 10, 2) == [Stretch(0, 10)]


def test_the_report_is_that_of_one_pass(kept: Path, day: Day) -> None:
    store = RocksStore(kept / "chain", read_only=True)
    plain = audit_chain(day.genesis, blocks_of_store(store), store=store)
    store.close()
    assert audit_in_stretches(day.genesis, kept / "chain", 2) == plain
    assert plain.ok


@pytest.mark.slow
def test_states_that_are_gone_are_made_from_genesis(home: Path, day: Day) -> None:
    answer = CliRunner().invoke(app, ["node", "compact", "--home", str(home)])
    assert answer.exit_code == 0, answer.output
    assert audit_in_stretches(day.genesis, home / "chain", 2).ok


@pytest.mark.slow
def test_an_altered_state_entry_is_found_wherever_a_stretch_begins(home: Path, day: Day) -> None:
    def change(store: RocksStore) -> None:
        height = cut(40, 0, 2)[3].below
        header = Block.decode(store.get(Space.BLOCK + height_key(height)) or b"").header
        key = sorted(nodes_of(store, header.state_root))[5]
        raw = store.node(key) or b""
        store.commit({Space.NODE + key: raw[:-1] + bytes([raw[-1] ^ 1])})

    assert {found.code for found in altered(home, change, day).findings} == {"store.state"}


@pytest.mark.slow
def test_a_missing_state_entry_is_found(home: Path, day: Day) -> None:
    def change(store: RocksStore) -> None:
        header = Block.decode(store.get(Space.BLOCK + height_key(20)) or b"").header
        store.commit({Space.NODE + header.state_root: None})

    report = altered(home, change, day)
    assert report.findings[0].code == "store.state"
    assert "missing" in report.findings[0].sentence


@pytest.mark.slow
@pytest.mark.parametrize("place", [0, 1])
def test_a_block_put_in_place_with_the_real_seal_is_found(home: Path, day: Day, place: int) -> None:
    """At the end of a stretch and in it: what follows does not stand on it, and its own root is not what it says."""

    def change(store: RocksStore) -> None:
        head = int.from_bytes(store.get(Space.META + b"height") or b"", "big")
        key = height_key(cut(head, 0, 2)[2].below + place)
        block = Block.decode(store.get(Space.BLOCK + key) or b"")
        lie = Block(replace(block.header, state_root=bytes(32)), block.transactions)
        digest = day.genesis.domain.seal_digest(store.get(Space.META + b"genesis") or b"", lie.height, lie.hash)
        store.commit({Space.BLOCK + key: lie.encode(), Space.SEAL + key: sealer_keys().sealer.sign_digest(digest)})

    found = altered(home, change, day).findings[0]
    assert found.code == "block.field"
    assert "state_root" in found.sentence


@pytest.mark.slow
def test_the_command_takes_jobs_for_a_home_alone(kept: Path) -> None:
    answer = CliRunner().invoke(app, ["audit", "chain", "--home", str(kept), "--jobs", "2", "--json"])
    assert answer.exit_code == 0, answer.output
    assert '"ok": true' in answer.output
    assert CliRunner().invoke(app, ["audit", "chain", "--rpc", "http://x", "--jobs", "2"]).exit_code == 2
