"""The threshold table of the law, to the cent and to the day, with the rows every new genesis has.

What waits: two parcels of one seller on one day, and one day of arrival before and after 2022-11-17 (aggregation, 합산
과세, needs the identity service), and the amount of tax (the duty kinds).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from ledger.chain.batch import Entry
from ledger.domain.classes import BY_SLUG
from ledger.domain.facts import Goods, Mode, Track, Use
from ledger.domain.findings import Finding
from ledger.domain.kinds import KindNumber as K
from ledger.domain.kinds import Status
from ledger.domain.rules import BASE_RATES, KST, SEED_ROWS, packed, sample_rate, week_of, with_order_required
from tests.contract.world import World, genesis

USD, YEN = 840, 392
PLAIN, HEALTH_FOOD = BY_SLUG["toys"].code, BY_SLUG["health-food"].code
PHONE_2019, TODAY = dt.date(2019, 12, 3), dt.date(2026, 11, 23)
OVER, EXCLUDED, COMPANY = Finding.VALUE_OVER_LIMIT, Finding.CLASS_EXCLUDED, Finding.COMMERCIAL_USE
MANY = Finding.QUANTITY_OVER_PERSONAL_USE
LIST, DECLARED = Track.LIST, Track.DECLARED


def noon(day: dt.date) -> int:
    return int(dt.datetime.combine(day, dt.time(12), KST).timestamp())


def world_of(t: int, countries: tuple[str, ...] = (), since: dt.date = TODAY) -> World:
    """Return a world with the seed rows, at a moment, with rates for that week and the next."""
    rows = with_order_required(SEED_ROWS, countries, since)
    weeks = (week_of(t), week_of(t) + 1)
    rates = tuple((currency << 16 | week, sample_rate(currency, week)) for currency in BASE_RATES for week in weeks)
    made = replace(genesis(), rows=packed(rows), rates=rates, timestamp=t - 1000)
    return World(made, now=t)


def judged(world: World, *goods: Goods, **filing: object) -> tuple[set[Finding], Status]:
    """File honest orders of these goods; return what is found and the parcel's bits."""
    orders = [
        world.order(each.price, each.goods_class, each.quantity, currency=each.currency, use=each.use) for each in goods
    ]
    world.send("seller", *(order.entry for order in orders))
    entry = world.filing(*orders, **filing)  # type: ignore[arg-type]
    assert world.send("courier", entry).codes == {}
    return set(world.findings(entry.subject)), world.status(entry.subject)


def goods(
    price: int, goods_class: int = PLAIN, quantity: int = 1, currency: int = USD, use: Use = Use.PERSONAL
) -> Goods:
    return Goods(price, currency, goods_class, quantity, use=use)


AIR, SEA, POST = Mode.EXPRESS_AIR, Mode.EXPRESS_SEA, Mode.POSTAL
LIST_TABLE = [
    # dispatch, mode, goods, findings
    ("DE", AIR, goods(15_000), set()),
    ("DE", AIR, goods(15_001), {OVER}),
    ("DE", SEA, goods(15_001), {OVER}),
    ("US", AIR, goods(20_000), set()),
    ("US", AIR, goods(20_001), {OVER}),
    ("US", SEA, goods(20_000), set()),
    ("US", SEA, goods(20_001), {OVER}),
    ("US", POST, goods(15_000), set()),
    ("US", POST, goods(18_000), {OVER}),
    ("CN", AIR, goods(15_001), {OVER}),
    ("DE", AIR, goods(1, HEALTH_FOOD, 6), {EXCLUDED}),
    ("DE", AIR, goods(1, HEALTH_FOOD, 7), {EXCLUDED, MANY}),
    ("DE", AIR, goods(1, use=Use.COMPANY), {COMPANY}),
]  # fmt: skip


@pytest.mark.parametrize("day", [PHONE_2019, TODAY])
@pytest.mark.parametrize(("dispatch", "mode", "sold", "found"), LIST_TABLE)
def test_the_list(day: dt.date, dispatch: str, mode: Mode, sold: Goods, found: set[Finding]) -> None:
    assert judged(world_of(noon(day)), sold, dispatch=dispatch, mode=mode) == (
        found, Status.PARCEL | Status.FILED | Status.LIST | Status.DUTY_OK,
    )  # fmt: skip


DECLARED_TABLE = [
    # off the list but up to 150 dollars for personal use: declared, and free of duty; above, all of it is taxed
    ("DE", goods(15_000, HEALTH_FOOD, 6), set(), Status.DUTY_OK),
    ("DE", goods(15_001, HEALTH_FOOD, 6), set(), Status(0)),
    ("US", goods(15_000, HEALTH_FOOD, 6), set(), Status.DUTY_OK),
    ("US", goods(15_100, HEALTH_FOOD, 6), set(), Status(0)),
    ("DE", goods(15_000, HEALTH_FOOD, 7), {MANY}, Status(0)),
    ("DE", goods(15_000, use=Use.COMPANY), set(), Status(0)),
    ("DE", goods(200_000), set(), Status(0)),
    ("DE", goods(200_001), set(), Status.GENERAL),
    ("US", goods(200_000), set(), Status(0)),
    ("US", goods(200_001), set(), Status.GENERAL),
]


@pytest.mark.parametrize("day", [PHONE_2019, TODAY])
@pytest.mark.parametrize(("dispatch", "sold", "found", "status"), DECLARED_TABLE)
def test_what_is_declared(day: dt.date, dispatch: str, sold: Goods, found: set[Finding], status: Status) -> None:
    got = judged(world_of(noon(day)), sold, dispatch=dispatch, track=DECLARED)
    assert got == (found, Status.PARCEL | Status.FILED | status)


def test_a_taxed_parcel_is_not_cleared_by_rule() -> None:
    world = world_of(noon(TODAY))
    order = world.order(15_001, PLAIN)
    world.send("seller", order.entry)
    filing = world.filing(order, track=DECLARED)
    world.send("courier", filing)
    for who, kind in (("identity", K.IDENTITY_CHECKED), ("screening", K.SCREENED_PASSED)):
        world.send(who, world.result(kind, filing.subject))
    assert world.send("courier", Entry(filing.subject, K.CARRIED_IN, world.now)).codes == {}
    assert not world.status(filing.subject) & (Status.CLEARED | Status.REFERRED)


def test_the_box_counts_not_the_order() -> None:
    three, four = goods(5_000, HEALTH_FOOD, 3), goods(5_000, HEALTH_FOOD, 4)
    assert judged(world_of(noon(TODAY)), three, three)[0] == {EXCLUDED}
    assert judged(world_of(noon(TODAY)), three, four)[0] == {EXCLUDED, MANY}
    assert judged(world_of(noon(TODAY)), three, goods(5_000, PLAIN, 4))[0] == {EXCLUDED}
    assert judged(world_of(noon(TODAY)), goods(10_000), goods(10_000))[0] == set()
    assert judged(world_of(noon(TODAY)), goods(10_000), goods(10_001))[0] == {OVER}


def test_a_foreign_price_goes_by_the_rates_of_the_week() -> None:
    t = noon(TODAY)
    usd, yen = (sample_rate(currency, week_of(t)) for currency in (USD, YEN))
    limit = 15_000 * usd // yen
    for price, found in ((limit, set()), (limit + 1, {OVER})):
        assert judged(world_of(t), goods(price, currency=YEN), dispatch="JP")[0] == found


def test_the_week_turns_on_sunday_at_midnight_in_seoul() -> None:
    sunday = int(dt.datetime(2026, 11, 22, tzinfo=KST).timestamp())
    assert week_of(sunday - 1) + 1 == week_of(sunday)
    made = replace(world_of(sunday - 1).genesis, rates=((USD << 16 | week_of(sunday), 1),))
    known = World(made, now=sunday)
    unknown = World(made, now=sunday - 1)
    assert Finding.RULE_UNKNOWN in judged(unknown, goods(100))[0]
    assert judged(known, goods(100))[0] == set()


@pytest.mark.parametrize(("day", "dispatch"), [(dt.date(2015, 12, 1), "DE"), (dt.date(2012, 3, 15), "US")])
def test_a_row_holds_from_midnight_in_seoul(day: dt.date, dispatch: str) -> None:
    midnight = int(dt.datetime.combine(day, dt.time(), KST).timestamp())
    assert judged(world_of(midnight - 1), goods(100), dispatch=dispatch)[0] == {Finding.RULE_UNKNOWN}
    assert judged(world_of(midnight), goods(100), dispatch=dispatch)[0] == set()


def test_an_order_is_required_from_its_day_on() -> None:
    midnight = int(dt.datetime.combine(TODAY, dt.time(), KST).timestamp())
    for t, dispatch, found in (
        (midnight - 1, "CN", set()), (midnight, "CN", {Finding.ORDER_MISSING}), (midnight, "DE", set()),
    ):  # fmt: skip
        world = world_of(t, ("CN",))
        entry = world.filing(goods=goods(5_000), dispatch=dispatch)
        assert world.send("courier", entry).codes == {}
        assert set(world.findings(entry.subject)) == found


def test_a_correction_is_judged_by_the_day_of_the_first_filing() -> None:
    """A rule that came into force between filing and correction does not reach back."""
    midnight = int(dt.datetime.combine(TODAY, dt.time(), KST).timestamp())
    world = world_of(midnight - 1, ("CN",))
    entry = world.filing(goods=goods(5_000), dispatch="CN")
    world.send("courier", entry)
    world.now = midnight + 10
    world.send("courier", world.filing(kind=K.CORRECTED, subject=entry.subject, goods=goods(5_001), dispatch="CN"))
    assert world.findings(entry.subject) == ()


def test_late_by_a_second() -> None:
    for age, found in ((72 * 3600, set()), (72 * 3600 + 1, {Finding.LATE})):
        world = world_of(noon(TODAY))
        order = world.order(5_000, PLAIN)
        world.send("seller", order.entry)
        entry = world.filing(order, claimed=world.now - age)
        world.send("courier", entry)
        assert set(world.findings(entry.subject)) == found
