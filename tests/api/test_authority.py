"""The identity authority without a web server: each filing judged once, each stop said once, whatever dies between."""

from __future__ import annotations

import datetime as dt
import json
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from sqlmodel import select

from api.identity.answers import Answers, Holder, Said
from api.identity.authority import IdentityAuthority, cause_digest
from api.identity.judgement import Cause
from api.submitter import Submitter
from clients.courier import Courier, Shipment
from clients.sample.members import HANDLES
from clients.sample.plan import START
from ledger.chain.batch import Entry
from ledger.chain.writer import Writer
from ledger.domain.facts import Goods, Transport, country_number
from ledger.domain.kinds import KindNumber as K
from ledger.payloads import Payload, Spool
from ledger.store import people
from ledger.store.database import Database
from ledger.store.projector import Projector
from ledger.store.sealing import Seals
from ledger.store.tables.chain import ParcelRow
from ledger.store.tables.identity import JudgedRow, SayingRow, UseRow
from tests.api.test_submitter import KEYRING, Killed, World

PERSON = {"pccc": "P990000000001", "name": "표본인 00001", "phone": "01000000001"}
OFFICE = 40


class Desk(World):
    """A gateway with an identity authority and a courier that files through the node."""

    def __init__(self, database: Database, home: Path) -> None:
        super().__init__(database, home)
        self.home = home
        self.seals = Seals(bytes(32))
        with database.write() as session:
            self.person = people.register(session, self.seals, PERSON["pccc"], PERSON["name"], PERSON["phone"])
        self.authority = self.fresh()
        self.courier = Courier(
            Writer(KEYRING.signer("courier-1"), HANDLES["courier-1"], self.gateway.genesis.domain, self.node),
            bytes(32), Spool(home), KEYRING.opener("courier-1"), [KEYRING.opener("identity").public_key()],
        )  # fmt: skip

    def fresh(self, seed: int = 1) -> IdentityAuthority:
        """Return an authority as a new process would start it."""
        opener, signer = KEYRING.opener("identity"), KEYRING.signer("identity")
        dice, pause = random.Random(seed), dt.timedelta(0)
        return IdentityAuthority(
            self.gateway, self.seals, signer, HANDLES["identity"], opener, dice=dice, pause=pause
        )  # fmt: skip

    def file(self, house: str, *, spooled: bool = True, master: int = 0, **changes: str) -> int:
        """File a parcel without order, seal and project it."""
        country = country_number("US")
        shipment = Shipment(
            house, (), Transport(country, country, 1, OFFICE, 0, master=master), self.node._clock.now(), "a shop",
            Goods(price=3_000, currency=840, goods_class=1, quantity=1, unit=1), consignee=PERSON | changes,
        )  # fmt: skip
        parcel = self.courier.file(shipment, spooled=spooled)
        self.courier.writer.flush(self.node._clock.now())
        self.settle()
        return parcel

    def settle(self) -> None:
        """Hand over, seal and project whatever waits."""
        for _ in range(3):
            self.later(0.01)
            Submitter(self.gateway).step()
            self.later(11)
            self.node.seal()
            Projector(self.gateway.database, self.node, self.gateway.genesis.domain).catch_up()

    def run(self, authority: IdentityAuthority | None = None) -> None:
        """Let the authority act until nothing is left, and everything be included."""
        for _ in range(5):
            (authority or self.authority).step()
            self.settle()

    def said(self, parcel: int) -> Counter[str]:
        """Return what the authority has on chain of a parcel."""
        key = KEYRING.signer("identity").address
        return Counter(
            each.kind.name
            for batch in self.node.included(1)
            if batch.key == key
            for each in batch.entries()
            if each.entry.subject == parcel and each.rejection is None
        )

    def holder(self) -> Holder:
        return Holder(self.person, None, "csrf")

    def answers(self) -> Answers:
        return Answers(self.gateway, self.authority, KEYRING.signer("identity"))

    def use(self) -> UseRow:
        with self.gateway.database.read() as session:
            return session.exec(select(UseRow)).one()


@pytest.fixture
def desk(database: Database, tmp_path: Path) -> Desk:
    return Desk(database, tmp_path)


def test_each_filing_is_judged_once(desk: Desk) -> None:
    parcels = [desk.file(f"H{number}") for number in range(3)]
    desk.run()
    desk.run(desk.fresh())
    assert [desk.said(parcel) for parcel in parcels] == [Counter(IDENTITY_CHECKED=1)] * 3


@pytest.mark.parametrize("at", ["say", "shuffle", "accept", "after the cut"])
def test_a_crash_between_any_two_steps(desk: Desk, at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = desk.file("H1"), desk.file("H2", name="다른 사람")

    def dies(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as broken:
        if at == "say":
            broken.setattr("api.identity.authority.uses.say", dies)
        elif at == "shuffle":
            broken.setattr(desk.authority._dice, "shuffle", dies)
        elif at == "accept":
            broken.setattr("api.identity.authority.submissions.accept", dies)
        else:
            plain = desk.authority.cut

            def cut_and_die() -> int:
                plain()
                raise Killed

            broken.setattr(desk.authority, "cut", cut_and_die)
        with pytest.raises(Killed):
            desk.authority.step()
    desk.later(11)  # its lease is over
    desk.run(desk.fresh(2))
    assert desk.said(good) == Counter(IDENTITY_CHECKED=1)
    assert desk.said(bad) == Counter(IDENTITY_STOPPED=1)


def test_a_filing_without_its_payload_waits_for_it(desk: Desk) -> None:
    parcel = desk.file("H1", spooled=False)
    desk.run()
    assert desk.said(parcel) == Counter()
    with desk.gateway.database.read() as session:
        assert session.exec(select(JudgedRow)).one().cause == Cause.NO_PAYLOAD
    filed = desk.courier.parcels["H1"].shipment
    payload = desk.courier._payload(filed, 0)
    Spool(desk.home).put(payload.digest, payload.sealed([KEYRING.opener("identity").public_key()]))
    desk.node.move_to(START + 3_600)
    desk.run()
    assert desk.said(parcel) == Counter(IDENTITY_CHECKED=1)


def test_a_dead_batch_is_said_again(desk: Desk) -> None:
    parcel = desk.file("H1", phone="01099999999")
    desk.authority.step()
    desk.node.move_to(START + 90_000)  # its notAfter passes before anybody hands it over
    desk.run()
    assert desk.said(parcel) == Counter(IDENTITY_STOPPED=1)


def test_a_number_older_than_the_last_batch_is_not_used_twice(desk: Desk) -> None:
    desk.file("H1")
    desk.run()
    second = desk.file("H2")
    desk.authority.judge()
    with desk.gateway.database.write() as session:
        rows = list(session.exec(select(SayingRow).where(SayingRow.batch == None)))  # noqa: E711
        desk.authority._put(session, 1, 0, rows)  # what was read of the chain is older than what was written
    desk.settle()
    assert desk.said(second) == Counter(IDENTITY_CHECKED=1)


def test_a_denial_twice_stops_once(desk: Desk) -> None:
    parcel = desk.file("H1")
    desk.run()
    for _ in range(2):
        desk.answers().about_use(desk.holder(), desk.use().id, "denied", Said())
        desk.run()
    assert desk.said(parcel) == Counter(IDENTITY_CHECKED=1, IDENTITY_STOPPED=1)


def test_a_reissued_number_keeps_its_holder_and_the_old_one_is_dead(desk: Desk) -> None:
    with desk.gateway.database.write() as session:
        people.reissue(session, desk.seals, PERSON["pccc"], "P990000009999")
    old, new = desk.file("H1"), desk.file("H2", pccc="P990000009999")
    desk.run()
    assert desk.said(old) == Counter(IDENTITY_STOPPED=1)
    assert desk.said(new) == Counter(IDENTITY_CHECKED=1)
    with desk.gateway.database.read() as session:
        assert {use.person for use in session.exec(select(UseRow))} == {desk.person}


def test_the_chain_holds_a_commitment_to_the_cause_and_not_the_cause(desk: Desk) -> None:
    parcel = desk.file("H1", pccc="P999999999999")
    desk.run()
    digests = [
        each.entry.digest for batch in desk.node.included(1) for each in batch.entries()
        if each.entry.subject == parcel and each.kind is K.IDENTITY_STOPPED
    ]  # fmt: skip
    with desk.gateway.database.read() as session:
        row = session.exec(select(SayingRow)).one()
    assert digests == [cause_digest(Cause.NOT_FOUND, row.salt)]
    assert all(cause_digest(cause, bytes(32)) not in digests for cause in Cause)


def test_a_freeze_meets_what_lies_behind_many_decided_parcels(desk: Desk) -> None:
    parcel = desk.file("H1")
    desk.run()
    with desk.gateway.database.write() as session:
        open_use = session.exec(select(UseRow)).one()
        for number in range(600):  # newer uses of parcels that are long decided
            name = number.to_bytes(32, "big")
            row = session.exec(select(ParcelRow)).first()
            assert row is not None
            session.add(ParcelRow(**(row.model_dump() | {"id": name, "clearance": "cleared", "released_at": START})))
            session.add(
                UseRow(
                    id=f"use_{number}", person=desk.person, parcel=name, sealed=open_use.sealed, link=f"{number}",
                    declared_at=open_use.declared_at + dt.timedelta(days=1),
                )
            )  # fmt: skip
    desk.answers().freeze(desk.holder(), [], Said())
    desk.run()
    assert desk.said(parcel)["IDENTITY_STOPPED"] == 1


def spooled(desk: Desk, house: str, content: dict[str, object] | bytes) -> int:
    """File a parcel whose payload holds what is given instead of what a courier's client writes."""
    plaintext = content if isinstance(content, bytes) else json.dumps(content).encode()
    payload = Payload(bytes(32), plaintext)
    Spool(desk.home).put(payload.digest, payload.sealed([KEYRING.opener("identity").public_key()]))
    country = country_number("US")
    writer, now = desk.courier.writer, desk.node._clock.now()
    parcel = writer.domain.subject_id(K.FILED, writer.org, payload.digest)
    words = (Transport(country, country, 1, OFFICE).word(), Goods(3_000, 840, 1, 1).word())
    writer.write(Entry(parcel, K.FILED, now, payload.digest, extra=words))
    writer.flush(now)
    desk.settle()
    return parcel


@pytest.mark.parametrize(
    "content",
    [
        {"consignee": PERSON, "shop": "\ud800"},
        {"consignee": PERSON | {"\udfff": "x"}, "shop": "a shop"},
        {"consignee": [PERSON]},
        {"consignee": {"pccc": None}},
        [PERSON],
        b"[" * 60_000,
        b"not JSON",
    ],
)  # fmt: skip
def test_whatever_a_writer_sealed_stops_its_own_filing_and_no_other(desk: Desk, content: dict[str, object]) -> None:
    hostile, good = spooled(desk, "H1", content), desk.file("H2")
    desk.run()
    assert desk.said(hostile) == Counter(IDENTITY_STOPPED=1)
    assert desk.said(good) == Counter(IDENTITY_CHECKED=1)


def test_a_buyer_that_is_no_person_does_not_stop_the_authority(desk: Desk) -> None:
    parcel = spooled(desk, "H1", {"consignee": PERSON | {"name": "다른 사람"}, "buyer": "somebody"})
    desk.run()
    assert desk.said(parcel) == Counter(IDENTITY_STOPPED=1)


def test_a_filing_that_waited_and_was_corrected_waits_no_more(desk: Desk) -> None:
    parcel = desk.file("H1", spooled=False)
    desk.run()
    filed = desk.courier.parcels["H1"].shipment
    desk.courier.correct(replace(filed, claimed=desk.node._clock.now()))
    desk.courier.writer.flush(desk.node._clock.now())
    desk.settle()
    desk.node.move_to(START + 3_600)
    desk.run()
    assert desk.said(parcel) == Counter(IDENTITY_CHECKED=1)
    with desk.gateway.database.read() as session:
        assert [row.outcome for row in session.exec(select(JudgedRow))] == ["checked"]
    assert desk.authority.step() == 0, "the filing of before is looked at for ever"
