"""Who may write which trace: one rule of the decoder, by the roles of the day, in the read model and in its events."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sqlmodel import select

from clients.sample.members import HANDLES
from ledger.chain.batch import Batch, Entry
from ledger.chain.included import IncludedBatch
from ledger.domain.crosswalk import DAY_COMMITTED, DAY_REVEALED, TRACE_BY_NUMBER, TRACES
from ledger.domain.kinds import KindNumber
from ledger.domain.limits import TRACE_LANE
from ledger.domain.rejections import Rejection
from ledger.domain.roles import Role
from ledger.genesis import MemberKey
from ledger.store import events, parcels
from ledger.store.access import Caller
from ledger.store.comparison import differences
from ledger.store.database import Database
from ledger.store.projector import Projector
from ledger.store.tables.chain import EntryRow
from tests.node.audit_world import KEYRING, AuditWorld, audit_genesis

SELLER_AND_COURIER = int(Role.SELLER | Role.COURIER)


@pytest.mark.parametrize("role", Role, ids=lambda role: role.name)
def test_every_trace_is_taken_from_its_writers_alone(role: Role) -> None:
    numbers = [*TRACE_BY_NUMBER, DAY_COMMITTED, DAY_REVEALED, 239, 255]
    entries = [Entry(1, each, 0) for each in numbers]
    signer = KEYRING.signer("shop-01")
    data = Batch.signed(audit_genesis().domain, signer, lane=TRACE_LANE, seq=0, not_after=1, entries=entries)
    batch = IncludedBatch(1, 0, bytes(20), 1, 0, data, ())
    taken = {each.entry.kind for each in batch.entries(role) if each.rejection is None}
    refused = {each.rejection for each in batch.entries(role) if each.entry.kind not in taken}
    writers = {number for number, trace in TRACE_BY_NUMBER.items() if trace.roles & role}
    assert taken == writers | ({DAY_COMMITTED, DAY_REVEALED} if role is Role.SCREENING else set())
    assert refused == {Rejection.ROLE}


@pytest.fixture
def world(tmp_path: Path) -> AuditWorld:
    """A parcel that shop-04 says is delivered, before and after it becomes a courier too."""
    made = AuditWorld(tmp_path / "node")
    filing = made.filing(KindNumber.FILED, b"p" * 32, (5_000 | 840 << 40 | 1 << 56 | 1 << 72,))
    made.subjects["parcel"] = filing.subject
    made.send("courier-1", filing)
    made.trace("courier-1", filing.subject, "PICKED_UP")
    made.trace("shop-04", filing.subject, "DELIVERED")
    made.seal()
    org = next(each for each in made.genesis.orgs if each.name == "shop-04")
    key = MemberKey(KEYRING.signer("shop-04").hex_address, org.handle, SELLER_AND_COURIER)
    made.vote(
        ("govern", (1, org.handle, replace(org, roles=SELLER_AND_COURIER).word())),
        ("govern", (2, int(key.address, 16), key.word())),
    )
    made.trace("shop-04", filing.subject, "DELIVERED")
    made.seal()
    return made


def test_a_trace_is_judged_by_the_roles_of_its_day(world: AuditWorld, database: Database) -> None:
    domain, parcel = world.genesis.domain, world.subjects["parcel"].to_bytes(32, "big")
    while Projector(database, world.node, domain).step(until=_next(database, world)):  # a restart before every block
        pass
    with database.read() as session:
        found = session.exec(select(EntryRow).where(EntryRow.trace).order_by(EntryRow.height, EntryRow.place))
        told = [(row.kind, row.rejection) for row in found]
        line = [row.kind for row in parcels.time_line(session, parcel) if row.trace]
        courier = Caller(KEYRING.signer("courier-1").address, HANDLES["courier-1"], int(Role.COURIER), 0)
        heard = [each.type for each in events.events(session, courier, events.START, 100).events]
    picked, delivered = TRACES["PICKED_UP"].number, TRACES["DELIVERED"].number
    assert told == [(picked, None), (delivered, int(Rejection.ROLE)), (delivered, None)]
    assert line == [picked, delivered]
    assert heard == ["parcel.filed", "trace.picked_up", "trace.delivered"]
    assert list(differences(database, world.node, domain)) == []


def _next(database: Database, world: AuditWorld) -> int:
    return Projector(database, world.node, world.genesis.domain).height() + 1
