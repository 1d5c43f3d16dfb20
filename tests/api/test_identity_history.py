"""History in the authority: real filings on a real chain, rows with the judgement, referrals for screening."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from sqlmodel import select

from api.identity.answers import Said
from clients.courier import Shipment
from clients.sample.members import HANDLES
from clients.sample.plan import START
from clients.seller import Sale, Seller
from ledger.chain.batch import Entry
from ledger.chain.state import Parcel
from ledger.chain.writer import Writer
from ledger.domain.facts import Goods, Mode, Transport, country_number
from ledger.domain.history import Declaration, Purchase
from ledger.domain.kinds import KindNumber as K
from ledger.domain.kinds import Status
from ledger.payloads import Spool
from ledger.store import history, people
from ledger.store.database import Database
from ledger.store.tables.history import DeclarationRow, DeclaredGoodsRow, PurchaseRow, ReferralRow
from tests.api.test_authority import PERSON, Desk
from tests.api.test_submitter import KEYRING

DAY = 86_400
CHINA = country_number("CN")
TRANSPORT = Transport(CHINA, CHINA, Mode.EXPRESS_AIR, 40)


class Shops(Desk):
    """A desk whose parcels come from orders of member shops."""

    def __init__(self, database: Database, home: Path) -> None:
        super().__init__(database, home)
        readers = {HANDLES[name]: KEYRING.opener(name).public_key() for name in ("courier-1", "identity")}
        self.sellers = {
            name: Seller(
                Writer(KEYRING.signer(name), HANDLES[name], self.gateway.genesis.domain, self.node),
                KEYRING.secret(name), Spool(home), readers,
            )
            for name in ("shop-01", "shop-02")
        }  # fmt: skip

    @property
    def now(self) -> int:
        return self.node._clock.now()

    def sell(self, house: str, cents: int, shop: str = "shop-01", sold: int | None = None, **who: str) -> int:
        """Order at a shop and file what was ordered."""
        person = PERSON | who
        goods = Goods(cents, 840, 1, 1)
        sold = self.now if sold is None else sold
        sale = Sale(house, goods, "a thing", "640399", sold, HANDLES["courier-1"], person)
        self.sellers[shop].record(sale, (HANDLES["identity"],))
        self.sellers[shop].writer.flush(self.now)
        self.settle()
        for batch in self.node.included(1):
            self.courier.watch(batch)
        orders = (self.courier.inbox.find(house),)
        parcel = self.courier.file(Shipment(house, orders, TRANSPORT, self.now, shop, consignee=person))
        self.courier.writer.flush(self.now)
        self.settle()
        return parcel

    def referred(self) -> dict[int, tuple[str, str]]:
        with self.gateway.database.read() as session:
            return {
                int.from_bytes(row.parcel, "big"): (row.cause, row.reasons)
                for row in session.exec(select(ReferralRow).order_by(ReferralRow.number))  # type: ignore[arg-type]
            }

    def declared(self) -> list[DeclarationRow]:
        with self.gateway.database.read() as session:
            return list(session.exec(select(DeclarationRow)))


@pytest.fixture
def shops(database: Database, tmp_path: Path) -> Shops:
    return Shops(database, tmp_path)


def test_split_orders_are_found_under_a_reissued_number_too(shops: Shops) -> None:
    one = shops.sell("H1", 9_000)
    shops.run()
    assert shops.referred() == {}
    with shops.gateway.database.write() as session:
        people.reissue(session, shops.seals, PERSON["pccc"], "P990000009999")
    apart = shops.sell("H2", 9_000, shop="shop-02", pccc="P990000009999")
    shops.run()
    assert shops.referred() == {}, "another shop is another purchase"
    two = shops.sell("H3", 6_001, sold=START, pccc="P990000009999")
    shops.run()
    assert shops.referred() == dict.fromkeys((one, two), ("split_orders", "same_purchase"))
    assert apart not in shops.referred()


def test_the_check_of_a_referred_parcel_waits_until_the_referral_is_on_chain(shops: Shops) -> None:
    """Else a parcel that is carried in and screened already would be cleared by the check itself."""
    one, two = shops.sell("H1", 9_000), shops.sell("H2", 9_000)
    yard, screening = (
        Writer(KEYRING.signer(name), HANDLES[name], shops.gateway.genesis.domain, shops.node)
        for name in ("courier-1", "screening")
    )
    for parcel in (one, two):
        screening.write(Entry(parcel, K.SCREENED_PASSED, shops.now, names=shops.node.filing(parcel)))
        yard.write(Entry(parcel, K.CARRIED_IN, shops.now))
    for writer in (screening, yard):
        writer.flush(shops.now)
    shops.run()
    assert set(shops.referred()) == {one, two}
    assert not any(shops.said(parcel) for parcel in (one, two)), "also the one that was judged first"
    for parcel in (one, two):
        screening.write(Entry(parcel, K.SCREENED_REFERRED, shops.now, names=shops.node.filing(parcel)))
    screening.flush(shops.now)
    shops.settle()
    shops.run()
    for parcel in (one, two):
        assert shops.said(parcel) == {"IDENTITY_CHECKED": 1}, "a split is no misuse of the number"
        assert not Parcel(shops.node.word(parcel)).status & Status.AUTO


def test_the_day_of_the_purchase_is_the_days_of_korea_by_the_shops_order(shops: Shops) -> None:
    evening = START + 15 * 3_600  # midnight in Korea
    shops.node.move_to(START + DAY)
    shops.sell("H1", 9_000, sold=evening - 1)
    next_day = shops.sell("H2", 9_000, sold=evening)
    shops.run()
    assert shops.referred() == {}
    again = shops.sell("H3", 9_000, sold=evening + 3_600)
    shops.run()
    assert set(shops.referred()) == {next_day, again}


def test_a_correction_takes_the_place_of_what_was_declared_before(shops: Shops) -> None:
    shops.sell("H1", 9_000)
    shops.run()
    filed = shops.courier.parcels["H1"].shipment
    stranger = dict(PERSON | {"name": "다른 사람"})
    shops.courier.correct(Shipment("H1", filed.orders, filed.transport, shops.now, filed.shop, consignee=stranger))
    shops.courier.writer.flush(shops.now)
    shops.settle()
    shops.run()
    assert shops.declared() == []
    shops.sell("H2", 9_000)
    shops.run()
    assert shops.referred() == {}


def test_what_a_thief_declared_does_not_count_for_the_holder(shops: Shops) -> None:
    shops.sell("H1", 9_000)
    shops.run()
    shops.answers().about_use(shops.holder(), shops.use().id, "denied", Said())
    assert shops.declared() == []
    shops.sell("H2", 9_000)
    shops.sell("H3", 9_000, name="다른 사람")
    shops.run()
    assert shops.referred() == {}


def test_facts_are_those_of_the_chain_in_cents_of_the_week(shops: Shops) -> None:
    parcel = shops.sell("H1", 9_000)
    shops.run()
    row = shops.declared()[0]
    assert (int.from_bytes(row.parcel, "big"), row.person) == (parcel, shops.person)
    assert (row.cents, row.limit_cents) == (9_000, 15_000)
    assert row.declared_on == dt.date(2025, 10, 20)


def test_a_report_of_resale_refers_and_a_companys_code_is_no_persons_number(shops: Shops) -> None:
    with shops.gateway.database.write() as session:
        for _ in range(2):
            history.report_resale(session, shops.person, "R-1", shops.gateway.chain_now())
    parcel, company = shops.sell("H1", 3_000), shops.sell("H2", 3_000, pccc="관세상사1234561")
    shops.run()
    assert shops.referred() == {parcel: ("commercial", "resale")}
    assert shops.said(company) == {"IDENTITY_STOPPED": 1}


def test_one_yard_for_many_holders_numbers(shops: Shops) -> None:
    yard = {"address": "인천 중구 공항로 1", "zip": "22382"}
    parcels = []
    for number, postcode in ((5, yard["zip"]), (6, "04524"), (7, "04524"), (8, "04524"), (9, "04524")):
        who = {"pccc": f"P99{number:010}", "name": f"표본인 {number:05}", "phone": f"0100000{number:04}"}
        with shops.gateway.database.write() as session:
            people.register(session, shops.seals, who["pccc"], who["name"], who["phone"], postcode)
        assert shops.referred() == {}
        parcels.append(shops.sell(f"H{number}", 3_000, **who | yard))
        shops.run()
    home = parcels.pop(0)  # who lives there is no part of it
    assert shops.referred() == dict.fromkeys(parcels, ("commercial", "one_address"))
    assert home not in shops.referred()


def test_what_is_too_old_to_count_is_not_kept(shops: Shops) -> None:
    shops.sell("H1", 9_000)
    shops.run()
    for days, left in ((364, 1), (365, 0)):  # weeks without a rate: what is filed then, the contract itself refers
        shops.node.move_to(START + days * DAY)
        shops.sell(f"H{days}", 100)
        shops.run()
        assert len(shops.declared()) == left, days


def test_a_declaration_comes_back_as_it_was_kept(database: Database, shops: Shops) -> None:
    day = dt.date(2025, 10, 20)
    new = Declaration(
        parcel=b"p" * 32, filing=b"f" * 20, person=shops.person, declared_on=day, cents=1, limit_cents=2,
        bill=b"b" * 32, arrived_on=day, goods={601: 6, 1: 2}, cluster=b"c" * 32,
        purchases=(Purchase(b"s" * 32, day, 1), Purchase(b"t" * 32, day, 0)),
    )  # fmt: skip
    with database.write() as session:
        history.keep(session, [new])
        assert history.own(session, new) == [new]
        assert history.clustered(session, new) == [new]
        history.forget(session, [new.parcel])
        history.keep(session, [new])
        assert history.own(session, new) == [new]
        history.forget(session, [new.parcel])
        assert not any(session.exec(select(table)).all() for table in (PurchaseRow, DeclaredGoodsRow))
