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


def denied(desk: Desk, parcel: int, told: dict[str, str]) -> None:
    """Let the holder of the number say twice that the parcel is not his."""
    signer = KEYRING.signer("identity")
    authority = IdentityAuthority(
        desk.gateway, desk.seals, signer, HANDLES["identity"], X25519PrivateKey.generate()
    )  # fmt: skip
    with desk.gateway.database.write() as session:
        person = people.register(session, desk.seals, told["pccc"], told["name"], told["phone"])
        shown = {"shop": "a shop", "goods": "", "courier": 0}
        use = uses.note_use(
            session, desk.seals, person, parcel.to_bytes(32, "big"), shown, desk.gateway.chain_now(),
            receiver_differs=False,
        )  # fmt: skip
        name = use.id
    for _ in range(2):
        Answers(desk.gateway, authority, signer).about_use(Holder(person, None, "csrf"), name, "denied", Said())


def other(number: int) -> dict[str, str]:
    """Somebody else, who has goods sent to the same address."""
    return {"pccc": f"P99000000000{number}", "name": f"표본인 0000{number}", "phone": f"0100000000{number}"}


def test_shop_and_address_are_looked_at_from_then_on(desk: Desk) -> None:
    parcel = released(desk)
    before = desk.file("H2", **other(2), address=ADDRESS)
    desk.run()
    assert desk.said(before) == PASSED
    denied(desk, parcel, PERSON)
    shop = desk.seals.equal("shop", "a shop")
    with desk.gateway.database.read() as session:
        assert screenings.record(session, shop) == (1, 1), "counted once, as refused"
    elsewhere = desk.file("H3", **other(3), address="부산 지어낸로 2")
    own = desk.file("H4", address=ADDRESS)
    desk.run()
    assert (desk.said(elsewhere), desk.said(own)) == (PASSED, PASSED), "the holder's own parcels are none of it"
    assert reasons(desk, elsewhere) == reasons(desk, own) == [[]]


def test_one_denial_refers_nobody_else_at_an_address_and_that_of_another_holder_does(desk: Desk) -> None:
    first, second = desk.file("H1", address=ADDRESS), desk.file("H2", **other(2), address=ADDRESS)
    again = desk.file("H3", address=ADDRESS)
    desk.run()
    denied(desk, first, PERSON)
    denied(desk, again, PERSON)
    neighbour = desk.file("H4", **other(4), address=ADDRESS)
    desk.run()
    assert desk.said(neighbour) == PASSED, "a mail room is one address; twice the same holder is one denial"
    assert reasons(desk, neighbour) == [["denied-at-address"]]
    denied(desk, second, other(2))
    target = desk.file("H5", **other(5), address=ADDRESS)
    desk.run()
    assert desk.said(target) == REFERRED
    assert reasons(desk, target) == [["denied-at-address", "several-denied-at-address"]]
