"""Blocks as they stand on disk and on the wire: Ethereum's Cancun header, raw transactions, a seal beside them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Final, Self

import rlp
from eth_hash.auto import keccak
from rlp.codec import consume_length_prefix

from ledger.domain.errors import LedgerError

EMPTY_ROOT: Final = keccak(rlp.encode(b""))
EMPTY_UNCLES: Final = keccak(rlp.encode([]))
GAS_LIMIT: Final = 4_000_000_000
"""Gas limit of every block: room for 40 of the dearest batches."""
COINBASE: Final = bytes.fromhex("c1ea000000000000000000000000000000000000")
"""Fee recipient of every block. Genesis gives it one wei: anvil keeps an empty touched account in the trie."""
MAX_NUMBER_BYTES: Final = 8
LIST: Final = 0xC0
"""First byte from which RLP holds a list; legacy transactions start above it, typed ones below (EIP-2718)."""
EMPTY_LIST: Final = bytes([LIST])


class InvalidBlock(LedgerError):
    """A block that no honest sealer makes; it is refused whole."""

    code = "block.invalid"


class MalformedBlock(InvalidBlock):
    """Bytes that are no block."""

    code = "block.malformed"


class WrongField(InvalidBlock):
    """A header field that differs from what the rules or the execution give.

    Attributes:
        field: name of the first field that differs.
    """

    code = "block.field"

    def __init__(self, height: int, field: str, found: bytes | int, expected: bytes | int) -> None:
        """Name the block, the field and both values."""
        super().__init__(
            f"block {height}: {field} is {_shown(found)}, it must be {_shown(expected)}.",
            hint="The sealer made a bad block; keep this node's store and report it.",
        )
        self.height = height
        self.field = field


class WrongTransaction(InvalidBlock):
    """A transaction that may not stand in its block.

    Attributes:
        index: its place in the block.
    """

    code = "block.transaction"

    def __init__(self, height: int, index: int, why: str) -> None:
        """Name the block, the place and the reason."""
        super().__init__(
            f"block {height}: transaction {index} may not stand in it: {why}",
            hint="The sealer made a bad block; keep this node's store and report it.",
        )
        self.height = height
        self.index = index


def _shown(value: bytes | int) -> str:
    if isinstance(value, int):
        return str(value)
    return f"0x{value.hex()}" if len(value) <= 32 else f"0x{value[:8].hex()}... ({len(value)} bytes)"


@dataclass(frozen=True)
class Header:
    """Header of a Cancun block, in the order of its RLP (EIP-1559, 4895, 4844, 4788).

    What this chain fixes has its value as default; whoever validates a block compares each.
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
    def rlp(self) -> bytes:
        """The bytes that are hashed."""
        encoded: bytes = rlp.encode([getattr(self, field.name) for field in fields(self)])
        return encoded

    @cached_property
    def hash(self) -> bytes:
        """Block hash."""
        return keccak(self.rlp)

    @classmethod
    def of(cls, items: list[bytes]) -> Self:
        """Read the decoded RLP list.

        Raises:
            MalformedBlock: wrong number or shape of fields.
        """
        names = fields(cls)
        if len(items) != len(names) or not all(isinstance(item, bytes) for item in items):
            raise MalformedBlock(f"A header has {len(names)} byte strings.", hint="Ask for the block again.")
        values: dict[str, bytes | int] = {}
        for field, item in zip(names, items, strict=True):
            if isinstance(field.default, int):
                if item[:1] == b"\0" or len(item) > MAX_NUMBER_BYTES:
                    raise MalformedBlock(f"{field.name} is no canonical number.", hint="Ask for the block again.")
                values[field.name] = int.from_bytes(item, "big")
            else:
                size = len(field.default) if isinstance(field.default, bytes) else 32
                if field.name != "extra_data" and len(item) != size:
                    raise MalformedBlock(f"{field.name} has not {size} bytes.", hint="Ask for the block again.")
                values[field.name] = item
        return cls(**values)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Block:
    """Header and raw transactions, each as it was signed and sent."""

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
        """Return the bytes kept on disk and sent to followers: the RLP of an Ethereum block (EIP-2718, 4895).

        Header, transactions (legacy ones as lists, typed ones as byte strings), no uncles, no withdrawals.
        """
        transactions = (raw if raw[0] >= LIST else rlp.encode(raw) for raw in self.transactions)
        return _list(self.header.rlp, _list(*transactions), EMPTY_LIST, EMPTY_LIST)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a block. Only the one encoding of a block is taken.

        Raises:
            MalformedBlock: the bytes are no block.
        """
        try:
            header, transactions, uncles, withdrawals = items_of(data)
            if (uncles, withdrawals) != (EMPTY_LIST, EMPTY_LIST):
                raise MalformedBlock("Uncles and withdrawals are empty here.", hint="Ask for the block again.")
            return cls(Header.of(rlp.decode(header)), tuple(_transaction(each) for each in items_of(transactions)))
        except (rlp.exceptions.RLPException, ValueError, TypeError, IndexError) as error:
            raise MalformedBlock("The bytes are no RLP of a block.", hint="Ask for the block again.") from error


def _list(*items: bytes) -> bytes:
    """Return the RLP list of items that are encoded already."""
    payload = b"".join(items)
    if len(payload) < 56:
        return bytes([LIST + len(payload)]) + payload
    size = len(payload).to_bytes((len(payload).bit_length() + 7) // 8, "big")
    return bytes([LIST + 55 + len(size)]) + size + payload


def items_of(data: bytes) -> list[bytes]:
    """Return the items of an RLP list, each still encoded: a transaction keeps the bytes it was hashed by.

    Raises:
        ValueError, RLPException: no list, not the one encoding of it, or bytes behind it.
    """
    _, kind, size, start = consume_length_prefix(data, 0)
    if kind is not list or start + size != len(data):
        raise ValueError("no list, or bytes behind it")
    return list(_split(data, start))


def content_of(item: bytes) -> bytes:
    """Return the byte string that an encoded item is.

    Raises:
        ValueError, RLPException: it is a list, or not the one encoding of it.
    """
    _, kind, size, start = consume_length_prefix(item, 0)
    if kind is list or start + size != len(item):
        raise ValueError("no byte string")
    return item[start:]


def _split(data: bytes, at: int) -> Iterator[bytes]:
    while at < len(data):
        _, _, size, start = consume_length_prefix(data, at)
        if start + size > len(data):
            raise ValueError("an item ends behind its list")
        yield data[at : start + size]
        at = start + size


def _transaction(item: bytes) -> bytes:
    if item[0] >= LIST:
        return item
    raw: bytes = rlp.decode(item)
    if not raw or raw[0] >= LIST:
        raise ValueError("a byte string holds a typed transaction")
    return raw


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
    def of(cls, items: Sequence[Any]) -> Self:
        """Read the decoded list."""
        status, cumulative, used, bloom, logs = items
        return cls(
            status=int.from_bytes(status, "big"),
            cumulative_gas=int.from_bytes(cumulative, "big"),
            gas_used=int.from_bytes(used, "big"),
            bloom=bloom,
            logs=tuple(Log(address, tuple(topics), data) for address, topics, data in logs),
        )


@dataclass(frozen=True)
class ExecutedBlock:
    """A block with what its execution gave.

    Attributes:
        writes: trie nodes and code by hash, not yet kept.
        again: how often beyond the first time a node came, at several places of the state, by hash.
        dead: hashes of nodes that went, one for each place; None if the driver did not count.
        tips: of `writes`, those that may have been kept before; unless one was, none was. None if it cannot tell.
    """

    block: Block
    receipts: tuple[Receipt, ...]
    writes: dict[bytes, bytes]
    again: dict[bytes, int] = dataclasses.field(default_factory=dict)
    dead: tuple[bytes, ...] | None = None
    tips: tuple[bytes, ...] | None = None
