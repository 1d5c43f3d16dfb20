"""Random EVM programs that change state, and blocks of transactions that run them, executed by a driver."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any, Final

from eth.db.atomic import AtomicDB
from eth.vm.forks.cancun.transactions import CancunTransactionBuilder
from eth.vm.spoof import SpoofTransaction
from eth_hash.auto import keccak
from eth_utils.exceptions import ValidationError

from node.blocks import EMPTY_ROOT, Header
from node.evm.loop import FastState
from node.evm.state import Pending, StateMaker, context_of, state_change

SENDER: Final = b"\x0c" * 20
CONTRACTS: Final = tuple(bytes([0xA0 + place]) * 20 for place in range(4))
PLACES: Final = (*CONTRACTS, SENDER, b"\x0d" * 20, bytes(19) + b"\x04", bytes(19) + b"\x02")
"""Whom programs call, pay and look at: contracts, an account, an empty one, precompiles."""
SSTORE, SLOAD, TSTORE, TLOAD, CALL, CALLCODE, DELEGATECALL, STATICCALL = 0x55, 0x54, 0x5D, 0x5C, 0xF1, 0xF2, 0xF4, 0xFA
CREATE, CREATE2, SELFDESTRUCT, REVERT, RETURN, INVALID, STOP = 0xF0, 0xF5, 0xFF, 0xFD, 0xF3, 0xFE, 0x00
GAS, POP, MSTORE, LOG1, JUMPI, JUMPDEST, CALLDATASIZE, ISZERO = 0x5A, 0x50, 0x52, 0xA1, 0x57, 0x5B, 0x36, 0x15


def push(value: int) -> bytes:
    """Return the shortest push."""
    data = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return bytes([0x5F + len(data)]) + data


def pushes(*values: int) -> bytes:
    """Return pushes of which the last ends on top."""
    return b"".join(push(value) for value in values)


def store(dice: random.Random) -> bytes:
    """Return code that writes a word, often zero, now and then the gas that is left."""
    word = bytes([GAS]) if dice.random() < 0.2 else push(dice.choice([0, 0, 1, 2, 2**255]))
    return word + push(dice.randrange(4)) + bytes([SSTORE])


def call(dice: random.Random) -> bytes:
    """Return code that calls someone, sometimes what it made itself, and keeps what came of it."""
    kind = dice.choice([CALL, CALL, CALLCODE, DELEGATECALL, STATICCALL])
    values = [dice.choice([0, 0, 1, 11])] if kind in (CALL, CALLCODE) else []
    code = pushes(0, 0, dice.choice([0, 1, 40]), 0, *values)
    target = push(9) + bytes([SLOAD]) if dice.random() < 0.3 else b"\x73" + dice.choice(PLACES)
    gas = bytes([GAS]) if dice.random() < 0.5 else push(dice.choice([0, 3_000, 30_000, 100_000]))
    end = push(dice.randrange(4)) + bytes([SSTORE]) if dice.random() < 0.5 else bytes([POP])
    return code + target + gas + bytes([kind]) + end


def creation(dice: random.Random, depth: int) -> bytes:
    """Return code that makes a contract whose creation writes, calls back, kills itself, fails or leaves code."""
    inner = program(dice, depth + 1)[:28]
    left = dice.choice([b"", bytes([GAS]) + push(0) + bytes([SSTORE]), b"\x33\xff", b"\x30\xff", push(0) + b"\x52"])
    initial = (left + inner)[:32] if dice.random() < 0.5 else _returning(dice, left)
    code = b"\x7f" + initial.ljust(32, b"\0") + push(0) + bytes([MSTORE])
    salted = dice.random() < 0.6
    code += (push(dice.randrange(2)) if salted else b"") + push(32) + push(0) + push(dice.choice([0, 0, 1]))
    return code + bytes([CREATE2 if salted else CREATE]) + push(9) + bytes([SSTORE])


def _returning(dice: random.Random, first: bytes) -> bytes:
    """Return creation code that leaves a few bytes of runtime code."""
    runtime = dice.choice([b"\x33\xff", b"\x5f\x5f\x55", b"\x5a\x60\x02\x55", b"\x5f\x5f\xfd", b"\x60\x01\x5f\x55"])
    size = len(runtime)
    return first[:10] + bytes([0x5F + size]) + runtime + push(0) + bytes([MSTORE]) + pushes(size, 32 - size) + b"\xf3"


def program(dice: random.Random, depth: int = 0) -> bytes:
    """Return code of a dozen pieces that mostly work."""
    code = bytearray()
    for _ in range(dice.randint(1, 12)):
        what = dice.random()
        if what < 0.35:
            code += store(dice)
        elif what < 0.45:
            code += push(dice.randrange(4)) + bytes([SLOAD]) + push(dice.randrange(4)) + bytes([SSTORE])
        elif what < 0.55:
            code += push(dice.randrange(3)) + push(dice.randrange(2)) + bytes([TSTORE])
            code += push(dice.randrange(2)) + bytes([TLOAD]) + push(dice.randrange(4)) + bytes([SSTORE])
        elif what < 0.75:
            code += call(dice)
        elif what < 0.82 and depth < 2:
            code += creation(dice, depth)
        elif what < 0.86:
            code += b"\x73" + dice.choice(PLACES) + bytes([dice.choice([0x31, 0x3F, 0x3B])]) + push(3) + bytes([SSTORE])
        elif what < 0.90:
            code += push(dice.randrange(9)) + pushes(7, 0) + bytes([LOG1])
        elif what < 0.95:  # over the next piece or not, by the data
            skipped = store(dice)
            target = len(code) + 4 + len(skipped)
            code += bytes([CALLDATASIZE, 0x60, target & 255, JUMPI]) + skipped + bytes([JUMPDEST])
        else:
            code += _end(dice)
    return bytes(code) + (_end(dice) if dice.random() < 0.5 else b"")


def _end(dice: random.Random) -> bytes:
    if dice.random() < 0.2:
        return b"\x73" + dice.choice(PLACES) + bytes([SELFDESTRUCT])
    return dice.choice(
        [bytes([STOP]), bytes([INVALID]), pushes(0, 0) + bytes([REVERT]), pushes(64, 0) + bytes([RETURN])]
    )


@dataclass
class Ground:
    """A chain of states in memory, one block on the other, by any driver.

    Attributes:
        nodes: trie nodes and code by hash.
    """

    nodes: dict[bytes, bytes] = field(default_factory=dict)
    root: bytes = EMPTY_ROOT
    height: int = 0

    def node(self, key: bytes) -> bytes | None:
        return self.nodes.get(key)

    def execute(self, make: StateMaker, work: Any) -> tuple[Any, Any]:
        """Let `work` change a state; keep the block. Return what it returned, and the nodes that came and went."""
        pending = Pending(self)
        header = Header(parent_hash=bytes(32), number=self.height + 1, timestamp=1_700_000_000 + self.height)
        hashes = [bytes([height & 255]) * 32 for height in range(self.height, -1, -1)]
        state = make(AtomicDB(pending), context_of(header, 4242, hashes), self.root)
        told = work(state)
        state.lock_changes()
        root = state.make_state_root()
        state.persist()
        change = state_change(self, pending.writes, self.root, root)
        if isinstance(state, FastState):
            assert state.again == change.again
            assert sorted(state.dead) == sorted(change.dead)
            assert all(keccak(raw) == key for key, raw in pending.writes.items())
        self.nodes |= pending.writes
        self.root, self.height = root, self.height + 1
        return told, (root, change.writes)


def settle(codes: dict[bytes, bytes], dice: random.Random) -> Any:
    """Return the work of the first block: accounts with code, balance and words."""
    words = [(address, dice.randrange(4), dice.randrange(3)) for address in codes for _ in range(3)]

    def work(state: Any) -> None:
        state.set_balance(SENDER, 10**18)
        for address, code in codes.items():
            state.set_code(address, code)
            state.set_nonce(address, 1)
            state.set_balance(address, 10)
        for address, slot, value in words:
            state.set_storage(address, slot, value)

    return work


def transactions(dice: random.Random) -> Any:
    """Return the work of a block: some transactions, each told by all that anyone could see of it."""
    listed = [
        (
            dice.choice([*CONTRACTS, *CONTRACTS, b""]),
            dice.randbytes(dice.choice([0, 0, 4, 40])),
            dice.choice([22_000, 60_000, 200_000, 1_000_000]),
            dice.choice([0, 0, 1]),
            program(dice, 1),
            dice.random() < 0.5,
        )
        for _ in range(dice.randint(1, 4))
    ]
    return lambda state: [_transact(state, *each) for each in listed]


def _transact(state: Any, to: bytes, data: bytes, gas: int, value: int, initial: bytes, undone: bool) -> Any:
    transaction = CancunTransactionBuilder.create_unsigned_transaction(
        nonce=state.get_nonce(SENDER), gas_price=0, gas=gas, to=to, value=value, data=data if to else initial
    )
    state.lock_changes()
    snapshot = state.snapshot()
    try:
        done = state.apply_transaction(SpoofTransaction(transaction, from_=SENDER))
    except ValidationError as error:
        return str(error)
    logs = [] if done.is_error else done.get_log_entries()
    refund = 0 if done.is_error else done.get_gas_refund()
    told = (done.is_error, done.get_gas_remaining(), done.output, logs, refund, sorted(done.contracts_created))
    if undone and done.is_error:  # as a sealer does with a batch that reverts
        state.revert(snapshot)
    return told
