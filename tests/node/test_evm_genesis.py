"""Block 0, the constructor that fills it, and roots that do not depend on optional wheels."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import vyper
from eth_abi.abi import encode

from ledger.commitments import LedgerDomain
from node.blocks import COINBASE, GAS_LIMIT, WrongField
from node.evm.genesis import geth_block, run_constructor
from node.evm.transactions import InvalidTransaction
from node.genesis import execute_genesis, geth_genesis
from tests.contract.world import genesis
from tests.e2e.test_sample_day import OPTIONAL
from tests.node.evm_world import CHAIN_ID, CONTRACT, LABEL, T0, World, deployed, document


def test_block_zero_is_what_the_file_says() -> None:
    executed = geth_block(document())
    header = executed.block.header
    assert (header.number, header.timestamp, header.gas_limit, header.parent_hash) == (0, T0, GAS_LIMIT, bytes(32))
    assert executed.block.transactions == executed.receipts == ()
    world = World()
    assert world.executor.account(header, CONTRACT) == (1, 0, deployed()[0])
    assert world.executor.account(header, COINBASE) == (0, 1, b"")
    assert geth_block(document()) == executed


def test_the_ledgers_genesis_is_its_geth_file() -> None:
    made = execute_genesis(genesis())
    assert geth_block(geth_genesis(genesis())).block == made.block
    assert LedgerDomain(genesis().chain_id, CONTRACT).chain_id == geth_genesis(genesis())["config"]["chainId"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("gasLimit", "0x1"), ("difficulty", "0x1"), ("baseFeePerGas", "0x7"), ("nonce", "0x42"), ("coinbase", "0x0")],
)
def test_a_file_with_another_rule_is_refused_by_name(name: str, value: str) -> None:
    changed: dict[str, Any] = document() | {name: value}
    with pytest.raises(WrongField) as refusal:
        geth_block(changed)
    assert refusal.value.field == name


@pytest.mark.parametrize("change", ["balance", "code", "storage", "timestamp"])
def test_every_entry_of_the_file_moves_the_hash(change: str) -> None:
    changed = document()
    account = changed["alloc"]["0x" + CONTRACT.hex()]
    match change:
        case "timestamp":
            changed["timestamp"] = hex(T0 + 1)
        case "storage":
            account["storage"] |= {"0x" + "07" * 32: "0x1"}
        case _:
            account[change] = "0x01"
    assert geth_block(changed).block.hash != geth_block(document()).block.hash


def test_a_constructor_leaves_immutables_and_storage_without_zeros() -> None:
    code, storage = deployed()
    assert LABEL.to_bytes(32, "big") in code
    assert list(storage.values()) == [LABEL]


def compiled(source: str, *arguments: int) -> bytes:
    output = vyper.compile_code(source, output_formats=["bytecode"])
    return bytes.fromhex(output["bytecode"][2:]) + encode(["uint256"] * len(arguments), arguments)


def test_a_constructor_that_reverts_says_why() -> None:
    source = '@deploy\ndef __init__(n: uint256):\n    assert n > 3, "genesis: too few"\n'
    with pytest.raises(InvalidTransaction, match="genesis: too few"):
        run_constructor(compiled(source, 3), CONTRACT, timestamp=T0, chain_id=CHAIN_ID)


def test_a_constructor_may_not_make_accounts_that_block_zero_would_not_hold() -> None:
    source = "@deploy\ndef __init__():\n    x: address = create_minimal_proxy_to(self)\n"
    with pytest.raises(InvalidTransaction, match="other contracts"):
        run_constructor(compiled(source), CONTRACT, timestamp=T0, chain_id=CHAIN_ID)


def test_a_constructor_sees_time_and_chain() -> None:
    source = "a: uint256\nb: uint256\n@deploy\ndef __init__():\n    self.a = block.timestamp\n    self.b = chain.id\n"
    _, storage = run_constructor(compiled(source), CONTRACT, timestamp=T0, chain_id=CHAIN_ID)
    assert storage == {0: T0, 1: CHAIN_ID}


CHAIN = """
import sys
from importlib.machinery import PathFinder
blocked = set(sys.argv[1].split(","))
class Finder(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in blocked else super().find_spec(name, path, target)
sys.meta_path[sys.meta_path.index(PathFinder)] = Finder
from tests.node.evm_world import World, CONTRACT, ADDRESSES, data_of
world = World()
world.run([world.note("ada", 3, 4, kind=kind) for kind in (0, 1, 2)])
world.run([world.sign("ben", CONTRACT, data_of("fill(uint256,uint256)", 5, 40)),
           world.sign("cho", CONTRACT, data_of("undone(uint256)", 5)), world.sign("cho", ADDRESSES["duc"], value=3)])
world.run([world.sign("ben", CONTRACT, data_of("clear(uint256,uint256)", 5, 30))])
print(",".join(sorted(blocked & {name.partition(".")[0] for name in sys.modules})) or "none")
print(*(header.hash.hex() for header in world.headers))
"""


def hashes(blocked: str) -> tuple[str, str]:
    """Return which of the blocked modules are loaded all the same, and block hashes, of a chain in another process."""
    environment = {key: value for key, value in os.environ.items() if key != "ETH_HASH_BACKEND"}
    done = subprocess.run(
        [sys.executable, "-c", CHAIN, blocked],
        capture_output=True, text=True, check=True, env=environment, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    loaded, found = done.stdout.splitlines()
    return loaded, found


@pytest.mark.slow
def test_roots_are_the_same_without_optional_wheels() -> None:
    _, with_them = hashes("")
    loaded, without = hashes(",".join(OPTIONAL))
    assert loaded == "none"
    assert with_them == without
    assert with_them.count(" ") == 3
