"""States that py-evm works on: what a block wrote before the store, and the header's rules as py-evm wants them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from eth.db.atomic import AtomicDB
from eth.db.backends.base import BaseDB
from eth.vm.execution_context import ExecutionContext
from eth.vm.forks.cancun.state import CancunState
from eth.vm.interrupt import EVMMissingData
from trie.exceptions import MissingTrieNode

from ledger.domain.errors import LedgerError
from node.blocks import EMPTY_ROOT, Header
from node.evm.changes import Changes
from node.evm.generations import Generations

StateMaker = Callable[[AtomicDB, ExecutionContext, bytes], CancunState]
"""Makes a driver's state from a database, what opcodes see of the block, and a root."""


class Nodes(Protocol):
    """Where trie nodes and code lie, by hash."""

    def node(self, key: bytes) -> bytes | None:
        """Return the bytes under a hash, or None."""
        ...


NODES_KEPT: Final = 65_536
"""Nodes in one of the two generations kept as bytes: 0.2 to 0.7 kB each."""


class Remembered:
    """The same nodes, the newest read kept as bytes: a node is what its hash says, read when it may.

    For the unmodified driver, which reads the way from the root to a word anew for every word of every block.
    """

    def __init__(self, nodes: Nodes) -> None:
        """Take the store."""
        self._node = nodes.node
        self._kept = Generations[bytes, bytes](NODES_KEPT)

    def node(self, key: bytes) -> bytes | None:
        """Return the bytes under a hash, or None."""
        found = self._kept.get(key)
        if found is None:
            found = self._node(key)
            if found is not None:
                self._kept.put(key, found)
        return found


MISSING_STATE: Final = (KeyError, MissingTrieNode, EVMMissingData)
"""What reading a state raises where a node of it is not there."""


class StatePruned(LedgerError):
    """A state older than the window: its nodes are gone, its block is kept."""

    code = "state.pruned"


def check_kept(nodes: Nodes, header: Header) -> None:
    """Check that the state of a block can be read.

    Raises:
        StatePruned: it is older than what is kept.
    """
    if header.state_root != EMPTY_ROOT and nodes.node(header.state_root) is None:
        raise StatePruned(
            f"The state of block {header.number} is no longer kept.",
            hint="Ask for a newer block, or execute the chain again from its blocks.",
        )


class Pending(BaseDB):  # type: ignore[misc]  # py-evm's base is untyped
    """Reads see what a block wrote before the store; nothing is written through."""

    def __init__(self, nodes: Nodes, writes: dict[bytes, bytes] | None = None) -> None:
        self.writes: dict[bytes, bytes] = {} if writes is None else writes
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


@dataclass(frozen=True, slots=True)
class StateChange:
    """What a block did to the stored state.

    Attributes:
        writes: nodes and code that came, by hash.
        again: how often beyond the first time a node came, at several places of the state.
        dead: hashes of nodes that went, one for each place.
    """

    writes: dict[bytes, bytes]
    again: dict[bytes, int]
    dead: tuple[bytes, ...]


def state_change(nodes: Nodes, writes: dict[bytes, bytes], old_root: bytes, new_root: bytes) -> StateChange:
    """Return what a driver that counts would have told; nodes that no state has are left out.

    Args:
        nodes: the store before the block.
        writes: nodes and code of the block.
        old_root: state root before it.
        new_root: state root after it.
    """
    changes = Changes(Pending(nodes, writes).__getitem__)
    changes.compare_states(old_root, new_root)
    born = changes.born
    for code in changes.codes & born.keys():  # code whose bytes are a node's must outlive that node
        born[code] += 1
    return StateChange(
        {key: raw for key, raw in writes.items() if key in born or key in changes.codes},
        {key: number - (key in writes) for key, number in born.items() if number > (key in writes)},
        tuple(changes.dead),
    )


def nodes_of(nodes: Nodes, root: bytes, since: bytes = EMPTY_ROOT) -> frozenset[bytes]:
    """Return the hashes of the nodes and code of a state that another one does not have in the same place."""
    changes = Changes(Pending(nodes).__getitem__)
    changes.compare_states(since, root)
    return frozenset(changes.born.keys() | changes.codes)
