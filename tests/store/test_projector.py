"""The read model of a whole sample day equals the contract, entry by entry and word by word."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import delete, select

from clients.cli.embedded import EmbeddedNode
from ledger.chain.included import IncludedBlock
from ledger.chain.state import Parcel
from ledger.domain.rejections import Effect
from ledger.store.database import Database
from ledger.store.projector import ForeignChain, NoMembers, Projector
from ledger.store.tables.chain import BlockRow, Cursor, EntryRow, KeyRow, MasterRow, OrderRow, OrgRow, ParcelRow
from node.clock import LogicalClock
from node.sealer import Sealer
from tests.node.days import make_day, sealer_keys

MODELS = (EntryRow, ParcelRow, OrderRow, MasterRow, BlockRow)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedNode]:
    day = make_day(tmp_path_factory.mktemp("day"), 40)
    chain = day.open()
    clock = LogicalClock(chain.head.timestamp)
    yield EmbeddedNode(Sealer(chain, sealer_keys(), clock), clock)
    chain.store.close()


def rows(database: Database) -> dict[str, list[dict[str, object]]]:
    with database.read() as session:
        found = {}
        for model in MODELS:
            key = [column.name for column in model.__table__.primary_key]  # type: ignore[attr-defined]
            listed = [row.model_dump() for row in session.exec(select(model))]
            found[model.__name__] = sorted(listed, key=lambda row: [row[name] for name in key])
        return found


def test_rows_equal_the_contract(database: Database, node: EmbeddedNode) -> None:
    projector = Projector(database, node, node.sealer.chain.domain)
    assert projector.catch_up() == node.status()["height"]
    found = rows(database)
    entries = [(batch, each) for batch in node.included(1) for each in batch.entries()]
    assert len(found["EntryRow"]) == len(entries) > 400
    assert len(found["ParcelRow"]) >= 35
    decided = {
        each.entry.subject.to_bytes(32, "big") for batch, each in entries
        if not batch.batch.is_trace and each.rejection is None
        and (each.kind.name.startswith("DECIDED_") or any(effect.code is Effect.CLEARED for effect in each.effects))
    }  # fmt: skip
    assert decided
    for row in found["ParcelRow"]:
        number = int.from_bytes(row["id"], "big")  # type: ignore[arg-type]
        stored = node.word(number)
        assert row["word"] == stored.to_bytes(32, "big")
        assert row["clearance"] == Parcel(stored).clearance
        assert row["filing"] == (node.filing(number).to_bytes(20, "big") if node.filing(number) else None)
        assert (row["decided_at"] is not None) == (row["id"] in decided)
    bound = [row for row in found["OrderRow"] if row["parcel"] is not None]
    assert bound
    parcels = {row["id"] for row in found["ParcelRow"]}
    assert {row["parcel"] for row in bound} <= parcels
    for row in found["OrderRow"]:
        assert row["word"] == node.word(int.from_bytes(row["id"], "big")).to_bytes(32, "big")  # type: ignore[arg-type]


def test_made_anew_it_comes_out_equal(database: Database, node: EmbeddedNode) -> None:
    projector = Projector(database, node, node.sealer.chain.domain)
    projector.catch_up()
    before = rows(database)
    projector.clear()
    assert projector.height() == 0
    Projector(database, node, node.sealer.chain.domain).catch_up()
    assert rows(database) == before


def test_another_chain_is_refused(database: Database, node: EmbeddedNode, tmp_path: Path) -> None:
    projector = Projector(database, node, node.sealer.chain.domain)
    projector.catch_up()
    with database.write() as session:
        cursor = session.exec(select(Cursor)).one()
        cursor.block_hash = bytes(32)
        session.add(cursor)
    with pytest.raises(ForeignChain, match="Audit the node"):
        Projector(database, node, node.sealer.chain.domain).step()
    with database.write() as session:
        cursor = session.exec(select(Cursor)).one()
        cursor.genesis_hash = bytes(32)
        session.add(cursor)
    with pytest.raises(ForeignChain, match="another genesis"):
        Projector(database, node, node.sealer.chain.domain).step()


def test_rows_of_a_version_without_members_are_refused_until_they_are_made_anew(
    database: Database, node: EmbeddedNode
) -> None:
    projector = Projector(database, node, node.sealer.chain.domain)
    projector.step(until=3)
    with database.write() as session:  # what an older version leaves behind that goes on after the migration
        for model in (KeyRow, OrgRow):
            session.exec(delete(model))
    again = Projector(database, node, node.sealer.chain.domain)
    before = rows(database)
    with pytest.raises(NoMembers, match="clearance api reindex"):
        again.step()
    assert (rows(database), again.height()) == (before, 3)
    again.clear()
    assert again.catch_up() == node.status()["height"]
    with database.read() as session:
        assert session.exec(select(OrgRow)).first() is not None


class Unfinal:
    """A node whose newest blocks are not final, which may put others in their place."""

    def __init__(self, node: EmbeddedNode, final: int) -> None:
        self._node, self.final, self.asked = node, final, list[int]()
        self.changed = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._node, name)

    def status(self) -> dict[str, Any]:
        (newest,) = self._node.pages(self.final + 3, 1)
        told = {"final": self.final, "height": newest.height, "blockHash": "0x" + newest.hash.hex()}
        return self._node.status() | told

    def pages(self, start: int, count: int) -> list[IncludedBlock]:
        end = min(start + count, self.final + 4)
        self.asked += range(start, end)
        pages = self._node.pages(start, end - start)
        if self.changed:
            return pages
        return [replace(block, hash=bytes(32)) if block.height > 5 else block for block in pages]


def test_blocks_seen_before_they_were_final_are_not_asked_for_twice(database: Database, node: EmbeddedNode) -> None:
    slow = Unfinal(node, 3)
    slow.changed = True
    projector = Projector(database, slow, node.sealer.chain.domain)
    for slow.final in (3, 3, 4, 5, 6, 9):
        projector.step()
    assert projector.height() == 9
    assert slow.asked == sorted(set(slow.asked))


def test_blocks_that_others_took_the_place_of_are_asked_for_again(database: Database, node: EmbeddedNode) -> None:
    projector = Projector(database, slow := Unfinal(node, 3), node.sealer.chain.domain)
    assert projector.step() == 3
    slow.changed = True
    for slow.final in (4, 5, 6, 7):
        projector.step()
    assert projector.height() == 7
    with database.read() as session:
        kept = {row.height: row.hash for row in session.exec(select(BlockRow))}
    assert kept == {block.height: block.hash for block in node.pages(1, 7)}


def test_a_crash_between_rows_and_cursor_leaves_neither(
    database: Database, node: EmbeddedNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    projector = Projector(database, node, node.sealer.chain.domain)
    projector.step()
    before = rows(database), projector.height()

    def fails(*_: object) -> None:
        raise RuntimeError("killed here")

    with monkeypatch.context() as broken:
        broken.setattr("ledger.store.projector.note_included", fails)
        with pytest.raises(RuntimeError, match="killed here"):
            projector.step()
    assert (rows(database), projector.height()) == before
    projector.catch_up()
    whole = rows(database)
    projector.clear()
    Projector(database, node, node.sealer.chain.domain).catch_up()
    assert rows(database) == whole
