"""Makes a block: executes transactions one by one on a parent's state and closes it.

`MiningChain.mine_all(timestamp=...)` of py-evm 0.12.1b1 executes under the old header, so the state is driven here.
Base fee is 0 by rule (py-evm would raise it to 1 after a block over half full, and zero-price transactions would die).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import rlp
from eth.abc import ComputationAPI, ReceiptAPI, SignedTransactionAPI
from eth.constants import CREATE_CONTRACT_ADDRESS
from eth.vm.forks.cancun import CancunVM
from eth.vm.forks.cancun.blocks import CancunBlockHeader
from eth.vm.forks.cancun.state import CancunState
from eth_keys.exceptions import BadSignature
from eth_utils.exceptions import ValidationError
from trie import HexaryTrie

from ledger.chain.transaction import BATCH_GAS
from ledger.genesis import CONTRACT
from node.blocks import Block, ExecutedBlock, Header, Log, Receipt
from node.evm.building import root_of_list
from node.evm.loop import FastState
from node.evm.quick import read
from node.evm.state import Nodes, Pending, StateMaker, keep, open_state
from node.evm.transactions import InvalidTransaction, decode

ERROR_SELECTOR: Final = bytes.fromhex("08c379a0")
"""First four bytes of `Error(string)`, what a revert with a reason returns."""
OTHER_GAS: Final = 1 << 24
"""Gas of a transaction that does not call the ledger, at most (EIP-7825): a loop of it takes unmodified py-evm 20 s.
The ledger's own code loops no longer than a batch has entries."""
MAX_INITCODE_BYTES: Final = 2 * 24_576
"""Longest creation code of a transaction (EIP-3860)."""


@dataclass(frozen=True, slots=True)
class TransactionResult:
    """What a transaction or call came to.

    Attributes:
        reason: revert reason, None if it did not revert.
        output: what it returned.
        gas_used: gas used after refunds.
        logs: its logs; none of a call.
    """

    reason: str | None
    output: bytes
    gas_used: int
    logs: tuple[Log, ...]


def reason_of(computation: ComputationAPI) -> str | None:
    """Return why an execution was undone: the text of `Error(string)`, empty for a bare revert, else what stopped it.

    None if it was not undone.
    """
    if not computation.is_error:
        return None
    output: bytes = computation.output
    if output[:4] == ERROR_SELECTOR:
        size = int.from_bytes(output[36:68], "big")
        return output[68 : 68 + size].decode("utf-8", "replace")
    stopped_by = type(computation.error).__name__
    return "" if not output and stopped_by == "Revert" else stopped_by


def most_gas(to: bytes | None) -> int:
    """Return the gas a transaction to an address may ask for."""
    return BATCH_GAS if to == CONTRACT else OTHER_GAS


def trie_root(items: Sequence[bytes]) -> bytes:
    """Return the root of a trie of items by place (transactions, receipts).

    py-evm has the same function under a cache of 128 blocks, which holds their transactions twice over in memory.
    """
    trie = HexaryTrie({})
    with trie.squash_changes() as squashed:
        for index, item in enumerate(items):
            squashed[rlp.encode(index)] = item
    root: bytes = trie.root_hash
    return root


class BlockBuilder:
    """Executes transactions one by one on top of a parent and closes the block. Nothing is written to the store."""

    def __init__(
        self,
        nodes: Nodes,
        chain_id: int,
        parent: Header,
        timestamp: int,
        hashes: Iterable[bytes],
        driver: StateMaker = CancunState,
    ) -> None:
        """Start a block. Its time never runs back: it is the later of the parent's and `timestamp`."""
        self._chain_id = chain_id
        self._pending = Pending(nodes)
        self.header = Header(
            parent_hash=parent.hash,
            number=parent.number + 1,
            timestamp=max(parent.timestamp, timestamp),
            state_root=parent.state_root,
        )
        self._state = open_state(self._pending, self.header, chain_id, hashes, driver)
        self._raw: list[bytes] = []
        self._receipts: list[Receipt] = []
        self._encoded_receipts: list[bytes] = []
        self._gas = 0

    def root_of(self, items: Sequence[bytes]) -> bytes:
        """Return the root of transactions or encoded receipts, by the driver's own way."""
        return root_of_list(items) if isinstance(self._state, FastState) else trie_root(items)

    @property
    def size(self) -> int:
        """Transactions so far."""
        return len(self._raw)

    def nonce(self, address: bytes) -> int:
        """Return the next nonce of an account, after the transactions so far."""
        nonce: int = self._state.get_nonce(address)
        return nonce

    def check(self, raw: bytes) -> None:
        """Check that a transaction may come next.

        Raises:
            InvalidTransaction: shape, signature, chain id, nonce, gas or funds.
        """
        self._checked(raw)

    def _checked(self, raw: bytes) -> SignedTransactionAPI:
        """Return the decoded transaction; rules that py-evm 0.12.1b1 leaves out stand here."""
        transaction = read(raw) if isinstance(self._state, FastState) else decode(raw)
        if transaction.chain_id != self._chain_id:
            raise InvalidTransaction(
                f"The transaction is for chain {transaction.chain_id}, this is {self._chain_id}.",
                hint="Sign for this chain (EIP-155).",
            )
        if transaction.gas > most_gas(transaction.to):
            raise InvalidTransaction(
                f"It asks for {transaction.gas} gas; such a transaction may ask for {most_gas(transaction.to)}.",
                hint="Split it.",
            )
        if transaction.max_priority_fee_per_gas > transaction.max_fee_per_gas:
            raise InvalidTransaction("The tip lies over the fee cap (EIP-1559).", hint="Both are 0 on this chain.")
        if transaction.to == CREATE_CONTRACT_ADDRESS and len(transaction.data) > MAX_INITCODE_BYTES:
            raise InvalidTransaction(
                f"Creation code has at most {MAX_INITCODE_BYTES} bytes (EIP-3860).", hint="Split the contract."
            )
        if self._gas + transaction.gas > self.header.gas_limit:
            raise InvalidTransaction("The block is full.", hint="It goes into a later block.")
        try:
            transaction.validate()
            self._state.validate_transaction(transaction)
        except (ValidationError, BadSignature) as error:
            raise InvalidTransaction(f"{error}.", hint="Check nonce, gas and signature.") from error
        return transaction

    def pass_over(self, raw: bytes) -> None:
        """Check that a transaction may come next and count its nonce as used, without executing it.

        Raises:
            InvalidTransaction: as :meth:`check`.
        """
        self._state.increment_nonce(self._checked(raw).sender)

    def apply(self, raw: bytes, *, keep_reverted: bool = True) -> TransactionResult:
        """Execute a transaction.

        Args:
            raw: signed transaction.
            keep_reverted: whether a transaction that reverts enters the block all the same.

        Raises:
            InvalidTransaction: it may not enter the block; nothing changed.
        """
        transaction = self._checked(raw)
        if isinstance(self._state, FastState):
            self._state.checked = transaction
        self._state.lock_changes()
        snapshot = self._state.snapshot()
        computation = self._state.apply_transaction(transaction)
        if computation.is_error and not keep_reverted:
            self._state.revert(snapshot)
            return TransactionResult(reason_of(computation), computation.output, 0, ())
        receipt = self._receipt(transaction, computation)
        self._raw.append(raw)
        self._receipts.append(receipt)
        return TransactionResult(reason_of(computation), computation.output, receipt.gas_used, receipt.logs)

    def _receipt(self, transaction: SignedTransactionAPI, computation: ComputationAPI) -> Receipt:
        before = CancunBlockHeader(
            difficulty=0, block_number=self.header.number, gas_limit=self.header.gas_limit,
            timestamp=self.header.timestamp, gas_used=self._gas,
        )  # fmt: skip
        made: ReceiptAPI = CancunVM.make_receipt(before, transaction, computation, self._state)
        self._encoded_receipts.append(made.encode())
        used, self._gas = made.gas_used - self._gas, made.gas_used
        logs = tuple(
            Log(log.address, tuple(topic.to_bytes(32, "big") for topic in log.topics), log.data) for log in made.logs
        )
        return Receipt(int(not computation.is_error), self._gas, used, made.bloom.to_bytes(256, "big"), logs)

    def close(self) -> ExecutedBlock:
        """Compute the roots and return the block with what must be written for it. The builder is spent."""
        state_root = keep(self._state)
        bloom = 0
        for receipt in self._receipts:
            bloom |= int.from_bytes(receipt.bloom, "big")
        header = replace(
            self.header,
            state_root=state_root,
            transactions_root=self.root_of(self._raw),
            receipts_root=self.root_of(self._encoded_receipts),
            bloom=bloom.to_bytes(256, "big"),
            gas_used=self._gas,
        )
        block, receipts = Block(header, tuple(self._raw)), tuple(self._receipts)
        if isinstance(self._state, FastState):
            state = self._state
            return ExecutedBlock(block, receipts, self._pending.writes, state.again, state.dead, state.tips)
        return ExecutedBlock(block, receipts, self._pending.writes)
