"""A state that is written instead of executed is the one that the contract itself makes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import rlp
from hypothesis import given, settings
from hypothesis import strategies as st
from trie import HexaryTrie
from typer.testing import CliRunner

from benchmarks.mix import Signer, Stage, stages
from clients.cli.main import app
from clients.cli.node import build
from clients.sample.bench import BenchParcels
from clients.sample.members import Keyring, sample_genesis
from clients.sample.plan import DAYS, START
from clients.sample.prefilled import fill, words_of
from ledger.chain.state import map_slot
from ledger.genesis import CONTRACT, BenchGenesis, load
from node.chain import Chain
from node.clock import LogicalClock
from node.evm.executor import Driver
from node.evm.hashing import keccak
from node.genesis import contract
from node.prefill import NotEmpty, write_storage
from node.sealer import Sealer, SealerKeys
from node.store import MemoryStore, StoreMissing

KEYRING = Keyring(1)
PARCELS = 40


def quiet(done: int) -> None:
    """Take progress."""


def executed(stage_names: tuple[str, ...]) -> tuple[Chain, Iterator[int]]:
    """Run stages of the mix on the sample's genesis; return the chain and the slots of sequence numbers."""
    keys = SealerKeys(*(KEYRING.signer(name) for name in ("sealer", "relayer", "stop-relayer")))
    chain = Chain(MemoryStore(), sample_genesis(KEYRING, START, DAYS), Driver.FAST)
    sealer, signer = Sealer(chain, keys, LogicalClock(START)), Signer(KEYRING, chain.domain)
    lanes = set()
    for stage in stages(PARCELS, KEYRING):
        if stage.name in stage_names:
            lanes |= {(name, stage.lane) for name in stage.entries}
            send(sealer, signer, stage)
    addresses = ((lane, int.from_bytes(KEYRING.signer(name).address, "big")) for name, lane in lanes)
    return chain, (map_slot("nexts", lane << 160 | address) for lane, address in addresses)


def send(sealer: Sealer, signer: Signer, stage: Stage) -> None:
    """Send a stage and make its blocks."""
    for batches in signer.batches(stage, 100).values():
        for batch in batches:
            sealer.accept(batch)
    while len(sealer.pool):
        sealer.seal()


def test_the_root_is_that_of_the_contracts_own_execution(tmp_path: Path) -> None:
    """Words of filed parcels, beside those of the genesis and of sequence numbers, give the contract's storage root."""
    chain, nexts = executed(("order", "filed"))
    read = chain.executor.reader(chain.head)
    storage = contract(chain.genesis)[1]
    for slot in nexts:
        storage[slot] = read(CONTRACT, slot)
    parcels = dict(words_of(BenchParcels(KEYRING, chain.domain), PARCELS))
    assert len(parcels) == 3 * PARCELS
    assert {slot: read(CONTRACT, slot) for slot in parcels} == parcels
    made = write_storage(MemoryStore(), (storage | parcels).items(), tmp_path, quiet)
    assert made == chain.executor.proof(chain.head, CONTRACT, ()).storage_hash


def test_a_prefilled_chain_goes_on_as_if_it_had_executed_its_parcels(tmp_path: Path) -> None:
    """The later stages give the same words on a prefilled chain as where everything was executed."""
    later = ("identity", "screening", "carried")
    whole, _ = executed(("order", "filed", *later))
    store = MemoryStore()
    genesis = fill(store, KEYRING, PARCELS, tmp_path, quiet)
    keys = SealerKeys(*(KEYRING.signer(name) for name in ("sealer", "relayer", "stop-relayer")))
    sealer = Sealer(Chain(store, genesis, Driver.FAST), keys, LogicalClock(START))
    signer = Signer(KEYRING, genesis.domain)
    for stage in stages(PARCELS, KEYRING):
        if stage.name in later:
            send(sealer, signer, stage)
    slots = dict(words_of(BenchParcels(KEYRING, genesis.domain), PARCELS))
    one, other = whole.executor.reader(whole.head), sealer.chain.executor.reader(sealer.chain.head)
    assert {slot: one(CONTRACT, slot) for slot in slots} == {slot: other(CONTRACT, slot) for slot in slots}
    assert not list(tmp_path.iterdir())  # nothing is left of the scratch files


@settings(deadline=None, max_examples=40)  # each spreads its words over 256 files
@given(st.dictionaries(st.integers(0, 1 << 256) | st.integers(0, 40), st.integers(1, (1 << 256) - 1), max_size=60))
def test_any_words_give_the_root_of_the_trie_package(words: dict[int, int]) -> None:
    """Few words and many, of all lengths."""
    words = {slot % (1 << 256): value for slot, value in words.items()}
    trie = HexaryTrie({})
    for slot, value in words.items():
        trie[keccak(slot.to_bytes(32, "big"))] = rlp.encode(value)
    with tempfile.TemporaryDirectory() as folder:
        assert write_storage(MemoryStore(), words.items(), Path(folder), quiet) == trie.root_hash


def test_a_store_that_holds_something_is_not_filled(tmp_path: Path) -> None:
    """A chain's store is left alone."""
    store = MemoryStore()
    Chain(store, sample_genesis(KEYRING, START, DAYS))
    before = dict(store._values)
    with pytest.raises(NotEmpty):
        fill(store, KEYRING, 1, tmp_path, quiet)
    assert store._values == before


def test_a_bench_genesis_is_refused_by_whoever_does_not_ask_for_one(tmp_path: Path) -> None:
    """The file is read only if a benchmark says so, and a store without the parcels is no chain."""
    genesis = fill(MemoryStore(), KEYRING, 3, tmp_path, quiet)
    path = tmp_path / "genesis.json"
    path.write_text(genesis.dumps())
    with pytest.raises(BenchGenesis):
        load(path)
    assert load(path, bench=True) == genesis
    with pytest.raises(StoreMissing):
        Chain(MemoryStore(), genesis)


def test_the_command_makes_a_folder_that_real_commands_refuse(tmp_path: Path) -> None:
    """`node prefill` writes parcels, and neither a node nor an audit starts from them."""
    home = str(tmp_path / "home")
    made = CliRunner().invoke(app, ["node", "prefill", "--home", home, "--parcels", "5"])
    assert made.exit_code == 0, made.output
    with pytest.raises(BenchGenesis):
        build(Path(home), None, "", [], None, "fast", logical=False)
    refused = CliRunner().invoke(app, ["audit", "chain", "--home", home])
    assert refused.exit_code != 0
    assert "genesis.bench" in refused.output, refused.output
    again = CliRunner().invoke(app, ["node", "prefill", "--home", home, "--parcels", "5"])
    assert "home.unusable" in again.output
