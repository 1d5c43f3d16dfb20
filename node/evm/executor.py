"""Executes blocks and calls with py-evm, unmodified unless told, on Cancun, under our header rule (ADR 0003)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields, replace
from enum import StrEnum
from functools import partial
from typing import Final

from eth.exceptions import VMError
from eth.vm.forks.cancun.state import CancunState
from eth.vm.forks.cancun.transactions import CancunTransactionBuilder
from eth.vm.spoof import SpoofTransaction
from eth_utils.exceptions import ValidationError

from node.blocks import COINBASE, Block, ExecutedBlock, Header, WrongField, WrongTransaction
from node.evm.builder import BlockBuilder, TransactionResult, most_gas, reason_of
from node.evm.genesis import genesis_block, run_constructor, with_storage
from node.evm.loop import FastState
from node.evm.proofs import AccountProof, prove
from node.evm.slots import Caches
from node.evm.state import (
    MISSING_STATE,
    Nodes,
    Pending,
    Remembered,
    StateMaker,
    StatePruned,
    check_kept,
    nodes_of,
    open_state,
    state_change,
)
from node.evm.transactions import InvalidTransaction, decode
from node.evm.trie import Trie

__all__ = [
    "MISSING_STATE",
    "BlockBuilder",
    "Driver",
    "Executor",
    "InvalidTransaction",
    "Nodes",
    "StatePruned",
    "TransactionResult",
    "genesis_block",
    "nodes_of",
    "run_constructor",
    "state_change",
    "with_storage",
]

MAX_REFUND_SHARE: Final = 5
"""A refund is at most this part of the gas used (EIP-3529)."""
EXECUTED_FIELDS: Final = ("gas_used", "receipts_root", "bloom", "state_root")
"""Fields that execution gives, in the order in which a difference tells most."""
RULED_FIELDS: Final = tuple(each.name for each in fields(Header) if each.name not in EXECUTED_FIELDS)
"""Fields that parent, rules and body fix; the time may be later than the parent's, never earlier."""


class Driver(StrEnum):
    """What executes: py-evm as it is, or with opcode loop, storage and tries replaced (`node.evm.loop`)."""

    PLAIN = "plain"
    FAST = "fast"


class Executor:
    """Executes on states that lie in a store of trie nodes."""

    def __init__(
        self,
        nodes: Nodes,
        chain_id: int,
        hashes: Callable[[int], Iterator[bytes]] | None = None,
        driver: Driver = Driver.PLAIN,
    ) -> None:
        """Take the store, the EIP-155 chain id, what yields the hashes of the blocks below a height, and the driver."""
        self._caches = Caches() if driver is Driver.FAST else None
        self._driver: StateMaker = partial(FastState, caches=self._caches) if self._caches else CancunState
        self._nodes = nodes
        self._remembered = nodes if self._caches else Remembered(nodes)
        self.chain_id = chain_id
        self._hashes = hashes or _no_hashes

    def warm(self, header: Header, address: bytes) -> None:
        """Load the top of an account's storage, so that the first blocks are as fast as later ones.

        The unmodified driver remembers no decoded nodes from block to block, only the bytes of what it read.
        """
        if self._caches:
            root = self.proof(header, address, ()).storage_hash
            Trie(Pending(self._nodes).__getitem__, self._caches.nodes).warm(root)

    def build(self, parent: Header, timestamp: int) -> BlockBuilder:
        """Start a block on a parent."""
        hashes = self._hashes(parent.number + 1)
        return BlockBuilder(self._remembered, self.chain_id, parent, timestamp, hashes, self._driver)

    def execute(self, parent: Header, timestamp: int, transactions: Sequence[bytes]) -> ExecutedBlock:
        """Return the block of transactions on a parent.

        Raises:
            InvalidTransaction: one of them may not enter it.
        """
        builder = self.build(parent, timestamp)
        for raw in transactions:
            builder.apply(raw)
        return builder.close()

    def validate(self, parent: Header, block: Block) -> ExecutedBlock:
        """Execute a block again and compare every field of its header.

        What parent, rules and body fix is compared before anything is executed, so that an altered body is named as
        such; then what execution gives.

        Raises:
            WrongField: names the first field that differs.
            WrongTransaction: names a transaction that may not stand in the block.
        """
        header = block.header
        builder = self.build(parent, header.timestamp)
        ruled = replace(builder.header, transactions_root=builder.root_of(block.transactions))
        _compare(header, ruled, RULED_FIELDS)
        for index, raw in enumerate(block.transactions):
            try:
                builder.apply(raw)
            except InvalidTransaction as error:
                raise WrongTransaction(header.number, index, error.detail) from error
        executed = builder.close()
        _compare(header, executed.block.header, EXECUTED_FIELDS)
        return executed

    def _state(self, header: Header) -> CancunState:
        check_kept(self._nodes, header)
        return open_state(Pending(self._nodes), header, self.chain_id, self._hashes(header.number), self._driver)

    def call(
        self,
        header: Header,
        to: bytes | None,
        data: bytes,
        sender: bytes = COINBASE,
        value: int = 0,
        gas: int | None = None,
    ) -> TransactionResult:
        """Execute a message on the state of a block; nothing is kept. It gets no more gas than a transaction.

        Raises:
            InvalidTransaction: it cannot be tried (funds, gas below what its bytes cost).
        """
        most = most_gas(to)
        return self._call(header, to, data, sender, value, most if gas is None else min(gas, most))[0]

    def _call(
        self, header: Header, to: bytes | None, data: bytes, sender: bytes, value: int, gas: int
    ) -> tuple[TransactionResult, int]:
        """Return the result and the gas used before refunds."""
        state = self._state(header)
        transaction = CancunTransactionBuilder.create_unsigned_transaction(
            nonce=state.get_nonce(sender), gas_price=0, gas=gas, to=to or b"", value=value, data=data
        )
        try:
            computation = state.costless_execute_transaction(SpoofTransaction(transaction, from_=sender))
        except (ValidationError, VMError) as error:
            raise InvalidTransaction(f"{error}.", hint="Check sender, value and gas.") from error
        used: int = transaction.gas - computation.get_gas_remaining()
        refund = min(computation.get_gas_refund(), used // MAX_REFUND_SHARE)
        return TransactionResult(reason_of(computation), computation.output, used - refund, ()), used

    def estimate_gas(self, header: Header, to: bytes | None, data: bytes, sender: bytes, value: int = 0) -> int:
        """Return gas that suffices, tried out: what the call uses before refunds and, if inner calls need more, more.

        An inner call gets 63/64 of what is left (EIP-150), so what is used at the top may not suffice below.

        Raises:
            InvalidTransaction: the call reverts.
        """
        most = most_gas(to)
        result, enough = self._call(header, to, data, sender, value, most)
        if result.reason is not None:
            raise InvalidTransaction(f"The call reverts: {result.reason}.", hint="Mend what the reason names.")
        while enough < most and self.call(header, to, data, sender, value, enough).reason is not None:
            enough += enough // 16
        return min(enough, most)

    def proof(self, header: Header, address: bytes, slots: Sequence[int]) -> AccountProof:
        """Return the Merkle proof of an account and slots against a block's state root (EIP-1186)."""
        return prove(self._nodes, header, address, slots)

    def storage(self, header: Header, address: bytes, slot: int) -> int:
        """Return a word of storage."""
        value: int = self._state(header).get_storage(address, slot)
        return value

    def reader(self, header: Header) -> Callable[[bytes, int], int]:
        """Return a function that reads words of storage of one state."""
        get: Callable[[bytes, int], int] = self._state(header).get_storage
        return get

    def sender(self, raw: bytes) -> bytes:
        """Return who signed a transaction that stands in a block."""
        sender: bytes = decode(raw).sender
        return sender

    def account(self, header: Header, address: bytes) -> tuple[int, int, bytes]:
        """Return nonce, balance and code of an account."""
        state = self._state(header)
        return state.get_nonce(address), state.get_balance(address), state.get_code(address)


def _no_hashes(height: int) -> Iterator[bytes]:  # noqa: ARG001  # what a chain gives for a height
    return iter(())


def _compare(header: Header, expected: Header, names: Iterable[str]) -> None:
    for name in names:
        found, wanted = getattr(header, name), getattr(expected, name)
        if found != wanted:
            raise WrongField(expected.number, name, found, wanted)
