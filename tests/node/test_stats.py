"""What a store holds is counted right, and its state does not grow with the length of the chain."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from clients.cli.main import app
from clients.sample.bench import BenchParcels
from clients.sample.members import Keyring, sample_genesis
from clients.sample.plan import DAYS, START
from clients.sample.prefilled import fill
from ledger.chain.batch import Batch, Entry
from ledger.domain.kinds import KindNumber
from node.chain import Chain
from node.clock import LogicalClock
from node.evm.executor import Driver
from node.home import Home
from node.sealer import Sealer, SealerKeys
from node.stats import compact, stats_of
from node.store import MemoryStore, RocksStore, Space, Store

KEYRING = Keyring(1)
PARCELS, WINDOW = 30, 6


def stopped(store: Store, window: int, blocks: int, scratch: Path) -> Iterator[int]:
    """Stop the same parcels in every block, over and over; yield the bytes of trie nodes after each block."""
    genesis = fill(store, KEYRING, PARCELS, scratch, lambda _: None)
    keys = SealerKeys(*(KEYRING.signer(name) for name in ("sealer", "relayer", "stop-relayer")))
    sealer = Sealer(Chain(store, genesis, Driver.FAST, window), keys, LogicalClock(START))
    parcels = BenchParcels(KEYRING, genesis.domain)
    entries = [Entry(parcels.filed(n).subject, KindNumber.IDENTITY_STOPPED, START) for n in range(PARCELS)]
    for seq in range(blocks):
        signer = KEYRING.signer("identity")
        batch = Batch.signed(genesis.domain, signer, lane=0, seq=seq, not_after=START + 600, entries=entries)
        sealer.accept(batch)
        sealer.seal()
        yield sum(len(key) + len(value) for key, value in store.scan(Space.NODE))
    assert sealer.chain.state().parcel(entries[0].subject).field("stops") == blocks


def test_the_state_levels_off_however_long_the_chain_grows(tmp_path: Path) -> None:
    """After the window is full every block lets go as much as it brings; without a window it would go on and on."""
    kept = list(stopped(MemoryStore(), WINDOW, 40, tmp_path))
    assert kept[WINDOW] > kept[0]
    assert max(kept[WINDOW + 2 :]) - min(kept[WINDOW + 2 :]) < kept[WINDOW] // 50
    grown = list(stopped(MemoryStore(), 1_000, 14, tmp_path))
    assert grown[13] > kept[-1] * 1.5


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A stopped sealer's folder with twelve blocks of thirty entries."""
    store = RocksStore(Home(tmp_path).store)
    list(stopped(store, 1_000, 12, tmp_path))
    store.close()
    return tmp_path


def test_stats_count_what_is_there(home: Path) -> None:
    """Heights, entries, keys and bytes are those of the blocks and of the store."""
    answer = CliRunner().invoke(app, ["node", "stats", "--home", str(home), "--json"])
    assert answer.exit_code == 0, answer.output
    found = json.loads(answer.output)
    assert (found["height"], found["oldest_state"], found["transactions"]) == (12, 0, 12)
    assert found["entries"] == 12 * PARCELS
    store = RocksStore(Home(home).store)
    nodes = list(store.scan(Space.NODE))
    store.close()
    assert found["live_nodes"] == len(nodes)
    assert found["spaces"]["node"]["bytes"] == sum(1 + len(key) + len(value) for key, value in nodes)
    assert found["bytes_per_entry"] == round(found["files_bytes"] / found["entries"])


def test_a_shorter_window_and_compaction_leave_the_head_alone(home: Path) -> None:
    """States below the window go, the head's and all blocks stay."""
    before = stats_of(Home(home).store)
    assert CliRunner().invoke(app, ["node", "compact", "--home", str(home)]).exit_code == 0
    assert stats_of(Home(home).store).spaces == before.spaces, "a node's own window is its own business"
    store = RocksStore(Home(home).store)
    compact(store, window=2)
    store.close()
    after = stats_of(Home(home).store)
    assert after.oldest_state == 10
    assert after.live_nodes < before.live_nodes
    assert after.spaces["block"] == before.spaces["block"]
    assert CliRunner().invoke(app, ["node", "compact", "--home", str(home)]).exit_code == 0
    assert stats_of(Home(home).store).spaces == after.spaces


def test_a_home_without_a_store_is_said_so(tmp_path: Path) -> None:
    """Neither command makes one."""
    for command in ("stats", "compact"):
        answer = CliRunner().invoke(app, ["node", command, "--home", str(tmp_path)])
        assert answer.exit_code != 0
        assert "store.missing" in answer.output
    assert not list(tmp_path.iterdir())


def test_repeated_payloads_of_blocks_are_compressed(tmp_path: Path) -> None:
    """Blocks take less on disk than their bytes."""
    genesis = sample_genesis(KEYRING, START, DAYS)
    store = RocksStore(tmp_path)
    Chain(store, genesis)
    entry = b"".join(number.to_bytes(96, "big") for number in range(600))
    store.commit({Space.BLOCK + height.to_bytes(8, "big"): entry for height in range(1, 200)})
    store.compact()
    store.close()
    assert sum(file.stat().st_size for file in tmp_path.glob("*.sst")) < 199 * len(entry) // 3
