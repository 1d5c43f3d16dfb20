"""`audit chain`: executes every block again from the genesis file and compares all that stands.

Always with unmodified py-evm. For each block it establishes:
(1) it is a block and stands on its parent; (2) the sealer of the genesis file signed it; (3) stops stand first;
(4) executing it gives every field of its header; and, where a node's own store is audited, (5) its receipts and
(6) its state entries are what execution gave; at the end (7) no stored trie node is other than its hash.
What it does not establish: that nothing promised was left out (`audit receipts`), or that the sealer showed others the
same chain (`--heads`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import rlp
from eth_hash.auto import keccak

from ledger.genesis import Genesis
from node.audit.report import Found, Report
from node.blocks import EMPTY_ROOT, Block, ExecutedBlock, Header, InvalidBlock, MalformedBlock
from node.chain import Chain, height_key
from node.evm.executor import Executor, nodes_of
from node.genesis import execute_genesis
from node.remote import RemoteNode
from node.rules import check_seal, check_stops_first
from node.stats import height_of, oldest_state
from node.store import Space, Store

MAX_FINDINGS: Final = 100
PAGE: Final = 64

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class RawBlock:
    """A block as its holder gives it.

    Attributes:
        total: how many blocks are expected, for the progress bar.
        receipts: stored receipts, if a store is audited.
    """

    height: int
    data: bytes
    seal: bytes
    total: int
    receipts: bytes | None = None


def blocks_of_store(store: Store) -> Iterator[RawBlock]:
    """Yield every block of a node's store, straight from its files."""
    total = height_of(store)
    return (raw_block(store, height, total) for height in range(total + 1))


def raw_block(store: Store, height: int, total: int) -> RawBlock:
    """Return one block of a node's store."""
    key = height_key(height)
    return RawBlock(
        height, store.get(Space.BLOCK + key) or b"", store.get(Space.SEAL + key) or b"", total,
        store.get(Space.RECEIPTS + key) or b"",
    )  # fmt: skip


def blocks_of_chain(chain: Chain) -> Iterator[RawBlock]:
    """Yield every block of an open chain."""
    return blocks_of_store(chain.store)


def blocks_of_node(node: RemoteNode) -> Iterator[RawBlock]:
    """Yield every block that a node serves by RPC.

    Raises:
        Unreachable: it does not answer.
    """
    total = node.status()["height"]
    height = 0
    while height <= total:
        for block, seal in node.blocks(height, PAGE):
            yield RawBlock(height, block.encode(), seal, total)
            height += 1


class _Nodes:
    """Trie nodes of the audited execution."""

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}

    def node(self, key: bytes) -> bytes | None:
        return self.values.get(key)


def audit_chain(
    genesis: Genesis,
    blocks: Iterable[RawBlock],
    *,
    store: Store | None = None,
    progress: Progress | None = None,
    seen: Callable[[ExecutedBlock], None] | None = None,
) -> Report:
    """Execute every block again and return the report; it stops at the first block that cannot be executed.

    Args:
        genesis: the reviewed genesis file.
        blocks: blocks from height 0 on.
        store: the node's store, to compare receipts and state entries with.
        progress: hears how many blocks of how many are done.
        seen: gets every executed block, for audits that build on this one.
    """
    findings: list[Found] = []
    nodes = _Nodes()
    executor = Executor(nodes, genesis.chain_id)
    first = execute_genesis(genesis)
    parent: Block | None = None
    headers: list[Header] = []
    transactions = 0
    for raw in blocks:
        try:
            executed = check_block(genesis, executor, first, parent, raw)
        except InvalidBlock as error:
            findings.append(Found(error.code, raw.height, error.detail))
            break
        nodes.values.update(executed.writes)
        findings += compare_stored(executed, raw, store)
        if len(findings) >= MAX_FINDINGS:
            break
        if seen:
            seen(executed)
        parent = executed.block
        headers.append(parent.header)
        transactions += len(executed.block.transactions)
        if progress:
            progress(raw.height, raw.total)
    if store is not None and headers and not findings:
        findings += _check_nodes(store, nodes)
        findings += _check_states(store, nodes, headers)
    head = parent or first.block
    subject = {
        "genesis": "0x" + first.block.hash.hex(),
        "contract": genesis.code.hash,
        "height": head.height,
        "head": "0x" + head.hash.hex(),
        "state_root": "0x" + head.header.state_root.hex(),
        "transactions": transactions,
    }
    return Report("chain", subject, tuple(findings))


def check_block(
    genesis: Genesis, executor: Executor, first: ExecutedBlock, parent: Block | None, raw: RawBlock
) -> ExecutedBlock:
    """Execute a block again on its parent; block 0 (no parent) must be that of the genesis file.

    Raises:
        InvalidBlock: what is wrong with it.
    """
    try:
        block = Block.decode(raw.data)
    except MalformedBlock as error:
        raise MalformedBlock(f"block {raw.height}: {error.detail}", hint=error.hint) from error
    if parent is None:
        if block.hash != first.block.hash or raw.height != 0:
            raise InvalidBlock("block 0 is not the one the genesis file gives.", hint="Check the genesis file.")
        return first
    if block.height != parent.height + 1 or block.header.parent_hash != parent.hash:
        raise InvalidBlock(f"block {raw.height}: parent_hash is not block {parent.height}'s hash.", hint="")
    check_seal(genesis, first.block.hash, block, raw.seal)
    check_stops_first(block)
    return executor.validate(parent.header, block)


def compare_stored(executed: ExecutedBlock, raw: RawBlock, store: Store | None) -> Iterator[Found]:
    """Compare what the store keeps of a block with what execution gave."""
    height = executed.block.height
    expected = rlp.encode([receipt.to_rlp() for receipt in executed.receipts])
    if raw.receipts is not None and raw.receipts != expected:
        yield Found("store.receipts", height, f"block {height}: the stored receipts are not what execution gives.")
    if store is None:
        return
    for key, value in executed.writes.items():
        kept = store.node(key)
        if kept is not None and kept != value:
            yield Found("store.state", height, f"block {height}: state entry 0x{key.hex()} was altered.")
            return


def _check_states(store: Store, nodes: _Nodes, headers: list[Header]) -> Iterator[Found]:
    """Check that the states of the window are there whole."""
    before = EMPTY_ROOT
    for header in headers[oldest_state(store, headers[-1].number) :]:
        for key in sorted(nodes_of(nodes, header.state_root, before)):
            if store.node(key) is None:
                height = header.number
                yield Found("store.state", height, f"block {height}: state entry 0x{key.hex()} is missing.")
                return
        before = header.state_root


def _check_nodes(store: Store, nodes: _Nodes) -> Iterator[Found]:
    for key, value in store.scan(Space.NODE):
        if key not in nodes.values and keccak(value) != key:
            yield Found("store.state", None, f"state entry 0x{key.hex()} is not what its hash says.")
            return
