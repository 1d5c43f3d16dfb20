"""The chain a node keeps: blocks, receipts, seals and state in one store, one atomic synced write a block."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from typing import Final

import rlp

from ledger.chain.calls import read_recorded
from ledger.chain.state import LedgerState
from ledger.commitments import batch_hash
from ledger.domain.errors import LedgerError
from ledger.genesis import CONTRACT, Genesis
from node.blocks import EMPTY_ROOT, Block, ExecutedBlock, Header, Receipt, items_of
from node.evm.executor import Driver, Executor
from node.genesis import execute_genesis
from node.retention import STATE_WINDOW, Retention
from node.rules import batch_of
from node.store import Space, Store, StoreForeign, StoreMissing, height_key
from node.transactions import hash_of

__all__ = ["Chain", "UnknownBlock", "height_key"]

BLOCKHASH_WINDOW: Final = 256
HEIGHT_BYTES: Final = 8


class UnknownBlock(LedgerError):
    """No such block is kept here."""

    code = "block.unknown"


class Chain:
    """Reads and extends the chain. One process owns it; calls are not thread-safe, unless they say so."""

    def __init__(
        self, store: Store, genesis: Genesis, driver: Driver = Driver.PLAIN, window: int = STATE_WINDOW
    ) -> None:
        """Open the chain of a genesis file, to be executed by a driver; an empty store gets block 0.

        States are kept for so many blocks below the head.

        Raises:
            StoreForeign: the store holds another chain.
            StoreMissing: the parcels of a bench genesis were never written.
        """
        self.store = store
        self.genesis = genesis
        self.domain = genesis.domain
        self.nodes = _Nodes(store)
        self._retention = Retention(store, window)
        self.executor = Executor(self.nodes, genesis.chain_id, self._hashes_below, driver)
        kept = store.get(Space.META + b"genesis")
        if kept is None:
            executed = execute_genesis(genesis)
            if genesis.bench and store.node(bytes.fromhex(genesis.bench.storage_root)) is None:
                raise StoreMissing(
                    "The store lacks the parcels of the bench genesis.", hint="Make it with `clearance node prefill`."
                )
            self.head = executed.block.header
            self._commit(executed, EMPTY_ROOT, {Space.META + b"genesis": executed.block.hash})
            kept = executed.block.hash
        elif kept != execute_genesis(genesis).block.hash:
            raise StoreForeign(
                "The store belongs to another genesis file.",
                hint="Give the genesis file the store was made with; one without `code` opens under its own release.",
            )
        self.genesis_hash = kept
        height = int.from_bytes(store.get(Space.META + b"height") or b"", "big")
        self.head = self.block(height).header

    def warm(self) -> None:
        """Load the top of the contract's storage: a second for a million parcels.

        It stays for good, so the garbage collector need not walk over it; and it need not look after every 700 objects
        in a process that makes a thousand for each batch.
        """
        self.executor.warm(self.head, CONTRACT)
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)

    def _hashes_below(self, height: int) -> Iterator[bytes]:
        for below in range(height - 1, max(-1, height - 1 - BLOCKHASH_WINDOW), -1):
            yield self.block(below).hash

    def append(self, executed: ExecutedBlock, seal: bytes, extra: Mapping[bytes, bytes | None] | None = None) -> None:
        """Keep an executed block and its seal, with whatever else must be written in the same moment."""
        if executed.block.header.parent_hash != self.head.hash:
            raise UnknownBlock("The block does not stand on the head.", hint="Execute it on the head first.")
        writes: dict[bytes, bytes | None] = {Space.SEAL + height_key(executed.block.height): seal}
        self._commit(executed, self.head.state_root, writes | dict(extra or {}))
        self.head = executed.block.header

    def _commit(self, executed: ExecutedBlock, parent_root: bytes, extra: dict[bytes, bytes | None]) -> None:
        block = executed.block
        height = height_key(block.height)
        writes = self._retention.writes(executed, parent_root)
        writes[Space.BLOCK + height] = block.encode()
        writes[Space.HEIGHT + block.hash] = height
        writes[Space.RECEIPTS + height] = rlp.encode([receipt.to_rlp() for receipt in executed.receipts])
        for index, raw in enumerate(block.transactions):
            place = height + index.to_bytes(4, "big")
            writes[Space.TRANSACTION + hash_of(raw)] = place
            submitted = batch_of(raw) if executed.receipts[index].status else None
            logs = [log for log in executed.receipts[index].logs if log.address == CONTRACT] if submitted else []
            recorded = next((found for log in logs if (found := read_recorded(log.topics, log.data))), None)
            if submitted and recorded:
                writes[Space.BATCH + batch_hash(submitted[0].digest(self.domain), recorded.key)] = place
        writes[Space.META + b"height"] = height
        self.store.commit(writes | extra)

    def block(self, height: int) -> Block:
        """Return a block.

        Raises:
            UnknownBlock: none is kept at this height.
        """
        return Block.decode(self._kept(height))

    def header_bytes(self, height: int) -> bytes:
        """Return the RLP of a block's header; its transactions are not decoded.

        A block that is kept never changes, and stores are read by any thread: this needs no lock.

        Raises:
            UnknownBlock: none is kept at this height.
        """
        return items_of(self._kept(height))[0]

    def _kept(self, height: int) -> bytes:
        data = self.store.get(Space.BLOCK + height_key(height)) if height >= 0 else None
        if data is None:
            raise UnknownBlock(f"No block {height} is kept here.", hint=f"The head is {self.head.number}.")
        return data

    def height_of(self, block_hash: bytes) -> int | None:
        """Return the height of a block by its hash."""
        found = self.store.get(Space.HEIGHT + block_hash)
        return None if found is None else int.from_bytes(found, "big")

    def seal(self, height: int) -> bytes:
        """Return the seal beside a block, empty for block 0."""
        return self.store.get(Space.SEAL + height_key(height)) or b""

    def receipts(self, height: int) -> tuple[Receipt, ...]:
        """Return the receipts of a block."""
        data = self.store.get(Space.RECEIPTS + height_key(height))
        return tuple(Receipt.of(items) for items in rlp.decode(data)) if data else ()

    def place_of_transaction(self, transaction_hash: bytes) -> tuple[int, int] | None:
        """Return height and index of a transaction."""
        return self._place(Space.TRANSACTION + transaction_hash)

    def place_of_batch(self, batch: bytes) -> tuple[int, int] | None:
        """Return height and index of the transaction that carries a batch, by the batch's hash."""
        return self._place(Space.BATCH + batch)

    def _place(self, key: bytes) -> tuple[int, int] | None:
        found = self.store.get(key)
        if found is None:
            return None
        return int.from_bytes(found[:HEIGHT_BYTES], "big"), int.from_bytes(found[HEIGHT_BYTES:], "big")

    def state(self, header: Header | None = None) -> LedgerState:
        """Return the contract's state at a block, the head unless told."""
        read = self.executor.reader(header or self.head)
        return LedgerState(lambda slot: read(CONTRACT, slot), self.genesis.code.slots)


class _Nodes:
    def __init__(self, store: Store) -> None:
        self._get = store.get

    def node(self, key: bytes) -> bytes | None:
        return self._get(Space.NODE + key)
