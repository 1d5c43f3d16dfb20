"""py-evm under our header rule against anvil (revm): the same roots and block hashes, transaction by transaction."""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from node.blocks import COINBASE, GAS_LIMIT, Header
from tests.node.evm_world import ADDRESSES, CHAIN_ID, CONTRACT, NAMES, T0, World, creation, data_of, document

INSTALLED = Path(__file__).parents[2] / "tools/anvil/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil"
FIELDS = {
    "uncles_hash": "sha3Uncles", "coinbase": "miner", "state_root": "stateRoot", "bloom": "logsBloom",
    "transactions_root": "transactionsRoot", "receipts_root": "receiptsRoot", "difficulty": "difficulty",
    "number": "number", "gas_limit": "gasLimit", "gas_used": "gasUsed", "timestamp": "timestamp",
    "extra_data": "extraData", "nonce": "nonce", "base_fee": "baseFeePerGas", "withdrawals_root": "withdrawalsRoot",
    "blob_gas_used": "blobGasUsed", "excess_blob_gas": "excessBlobGas", "parent_beacon_root": "parentBeaconBlockRoot",
}  # fmt: skip


class Anvil:
    """A running anvil."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=60, trust_env=False)

    def call(self, method: str, *parameters: Any) -> Any:
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(parameters)}
        answer = self._http.post("/", json=request).json()
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
        process.terminate()
        process.wait(10)


def bytes_or_number(text: str, like: bytes | int) -> bytes | int:
    return int(text, 16) if isinstance(like, int) else bytes.fromhex(text[2:])


def transactions(world: World, dice: random.Random, number: int) -> list[bytes]:
    """Return transfers, calls, reverts, creations, refunds and typed transactions."""
    made = []
    for index in range(number):
        name = NAMES[index % len(NAMES)]
        kind = dice.randrange(3)
        slot = dice.randrange(2, 40)
        match dice.randrange(9):
            case 0:
                made.append(world.sign(name, ADDRESSES[dice.choice(NAMES)], value=dice.randrange(5), kind=kind))
            case 1:
                made.append(world.sign(name, None, creation(), kind=kind))
            case 2:
                made.append(world.sign(name, CONTRACT, data_of("clear(uint256,uint256)", 2, 30), kind=kind))
            case 3:
                made.append(world.sign(name, CONTRACT, data_of("undone(uint256)", slot), kind=kind))
            case 4:
                made.append(world.sign(name, CONTRACT, data_of("take()"), value=7, kind=kind))
            case 5:
                made.append(world.sign(name, CONTRACT, data_of("spin()"), gas=200_000, kind=kind))
            case 6:
                made.append(world.sign(name, CONTRACT, data_of("deep(address,uint256)", CONTRACT, 1), kind=kind))
            case 7:
                access = [{"address": "0x" + CONTRACT.hex(), "storageKeys": [f"0x{slot:064x}"]}]
                made.append(world.note(name, slot, dice.randrange(20), kind=dice.choice((1, 2)), access=access))
            case _:
                made.append(world.note(name, slot, dice.randrange(20), dice.randbytes(dice.randrange(64)), kind=kind))
    return made


def test_sixty_transactions_in_three_blocks_have_anvils_roots_and_hashes(anvil: Anvil) -> None:
    world = World()
    dice = random.Random(20)
    for number, later in ((5, 1), (35, 0), (20, 3600)):
        executed = world.run(transactions(world, dice, number), world.head.timestamp + later)
        header = executed.block.header
        theirs = anvil.mine(executed.block.transactions, header)
        assert len(theirs["transactions"]) == number
        for ours, field in FIELDS.items():
            assert bytes_or_number(theirs[field], getattr(header, ours)) == getattr(header, ours), (number, ours)
        # its genesis block lies about the state root, so the parent's hash differs; everything else is hashed alike
        parent = bytes.fromhex(theirs["parentHash"][2:])
        mixed = bytes.fromhex(theirs["mixHash"][2:])
        rebuilt = Header(**{name: getattr(header, name) for name in FIELDS}, parent_hash=parent, mix_hash=mixed)
        assert "0x" + rebuilt.hash.hex() == theirs["hash"]
        reasons = {receipt.status for receipt in executed.receipts}
        assert reasons == {0, 1} or number == 5


def test_raw_blocks_are_what_anvil_sends(anvil: Anvil) -> None:
    world = World()
    executed = world.run([world.note("ada", 3, 4, kind=kind) for kind in (0, 1, 2)])
    anvil.mine(executed.block.transactions, executed.block.header)
    sent = bytes.fromhex(anvil.call("debug_getRawBlock", "latest")[2:])
    assert executed.block.decode(sent).transactions == executed.block.transactions
    assert sent == executed.block.decode(sent).encode()


@pytest.mark.parametrize("name", ["take()", "note(uint256,uint256,bytes)"])
def test_proofs_are_anvils(anvil: Anvil, name: str) -> None:
    world = World()
    raw = world.note("ada", 9, 8) if name != "take()" else world.sign("ada", CONTRACT, data_of(name), value=3)
    executed = world.run([raw])
    anvil.mine(executed.block.transactions, executed.block.header)
    slot = 0
    theirs = anvil.call("eth_getProof", "0x" + CONTRACT.hex(), [hex(slot)], "latest")
    ours = world.executor.proof(world.head, CONTRACT, [slot])
    assert [bytes.fromhex(node[2:]) for node in theirs["accountProof"]] == list(ours.nodes)
    assert theirs["storageHash"] == "0x" + ours.storage_hash.hex()
    assert [bytes.fromhex(node[2:]) for node in theirs["storageProof"][0]["proof"]] == list(ours.storage[0].nodes)
    assert int(theirs["storageProof"][0]["value"], 16) == ours.storage[0].value
