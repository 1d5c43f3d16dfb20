"""Blocks as they stand on disk and on the wire: Ethereum's Cancun header, raw transactions, a seal beside them."""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields
from functools import cached_property
from typing import Final, Self

import rlp
from eth_hash.auto import keccak

from ledger.domain.errors import LedgerError

EMPTY_ROOT: Final = keccak(rlp.encode(b""))
EMPTY_UNCLES: Final = keccak(rlp.encode([]))
GAS_LIMIT: Final = 4_000_000_000
"""Gas limit of every block: room for 40 of the dearest batches."""
COINBASE: Final = bytes.fromhex("c1ea000000000000000000000000000000000000")
"""Fee recipient of every block. Genesis gives it one wei: anvil keeps an empty touched account in the trie."""


class InvalidBlock(LedgerError):
    """A block that no honest sealer makes; it is refused whole."""

    code = "block.invalid"


class MalformedBlock(InvalidBlock):
    """Bytes that are no block."""

    code = "block.malformed"


@dataclass(frozen=True)
class Header:
    """Header of a Cancun block, in the order of its RLP (EIP-1559, 4895, 4844, 4788).

    What this chain fixes has its value as default; the follower compares each.
    """

    parent_hash: bytes
    uncles_hash: bytes = EMPTY_UNCLES
    coinbase: bytes = COINBASE
    state_root: bytes = EMPTY_ROOT
    transactions_root: bytes = EMPTY_ROOT
    receipts_root: bytes = EMPTY_ROOT
    bloom: bytes = bytes(256)
    difficulty: int = 0
    number: int = 0
    gas_limit: int = GAS_LIMIT
    gas_used: int = 0
    timestamp: int = 0
    extra_data: bytes = b""
    mix_hash: bytes = bytes(32)
    nonce: bytes = bytes(8)
    base_fee: int = 0
    withdrawals_root: bytes = EMPTY_ROOT
    blob_gas_used: int = 0
    excess_blob_gas: int = 0
    parent_beacon_root: bytes = bytes(32)

    @cached_property
    def hash(self) -> bytes:
        """Block hash."""
        return keccak(rlp.encode(list(astuple(self))))

    @classmethod
    def of(cls, items: list[bytes]) -> Self:
        """Read the decoded RLP list.

        Raises:
            MalformedBlock: wrong number or shape of fields.
        """
        names = fields(cls)
        if len(items) != len(names) or not all(isinstance(item, bytes) for item in items):
            raise MalformedBlock("A header has 20 byte strings.", hint="Ask for the block again.")
        values: dict[str, bytes | int] = {}
        for field, item in zip(names, items, strict=True):
            number = isinstance(field.default, int)
            if number and (item[:1] == b"\0" or len(item) > 32):
                raise MalformedBlock(f"{field.name} is no canonical number.", hint="Ask for the block again.")
            values[field.name] = int.from_bytes(item, "big") if number else item
        return cls(**values)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Block:
    """Header and raw transactions."""

    header: Header
    transactions: tuple[bytes, ...] = ()

    @property
    def hash(self) -> bytes:
        """Block hash."""
        return self.header.hash

    @property
    def height(self) -> int:
        """Block number."""
        return self.header.number

    def encode(self) -> bytes:
        """Return the bytes kept on disk and sent to followers."""
        encoded: bytes = rlp.encode([list(astuple(self.header)), list(self.transactions)])
        return encoded

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a block.

        Raises:
            MalformedBlock: the bytes are no block.
        """
        try:
            header, transactions = rlp.decode(data)
        except (rlp.DecodingError, ValueError, TypeError) as error:
            raise MalformedBlock("The bytes are no RLP of a block.", hint="Ask for the block again.") from error
        if isinstance(header, bytes) or isinstance(transactions, bytes):
            raise MalformedBlock("The bytes are no RLP of a block.", hint="Ask for the block again.")
        if not all(isinstance(each, bytes) for each in transactions):
            raise MalformedBlock("A transaction is a byte string.", hint="Ask for the block again.")
        return cls(Header.of(header), tuple(transactions))


@dataclass(frozen=True, slots=True)
class Log:
    """One log of a receipt."""

    address: bytes
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """Receipt of one transaction.

    Attributes:
        status: 1 done, 0 reverted.
        cumulative_gas: gas used in the block up to and with it.
        gas_used: gas it used.
        bloom: its logs' bloom filter, 256 bytes.
    """

    status: int
    cumulative_gas: int
    gas_used: int
    bloom: bytes
    logs: tuple[Log, ...]

    def to_rlp(self) -> list[object]:
        """Return the list that is kept on disk."""
        logs = [[log.address, list(log.topics), log.data] for log in self.logs]
        return [self.status, self.cumulative_gas, self.gas_used, self.bloom, logs]

    @classmethod
    def of(cls, items: list[object]) -> Self:
        """Read the decoded list."""
        status, cumulative, used, bloom, logs = items
        return cls(
            *(int.from_bytes(each, "big") for each in (status, cumulative, used)),  # type: ignore[arg-type]
            bloom,  # type: ignore[arg-type]
            tuple(Log(address, tuple(topics), data) for address, topics, data in logs),  # type: ignore[attr-defined]
        )


@dataclass(frozen=True)
class ExecutedBlock:
    """A block with what its execution gave.

    Attributes:
        writes: trie nodes and code by hash, not yet kept.
    """

    block: Block
    receipts: tuple[Receipt, ...]
    writes: dict[bytes, bytes]
