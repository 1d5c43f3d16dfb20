"""Executes blocks with unmodified py-evm, on Cancun, under our header rule.

`MiningChain.mine_all(timestamp=...)` of py-evm 0.12.1b1 executes under the old header, so the state is driven here.
Base fee is 0 by rule (py-evm would raise it to 1 after a block over half full, and zero-price transactions would die).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Final, Protocol

import rlp
from eth.abc import SignedTransactionAPI
from eth.constants import BLANK_ROOT_HASH, CREATE_CONTRACT_ADDRESS
from eth.db.atomic import AtomicDB
from eth.db.backends.base import BaseDB
from eth.db.trie import make_trie_root_and_nodes
from eth.exceptions import UnrecognizedTransactionType
from eth.vm.execution_context import ExecutionContext
from eth.vm.forks.cancun import CancunVM
from eth.vm.forks.cancun.blocks import CancunBlockHeader
from eth.vm.forks.cancun.state import CancunState
from eth.vm.forks.cancun.transactions import CancunTransactionBuilder
from eth.vm.message import Message
from eth.vm.spoof import SpoofTransaction
from eth.vm.transaction_context import BaseTransactionContext
from eth_bloom import BloomFilter
from eth_keys.exceptions import BadSignature
from eth_utils import ValidationError

from ledger.domain.errors import LedgerError
from node.blocks import COINBASE, Block, ExecutedBlock, Header, Log, Receipt, WrongField, WrongTransaction

BLOB_TYPE: Final = 3
CALL_GAS: Final = 1_000_000_000
"""Gas a read-only call may use."""
GENESIS_GAS: Final = 10**12
EXECUTED_FIELDS: Final = ("transactions_root", "gas_used", "receipts_root", "bloom", "state_root")
"""Fields that execution gives, in the order in which a difference tells most."""
RULED_FIELDS: Final = tuple(each.name for each in fields(Header) if each.name not in EXECUTED_FIELDS)
"""Fields that parent and rules fix; the time may be later than the parent's, never earlier."""


class InvalidTransaction(LedgerError):
    """A transaction that may not enter a block."""

    code = "transaction.invalid"


class Nodes(Protocol):
    """Where trie nodes and code lie, by hash."""

    def node(self, key: bytes) -> bytes | None:
        """Return the bytes under a hash, or None."""
        ...


class _Pending(BaseDB):  # type: ignore[misc]  # py-evm's base is untyped
    """Reads see what a block wrote before the store; nothing is written through."""

    def __init__(self, nodes: Nodes) -> None:
        self.writes: dict[bytes, bytes] = {}
        self._node = nodes.node

    def __getitem__(self, key: bytes) -> bytes:
        value = self.writes.get(key)
        if value is None:
            value = self._node(key)
            if value is None:
                raise KeyError(key)
        return value

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self.writes[key] = value

    def __delitem__(self, key: bytes) -> None:
        self.writes.pop(key, None)

    def _exists(self, key: bytes) -> bool:
        return key in self.writes or self._node(key) is not None


@dataclass(frozen=True, slots=True)
class TransactionResult:
    """What a transaction or call came to.

    Attributes:
        reason: revert reason, None if it did not revert.
        output: what it returned.
    """

    reason: str | None
    output: bytes
    gas_used: int
    logs: tuple[Log, ...]


def _reason(output: bytes, error: object) -> str:
    if output[:4] == bytes.fromhex("08c379a0"):  # Error(string)
        size = int.from_bytes(output[36:68], "big")
        return output[68 : 68 + size].decode("utf-8", "replace")
    return "" if not output and type(error).__name__ == "Revert" else type(error).__name__


def _decode(raw: bytes) -> SignedTransactionAPI:
    try:
        if raw[:1] == bytes([BLOB_TYPE]):
            raise InvalidTransaction("Blob transactions are not taken.", hint="Send a transaction without blobs.")
        return CancunTransactionBuilder.decode(raw)
    except (rlp.DecodingError, rlp.exceptions.RLPException, ValidationError, UnrecognizedTransactionType) as error:
        raise InvalidTransaction("The bytes are no transaction.", hint="Send the raw signed bytes.") from error
    except (ValueError, TypeError, IndexError) as error:
        raise InvalidTransaction("The bytes are no transaction.", hint="Send the raw signed bytes.") from error


class BlockBuilder:
    """Executes transactions one by one on top of a parent and closes the block."""

    def __init__(self, nodes: Nodes, chain_id: int, parent: Header, timestamp: int, hashes: Iterable[bytes]) -> None:
        """Start a block. Its time never runs back: it is the later of the parent's and `timestamp`."""
        self._chain_id = chain_id
        self._pending = _Pending(nodes)
        self.header = Header(
            parent_hash=parent.hash,
            number=parent.number + 1,
            timestamp=max(parent.timestamp, timestamp),
            state_root=parent.state_root,
        )
        self._state = CancunState(AtomicDB(self._pending), _context(self.header, chain_id, hashes), parent.state_root)
        self._raw: list[bytes] = []
        self._typed: list[SignedTransactionAPI] = []
        self._receipts: list[Receipt] = []
        self._encoded_receipts: list[object] = []
        self._gas = 0

    @property
    def size(self) -> int:
        """Transactions so far."""
        return len(self._raw)

    def nonce(self, address: bytes) -> int:
        """Return the next nonce of an account, after the transactions so far."""
        nonce: int = self._state.get_nonce(address)
        return nonce

    def _checked(self, raw: bytes) -> SignedTransactionAPI:
        transaction = _decode(raw)
        if transaction.chain_id != self._chain_id:
            raise InvalidTransaction(
                f"The transaction is for chain {transaction.chain_id}, this is {self._chain_id}.",
                hint="Sign for this chain (EIP-155).",
            )
        if self._gas + transaction.gas > self.header.gas_limit:
            raise InvalidTransaction("The block is full.", hint="It goes into a later block.")
        try:
            transaction.validate()
            self._state.validate_transaction(transaction)
        except (ValidationError, BadSignature) as error:
            raise InvalidTransaction(f"{error}.", hint="Check nonce, gas and signature.") from error
        return transaction

    def apply(self, raw: bytes, *, keep_reverted: bool = True) -> TransactionResult:
        """Execute a transaction.

        Args:
            raw: signed transaction.
            keep_reverted: whether a transaction that reverts enters the block all the same.

        Raises:
            InvalidTransaction: it may not enter the block; nothing changed.
        """
        transaction = self._checked(raw)
        self._state.lock_changes()
        snapshot = self._state.snapshot()
        computation = self._state.apply_transaction(transaction)
        if computation.is_error and not keep_reverted:
            self._state.revert(snapshot)
            return TransactionResult(_reason(computation.output, computation._error), computation.output, 0, ())
        base = CancunBlockHeader(
            difficulty=0, block_number=self.header.number, gas_limit=self.header.gas_limit,
            timestamp=self.header.timestamp, gas_used=self._gas,
        )  # fmt: skip
        receipt = CancunVM.make_receipt(base, transaction, computation, self._state)
        logs = tuple(
            Log(log.address, tuple(topic.to_bytes(32, "big") for topic in log.topics), log.data) for log in receipt.logs
        )
        used = receipt.gas_used - self._gas
        self._gas = receipt.gas_used
        self._raw.append(raw)
        self._typed.append(transaction)
        self._encoded_receipts.append(receipt)
        self._receipts.append(
            Receipt(int(not computation.is_error), self._gas, used, receipt.bloom.to_bytes(256, "big"), logs)
        )
        reason = _reason(computation.output, computation._error) if computation.is_error else None
        return TransactionResult(reason, computation.output, used, logs)

    def close(self) -> ExecutedBlock:
        """Compute the roots and return the block. The builder is spent."""
        self._state.lock_changes()
        state_root = self._state.make_state_root()
        self._state.persist()
        transactions_root, _ = make_trie_root_and_nodes(self._typed)
        receipts_root, _ = make_trie_root_and_nodes(self._encoded_receipts)
        bloom = BloomFilter()
        for receipt in self._receipts:
            bloom |= int.from_bytes(receipt.bloom, "big")
        header = replace(
            self.header,
            state_root=state_root,
            transactions_root=transactions_root,
            receipts_root=receipts_root,
            bloom=int(bloom).to_bytes(256, "big"),
            gas_used=self._gas,
        )
        return ExecutedBlock(Block(header, tuple(self._raw)), tuple(self._receipts), self._pending.writes)


def _compare(header: Header, expected: Header, names: Iterable[str]) -> None:
    for name in names:
        found, wanted = getattr(header, name), getattr(expected, name)
        if found != wanted:
            raise WrongField(header.number, name, found, wanted)


def _context(header: Header, chain_id: int, hashes: Iterable[bytes]) -> ExecutionContext:
    return ExecutionContext(
        coinbase=header.coinbase,
        timestamp=header.timestamp,
        block_number=header.number,
        difficulty=header.difficulty,
        mix_hash=header.mix_hash,
        gas_limit=header.gas_limit,
        prev_hashes=hashes,
        chain_id=chain_id,
        base_fee_per_gas=header.base_fee,
        excess_blob_gas=header.excess_blob_gas,
    )


class Executor:
    """Executes on states that lie in a store of trie nodes."""

    def __init__(self, nodes: Nodes, chain_id: int, hashes: Callable[[int], Iterator[bytes]] | None = None) -> None:
        """Take the store, the EIP-155 chain id, and what yields the hashes of the blocks below a height."""
        self._nodes = nodes
        self.chain_id = chain_id
        self._hashes = hashes or (lambda height: iter(()))

    def build(self, parent: Header, timestamp: int) -> BlockBuilder:
        """Start a block on a parent."""
        return BlockBuilder(self._nodes, self.chain_id, parent, timestamp, self._hashes(parent.number + 1))

    def validate(self, parent: Header, block: Block) -> ExecutedBlock:
        """Execute a block again and compare every field of its header.

        What the rules fix is compared before anything is executed; then the root of the transactions, so that an
        altered body is named as such, and what execution gives.

        Raises:
            WrongField: names the first field that differs.
            WrongTransaction: names a transaction that may not stand in the block.
        """
        header = block.header
        builder = self.build(parent, header.timestamp)
        _compare(header, builder.header, RULED_FIELDS)
        for index, raw in enumerate(block.transactions):
            try:
                builder.apply(raw)
            except InvalidTransaction as error:
                raise WrongTransaction(header.number, index, error.detail) from error
        executed = builder.close()
        _compare(header, executed.block.header, EXECUTED_FIELDS)
        return executed

    def _state(self, header: Header) -> CancunState:
        context = _context(header, self.chain_id, self._hashes(header.number))
        return CancunState(AtomicDB(_Pending(self._nodes)), context, header.state_root)

    def call(
        self,
        header: Header,
        to: bytes | None,
        data: bytes,
        sender: bytes = COINBASE,
        value: int = 0,
        gas: int = CALL_GAS,
    ) -> TransactionResult:
        """Execute a message on the state of a block; nothing is kept."""
        state = self._state(header)
        transaction = CancunTransactionBuilder.create_unsigned_transaction(
            nonce=state.get_nonce(sender), gas_price=0, gas=min(gas, CALL_GAS), to=to or b"", value=value, data=data
        )
        try:
            computation = state.costless_execute_transaction(SpoofTransaction(transaction, from_=sender))
        except ValidationError as error:
            raise InvalidTransaction(f"{error}.", hint="Check sender, value and gas.") from error
        used = transaction.gas - computation.get_gas_remaining() - computation.get_gas_refund()
        reason = _reason(computation.output, computation._error) if computation.is_error else None
        return TransactionResult(reason, computation.output, used, ())

    def estimate_gas(self, header: Header, to: bytes | None, data: bytes, sender: bytes, value: int = 0) -> int:
        """Return gas that suffices: what the call uses without refunds, and a sixty-third for inner calls.

        Raises:
            InvalidTransaction: the call reverts.
        """
        result = self.call(header, to, data, sender, value)
        if result.reason is not None:
            raise InvalidTransaction(f"The call reverts: {result.reason}.", hint="Mend what the reason names.")
        return result.gas_used * 64 // 63 * 5 // 4

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
        sender: bytes = _decode(raw).sender
        return sender

    def account(self, header: Header, address: bytes) -> tuple[int, int, bytes]:
        """Return nonce, balance and code of an account."""
        state = self._state(header)
        return state.get_nonce(address), state.get_balance(address), state.get_code(address)


def genesis_block(
    alloc: Sequence[tuple[bytes, int, bytes, dict[int, int]]], timestamp: int, chain_id: int
) -> ExecutedBlock:
    """Return block 0 from accounts (address, balance, code, storage)."""
    pending = _Pending(_Nothing())
    header = Header(parent_hash=bytes(32), timestamp=timestamp)
    state = CancunState(AtomicDB(pending), _context(header, chain_id, ()), BLANK_ROOT_HASH)
    for address, balance, code, storage in alloc:
        state.set_balance(address, balance)
        if code:
            state.set_code(address, code)
            state.set_nonce(address, 1)
        for slot, value in storage.items():
            state.set_storage(address, slot, value)
    state.lock_changes()
    root = state.make_state_root()
    state.persist()
    return ExecutedBlock(Block(replace(header, state_root=root)), (), pending.writes)


class _Nothing:
    def node(self, key: bytes) -> bytes | None:
        return None


class _RecordingState(CancunState):  # type: ignore[misc]  # py-evm's base is untyped
    """Remembers which slots were written: a trie of hashed keys cannot tell."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)
        self.written: dict[int, int] = {}

    def set_storage(self, address: bytes, slot: int, value: int) -> None:
        self.written[slot] = value
        super().set_storage(address, slot, value)


def run_constructor(creation: bytes, address: bytes, *, timestamp: int, chain_id: int) -> tuple[bytes, dict[int, int]]:
    """Run creation code at an address on an empty state.

    Returns:
        Runtime code, immutables filled in, and the storage it wrote.

    Raises:
        InvalidTransaction: the constructor reverts.
    """
    header = Header(parent_hash=bytes(32), timestamp=timestamp)
    state = _RecordingState(AtomicDB(_Pending(_Nothing())), _context(header, chain_id, ()), BLANK_ROOT_HASH)
    message = Message(
        gas=GENESIS_GAS, to=CREATE_CONTRACT_ADDRESS, sender=bytes(20), value=0, data=b"", code=creation,
        create_address=address,
    )  # fmt: skip
    computation = state.computation_class.apply_create_message(state, message, BaseTransactionContext(0, bytes(20), []))
    if computation.is_error:
        reason = _reason(computation.output, computation._error)
        raise InvalidTransaction(f"The constructor reverts: {reason}.", hint="Check the genesis file.")
    return state.get_code(address), {slot: value for slot, value in state.written.items() if value}
