"""States that py-evm works on: what a block wrote before the store, and the header's rules as py-evm wants them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from eth.db.atomic import AtomicDB
from eth.db.backends.base import BaseDB
from eth.vm.execution_context import ExecutionContext
from eth.vm.forks.cancun.state import CancunState

from node.blocks import Header

StateMaker = Callable[[AtomicDB, ExecutionContext, bytes], CancunState]
"""Makes a driver's state from a database, what opcodes see of the block, and a root."""


class Nodes(Protocol):
    """Where trie nodes and code lie, by hash."""

    def node(self, key: bytes) -> bytes | None:
        """Return the bytes under a hash, or None."""
        ...


class Pending(BaseDB):  # type: ignore[misc]  # py-evm's base is untyped
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


class Nothing:
    """A store without nodes: what block 0 is made on."""

    def node(self, key: bytes) -> bytes | None:  # noqa: ARG002  # the protocol's parameter
        """Return None."""
        return None


def context_of(header: Header, chain_id: int, hashes: Iterable[bytes]) -> ExecutionContext:
    """Return what opcodes see of a block; the base fee is the header's, which the rules fix at 0."""
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


def open_state(
    pending: Pending,
    header: Header,
    chain_id: int,
    hashes: Iterable[bytes],
    driver: StateMaker = CancunState,
) -> CancunState:
    """Return the state under a header's root, to be executed on in the block of that header, by a driver."""
    return driver(AtomicDB(pending), context_of(header, chain_id, hashes), header.state_root)


def keep(state: CancunState) -> bytes:
    """Hand what was executed down to the pending writes; return the state root."""
    state.lock_changes()
    root: bytes = state.make_state_root()
    state.persist()
    return root
