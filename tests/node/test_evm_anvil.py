"""py-evm under our header rule against anvil (revm): the same roots and block hashes, transaction by transaction."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import random
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import rlp
from eth_hash.auto import keccak
from trie import HexaryTrie

from node.blocks import COINBASE, GAS_LIMIT, Header
from tests.node.evm_world import (
    ADDRESSES,
    CHAIN_ID,
    CONTRACT,
    LABEL,
    NAMES,
    T0,
    World,
    creation,
    data_of,
    deployed,
    document,
)

INSTALLED = Path(__file__).parents[2] / "tools/anvil/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil"
FIELDS = {
    "uncles_hash": "sha3Uncles", "coinbase": "miner", "bloom": "logsBloom",
    "transactions_root": "transactionsRoot", "receipts_root": "receiptsRoot", "difficulty": "difficulty",
    "number": "number", "gas_limit": "gasLimit", "gas_used": "gasUsed", "timestamp": "timestamp",
    "extra_data": "extraData", "nonce": "nonce", "base_fee": "baseFeePerGas", "withdrawals_root": "withdrawalsRoot",
    "blob_gas_used": "blobGasUsed", "excess_blob_gas": "excessBlobGas", "parent_beacon_root": "parentBeaconBlockRoot",
}  # fmt: skip


class Anvil:
    """A running anvil."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=url, timeout=60, trust_env=False)

    def call(self, method: str, *parameters: Any) -> Any:
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(parameters)}
        answer = self.http.post("/", json=request).json()
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def mine(self, transactions: tuple[bytes, ...], header: Header) -> dict[str, Any]:
        for raw in transactions:
            self.call("eth_sendRawTransaction", "0x" + raw.hex())
        self.call("evm_setNextBlockTimestamp", hex(header.timestamp))
        self.call("anvil_setNextBlockBaseFeePerGas", "0x0")
        self.call("evm_mine")
        block: dict[str, Any] = self.call("eth_getBlockByNumber", "latest", False)
        return block

    def state_root(self) -> bytes:
        """Return the root of its state without zero words and empty accounts.

        anvil 1.7.1 keeps every slot that a touched account was asked for, and touched empty accounts (against EIP-161),
        so its own root covers words and accounts that are not there.
        """
        dump = json.loads(gzip.decompress(bytes.fromhex(self.call("anvil_dumpState")[2:])))
        state = HexaryTrie({})
        for address, account in dump["accounts"].items():
            storage = HexaryTrie({})
            for slot, word in account["storage"].items():
                if int(word, 16):
                    storage[keccak(bytes.fromhex(slot[2:]))] = rlp.encode(int(word, 16))
            code = bytes.fromhex(account["code"][2:])
            fields = [account["nonce"], int(account["balance"], 16), storage.root_hash, keccak(code)]
            if code or fields[:2] != [0, 0]:
                state[keccak(bytes.fromhex(address[2:]))] = rlp.encode(fields)
        root: bytes = state.root_hash
        return root


@pytest.fixture
def anvil(tmp_path: Path) -> Iterator[Anvil]:
    path = Path(os.environ.get("CLEARANCE_ANVIL", str(INSTALLED)))
    if not path.exists():
        if os.environ.get("CI") == "true":
            pytest.fail("anvil is not installed: run make anvil")
        pytest.skip("anvil is not installed (make anvil, or CLEARANCE_ANVIL): second EVM not compared")
    genesis = tmp_path / "genesis.json"
    genesis.write_text(json.dumps(document()))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [
            str(path), "--port", str(port), "--init", str(genesis), "--no-mining", "--hardfork", "cancun", "--silent",
            "--accounts", "0", "--base-fee", "0", "--gas-price", "0", "--disable-min-priority-fee", "--order", "fifo",
            "--disable-default-create2-deployer", "--gas-limit", str(GAS_LIMIT), "--chain-id", str(CHAIN_ID),
            "--timestamp", str(T0),
        ],
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    running = Anvil(f"http://127.0.0.1:{port}")
    try:
        for _ in range(400):
            with contextlib.suppress(httpx.HTTPError):
                running.call("eth_chainId")
                break
            time.sleep(0.05)
        running.call("anvil_setCoinbase", "0x" + COINBASE.hex())
        yield running
    finally:
        running.http.close()
        process.terminate()
        process.wait(10)


def bytes_or_number(text: str, like: bytes | int) -> bytes | int:
    return int(text, 16) if isinstance(like, int) else bytes.fromhex(text[2:])


def transactions(world: World, dice: random.Random, number: int) -> list[bytes]:
    """Return transfers, calls, reverts, creations, refunds and typed transactions."""

    def noted(name: str, kind: int) -> bytes:
        slot = dice.randrange(2, 40)
        if not kind:
            return world.note(name, slot, dice.randrange(20), dice.randbytes(dice.randrange(64)))
        access = [{"address": "0x" + CONTRACT.hex(), "storageKeys": [f"0x{slot:064x}"]}]
        return world.note(name, slot, dice.randrange(20), kind=kind, access=access)

    def called(signature: str, *values: Any, **fields: Any) -> Callable[[str, int], bytes]:
        return lambda name, kind: world.sign(name, CONTRACT, data_of(signature, *values), kind=kind, **fields)

    sorts: list[Callable[[str, int], bytes]] = [
        lambda name, kind: world.sign(name, ADDRESSES[dice.choice(NAMES)], value=dice.randrange(5), kind=kind),
        lambda name, kind: world.sign(name, dice.randbytes(20), kind=kind),
        lambda name, kind: world.sign(name, None, creation(), kind=kind),
        called("clear(uint256,uint256)", 2, 30),
        called("fill(uint256,uint256)", 20, 9),
        called("undone(uint256)", 9),
        called("take()", value=7),
        called("spin()", gas=200_000),
        called("deep(address,uint256)", CONTRACT, 1),
        noted,
        noted,
    ]
    return [dice.choice(sorts)(NAMES[index % len(NAMES)], dice.randrange(3)) for index in range(number)]


def test_sixty_transactions_in_three_blocks_have_anvils_roots_and_hashes(anvil: Anvil) -> None:
    world = World()
    dice = random.Random(20)
    for number, later in ((5, 1), (35, 0), (20, 3600)):
        executed = world.run(transactions(world, dice, number), world.head.timestamp + later)
        header = executed.block.header
        theirs = anvil.mine(executed.block.transactions, header)
        assert len(theirs["transactions"]) == number
        assert anvil.state_root() == header.state_root
        for ours, field in FIELDS.items():
            assert bytes_or_number(theirs[field], getattr(header, ours)) == getattr(header, ours), (number, ours)
        # parent, state root and randomness are its own; with them our header must hash to its block hash
        own = {"parent_hash": "parentHash", "state_root": "stateRoot", "mix_hash": "mixHash"}
        rebuilt = replace(header, **{ours: bytes.fromhex(theirs[field][2:]) for ours, field in own.items()})
        assert "0x" + rebuilt.hash.hex() == theirs["hash"]
        assert number == 5 or {receipt.status for receipt in executed.receipts} == {0, 1}


def test_proofs_are_anvils(anvil: Anvil) -> None:
    world = World()
    executed = world.run([world.note("ada", 9, 8), world.sign("ben", CONTRACT, data_of("take()"), value=3)])
    anvil.mine(executed.block.transactions, executed.block.header)
    slots = [*deployed()[1], 1, 12_345]
    theirs = anvil.call("eth_getProof", "0x" + CONTRACT.hex(), [f"0x{slot:064x}" for slot in slots], "latest")
    ours = world.executor.proof(world.head, CONTRACT, slots)
    assert [bytes.fromhex(node[2:]) for node in theirs["accountProof"]] == list(ours.nodes)
    assert theirs["storageHash"] == "0x" + ours.storage_hash.hex()
    assert (int(theirs["balance"], 16), int(theirs["nonce"], 16)) == (ours.balance, ours.nonce) == (3, 1)
    for mine, other in zip(ours.storage, theirs["storageProof"], strict=True):
        assert [bytes.fromhex(node[2:]) for node in other["proof"]] == list(mine.nodes)
        assert int(other["value"], 16) == mine.value
    assert [each.value for each in ours.storage] == [LABEL, 1, 0]
