"""Time against a parcel: late orders, late entries, corrections after arrival, and the rules of the first filing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from eth_hash.auto import keccak

from ledger.chain.batch import Entry
from ledger.domain.facts import Goods, country_number
from ledger.domain.findings import Finding
from ledger.domain.kinds import KindNumber as K
from ledger.domain.kinds import Status
from ledger.domain.words import CLASS_ROW, PARCEL
from tests.contract.world import HANDLES, HOUR0, PLAIN, T0, USD, WEEK, Order, World

HOUR, DAYS_3 = 3600, 72 * 3600
LEAD = 1800
"""An order that a correction adds must have stood this long on chain."""


@pytest.fixture
def world() -> World:
    return World()


def correct(world: World, parcel: int, *orders: Order, master: int = 0, referred: bool = False) -> None:
    entry = world.filing(*orders, kind=K.CORRECTED, subject=parcel, master=master)
    assert world.send("courier", entry).codes == ({0: ["REFERRED"]} if referred else {})


def flight(world: World, name: bytes = b"flight") -> tuple[int, int]:
    """Open a master; return its id and handle."""
    digest = keccak(name)
    subject = world.domain.subject_id(K.MASTER_OPENED, HANDLES["courier"], digest)
    result = world.send("courier", Entry(subject, K.MASTER_OPENED, world.now, digest))
    assert result.recorded
    return subject, result.recorded.outcomes[0].value


# ---------------------------------------------------------------------------------------------------- late orders
@pytest.mark.parametrize(
    ("claimed", "stood", "carried", "late"),
    [
        (-1, LEAD, False, False),
        (0, LEAD, False, True),
        (1, LEAD, False, True),
        (-1, LEAD - 1, False, True),
        (-1, 0, False, True),
        (-1, LEAD, True, True),
        (-1, 10 * LEAD, True, True),
    ],
)
def test_an_order_that_a_correction_adds(world: World, claimed: int, stood: int, carried: bool, late: bool) -> None:
    """It must be claimed before the first filing, stand half an hour, and the parcel must not be carried in."""
    filing = world.filing()
    first = world.now
    world.send("courier", filing)
    if carried:
        world.send("courier", Entry(filing.subject, K.CARRIED_IN, world.now))
    world.now += 300
    order = world.order(claimed=first + claimed)
    assert world.send("seller", order.entry).codes == {}
    world.now += stood
    correct(world, filing.subject, order, referred=carried)
    assert (Finding.LATE_ORDER in world.findings(filing.subject)) is late
    assert PARCEL["orders"].get(world.word(filing.subject)) == 1


def test_a_late_order_stays_found_in_later_corrections(world: World) -> None:
    filing, order = world.filing(), world.order()
    world.send("courier", filing)
    world.send("seller", order.entry)
    correct(world, filing.subject, order)
    world.now += 2 * LEAD
    correct(world, filing.subject, order)
    assert world.findings(filing.subject) == (Finding.LATE_ORDER,)


def test_an_order_opened_a_second_before_its_filing_is_not_late(world: World) -> None:
    order = world.order()
    filing = world.filing(order)
    world.send("seller", order.entry)
    world.send("courier", filing)
    correct(world, filing.subject, order)
    assert world.findings(filing.subject) == ()


# --------------------------------------------------------------------------------------------------- late entries
@pytest.mark.parametrize(("age", "late"), [(0, False), (DAYS_3, False), (DAYS_3 + 1, True), (30 * DAYS_3, True)])
def test_a_filing_or_carry_in_more_than_72_hours_old_is_late(world: World, age: int, late: bool) -> None:
    old = world.filing(claimed=world.now - age)
    assert world.send("courier", old).codes == {}
    assert world.findings(old.subject) == ((Finding.LATE,) if late else ())
    parcel = world.filed()
    carried = Entry(parcel, K.CARRIED_IN, world.now - age)
    assert world.send("courier", carried).codes == ({0: ["REFERRED"]} if late else {})
    assert world.findings(parcel) == ((Finding.LATE,) if late else ())


def test_a_late_filing_stays_late_when_it_is_corrected(world: World) -> None:
    old = world.filing(claimed=world.now - DAYS_3 - 1)
    world.send("courier", old)
    correct(world, old.subject)
    assert world.findings(old.subject) == (Finding.LATE,)


@pytest.mark.parametrize(("ahead", "taken"), [(120, True), (121, False), (2**39, False)])
def test_a_claimed_time_may_lie_120_seconds_ahead(world: World, ahead: int, taken: bool) -> None:
    filing, order = world.filing(claimed=world.now + ahead), world.order(claimed=world.now + ahead)
    carried = Entry(world.filed(), K.CARRIED_IN, world.now + ahead)
    for who, entry in (("courier", filing), ("seller", order.entry), ("courier", carried)):
        assert world.send(who, entry).codes == ({} if taken else {0: ["FUTURE"]})


# --------------------------------------------------------------------------------------------- after arrival
def test_a_correction_before_arrival_is_no_finding_and_after_it_is_one(world: World) -> None:
    master, handle = flight(world)
    filing = world.filing(master=handle)
    world.send("courier", filing)
    correct(world, filing.subject, master=handle)
    assert world.findings(filing.subject) == ()
    assert world.send("courier", Entry(master, K.MASTER_ARRIVED, world.now)).codes == {}
    correct(world, filing.subject, master=handle)
    assert world.findings(filing.subject) == (Finding.CORRECTED_AFTER_ARRIVAL,)
    correct(world, filing.subject)
    assert Finding.CORRECTED_AFTER_ARRIVAL in world.findings(filing.subject)


def test_moving_to_another_flight_does_not_hide_that_the_old_one_arrived(world: World) -> None:
    first, handle = flight(world)
    _, other = flight(world, b"another flight")
    filing = world.filing(master=handle)
    world.send("courier", filing)
    world.send("courier", Entry(first, K.MASTER_ARRIVED, world.now))
    correct(world, filing.subject, master=other)
    assert world.findings(filing.subject) == (Finding.CORRECTED_AFTER_ARRIVAL,)


def test_the_arrival_of_another_flight_is_none_of_a_parcels_business(world: World) -> None:
    other, _ = flight(world, b"another flight")
    _, handle = flight(world)
    filing = world.filing(master=handle)
    world.send("courier", filing)
    world.send("courier", Entry(other, K.MASTER_ARRIVED, world.now))
    correct(world, filing.subject, master=handle)
    assert world.findings(filing.subject) == ()


def test_a_correction_after_carry_in_is_found_and_referred_and_keeps_the_office(world: World) -> None:
    parcel = world.filing()
    world.send("courier", parcel)
    world.send("courier", Entry(parcel.subject, K.CARRIED_IN, world.now))
    entry = world.filing(kind=K.CORRECTED, subject=parcel.subject, office=99)
    assert world.send("courier", entry).codes == {0: ["REFERRED"]}
    assert world.findings(parcel.subject) == (Finding.CORRECTED_AFTER_ARRIVAL,)
    assert PARCEL["office"].get(world.word(parcel.subject)) == 40


def test_a_first_filing_after_arrival_is_no_correction(world: World) -> None:
    master, handle = flight(world)
    world.send("courier", Entry(master, K.MASTER_ARRIVED, world.now))
    filing = world.filing(master=handle)
    world.send("courier", filing)
    assert world.findings(filing.subject) == ()


@pytest.mark.parametrize("extra", [1, 2, 2**24 - 2])
def test_a_flight_that_nobody_opened_is_rejected(world: World, extra: int) -> None:
    _, handle = flight(world)
    filing = world.filing(master=handle + extra)
    assert world.send("courier", filing).codes == {0: ["MASTER_UNKNOWN"]}
    assert world.word(filing.subject) == 0


def test_a_correction_unsets_what_came_from_facts_and_keeps_everything_else(world: World) -> None:
    filing = world.filing(goods=Goods(20_001, USD, PLAIN, 1), claimed=world.now - DAYS_3 - 1)
    world.send("courier", filing)
    parcel = filing.subject
    world.send("screening", world.result(K.SCREENED_REFERRED, parcel))
    world.send("identity", Entry(parcel, K.IDENTITY_STOPPED, world.now), lane=0)
    stays = (Finding.LATE, Finding.IDENTITY_STOPPED, Finding.SCREENING_REFERRED)
    assert world.findings(parcel) == (Finding.VALUE_OVER_LIMIT, *stays)
    correct(world, parcel)
    assert world.findings(parcel) == stays
    assert Status.STOP_OPEN in world.status(parcel)
    assert Status.SCREENED not in world.status(parcel)
    assert PARCEL["generation"].get(world.word(parcel)) == 2


def test_the_256th_filing_is_over_the_limit(world: World) -> None:
    filing = world.filing()
    again = [world.filing(kind=K.CORRECTED, subject=filing.subject) for _ in range(255)]
    assert world.send("courier", filing, *again[:100]).codes == {}
    assert world.send("courier", *again[100:]).codes == {154: ["LIMIT"]}
    assert PARCEL["generation"].get(world.word(filing.subject)) == 255


# ---------------------------------------------------------------------------------- rules of the first filing
def changing_at(hour: int) -> World:
    """Return a world whose class 1 is excluded from an hour on."""
    plain = World().genesis
    row = (2 << 40 | PLAIN, hour | CLASS_ROW["excluded"].put(1) << 24)
    at = next(i for i, (key, _) in enumerate(plain.rows) if key == row[0])
    return World(replace(plain, rows=(*plain.rows[: at + 1], row, *plain.rows[at + 1 :])))


def test_the_rule_in_force_is_that_of_the_first_filing_also_in_corrections() -> None:
    hour = T0 // HOUR + 2
    world = changing_at(hour)
    world.now = hour * HOUR - 1
    before = world.filing()
    world.send("courier", before)
    assert world.findings(before.subject) == ()
    world.now += 1
    after = world.filing()
    world.send("courier", after)
    assert world.findings(after.subject) == (Finding.CLASS_EXCLUDED,)
    world.now += 100 * HOUR
    correct(world, before.subject)
    correct(world, after.subject)
    assert world.findings(before.subject) == ()
    assert world.findings(after.subject) == (Finding.CLASS_EXCLUDED,)


def test_the_rule_goes_by_the_time_of_wrapping_and_not_by_what_was_claimed_or_the_block() -> None:
    hour = T0 // HOUR + 2
    world = changing_at(hour)
    world.now = hour * HOUR + 899
    claimed_before, wrapped_before = world.filing(claimed=world.now - 7 * HOUR), world.filing(claimed=world.now - 950)
    assert world.send("courier", claimed_before).codes == {}
    assert world.submit(world.batch("courier", [wrapped_before]), t=hour * HOUR - 1).codes == {}
    assert world.findings(claimed_before.subject) == (Finding.CLASS_EXCLUDED,)
    assert world.findings(wrapped_before.subject) == ()


def test_before_the_oldest_rule_and_without_a_rate_nothing_is_known() -> None:
    plain = World().genesis
    future = T0 // HOUR + 1
    for what in (1, 2):
        rows = tuple(
            (key, pair - HOUR0 + future if key >> 40 == what else pair) for key, pair in plain.rows
        )  # only this kind of row begins later
        world = World(replace(plain, rows=rows))
        filing = world.filing()
        world.send("courier", filing)
        assert world.findings(filing.subject) == (Finding.RULE_UNKNOWN,)
        world.now = future * HOUR
        filing = world.filing()
        world.send("courier", filing)
        assert world.findings(filing.subject) == ()
    world = World(replace(plain, rates=tuple(each for each in plain.rates if each[0] != USD << 16 | WEEK)))
    filing = world.filing()
    world.send("courier", filing)
    assert world.findings(filing.subject) == (Finding.RULE_UNKNOWN,)


def test_origin_and_class_of_the_dearest_order_stand_in_the_word(world: World) -> None:
    orders = [world.order(price=price, goods_class=kind) for price, kind in ((100, 6), (900, 1), (300, 13))]
    world.send("seller", *[order.entry for order in orders])
    filing = world.filing(*orders)
    world.send("courier", filing)
    word = world.word(filing.subject)
    assert PARCEL["goods_class"].get(word) == 1
    assert PARCEL["origin"].get(word) == country_number("CN")
