"""A denial that comes after the release opens no stop, but what it says of shop and address is not lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from api.identity.answers import Answers, Holder, Said
from api.identity.authority import IdentityAuthority
from clients.sample.members import HANDLES
from ledger.chain.batch import Entry
from ledger.chain.writer import Writer
from ledger.domain.kinds import KindNumber as K
from ledger.store import people, screenings, uses
from ledger.store.database import Database
from tests.api.screened import PERSON, Desk
from tests.api.test_screening import PASSED, REFERRED, reasons
from tests.api.test_submitter import KEYRING

ADDRESS = "서울 지어낸로 1"


@pytest.fixture
def desk(database: Database, tmp_path: Path) -> Desk:
    return Desk(database, tmp_path)


def released(desk: Desk) -> int:
    """Return a parcel that was cleared by rule and has left the yard."""
    parcel = desk.file("H1", address=ADDRESS)
    desk.run()
    identity = Writer(KEYRING.signer("identity"), HANDLES["identity"], desk.gateway.genesis.domain, desk.node)
    identity.write(Entry(parcel, K.IDENTITY_CHECKED, desk.now(), names=desk.node.filing(parcel)))
    identity.flush(desk.now())
    desk.settle()
    desk.says(K.CARRIED_IN, parcel)
    desk.courier.writer.write(Entry(parcel, K.RELEASED, desk.now()))
    desk.sent()
    desk.run()
    return parcel


def denied(desk: Desk, parcel: int) -> None:
    """Let the holder of the number say twice that the parcel is not his."""
    signer = KEYRING.signer("identity")
    authority = IdentityAuthority(
        desk.gateway, desk.seals, signer, HANDLES["identity"], X25519PrivateKey.generate()
    )  # fmt: skip
    with desk.gateway.database.write() as session:
        person = people.register(session, desk.seals, PERSON["pccc"], PERSON["name"], PERSON["phone"])
        told = {"shop": "a shop", "goods": "", "courier": 0}
        use = uses.note_use(
            session, desk.seals, person, parcel.to_bytes(32, "big"), told, desk.gateway.chain_now(),
            receiver_differs=False,
        )  # fmt: skip
        name = use.id
    for _ in range(2):
        Answers(desk.gateway, authority, signer).about_use(Holder(person, None, "csrf"), name, "denied", Said())


def test_address_and_shop_are_looked_at_from_then_on(desk: Desk) -> None:
    parcel = released(desk)
    before = desk.file("H2", pccc="P990000000002", phone="01000000002", address=ADDRESS)
    desk.run()
    assert desk.said(before) == PASSED
    denied(desk, parcel)
    shop = desk.seals.equal("shop", "a shop")
    with desk.gateway.database.read() as session:
        assert screenings.record(session, shop) == (1, 1), "counted once, as refused"
    other = desk.file("H3", pccc="P990000000003", phone="01000000003", address=ADDRESS)
    elsewhere = desk.file("H4", pccc="P990000000004", phone="01000000004", address="부산 지어낸로 2")
    own = desk.file("H5", address=ADDRESS)
    desk.run()
    assert desk.said(other) == REFERRED
    assert reasons(desk, other) == [["denied-at-address"]]
    assert (desk.said(elsewhere), desk.said(own)) == (PASSED, PASSED), "the holder's own parcels are none of it"
