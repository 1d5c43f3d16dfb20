"""Watched and suspended parties, and what an office picks out: they refer, and never clear."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ledger.chain.batch import Entry, detail
from ledger.domain.facts import country_number
from ledger.domain.findings import Finding
from ledger.domain.kinds import KindNumber as K
from ledger.domain.kinds import Status
from tests.contract.steps import CLEARED, REFERRED, carry, check, decide, ready
from tests.contract.world import COLD, HANDLES, OTHER_OFFICE, PLAIN, SIGNERS, SUPPLEMENT, World

DAY = 86_400
CLASS, ORIGIN, SELLER, COURIER = 1, 2, 3, 4
"""Targets of an overlay."""
CN = country_number("CN")


@pytest.fixture
def world() -> World:
    return World()


def with_standing(standing: int, *names: str) -> World:
    plain = World().genesis
    orgs = tuple(replace(org, standing=standing) if org.name in names else org for org in plain.orgs)
    return World(replace(plain, orgs=orgs))


def suspend(world: World, name: str) -> None:
    assert world.do(SIGNERS["governor"].address, "suspend_org", HANDLES[name]) is None


def vote(world: World, who: str, target: int, what: int, until: int) -> str | None:
    return world.do(SIGNERS[who].address, "overlay", target, what, until)


def pick(world: World, target: int, what: int, until: int | None = None) -> None:
    """Both officers of the office pick a target."""
    for who in ("officer", "officer2"):
        assert vote(world, who, target, what, until or world.now + DAY) is None


# -------------------------------------------------------------------------------------------------------- standing
def test_a_watched_courier_files_and_is_referred_by_the_entry_that_completes_the_set() -> None:
    world = with_standing(2, "courier")
    parcel = ready(world)
    assert world.findings(parcel) == ()
    assert carry(world, parcel) == REFERRED
    assert world.findings(parcel) == (Finding.WATCHED_PARTY,)
    assert Status.CLEARED not in world.status(parcel)
    assert decide(world, parcel) == {}


@pytest.mark.parametrize("last", ["identity", "screening", "warehouse", "lift"])
def test_a_suspended_couriers_parcels_do_not_clear_by_themselves_whichever_entry_comes_last(
    world: World, last: str
) -> None:
    let = 1 << K.CARRIED_IN
    assert world.do(COLD["courier"].address, "let", HANDLES["courier"], HANDLES["warehouse"], let) is None
    parcel = world.filed()
    entries = {
        "identity": world.result(K.IDENTITY_CHECKED, parcel),
        "screening": world.result(K.SCREENED_PASSED, parcel),
        "warehouse": Entry(parcel, K.CARRIED_IN, world.now),
        "lift": Entry(parcel, K.HOLD_LIFTED, world.now),
    }
    world.send("officer", Entry(parcel, K.HELD, world.now, detail=detail(K.HELD, ground=1)), lane=0)
    for who, entry in entries.items():
        if who != last:
            assert world.send("officer" if who == "lift" else who, entry).codes == {}
    suspend(world, "courier")
    assert world.send("officer" if last == "lift" else last, entries[last]).codes == REFERRED
    assert world.findings(parcel) == (Finding.WATCHED_PARTY,)


def test_what_was_cleared_before_the_courier_was_suspended_stays_cleared(world: World) -> None:
    parcel = ready(world)
    assert carry(world, parcel) == CLEARED
    suspend(world, "courier")
    assert Status.CLEARED in world.status(parcel)


@pytest.mark.parametrize("standing", [2, 3])
def test_an_order_of_a_watched_or_suspended_seller_is_found_when_it_is_filed(standing: int) -> None:
    world = with_standing(1)
    order, plain = world.order(), world.order(seller="rival_seller")
    world.send("seller", order.entry)
    world.send("rival_seller", plain.entry)
    word = world.view("orgs", HANDLES["seller"])
    world.poke({("orgs", HANDLES["seller"]): word & ~(255 << 32) | standing << 32})
    both, without = world.filing(order, plain), world.filing()
    assert world.send("courier", both, without).codes == {}
    assert world.findings(both.subject) == (Finding.WATCHED_PARTY,)
    assert world.findings(without.subject) == ()
    check(world, both.subject)
    assert carry(world, both.subject) == REFERRED


def test_a_watched_seller_goes_on_opening_orders_and_a_suspended_one_does_not() -> None:
    watched = with_standing(2, "seller")
    assert watched.send("seller", watched.order().entry).codes == {}
    suspended = with_standing(3, "seller")
    assert suspended.send("seller", suspended.order().entry).revert == "members: not a member"


# -------------------------------------------------------------------------------------------------------- overlays
TARGETS = [(CLASS, PLAIN), (ORIGIN, CN), (COURIER, HANDLES["courier"])]
OTHERS = [(CLASS, SUPPLEMENT), (ORIGIN, country_number("US")), (COURIER, HANDLES["rival_courier"]), (SELLER, 0)]


@pytest.mark.parametrize(("target", "what"), TARGETS)
def test_a_target_picked_while_the_flight_is_in_the_air_catches_what_it_carries(
    world: World, target: int, what: int
) -> None:
    parcel = ready(world)
    pick(world, target, what)
    assert world.findings(parcel) == ()
    assert carry(world, parcel) == REFERRED
    assert world.findings(parcel) == (Finding.OFFICE_TARGET,)


@pytest.mark.parametrize(("target", "what"), TARGETS)
def test_a_target_picked_after_carry_in_comes_too_late(world: World, target: int, what: int) -> None:
    parcel = world.filed()
    assert carry(world, parcel) == {}
    pick(world, target, what)
    assert check(world, parcel) == [{}, CLEARED]


@pytest.mark.parametrize(("target", "what"), OTHERS)
def test_other_targets_catch_nothing(world: World, target: int, what: int) -> None:
    pick(world, target, what)
    assert carry(world, ready(world)) == CLEARED


def test_a_seller_is_a_target_for_the_office_of_the_filing_from_the_filing_on(world: World) -> None:
    """The word of a parcel has no room for its sellers; docs/adr/0005 says what follows."""
    early = ready(world)
    pick(world, SELLER, HANDLES["seller"])
    late = ready(world)
    assert world.findings(late) == (Finding.OFFICE_TARGET,)
    assert carry(world, late) == REFERRED
    assert carry(world, early) == CLEARED
    order = world.order()
    world.send("seller", order.entry)
    elsewhere = world.filing(order, office=OTHER_OFFICE)
    world.send("courier", elsewhere)
    assert world.findings(elsewhere.subject) == ()


def test_the_office_of_carry_in_judges_and_not_that_of_the_filing(world: World) -> None:
    let = 1 << K.CARRIED_IN
    assert world.do(COLD["courier"].address, "let", HANDLES["courier"], HANDLES["warehouse"], let) is None
    pick(world, CLASS, PLAIN)
    here, there = world.filing(office=OTHER_OFFICE), world.filing(office=OTHER_OFFICE)
    world.send("courier", here, there)
    assert world.send("warehouse", Entry(here.subject, K.CARRIED_IN, world.now)).codes == REFERRED
    assert world.send("courier", Entry(there.subject, K.CARRIED_IN, world.now)).codes == {}
    assert world.findings(there.subject) == ()


def test_a_correction_into_a_picked_class_after_carry_in_is_caught(world: World) -> None:
    filing = world.filing()
    world.send("courier", filing)
    pick(world, ORIGIN, CN)
    world.send("courier", world.filing(kind=K.CORRECTED, subject=filing.subject))
    assert Finding.OFFICE_TARGET not in world.findings(filing.subject), "not carried in yet"
    world.send("courier", Entry(filing.subject, K.CARRIED_IN, world.now))
    assert Finding.OFFICE_TARGET in world.findings(filing.subject)
    late = world.filing()
    world.send("courier", late)
    other = world.fork()
    other.now += 2 * DAY
    assert carry(other, late.subject) == {}, "the target's time is over"
    pick(other, ORIGIN, CN)
    other.send("courier", other.filing(kind=K.CORRECTED, subject=late.subject))
    assert Finding.OFFICE_TARGET in other.findings(late.subject)


def test_a_target_holds_to_its_last_second(world: World) -> None:
    parcels = [ready(world), ready(world)]
    pick(world, CLASS, PLAIN, world.now + 100)
    world.now += 100
    assert carry(world, parcels[0]) == REFERRED
    world.now += 1
    assert carry(world, parcels[1]) == CLEARED


def test_one_target_that_ends_does_not_end_another_of_the_office(world: World) -> None:
    parcel = ready(world)
    pick(world, CLASS, PLAIN, world.now + 5 * DAY)
    pick(world, ORIGIN, CN, world.now + DAY)
    world.now += 2 * DAY
    assert carry(world, parcel) == REFERRED


def test_a_target_needs_two_officers_of_one_office(world: World) -> None:
    until = world.now + DAY
    parcels = [ready(world) for _ in range(2)]
    for who in ("officer", "officer", "far_officer"):
        assert vote(world, who, CLASS, PLAIN, until) is None
    assert vote(world, "officer2", CLASS, PLAIN, until + 1) is None, "another proposal"
    assert carry(world, parcels[0]) == CLEARED
    assert vote(world, "officer2", CLASS, PLAIN, until) is None
    assert carry(world, parcels[1]) == REFERRED


def test_a_target_lives_thirty_days_at_most_and_only_officers_pick_one(world: World) -> None:
    for until in (world.now, world.now - 1, world.now + 30 * DAY + 1, 2**256 - 1):
        assert vote(world, "officer", CLASS, PLAIN, until) is not None
    for target, what in ((0, 1), (5, 1), (CLASS, 2**24)):
        assert vote(world, "officer", target, what, world.now + DAY) == "rules: overlay"
    for who in ("courier", "governor", "screening"):
        assert vote(world, who, CLASS, PLAIN, world.now + DAY) == "members: role"
    assert world.do(b"\7" * 20, "overlay", CLASS, PLAIN, world.now + DAY) == "members: not a member"
    pick(world, CLASS, PLAIN, world.now + 30 * DAY)


def test_a_target_refers_what_would_clear_and_an_officer_decides_it(world: World) -> None:
    pick(world, CLASS, PLAIN)
    parcel = ready(world)
    assert carry(world, parcel) == REFERRED
    assert decide(world, parcel) == {}
    assert Status.CLEARED in world.status(parcel)
