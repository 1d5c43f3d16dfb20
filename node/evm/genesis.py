"""Block 0: accounts put into an empty state, and the contract's own constructor to fill them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import rlp
from eth.constants import CREATE_CONTRACT_ADDRESS
from eth.db.atomic import AtomicDB
from eth.vm.forks.cancun.state import CancunState
from eth.vm.message import Message
from eth.vm.transaction_context import BaseTransactionContext

from node.blocks import COINBASE, GAS_LIMIT, Block, ExecutedBlock, Header, WrongField
from node.evm.builder import reason_of
from node.evm.hashing import keccak
from node.evm.state import Nothing, Pending, context_of, keep, open_state
from node.evm.transactions import InvalidTransaction
from node.evm.trie import Trie

GENESIS_GAS: Final = 10**12
"""Gas of the constructor: it writes every member and rule."""

Alloc = Sequence[tuple[bytes, int, bytes, dict[int, int]]]
"""Accounts: address, balance in wei, code, storage."""


def genesis_block(alloc: Alloc, timestamp: int, chain_id: int) -> ExecutedBlock:
    """Return block 0 from accounts; one with code gets nonce 1 (EIP-161)."""
    pending = Pending(Nothing())
    header = Header(parent_hash=bytes(32), timestamp=timestamp)
    state = open_state(pending, header, chain_id, ())
    for address, balance, code, storage in alloc:
        state.set_balance(address, balance)
        if code:
            state.set_code(address, code)
            state.set_nonce(address, 1)
        for slot, value in storage.items():
            state.set_storage(address, slot, value)
    return ExecutedBlock(Block(replace(header, state_root=keep(state))), (), pending.writes)


def with_storage(executed: ExecutedBlock, address: bytes, root: bytes) -> ExecutedBlock:
    """Return block 0 with the storage of an account, empty so far, replaced by one that lies in the store already."""
    tries = Trie(executed.writes.__getitem__)
    key = keccak(address).hex()
    nonce, balance, _, code = rlp.decode(tries.get(executed.block.header.state_root, key))
    account = rlp.encode([nonce, balance, root, code])
    header = replace(executed.block.header, state_root=tries.update(executed.block.header.state_root, [(key, account)]))
    nodes = {name: raw for name, raw in executed.writes.items() if name not in tries.dead}
    return ExecutedBlock(Block(header), (), nodes | tries.born, {}, ())  # counted here: the storage is not walked


def geth_block(document: Mapping[str, Any]) -> ExecutedBlock:
    """Return block 0 of a genesis file in the form of geth and anvil.

    Raises:
        WrongField: a header field is not what this chain fixes.
    """
    coinbase = int.from_bytes(COINBASE, "big")
    fixed = {"gasLimit": GAS_LIMIT, "difficulty": 0, "nonce": 0, "baseFeePerGas": 0, "coinbase": coinbase}
    for name, wanted in fixed.items():
        found = _number(document.get(name, "0x0"))
        if found != wanted:
            raise WrongField(0, name, found, wanted)
    alloc = [
        (
            bytes.fromhex(address.removeprefix("0x")),
            _number(account.get("balance", "0x0")),
            bytes.fromhex(account.get("code", "0x").removeprefix("0x")),
            {_number(slot): _number(value) for slot, value in account.get("storage", {}).items()},
        )
        for address, account in document["alloc"].items()
    ]
    return genesis_block(alloc, _number(document["timestamp"]), document["config"]["chainId"])


def _number(text: str | int) -> int:
    return int(text, 16) if isinstance(text, str) else text


class _RecordingState(CancunState):  # type: ignore[misc]  # py-evm's base is untyped
    """Remembers which slots were written: a trie of hashed keys cannot tell."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.written: set[tuple[bytes, int]] = set()

    def set_storage(self, address: bytes, slot: int, value: int) -> None:
        """Write a word and remember where."""
        self.written.add((address, slot))
        super().set_storage(address, slot, value)


def run_constructor(creation: bytes, address: bytes, *, timestamp: int, chain_id: int) -> tuple[bytes, dict[int, int]]:
    """Run creation code, constructor arguments behind it, at an address on an empty state.

    Returns:
        Runtime code, immutables filled in, and the storage it left.

    Raises:
        InvalidTransaction: the constructor reverts, or makes accounts of its own, which block 0 would not hold.
    """
    header = Header(parent_hash=bytes(32), timestamp=timestamp)
    state = _RecordingState(AtomicDB(Pending(Nothing())), context_of(header, chain_id, ()), header.state_root)
    message = Message(
        gas=GENESIS_GAS, to=CREATE_CONTRACT_ADDRESS, sender=bytes(20), value=0, data=b"", code=creation,
        create_address=address,
    )  # fmt: skip
    computation = state.computation_class.apply_create_message(state, message, BaseTransactionContext(0, bytes(20), []))
    reason = reason_of(computation)
    if reason is not None:
        raise InvalidTransaction(f"The constructor reverts: {reason}.", hint="Check the genesis file.")
    if computation.contracts_created != [address]:
        raise InvalidTransaction("The constructor makes other contracts.", hint="Block 0 holds one contract.")
    slots = sorted(slot for _, slot in state.written)
    found = {slot: state.get_storage(address, slot) for slot in slots}
    return state.get_code(address), {slot: value for slot, value in found.items() if value}
