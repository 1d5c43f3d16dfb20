"""The vault behind the gateway: a squatter's envelope changes nothing, whose numbers were declared is found again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlmodel import select

from api.identity.filed import WHO, WHY
from clients.cli.api import open_database
from clients.cli.vault import open_vault, say_held
from clients.sample.members import HANDLES
from clients.sample.plan import START
from ledger.payloads import Payload, Spool
from ledger.store.database import Database
from ledger.store.erasing import erase_payloads
from ledger.store.migrations import migrate
from ledger.store.sealing import Seals
from ledger.store.tables.chain import ParcelRow
from ledger.store.vault import Vault, keys_in
from tests.api.test_authority import PERSON, Desk
from tests.api.test_submitter import KEYRING

COURIER, STRANGER = HANDLES["courier-1"], HANDLES["shop-02"]
AUTHORITY = KEYRING.opener("identity").public_key()


class Kept(Desk):
    """A gateway with a vault; the courier's envelopes lie in a folder until they are put."""

    def __init__(self, database: Database, home: Path) -> None:
        super().__init__(database, home)
        keys = keys_in(home / "vault.key")
        self.vault = Vault(database, keys, lambda: self.time)
        self.gateway = replace(self.gateway, payloads=self.vault)
        self.seals = Seals.beside(bytes(32), keys.index, keys.data)
        self.authority = self.fresh()

    def filed(self, house: str) -> tuple[int, bytes, bytes]:
        """File a parcel whose payload has not come; return parcel, digest and the courier's envelope."""
        parcel = self.file(house)
        with self.gateway.database.read() as session:
            chosen = select(ParcelRow.payload).where(ParcelRow.id == parcel.to_bytes(32, "big"))
            digest = session.exec(chosen).one()
        assert digest is not None
        envelope = Spool(self.home).get(digest)
        assert envelope is not None
        return parcel, digest, envelope


@pytest.fixture
def desk(database: Database, tmp_path: Path) -> Iterator[Kept]:
    made = Kept(database, tmp_path)
    yield made
    made.vault.keys.data.close()


def damaged(envelope: bytes) -> bytes:
    """Return an envelope to the same readers that none of them can open."""
    return envelope[:-1] + bytes([envelope[-1] ^ 1])


def another(digest: bytes) -> bytes:
    """Return a sealed payload of another digest, said to be of this one."""
    told = Payload.of({"consignee": PERSON | {"name": "somebody else"}}, os.urandom(32))
    return told.sealed([AUTHORITY]).replace(told.digest, digest)


def test_squatters_before_the_right_envelope_change_nothing(desk: Kept) -> None:
    parcel, digest, envelope = desk.filed("H1")
    for org, squatted in enumerate((damaged(envelope), another(digest), b"no envelope at all"), STRANGER):
        desk.vault.put(digest, squatted, org)
    desk.run()
    assert not desk.said(parcel), "a stranger's envelope decided"
    desk.vault.put(digest, envelope, COURIER)
    desk.node.move_to(START + 3_600)
    desk.run()
    assert desk.said(parcel) == {"IDENTITY_CHECKED": 1}


def test_whoever_puts_the_right_envelope_is_heard(desk: Kept) -> None:
    """A broker puts what it files in the courier's name."""
    parcel, digest, envelope = desk.filed("H1")
    desk.vault.put(digest, damaged(envelope), STRANGER)
    desk.vault.put(digest, envelope, HANDLES["broker-1"])
    desk.run()
    assert desk.said(parcel) == {"IDENTITY_CHECKED": 1}


def test_the_openers_own_envelope_counts_when_nobody_can_open_it(desk: Kept) -> None:
    parcel, digest, envelope = desk.filed("H1")
    desk.vault.put(digest, damaged(envelope), COURIER)
    desk.vault.put(digest, envelope, COURIER)  # keeping it again changes nothing
    desk.run()
    assert desk.said(parcel) == {"IDENTITY_STOPPED": 1}


def test_a_judged_filing_is_found_by_its_number_and_the_opening_is_noted(desk: Kept) -> None:
    _, digest, envelope = desk.filed("H1")
    desk.vault.put(digest, envelope, COURIER)
    desk.run()
    with desk.gateway.database.read() as session:
        assert desk.vault.find(session, PERSON["pccc"]) == [digest]
    assert [(row.who, row.why) for row in desk.vault.openings(digest)] == [(WHO, WHY)]


def test_the_audit_of_a_parcel_says_that_its_payload_was_erased(tmp_path: Path) -> None:
    home = tmp_path / "gateway"
    database = open_database(home, "")
    migrate(database)
    vault = open_vault(home, database)
    told = Payload.of({"consignee": PERSON}, os.urandom(32))
    vault.put(told.digest, told.sealed([AUTHORITY]))
    events = [{"kind": kind, "digest": "0x" + told.digest.hex()} for kind in ("FILED", "CARRIED_IN")]
    say_held(home, events)
    assert [each.get("payload") for each in events] == ["held", None]
    erase_payloads(database, vault, [told.digest], vault._now())
    say_held(home, events)
    assert events[0]["payload"] == "erased"
    vault.keys.data.close()
    database.close()
