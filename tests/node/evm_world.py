"""A chain below the ledger: a few accounts, a small contract that tries what an EVM can do, signed transactions."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import vyper
from eth_abi.abi import decode, encode
from eth_account import Account
from eth_hash.auto import keccak

from node.blocks import COINBASE, GAS_LIMIT, Block, ExecutedBlock, Header
from node.evm.executor import Driver, Executor
from node.evm.genesis import geth_block, run_constructor

CHAIN_ID: Final = 7_202_611
T0: Final = 1_760_000_400
GAS: Final = 3_000_000
CONTRACT: Final = bytes.fromhex("00000000000000000000000000000000000c0de5")
NOBODY: Final = bytes.fromhex("00000000000000000000000000000000000000b0")
LABEL: Final = 41
NAMES: Final = ("ada", "ben", "cho", "duc", "eva")
ACCOUNTS: Final = {name: Account.from_key(keccak(b"evm world " + name.encode())) for name in NAMES}
ADDRESSES: Final = {name: bytes.fromhex(account.address[2:]) for name, account in ACCOUNTS.items()}
WEI: Final = 10**18

SOURCE: Final = """
# pragma version 0.4.3
# pragma evm-version cancun
event Noted:
    who: indexed(address)
    slot: indexed(uint256)
    text: Bytes[64]

interface Self:
    def note(slot: uint256, word: uint256, text: Bytes[64]): nonpayable

LABEL: immutable(uint256)
words: public(HashMap[uint256, uint256])
count: public(uint256)
seen: transient(uint256)

@deploy
def __init__(label: uint256):
    LABEL = label
    self.words[0] = label
    self.words[1] = 5
    self.words[1] = 0

@external
@view
def label() -> uint256:
    return LABEL

@external
def note(slot: uint256, word: uint256, text: Bytes[64]):
    assert word != 13, "note: unlucky"
    self.words[slot] = word
    self.count += 1
    self.seen += 1
    assert self.seen < 3, "note: transient words outlive a transaction"
    log Noted(who=msg.sender, slot=slot, text=text)

@external
def clear(first: uint256, number: uint256):
    for i: uint256 in range(number, bound=64):
        self.words[first + i] = 0

@external
def fill(first: uint256, number: uint256):
    for i: uint256 in range(number, bound=64):
        self.words[first + i] = i + 1

@external
def undone(slot: uint256):
    self.words[slot] = 99
    self.seen += 2
    log Noted(who=msg.sender, slot=slot, text=b"never")
    raise "note: undone"

@external
def spin():
    for i: uint256 in range(1_000_000_000):
        self.words[i] = i

@external
def deep(target: address, depth: uint256):
    if depth == 0:
        extcall Self(target).note(7, 7, b"deep")
    else:
        extcall Self(self).note(depth, depth, b"")
        raw_call(target, abi_encode(target, depth - 1, method_id=method_id("deep(address,uint256)")))

@external
@view
def ancestor(height: uint256) -> bytes32:
    return blockhash(height)

@external
@view
def around() -> (uint256, uint256, address, uint256, uint256, bytes32, uint256):
    return (block.timestamp, block.number, block.coinbase, block.basefee, block.gaslimit, block.prevhash, chain.id)

@external
@payable
def take():
    pass
"""


@cache
def creation() -> bytes:
    """Return the contract's creation code with its argument."""
    output = vyper.compile_code(SOURCE, output_formats=["bytecode"])
    return bytes.fromhex(output["bytecode"][2:]) + encode(["uint256"], [LABEL])


@cache
def deployed() -> tuple[bytes, dict[int, int]]:
    """Return runtime code and storage."""
    return run_constructor(creation(), CONTRACT, timestamp=T0, chain_id=CHAIN_ID)


def document() -> dict[str, Any]:
    """Return the genesis file in the form of geth and anvil."""
    code, storage = deployed()
    accounts: dict[str, Any] = {"0x" + address.hex(): {"balance": hex(WEI)} for address in ADDRESSES.values()}
    accounts["0x" + COINBASE.hex()] = {"balance": "0x1"}
    accounts["0x" + CONTRACT.hex()] = {
        "balance": "0x0",
        "nonce": "0x1",
        "code": "0x" + code.hex(),
        "storage": {f"0x{slot:064x}": f"0x{value:064x}" for slot, value in storage.items()},
    }
    forks = (
        "homesteadBlock eip150Block eip155Block eip158Block byzantiumBlock constantinopleBlock petersburgBlock "
        "istanbulBlock berlinBlock londonBlock terminalTotalDifficulty shanghaiTime cancunTime"
    )
    return {
        "config": {"chainId": CHAIN_ID} | dict.fromkeys(forks.split(), 0),
        "nonce": "0x0",
        "timestamp": hex(T0),
        "extraData": "0x",
        "gasLimit": hex(GAS_LIMIT),
        "difficulty": "0x0",
        "mixHash": "0x" + bytes(32).hex(),
        "coinbase": "0x" + COINBASE.hex(),
        "baseFeePerGas": "0x0",
        "alloc": accounts,
    }


def data_of(signature: str, *values: Any) -> bytes:
    """Return the data of a call."""
    types = [each for each in signature[signature.index("(") + 1 : -1].split(",") if each]
    return keccak(signature.encode())[:4] + encode(types, values)


def words_of(output: bytes, *types: str) -> tuple[Any, ...]:
    """Return the values that a call returned."""
    return decode(types, output)


class World:
    """Blocks in memory, executed one on the other."""

    def __init__(self, driver: Driver = Driver.PLAIN) -> None:
        self.writes: dict[bytes, bytes] = {}
        self.headers: list[Header] = []
        self.nonces = dict.fromkeys(NAMES, 0)
        self.executor = Executor(self, CHAIN_ID, self._hashes_below, driver)
        self.keep(geth_block(document()))

    def node(self, key: bytes) -> bytes | None:
        return self.writes.get(key)

    def _hashes_below(self, height: int) -> Any:
        return (header.hash for header in reversed(self.headers[:height]))

    @property
    def head(self) -> Header:
        return self.headers[-1]

    def keep(self, executed: ExecutedBlock) -> Block:
        self.writes |= executed.writes
        self.headers.append(executed.block.header)
        return executed.block

    def sign(self, name: str, to: bytes | None, data: bytes = b"", **fields: Any) -> bytes:
        """Return a signed transaction at the next nonce of an account; `kind` 0, 1 or 2 (EIP-2718)."""
        kind = fields.pop("kind", 0)
        body: dict[str, Any] = {"nonce": self.nonces[name], "gas": GAS, "value": 0, "data": data, "chainId": CHAIN_ID}
        if to is not None:
            body["to"] = to
        body |= {"maxFeePerGas": 0, "maxPriorityFeePerGas": 0} if kind == 2 else {"gasPrice": 0}
        if kind:
            body |= {"type": kind, "accessList": fields.pop("access", [])}
        signed = ACCOUNTS[name].sign_transaction(body | fields)
        self.nonces[name] += 1
        return bytes(signed.raw_transaction)

    def note(self, name: str, slot: int, value: int, text: bytes = b"note", **fields: Any) -> bytes:
        """Return a signed call that writes a word and logs."""
        return self.sign(name, CONTRACT, data_of("note(uint256,uint256,bytes)", slot, value, text), **fields)

    def run(self, transactions: list[bytes], timestamp: int | None = None) -> ExecutedBlock:
        """Execute and keep a block."""
        at = self.head.timestamp + 1 if timestamp is None else timestamp
        executed = self.executor.execute(self.head, at, transactions)
        self.keep(executed)
        return executed

    def word(self, slot: int, header: Header | None = None) -> int:
        """Return the contract's word at a slot, by a call."""
        result = self.executor.call(header or self.head, CONTRACT, data_of("words(uint256)", slot))
        value: int = words_of(result.output, "uint256")[0]
        return value
