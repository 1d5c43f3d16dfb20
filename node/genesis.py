"""Block 0: the genesis file's members and rules, put into state by the contract's own constructor."""

from __future__ import annotations

from typing import Any

from ledger.chain.calls import constructor_data
from ledger.genesis import CONTRACT, Genesis
from node.blocks import COINBASE, GAS_LIMIT, ExecutedBlock
from node.evm.executor import genesis_block, run_constructor, with_storage


def execute_genesis(genesis: Genesis) -> ExecutedBlock:
    """Return block 0 of a genesis file.

    Raises:
        InvalidTransaction: the constructor refuses it.
    """
    code, storage = contract(genesis)
    if genesis.bench is None:
        return _block(genesis, code, storage)
    return with_storage(_block(genesis, code, {}), CONTRACT, bytes.fromhex(genesis.bench.storage_root))


def _block(genesis: Genesis, code: bytes, storage: dict[int, int]) -> ExecutedBlock:
    alloc = [(COINBASE, 1, b"", {}), (CONTRACT, 0, code, storage)]
    return genesis_block(alloc, genesis.timestamp, genesis.chain_id)


def contract(genesis: Genesis) -> tuple[bytes, dict[int, int]]:
    """Return the contract's code, and the storage that its constructor leaves."""
    creation = bytes.fromhex(genesis.code.creation) + constructor_data(*genesis.constructor())
    return run_constructor(creation, CONTRACT, timestamp=genesis.timestamp, chain_id=genesis.chain_id)


def geth_genesis(genesis: Genesis) -> dict[str, Any]:
    """Return block 0 in the form that geth and anvil read (`--init`)."""
    code, storage = contract(genesis)
    forks = (
        "homesteadBlock eip150Block eip155Block eip158Block byzantiumBlock constantinopleBlock petersburgBlock "
        "istanbulBlock berlinBlock londonBlock terminalTotalDifficulty shanghaiTime cancunTime"
    )
    return {
        "config": {"chainId": genesis.chain_id} | dict.fromkeys(forks.split(), 0),
        "nonce": "0x0",
        "timestamp": hex(genesis.timestamp),
        "extraData": "0x",
        "gasLimit": hex(GAS_LIMIT),
        "difficulty": "0x0",
        "mixHash": "0x" + bytes(32).hex(),
        "coinbase": "0x" + COINBASE.hex(),
        "baseFeePerGas": "0x0",
        "alloc": {
            "0x" + COINBASE.hex(): {"balance": "0x1"},
            "0x" + CONTRACT.hex(): {
                "balance": "0x0",
                "nonce": "0x1",
                "code": "0x" + code.hex(),
                "storage": {f"0x{slot:064x}": f"0x{value:064x}" for slot, value in sorted(storage.items())},
            },
        },
    }
