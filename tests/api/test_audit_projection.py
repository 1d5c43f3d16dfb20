"""`audit projection` finds a row that was planted, altered or dropped, and nothing on a clean read model."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import delete, update
from sqlmodel import col, select
from typer.testing import CliRunner

from clients.cli.main import app
from ledger.store.tables.chain import EntryRow, ParcelRow
from tests.api.journey import Journey
from tests.api.world import World
from tests.node.serving import TOKEN

DATABASES = ("sqlite", "postgresql")


def audit(service: World) -> tuple[int, list[str]]:
    where = ["--home", str(service.home), "--database", service.gateway.database.url]
    words = ["audit", "projection", "--rpc", service.sealer.url, "--token", TOKEN, *where, "--json"]
    result = CliRunner().invoke(app, words)
    document = json.loads(result.stdout.splitlines()[-1])
    return result.exit_code, [each["sentence"] for each in document["findings"]]


@pytest.fixture(scope="module")
def parcel(service: World) -> bytes:
    journey = Journey(service, "audited").ordered().filed().checked().carried_in()
    return journey.parcel.to_bytes(32, "big")


def test_a_clean_read_model(service: World, parcel: bytes) -> None:
    assert parcel
    assert audit(service) == (0, [])


def test_an_altered_row(service: World, parcel: bytes) -> None:
    database = service.gateway.database
    with database.write() as session:
        session.connection().execute(update(ParcelRow).where(col(ParcelRow.id) == parcel).values(clearance="refused"))
    status, found = audit(service)
    assert status == 1
    assert found == [f"parcel 0x{parcel.hex()}: clearance differ from the chain."]
    with database.write() as session:
        session.connection().execute(update(ParcelRow).where(col(ParcelRow.id) == parcel).values(clearance="cleared"))
    assert audit(service) == (0, [])


def test_a_planted_and_a_dropped_row(service: World, parcel: bytes) -> None:
    database = service.gateway.database
    with database.write() as session:
        kept = session.exec(select(EntryRow).where(EntryRow.subject == parcel)).first()
        assert kept is not None
        values = kept.model_dump()
        session.add(EntryRow(**(values | {"number": 99})))
        session.connection().execute(
            delete(EntryRow).where(col(EntryRow.height) == kept.height, col(EntryRow.place) == kept.place,
                                   col(EntryRow.number) == kept.number)
        )  # fmt: skip
    status, found = audit(service)
    assert status == 1
    assert any("stands here and not on the chain" in each for each in found)
    assert any("stands on the chain and not here" in each for each in found)
    with database.write() as session:
        session.connection().execute(delete(EntryRow).where(col(EntryRow.number) == 99))
        session.add(EntryRow(**values))
    assert audit(service) == (0, [])
