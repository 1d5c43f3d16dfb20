"""Compares a read model with one made anew from the chain: a row that was planted, altered or dropped is found."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlmodel import SQLModel, select

from ledger.chain.membership import Membership
from ledger.chain.port import ChainPort
from ledger.commitments import LedgerDomain, word
from ledger.domain.errors import LedgerError
from ledger.store.database import Database
from ledger.store.migrations import migrate
from ledger.store.projection import Page
from ledger.store.projector import PAGE, Projector
from ledger.store.rows import table_of
from ledger.store.tables.chain import BlockRow, EntryRow, KeyRow, MasterRow, OrderRow, OrgRow, ParcelRow

MODELS: Final[tuple[type[SQLModel], ...]] = (BlockRow, EntryRow, ParcelRow, OrderRow, MasterRow, KeyRow, OrgRow)
MAX_FOUND: Final = 100
"""Differences told; there may be more."""
STORED: Final = frozenset({"word", "filing", "clearance", "office", "filed_at", "handed", "handle"})
"""Columns that follow the contract's words at the node's head, not at the cursor."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One row that is not as the chain says."""

    table: str
    key: str
    what: str

    @property
    def sentence(self) -> str:
        """What is wrong, in one line."""
        return f"{self.table} {self.key}: {self.what}"


def differences(
    database: Database, node: ChainPort, domain: LedgerDomain, progress: Callable[[int, int], None] | None = None
) -> Iterator[Difference]:
    """Make the read model anew, up to the same block, and yield what differs; nothing is written to `database`.

    Raises:
        LedgerError: the node's chain ends below the read model.
    """
    height = Projector(database, node, domain).height()
    if node.status()["final"] < height:
        raise LedgerError("The node's chain ends below the read model.", hint="Ask a node that has caught up.")
    with tempfile.TemporaryDirectory(prefix="clearance-audit-") as folder:
        fresh = Database(f"sqlite:///{Path(folder) / 'fresh.db'}")
        try:
            migrate(fresh)
            Projector(fresh, node, domain).catch_up(progress, until=height)
            moving = _moved_since(node, height)
            count = 0
            for model in MODELS:
                for found in _compare(database, fresh, model, moving):
                    yield found
                    count += 1
                    if count >= MAX_FOUND:
                        return
        finally:
            fresh.close()


def _moved_since(node: ChainPort, height: int) -> set[bytes]:
    """Return the subjects that blocks above a height touched: their words may be newer than the cursor."""
    moved: set[int] = set()
    members = Membership.of(node.genesis())  # subjects do not depend on them
    while blocks := node.pages(height + 1, PAGE):
        moved |= Page.of(blocks, members).subjects
        height = blocks[-1].height
    return {word(each) for each in moved}


def _compare(kept: Database, fresh: Database, model: type[SQLModel], moving: set[bytes]) -> Iterator[Difference]:
    table = table_of(model)
    key = [column.name for column in table.primary_key]
    left, right = _rows(kept, model, key), _rows(fresh, model, key)
    mine, theirs = next(left, None), next(right, None)
    while mine is not None or theirs is not None:
        if theirs is None or (mine is not None and _key(mine, key) < _key(theirs, key)):
            yield Difference(table.name, _shown(mine or {}, key), "stands here and not on the chain")
            mine = next(left, None)
        elif mine is None or _key(theirs, key) < _key(mine, key):
            yield Difference(table.name, _shown(theirs, key), "stands on the chain and not here")
            theirs = next(right, None)
        else:
            skipped = STORED if mine.get("id") in moving else frozenset()
            other = sorted(name for name in mine if mine[name] != theirs[name] and name not in skipped)
            if other:
                yield Difference(table.name, _shown(mine, key), f"{', '.join(other)} differ from the chain")
            mine, theirs = next(left, None), next(right, None)


def _rows(database: Database, model: type[SQLModel], key: list[str]) -> Iterator[dict[str, Any]]:
    with database.read() as session:
        ordered = select(model).order_by(*(getattr(model, name) for name in key)).execution_options(yield_per=1_000)
        for row in session.exec(ordered):
            yield row.model_dump()


def _key(row: dict[str, Any], key: list[str]) -> list[Any]:
    return [row[name] for name in key]


def _shown(row: dict[str, Any], key: list[str]) -> str:
    return " ".join("0x" + row[name].hex() if isinstance(row[name], bytes) else str(row[name]) for name in key)
