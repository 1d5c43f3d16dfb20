"""The read model beside contract and model: every accepted batch is a block, projected and compared at once."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any

from eth_hash.auto import keccak
from sqlmodel import select

from ledger.chain import state as decoded
from ledger.chain.batch import Batch
from ledger.chain.calls import Recorded
from ledger.chain.included import IncludedBatch, IncludedBlock, Words
from ledger.commitments import word
from ledger.domain.crosswalk import TRACE_WRITERS
from ledger.domain.errors import LedgerError
from ledger.domain.rejections import Rejection
from ledger.genesis import Genesis
from ledger.store.database import Database
from ledger.store.migrations import migrate
from ledger.store.projector import Projector
from ledger.store.tables.chain import EntryRow, MasterRow, OrderRow, ParcelRow
from tests.contract.world import World
from tests.model.ledger_model import LedgerModel, Outcome
from tests.model.subjects import Master, Order, Parcel

CHOSEN: ContextVar[Database | None] = ContextVar("CHOSEN", default=None)


@cache
def own() -> Database:
    """One database for all runs of this process: it is emptied between them, migrated once."""
    made = Database(f"sqlite:///{Path(tempfile.mkdtemp(prefix='clearance-stateful-')) / 'read.db'}")
    migrate(made)
    return made


def database() -> Database:
    """The database that rows are made in."""
    return CHOSEN.get() or own()


@contextmanager
def rows_in(address: str) -> Iterator[None]:
    """Make rows in an empty database of this address instead."""
    made = Database(address)
    migrate(made)
    token = CHOSEN.set(made)
    yield
    CHOSEN.reset(token)
    made.close()


class ReadModel:
    """A chain of one batch a block, as a projector sees it, and the rows made of it."""

    def __init__(self, world: World) -> None:
        """Start with empty rows."""
        self._world = world
        self._blocks: list[IncludedBlock] = []
        self._projector = Projector(database(), self, world.domain)
        self._projector.clear()

    # ---------------------------------------------------------------------------------------- what a projector asks
    def status(self) -> dict[str, Any]:
        height = len(self._blocks)
        return {"genesisHash": "0x" + "ab" * 32, "height": height, "final": height}

    def genesis(self) -> Genesis:
        return self._world.genesis

    def pages(self, start: int, count: int) -> list[IncludedBlock]:
        return self._blocks[start - 1 : start - 1 + count]

    def words(self, subjects: Sequence[int]) -> Words:
        filings = tuple(self._world.view("filings", each) for each in subjects)
        return Words(len(self._blocks), tuple(map(self._world.word, subjects)), filings)

    def send_batches(self, batches: Sequence[Batch]) -> list[dict[str, Any] | LedgerError]:
        raise NotImplementedError

    def await_status(self, height: int, final: int | None, seconds: float) -> dict[str, Any]:
        return self.status()

    def batch_status(self, batch: bytes) -> dict[str, Any]:
        raise NotImplementedError

    # ------------------------------------------------------------------------------------------------- comparing
    def take(self, batch: Batch, recorded: Recorded, t: int) -> int:
        """Make a block of an accepted batch and project it; return its height."""
        height = len(self._blocks) + 1
        included = IncludedBatch(height, 0, recorded.key, recorded.org, t, batch, recorded.outcomes)
        parent = self._blocks[-1].hash if self._blocks else bytes(32)
        self._blocks.append(IncludedBlock(height, keccak(word(height)), parent, t, (included,)))
        assert self._projector.step() == 1
        return height

    def compare(self, height: int, expected: Iterable[Outcome], touched: Iterable[int], model: LedgerModel) -> None:
        """Compare the rows of a block's entries, and of every subject it touched, with the model."""
        with database().read() as session:
            rows = session.exec(select(EntryRow).where(EntryRow.height == height).order_by(EntryRow.number)).all()  # type: ignore[arg-type]
            rejected = {index: int(code) for index, code, _ in expected if int(code) < 128}
            rejected |= self._traces_refused(height, model)
            assert {row.number: row.rejection for row in rows if row.rejection is not None} == rejected
            for identifier in touched:
                subject = model.subjects.get(identifier)
                kind = {Parcel: ParcelRow, Order: OrderRow, Master: MasterRow}.get(type(subject))
                row = session.get(kind, word(identifier)) if kind else None
                if kind is None:
                    assert all(session.get(each, word(identifier)) is None for each in (ParcelRow, OrderRow, MasterRow))
                    continue
                assert row is not None, f"{identifier:#x} has no row"
                assert int.from_bytes(row.word, "big") == self._world.word(identifier)
                if isinstance(subject, Parcel):
                    self._compare_parcel(row, identifier, subject)
                if isinstance(subject, Order):
                    bound = int.from_bytes(row.parcel, "big") if row.parcel else None
                    assert bound == subject.parcel, "the order's parcel"

    def _traces_refused(self, height: int, model: LedgerModel) -> dict[int, int]:
        """What readers reject of a trace lane, where the contract looks at the signer and no further."""
        (included,) = self._blocks[height - 1].batches
        writer = model.members.writer(included.key, included.t)
        if not included.batch.is_trace or writer is None:
            return {}
        entries = enumerate(included.batch.unpacked())
        return {at: int(Rejection.ROLE) for at, each in entries if not TRACE_WRITERS.get(each.kind, 0) & writer.roles}

    def _compare_parcel(self, row: ParcelRow, identifier: int, parcel: Parcel) -> None:
        assert row.clearance == decoded.Parcel(self._world.word(identifier)).clearance
        assert row.office == parcel.office
        assert int.from_bytes(row.filing or b"", "big") == parcel.filing
