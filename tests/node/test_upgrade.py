"""A later release brings another contract: chains of the older one run on, are followed and audited under it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from clients.cli.node import build
from clients.sample.members import HANDLES, Keyring, sample_genesis
from clients.sample.plan import DAYS, START
from contracts.build import SOURCES, compile_contracts
from ledger import genesis as genesis_file
from ledger.chain.batch import Batch
from ledger.genesis import Code, Genesis, InvalidGenesis, installed_code, loads
from node.audit.chain import audit_chain, blocks_of_node, blocks_of_store
from node.chain import Chain
from node.evm.executor import Driver
from node.genesis import execute_genesis
from node.home import SEALER_KEYS, Home
from node.service import wait_until
from node.store import MemoryStore, RocksStore, StoreForeign
from tests.node.days import SEED
from tests.node.serving import served

KEYRING = Keyring(SEED)
SHOP = "shop-01"


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Code:
    """The contract of an older release: other code, and every variable in another slot."""
    sources = tmp_path_factory.mktemp("older") / "src"
    shutil.copytree(SOURCES, sources)
    members = sources / "members.vy"
    text = members.read_text()
    first = "keys: public(HashMap[address, uint256])\n"
    assert text.count(first) == 1
    members.write_text(text.replace(first, "formerly: public(uint256)\n" + first))
    artifact = compile_contracts(sources)
    code = Code(artifact["compiler"], artifact["bytecode"][2:], artifact["slots"])
    assert code.hash != installed_code().hash
    assert code.slots["keys"] != installed_code().slots["keys"]
    return code


def lay_out(home: Path, genesis: Genesis) -> Home:
    folder = Home(home)
    folder.make(genesis, {name: KEYRING.signer(name) for name in SEALER_KEYS}, "a passphrase for tests")
    folder.write_secret(folder.passphrase_file, "a passphrase for tests")
    return folder


@pytest.mark.parametrize("driver", list(Driver))
def test_an_old_chain_runs_on_is_followed_and_audited(older: Code, tmp_path: Path, driver: Driver) -> None:
    folder = lay_out(tmp_path, replace(sample_genesis(KEYRING, START, DAYS), code=older))
    genesis = folder.genesis()
    assert genesis.code == older
    signer = KEYRING.signer(SHOP)
    for seq in range(2):  # the second start is a restart over a store that holds the old contract
        service, _ = build(tmp_path, None, "", [], None, driver, logical=True)
        with served(service) as node:
            assert node.genesis() == genesis
            member = node.state().member(signer.address)
            assert member
            assert member.org == HANDLES[SHOP], "the older contract's slots are read"
            assert node.next_seq(signer.address, 1) == seq
            batch = Batch.signed(genesis.domain, signer, lane=1, seq=seq, not_after=START + 7_200, entries=[])
            node.send_batch(batch)
            assert wait_until(lambda: node.status()["queued"] == 0, 20)
            assert audit_chain(node.genesis(), blocks_of_node(node)).ok
        service.chain.store.close()
    store = RocksStore(folder.store, read_only=True)
    report = audit_chain(genesis, blocks_of_store(store), store=store)
    store.close()
    assert report.ok
    assert (report.subject["height"], report.subject["contract"]) == (2, older.hash)


def test_a_file_of_before_takes_its_contract_in_while_its_release_still_runs(
    older: Code, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = lay_out(tmp_path, sample_genesis(KEYRING, START, DAYS))
    document = json.loads(folder.genesis_file.read_text())
    del document["code"]
    old_text = json.dumps(document)
    folder.genesis_file.write_text(old_text)
    service, _ = build(tmp_path, None, "", [], None, "fast", logical=True)
    service.chain.store.close()
    assert folder.genesis().code.hash == json.loads(folder.genesis_file.read_text())["code"]["hash"]

    monkeypatch.setattr(genesis_file, "installed_code", lambda: older)  # the next release
    service, _ = build(tmp_path, None, "", [], None, "fast", logical=True)
    service.chain.store.close()
    folder.genesis_file.write_text(old_text)
    with pytest.raises(StoreForeign, match="another genesis") as refusal:
        build(tmp_path, None, "", [], None, "fast", logical=True)
    assert "without `code`" in refusal.value.hint
    assert "code" not in json.loads(folder.genesis_file.read_text())


def test_the_hash_that_was_reviewed_is_that_of_the_code_that_runs(older: Code) -> None:
    genesis = sample_genesis(KEYRING, START, DAYS)
    document = json.loads(genesis.dumps())
    assert loads(json.dumps(document)) == genesis
    document["code"]["creation"] = older.creation
    with pytest.raises(InvalidGenesis, match="its contract is"):
        loads(json.dumps(document))


def test_what_is_signed_for_one_contract_moves_no_other(older: Code) -> None:
    """Two chains of one chain id differ in block 0 when their contracts differ: heads and stores never mix."""
    new = sample_genesis(KEYRING, START, DAYS)
    old = replace(new, code=older)
    assert execute_genesis(new).block.hash != execute_genesis(old).block.hash
    store = MemoryStore()
    Chain(store, old)
    with pytest.raises(StoreForeign):
        Chain(store, new)
