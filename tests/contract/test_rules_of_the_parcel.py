"""What a party could try against the others, and what the rules make of a parcel."""

from __future__ import annotations

import pytest

from ledger.chain.batch import Entry, detail
from ledger.domain.facts import Goods, Use
from ledger.domain.findings import Finding
from ledger.domain.kinds import KindNumber as K
from ledger.domain.kinds import Status
from ledger.domain.limits import LATE_ORDER_LEAD
from tests.contract.world import COLD, HANDLES, OTHER_OFFICE, SIGNERS, SUPPLEMENT, USD, World, digest_of

CLEARING = (("identity", K.IDENTITY_CHECKED), ("screening", K.SCREENED_PASSED))


def checked(world: World, parcel: int) -> None:
    """Let the identity authority and the screening pass a parcel."""
    for who, kind in CLEARING:
        assert world.send(who, world.result(kind, parcel)).codes == {}


def carried(world: World, parcel: int, who: str = "courier") -> list[str]:
    """Carry a parcel in; return what came of it."""
    return world.send(who, Entry(parcel, K.CARRIED_IN, world.now)).codes.get(0, [])


# --------------------------------------------------------------------------------------------- whose is it
def test_an_id_cannot_be_squatted() -> None:
    world = World()
    order = world.order()
    assert world.send("rival_seller", order.entry).codes == {0: ["BAD_ID"]}
    assert world.send("seller", order.entry).codes == {}
    filing = world.filing(order)
    assert world.send("rival_courier", filing).codes == {0: ["BAD_ID"]}
    assert world.send("courier", filing).codes == {}


def test_a_filing_replayed_as_another_parcel() -> None:
    world = World()
    order = world.order()
    world.send("seller", order.entry)
    filing = world.filing(order)
    world.send("courier", filing)
    assert world.send("courier", filing).codes == {0: ["STATE_BARRED"]}
    again = world.filing(order)
    assert world.send("courier", again).codes == {0: ["ORDER_NOT_OPEN"]}
    assert world.word(again.subject) == 0


def test_anothers_order_cannot_be_consumed() -> None:
    world = World()
    order = world.order()
    world.send("seller", order.entry)
    theft = world.filing(order, courier="rival_courier")
    assert world.send("rival_courier", theft).codes == {0: ["ORDER_NOT_HANDED"]}
    assert world.send("courier", world.filing(order)).codes == {}


def test_a_seller_hands_an_order_on_until_it_is_consumed() -> None:
    world = World()
    order = world.order()
    world.send("seller", order.entry)
    to = detail(K.ORDER_REASSIGNED, handed=HANDLES["rival_courier"])
    hand_on = Entry(order.entry.subject, K.ORDER_REASSIGNED, world.now, detail=to)
    assert world.send("rival_seller", hand_on).codes == {0: ["NOT_YOURS"]}
    assert world.send("seller", hand_on).codes == {}
    assert world.send("courier", world.filing(order)).codes == {0: ["ORDER_NOT_HANDED"]}
    assert world.send("rival_courier", world.filing(order, courier="rival_courier")).codes == {}
    assert world.send("seller", hand_on).codes == {0: ["STATE_BARRED"]}


def test_a_seller_does_not_file_its_own_order_nor_through_its_group() -> None:
    world = World()
    own = world.order(to="seller")
    world.send("seller", own.entry)
    assert world.send("seller", world.filing(own, courier="seller")).codes == {0: ["ROLE"]}
    sister = world.order(seller="sister_seller")
    world.send("sister_seller", sister.entry)
    assert world.send("courier", world.filing(sister)).codes == {0: ["ORDER_SAME_GROUP"]}


def test_a_parcel_takes_one_to_eight_orders_in_order() -> None:
    world = World()
    orders = [world.order(price=100) for _ in range(8)]
    world.send("seller", *(order.entry for order in orders))
    three = world.filing(*orders[:3])
    words = three.extra[:1] + three.extra[5:] + three.extra[1:5]
    unsorted = Entry(three.subject, K.FILED, three.claimed, three.digest, three.detail, extra=words)
    assert world.send("courier", unsorted).codes == {0: ["ORDERS_UNSORTED"]}
    same = three.extra[:5] + three.extra[1:5]
    twice = Entry(three.subject, K.FILED, three.claimed, three.digest, three.detail, extra=same)
    assert world.send("courier", twice).codes == {0: ["ORDERS_UNSORTED"]}
    assert world.send("courier", world.filing(*orders)).codes == {}
    for order in orders:
        assert world.send("courier", world.filing(order)).codes == {0: ["ORDER_NOT_OPEN"]}


def test_a_refused_filing_binds_none_of_its_orders() -> None:
    world = World()
    mine, foreign = world.order(), world.order(to="rival_courier")
    world.send("seller", mine.entry, foreign.entry)
    assert world.send("courier", world.filing(mine, foreign)).codes == {0: ["ORDER_NOT_HANDED"]}
    assert world.send("courier", world.filing(mine)).codes == {}


def test_a_correction_keeps_the_orders_it_bound() -> None:
    world = World()
    first, second = world.order(), world.order()
    world.send("seller", first.entry, second.entry)
    filing = world.filing(first, second)
    world.send("courier", filing)
    for kept in ((first,), ()):
        dropped = world.filing(*kept, kind=K.CORRECTED, subject=filing.subject)
        assert world.send("courier", dropped).codes == {0: ["ORDER_DROPPED"]}
    assert world.send("courier", world.filing(first, second, kind=K.CORRECTED, subject=filing.subject)).codes == {}


def test_a_broker_files_for_a_courier_that_let_it_until_it_does_not() -> None:
    world = World()
    order = world.order()
    world.send("seller", order.entry)
    filing = world.filing(order, broker=True)
    assert world.send("broker", filing).codes == {0: ["NOT_YOURS"]}
    let = (HANDLES["courier"], HANDLES["broker"])
    assert world.do(COLD["courier"].address, "let", *let, 1 << K.FILED) is None
    assert world.send("broker", filing).codes == {}
    corrected = world.filing(order, kind=K.CORRECTED, subject=filing.subject)
    assert world.send("broker", corrected).codes == {0: ["NOT_YOURS"]}
    assert world.do(COLD["courier"].address, "let", *let, 0) is None
    assert world.send("broker", world.filing(broker=True)).codes == {0: ["NOT_YOURS"]}


# ----------------------------------------------------------------------------------- results, stops and decisions
def test_a_result_for_a_stale_filing() -> None:
    world = World()
    order = world.order()
    world.send("seller", order.entry)
    filing = world.filing(order)
    world.send("courier", filing)
    early = [(who, world.result(kind, filing.subject)) for who, kind in CLEARING]
    world.send("courier", world.filing(order, kind=K.CORRECTED, subject=filing.subject))
    for who, entry in early:
        assert world.send(who, entry).codes == {0: ["STALE_FILING"]}
    checked(world, filing.subject)
    assert carried(world, filing.subject) == ["CLEARED"]


def test_a_correction_takes_the_results_back() -> None:
    world = World()
    order = world.order()
    world.send("seller", order.entry)
    filing = world.filing(order)
    world.send("courier", filing)
    checked(world, filing.subject)
    world.send("courier", world.filing(order, kind=K.CORRECTED, subject=filing.subject))
    assert not world.status(filing.subject) & (Status.IDENTITY_OK | Status.SCREENED)
    assert carried(world, filing.subject) == []


def test_a_denial_before_the_carry_in_stops_it_and_one_after_stops_the_release() -> None:
    before = World()
    parcel = before.filed()
    checked(before, parcel)
    assert before.send("identity", Entry(parcel, K.IDENTITY_STOPPED, before.now), lane=0).codes == {}
    assert carried(before, parcel) == ["REFERRED"]
    after = World()
    parcel = after.filed()
    checked(after, parcel)
    assert carried(after, parcel) == ["CLEARED"]
    assert after.send("identity", Entry(parcel, K.IDENTITY_STOPPED, after.now), lane=0).codes == {}
    assert after.send("courier", Entry(parcel, K.RELEASED, after.now)).codes == {0: ["STATE_BARRED"]}


def test_a_decision_names_the_stops_it_saw() -> None:
    world = World()
    parcel = world.filed()
    carried(world, parcel)
    stale = world.result(K.DECIDED_CLEAR, parcel)
    world.send("identity", Entry(parcel, K.IDENTITY_STOPPED, world.now), lane=0)
    assert world.send("officer", stale).codes == {0: ["STALE_DECISION"]}
    assert world.send("officer", world.result(K.DECIDED_CLEAR, parcel)).codes == {}
    assert world.status(parcel) & (Status.CLEARED | Status.STOP_OPEN) == Status.CLEARED
    assert Status.AUTO not in world.status(parcel)


def test_a_decision_of_an_older_filing() -> None:
    world = World()
    order = world.order()
    world.send("seller", order.entry)
    filing = world.filing(order)
    world.send("courier", filing)
    carried(world, filing.subject)
    old = world.result(K.DECIDED_CLEAR, filing.subject)
    world.send("courier", world.filing(order, kind=K.CORRECTED, subject=filing.subject))
    assert world.send("officer", old).codes == {0: ["STALE_DECISION"]}


def test_only_the_competent_office_decides() -> None:
    world = World()
    parcel = world.filed()
    carried(world, parcel)
    assert world.send("far_officer", world.result(K.DECIDED_CLEAR, parcel)).codes == {0: ["NOT_YOURS"]}
    assert world.send("officer2", world.result(K.DECIDED_CLEAR, parcel)).codes == {}


def test_a_recall_is_never_undone() -> None:
    world = World()
    parcel = world.filed()
    checked(world, parcel)
    assert carried(world, parcel) == ["CLEARED"]
    assert (
        world.send("officer", Entry(parcel, K.RECALLED, world.now, detail=detail(K.RECALLED, ground=1)), lane=0).codes
        == {}
    )
    assert world.send("courier", Entry(parcel, K.RELEASED, world.now)).codes == {0: ["STATE_BARRED"]}
    assert world.send("officer", world.result(K.DECIDED_CLEAR, parcel)).codes == {0: ["STATE_BARRED"]}
    for kind in (K.HELD, K.RECALLED):
        world.send("officer", Entry(parcel, kind, world.now, detail=detail(kind, ground=1)), lane=0)
    lift = Entry(parcel, K.HOLD_LIFTED, world.now, detail=detail(K.HOLD_LIFTED, number=0))
    assert world.send("officer", lift).codes == {}
    assert Status.RECALLED in world.status(parcel)


def test_holds_are_lifted_by_number_and_bar_until_the_last() -> None:
    world = World()
    parcel = world.filed()
    hold = Entry(parcel, K.HELD, world.now, detail=detail(K.HELD, ground=1))
    assert world.send("officer", hold, hold, lane=0).codes == {0: ["HOLD_NUMBER"], 1: ["HOLD_NUMBER"]}
    checked(world, parcel)
    assert carried(world, parcel) == []
    lifts = [Entry(parcel, K.HOLD_LIFTED, world.now, detail=detail(K.HOLD_LIFTED, number=n)) for n in (0, 1, 2)]
    assert world.send("officer", lifts[2]).codes == {0: ["HOLD_UNKNOWN"]}
    assert world.send("officer", lifts[1]).codes == {}
    assert world.send("officer", lifts[1]).codes == {0: ["HOLD_UNKNOWN"]}
    assert Status.HELD in world.status(parcel)
    assert world.send("officer", lifts[0]).codes == {0: ["CLEARED"]}


def test_a_sweep_refers_what_was_not_checked_in_time() -> None:
    world = World()
    parcel = world.filed()
    carried(world, parcel)
    sweep = Entry(parcel, K.SWEPT, world.now)
    world.now += 4 * 3600 - 1
    assert world.send("oversight", sweep).codes == {0: ["TOO_EARLY"]}
    world.now += 1
    assert world.send("oversight", sweep).codes == {}
    assert Status.REFERRED in world.status(parcel)
    checked(world, parcel)
    assert Status.CLEARED not in world.status(parcel)


# ------------------------------------------------------------------------------------------------ findings
@pytest.mark.parametrize(
    ("sold", "presented", "found"),
    [
        (Goods(5_000, USD, 1, 2), Goods(4_999, USD, 1, 2), Finding.FACTS_MISMATCH),
        (Goods(5_000, USD, 1, 2), Goods(5_000, USD, 1, 1), Finding.FACTS_MISMATCH),
        (Goods(5_000, USD, SUPPLEMENT, 2), Goods(5_000, USD, 1, 2), Finding.FACTS_MISMATCH),
        (Goods(5_000, USD, 1, 2, use=Use.COMPANY), Goods(5_000, USD, 1, 2), Finding.FACTS_MISMATCH),
        (Goods(20_001, USD, 1, 1), None, Finding.VALUE_OVER_LIMIT),
        (Goods(5_000, USD, SUPPLEMENT, 6), None, Finding.CLASS_EXCLUDED),
        (Goods(5_000, USD, 13, 1), None, Finding.PERMIT_MISSING),
        (Goods(5_000, USD, 1, 1, use=Use.COMPANY), None, Finding.COMMERCIAL_USE),
        (Goods(5_000, 999, 1, 1), None, Finding.RULE_UNKNOWN),
        (Goods(5_000, USD, 77, 1), None, Finding.RULE_UNKNOWN),
    ],
)
def test_a_finding_refers_at_carry_in_and_is_never_cleared_by_rule(
    sold: Goods, presented: Goods | None, found: Finding
) -> None:
    world = World()
    order = world.order(sold.price, sold.goods_class, sold.quantity, currency=sold.currency, use=sold.use)
    world.send("seller", order.entry)
    filing = world.filing(order, goods=presented)
    assert world.send("courier", filing).codes == {}
    assert world.findings(filing.subject) == (found,)
    checked(world, filing.subject)
    assert carried(world, filing.subject) == ["REFERRED"]
    assert Status.CLEARED not in world.status(filing.subject)


def test_a_screening_that_refers() -> None:
    world = World()
    parcel = world.filed()
    world.send("screening", world.result(K.SCREENED_REFERRED, parcel))
    world.send("identity", world.result(K.IDENTITY_CHECKED, parcel))
    assert carried(world, parcel) == ["REFERRED"]
    assert world.findings(parcel) == (Finding.SCREENING_REFERRED,)


def test_no_order_where_one_is_required_and_where_not() -> None:
    world = World()
    for dispatch, found in (("CN", (Finding.ORDER_MISSING,)), ("US", ())):
        filing = world.filing(dispatch=dispatch)
        world.send("courier", filing)
        assert world.findings(filing.subject) == found


def test_more_orders_than_a_filing_can_name() -> None:
    world = World()
    order = world.order()
    world.send("seller", order.entry)
    filing = world.filing(order, more=True)
    world.send("courier", filing)
    assert world.findings(filing.subject) == (Finding.MANY_ORDERS,)


def test_an_order_that_a_correction_adds_must_be_older_than_the_filing() -> None:
    world = World()
    early, late = world.order(), world.order(claimed=world.now + 60)
    world.send("seller", early.entry)
    first, second = world.filing(dispatch="CN"), world.filing(dispatch="CN")
    world.now += 10
    world.send("courier", first, second)
    world.now += LATE_ORDER_LEAD
    world.send("seller", late.entry)
    for parcel, order, found in ((first, early, ()), (second, late, (Finding.LATE_ORDER,))):
        correction = world.filing(order, kind=K.CORRECTED, subject=parcel.subject, dispatch="CN")
        assert world.send("courier", correction).codes == {}
        assert world.findings(parcel.subject) == found


def test_a_correction_after_arrival_of_the_master_or_the_parcel() -> None:
    world = World()
    digest = bytes(31) + b"\5"
    master = world.domain.subject_id(K.MASTER_OPENED, HANDLES["courier"], digest)
    assert world.send("courier", Entry(master, K.MASTER_OPENED, world.now, digest)).codes == {0: ["MASTER_HANDLE"]}
    order = world.order()
    world.send("seller", order.entry)
    filing = world.filing(order, master=1)
    world.send("courier", filing)
    before = world.filing(order, kind=K.CORRECTED, subject=filing.subject, master=1)
    world.send("courier", before)
    assert world.findings(filing.subject) == ()
    world.send("courier", Entry(master, K.MASTER_ARRIVED, world.now))
    world.send("courier", world.filing(order, kind=K.CORRECTED, subject=filing.subject, master=1))
    assert world.findings(filing.subject) == (Finding.CORRECTED_AFTER_ARRIVAL,)
    assert world.send("courier", world.filing(master=2)).codes == {0: ["MASTER_UNKNOWN"]}
    parcel = world.filed()
    carried(world, parcel)
    fixed = world.filing(kind=K.CORRECTED, subject=parcel)
    assert world.send("courier", fixed).codes == {0: ["ORDER_DROPPED"]}


def test_a_correction_onto_a_master_that_arrived() -> None:
    world = World()
    digest = bytes(31) + b"\6"
    master = world.domain.subject_id(K.MASTER_OPENED, HANDLES["courier"], digest)
    world.send("courier", Entry(master, K.MASTER_OPENED, world.now, digest), Entry(master, K.MASTER_ARRIVED, world.now))
    filing = world.filing()
    world.send("courier", filing)
    world.send("courier", world.filing(kind=K.CORRECTED, subject=filing.subject, master=1))
    assert world.findings(filing.subject) == (Finding.CORRECTED_AFTER_ARRIVAL,)


def test_a_held_parcel_cannot_be_corrected_to_another_office() -> None:
    world = World()
    filing = world.filing()
    world.send("courier", filing)
    world.send("officer", Entry(filing.subject, K.HELD, world.now, detail=detail(K.HELD, ground=1)), lane=0)
    moved = world.filing(kind=K.CORRECTED, subject=filing.subject, office=OTHER_OFFICE)
    assert world.send("courier", moved).codes == {}
    lift = Entry(filing.subject, K.HOLD_LIFTED, world.now, detail=detail(K.HOLD_LIFTED, number=0))
    assert world.send("far_officer", lift).codes == {0: ["NOT_YOURS"]}
    assert world.send("officer", lift).codes == {}
    assert world.send("courier", moved).codes == {}
    assert (
        world.send(
            "far_officer", Entry(filing.subject, K.RECALLED, world.now, detail=detail(K.RECALLED, ground=1)), lane=0
        ).codes
        == {}
    )


def test_a_parcel_of_a_suspended_courier_is_never_cleared_by_rule() -> None:
    world = World()
    parcel = world.filed()
    checked(world, parcel)
    assert world.do(COLD["courier"].address, "let", HANDLES["courier"], HANDLES["warehouse"], 1 << K.CARRIED_IN) is None
    assert world.do(SIGNERS["governor"].address, "suspend_org", HANDLES["courier"]) is None
    assert carried(world, parcel, "warehouse") == ["REFERRED"]
    assert world.findings(parcel) == (Finding.WATCHED_PARTY,)


@pytest.mark.parametrize(("target", "name"), [(1, "class"), (2, "origin"), (3, "seller"), (4, "courier")])
def test_two_officers_of_an_office_refer_a_target(target: int, name: str) -> None:
    world = World()
    identity = {"class": 1, "origin": int.from_bytes(b"CN", "big"), "seller": HANDLES["seller"],
                "courier": HANDLES["courier"]}[name]  # fmt: skip
    vote = (target, identity, world.now + 3600)
    assert world.do(SIGNERS["officer"].address, "overlay", *vote) is None
    assert world.do(SIGNERS["officer"].address, "overlay", *vote) is None
    plain = world.fork()
    clean = plain.filed()
    checked(plain, clean)
    assert carried(plain, clean) == ["CLEARED"], "one officer alone changes nothing"
    assert world.do(SIGNERS["officer2"].address, "overlay", *vote) is None
    parcel = world.filed()
    checked(world, parcel)
    assert carried(world, parcel) == ["REFERRED"]
    assert world.findings(parcel) == (Finding.OFFICE_TARGET,)
    later = world.fork()
    later.now += 3601
    after = later.filed()
    checked(later, after)
    assert carried(later, after) == ["CLEARED"]


def test_the_digest_of_a_correction_is_another_one() -> None:
    world = World()
    order = world.order()
    world.send("seller", order.entry)
    filing = world.filing(order)
    world.send("courier", filing)
    assert world.view("filings", filing.subject) == digest_of(filing) != digest_of(filing, 1)
