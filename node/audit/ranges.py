"""`audit chain --jobs N`: stretches of the chain executed at the same time, by unmodified py-evm.

Each begins from the state that its first block stands on.

That is as good as one after another. What a stretch begins from lies in the node's store, but every node of that state
is read by its hash, and the root that leads to them stands in the header of the block before, which the stretch before
must arrive at by its own execution. Where states are no longer kept (`node.retention`) the first stretch goes from
genesis to the oldest one; a node that is to be audited so keeps more (`node run --states`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from eth_hash.auto import keccak

from ledger.genesis import Genesis
from node.audit.chain import MAX_FINDINGS, Progress, RawBlock, check_block, compare_stored, raw_block
from node.audit.report import Found, Report
from node.blocks import EMPTY_ROOT, Block, InvalidBlock, MalformedBlock
from node.evm.executor import MISSING_STATE, Executor, StatePruned, nodes_of
from node.genesis import execute_genesis
from node.stats import height_of, oldest_state
from node.store import RocksStore, Space, Store

PIECES: Final = 4
"""Stretches for each job, so that none waits long for the last."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Blocks of a chain that are executed one after another: those above `below` up to `last`."""

    below: int
    last: int


@dataclass(frozen=True, slots=True)
class Executed:
    """What executing a stretch came to.

    Attributes:
        began: hash of the block it began from, as the store has it.
        ended: hash of the last block executed.
        transactions: how many.
        whole: whether every block could be executed.
        findings: what was found.
    """

    stretch: Stretch
    began: bytes
    ended: bytes
    transactions: int
    whole: bool
    findings: tuple[Found, ...]


class AlteredState(InvalidBlock):
    """A state entry that is not what its hash says."""

    code = "store.state"


class _Checked:
    """Trie nodes made by the execution, else of the store, each compared with its hash."""

    def __init__(self, store: Store) -> None:
        self.made: dict[bytes, bytes] = {}
        self._store = store

    def node(self, key: bytes) -> bytes | None:
        made = self.made.get(key)
        if made is not None:
            return made
        kept = self._store.node(key)
        if kept is not None and keccak(kept) != key:
            raise AlteredState(f"state entry 0x{key.hex()} was altered.", hint="")
        return kept


def audit_in_stretches(genesis: Genesis, path: Path, jobs: int, progress: Progress | None = None) -> Report:
    """Execute every block of a stopped node's store again, several stretches at a time; return the report.

    It is the report of `audit_chain` on the same store. A finding in one stretch ends it; those after it are left out.
    """
    store = RocksStore(path, read_only=True)
    try:
        head = height_of(store)
        first = execute_genesis(genesis)
        stretches = cut(head, oldest_state(store, head), jobs)
        done: list[Executed] = []
        with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
            for future in [pool.submit(execute, genesis, path, each) for each in stretches]:
                result = future.result()
                done.append(result)
                if progress:
                    progress(result.stretch.last, head)
                if not result.whole:
                    pool.shutdown(cancel_futures=True)
                    break
        findings = list(_linked(done, first.block.hash))
        if not findings:
            findings += _states(store, head)
        block = Block.decode(raw_block(store, done[-1].stretch.last, head).data) if done else first.block
        subject = {
            "genesis": "0x" + first.block.hash.hex(),
            "contract": genesis.code.hash,
            "height": block.height,
            "head": "0x" + block.hash.hex(),
            "state_root": "0x" + block.header.state_root.hex(),
            "transactions": sum(result.transactions for result in done),
        }
        return Report("chain", subject, tuple(findings))
    finally:
        store.close()


def cut(head: int, oldest: int, jobs: int) -> list[Stretch]:
    """Return the stretches of a chain whose states are kept from `oldest` on."""
    size = max(1, -(-(head - oldest) // (jobs * PIECES)))
    starts = [0, *range(oldest, head, size)] if oldest else list(range(0, head, size)) or [0]
    return [Stretch(below, last) for below, last in zip(starts, [*starts[1:], head], strict=True)]


def execute(genesis: Genesis, path: Path, stretch: Stretch) -> Executed:
    """Execute one stretch; runs in a process of its own."""
    store = RocksStore(path, read_only=True)
    try:
        return _execute(genesis, store, stretch)
    finally:
        store.close()


def _execute(genesis: Genesis, store: Store, stretch: Stretch) -> Executed:
    nodes, head = _Checked(store), height_of(store)
    executor = Executor(nodes, genesis.chain_id)
    findings: list[Found] = []
    first = execute_genesis(genesis)
    raw = raw_block(store, stretch.below, head)
    transactions = 0
    try:
        parent = _begin(raw)
        if stretch.below == 0:
            nodes.made.update(check_block(genesis, executor, first, None, raw).writes)
        began = parent.hash
    except InvalidBlock as error:
        return Executed(stretch, b"", b"", 0, False, (Found(error.code, stretch.below, error.detail),))
    for height in range(stretch.below + 1, stretch.last + 1):
        raw = raw_block(store, height, head)
        try:
            executed = check_block(genesis, executor, first, parent, raw)
        except InvalidBlock as error:
            findings.append(Found(error.code, height, error.detail))
            return Executed(stretch, began, parent.hash, transactions, False, tuple(findings))
        except (StatePruned, *MISSING_STATE):
            missing = f"block {height - 1}: an entry of its state is missing."
            findings.append(Found("store.state", height - 1, missing))
            return Executed(stretch, began, parent.hash, transactions, False, tuple(findings))
        nodes.made.update(executed.writes)
        findings += compare_stored(executed, raw, store)
        parent = executed.block
        transactions += len(parent.transactions)
        if len(findings) >= MAX_FINDINGS:
            return Executed(stretch, began, parent.hash, transactions, False, tuple(findings))
    return Executed(stretch, began, parent.hash, transactions, True, tuple(findings))


def _begin(raw: RawBlock) -> Block:
    try:
        return Block.decode(raw.data)
    except MalformedBlock as error:
        raise MalformedBlock(f"block {raw.height}: {error.detail}", hint=error.hint) from error


def _linked(done: Sequence[Executed], genesis: bytes) -> Iterator[Found]:
    """Yield what was found, in order; each stretch must begin where the one before it arrived."""
    arrived = genesis
    for result in done:
        if result.began and result.began != arrived:
            height = result.stretch.below
            yield Found("block.invalid", height, f"block {height}: the blocks before it end in another one.")
            return
        yield from result.findings
        if not result.whole:
            return
        arrived = result.ended


def _states(store: Store, head: int) -> Iterator[Found]:
    """Check that every state entry is what its hash says, and that the states of the window are there whole."""
    for key, value in store.scan(Space.NODE):
        if keccak(value) != key:
            yield Found("store.state", None, f"state entry 0x{key.hex()} is not what its hash says.")
            return
    before = EMPTY_ROOT
    for height in range(oldest_state(store, head), head + 1):
        root = Block.decode(raw_block(store, height, head).data).header.state_root
        try:
            nodes_of(store, root, before)
        except KeyError as error:
            yield Found("store.state", height, f"block {height}: state entry 0x{error.args[0].hex()} is missing.")
            return
        before = root
