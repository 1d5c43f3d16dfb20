"""While the read model is made anew nobody's stop is lost: a denial owes one, what cannot be told yet is 503."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from sqlmodel import select

from api.identity.answers import Said
from api.problems import APIError
from clients.sample.plan import START
from ledger.answers import AnswerReceipt
from ledger.payloads import Spool
from ledger.store import history, uses
from ledger.store.database import Database
from ledger.store.migrations import migrate
from ledger.store.tables.chain import ParcelRow
from ledger.store.tables.identity import AuthorityCursor
from tests.api import screened
from tests.api.test_authority import Desk
from tests.api.test_buyer import Buyer
from tests.api.test_screening import PASSED, REFERRED
from tests.api.test_submitter import KEYRING
from tests.api.world import World


@pytest.fixture
def desk(database: Database, tmp_path: Path) -> Desk:
    return Desk(database, tmp_path)


def migrated(desk: Desk) -> None:
    """Bring the filled tables of the version before members to those of now: the read model is emptied."""
    migrate(desk.gateway.database, "0006")
    migrate(desk.gateway.database)
    with desk.gateway.database.read() as session:
        assert session.exec(select(ParcelRow)).first() is None
        assert uses.is_read_model_behind(session)


def test_a_denial_meanwhile_owes_its_stop(desk: Desk) -> None:
    parcel = desk.file("H1")
    desk.run()
    migrated(desk)
    answer = desk.answers().about_use(desk.holder(), desk.use().id, "denied", Said())
    receipt = AnswerReceipt.of(json.loads(answer.receipt))
    assert [stop.parcel for stop in receipt.stops] == [parcel]
    assert receipt.stops_by > receipt.at
    desk.authority.step()
    desk.run()
    assert desk.said(parcel) == Counter(IDENTITY_CHECKED=1, IDENTITY_STOPPED=1)


def test_what_needs_the_parcels_waits_until_they_are_there(desk: Desk) -> None:
    parcel = desk.file("H1")
    desk.run()
    migrated(desk)
    for ask in (
        lambda: desk.answers().freeze(desk.holder(), [], Said()),
        lambda: desk.answers().freeze(desk.holder(), [desk.use().id], Said()),
    ):
        with pytest.raises(APIError) as refused:
            ask()
        assert (refused.value.code, refused.value.retry_after) == ("projection.behind", 30)
    desk.project()
    desk.answers().freeze(desk.holder(), [], Said())
    desk.run()
    assert desk.said(parcel) == Counter(IDENTITY_CHECKED=1, IDENTITY_STOPPED=1)


def test_a_filing_that_waited_is_judged_afterwards(desk: Desk) -> None:
    parcel = desk.file("H1", spooled=False)
    desk.run()
    migrated(desk)
    desk.node.move_to(START + 3_600)  # it is due to be judged again, and its parcel has no row
    assert desk.authority.judge() == 0
    payload = desk.courier._payload(desk.courier.parcels["H1"].shipment, 0)
    Spool(desk.home).put(payload.digest, payload.sealed([KEYRING.opener("identity").public_key()]))
    desk.project()
    desk.run()
    assert desk.said(parcel) == Counter(IDENTITY_CHECKED=1)


def test_what_the_authority_found_before_is_referred_afterwards(database: Database, tmp_path: Path) -> None:
    desk = screened.Desk(database, tmp_path)
    parcel = desk.file("H1")
    desk.run()
    subject, filing = parcel.to_bytes(32, "big"), desk.node.filing(parcel).to_bytes(20, "big")
    with database.write() as session:
        history.refer(session, subject, filing, "commercial", ["frequency"], desk.gateway.chain_now())
    migrate(database, "0006")
    migrate(database)
    assert desk.screening.take_up() == 0
    desk.project()
    desk.run()
    assert desk.said(parcel) == PASSED + REFERRED


def test_the_gateway_says_that_it_is_not_ready(service: World) -> None:
    buyer = Buyer(service, 1)
    assert service.client().get("/readyz").status_code == 200

    def judged(blocks: int) -> None:
        """Let the authority have judged by so many more blocks than became rows."""
        with service.gateway.database.write() as session:
            cursor = session.get(AuthorityCursor, 1) or AuthorityCursor(parcel=bytes(32))
            cursor.height += blocks
            session.add(cursor)

    judged(1_000)
    ready = service.client().get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (503, "lagging")
    body = {"exempt": []} | buyer.said("frozen", "number", {"exempt": []})
    frozen = buyer.http.post("/v1/buyer/number/freeze", json=body)
    assert (frozen.status_code, frozen.json()["code"]) == (503, "projection.behind")
    assert frozen.headers["Retry-After"] == "30"
    judged(-1_000)
    assert service.client().get("/readyz").status_code == 200
    assert buyer.http.post("/v1/buyer/number/freeze", json=body).status_code == 201
