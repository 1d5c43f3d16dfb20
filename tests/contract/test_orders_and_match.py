"""Orders and the three-way match at their edges: what test_rules_of_the_parcel.py does not reach."""

from __future__ import annotations

from dataclasses import replace

import pytest
from eth_hash.auto import keccak

from ledger.chain.batch import Entry, detail
from ledger.domain.facts import Goods, Mode, Track, Use
from ledger.domain.findings import Finding
from ledger.domain.kinds import KindNumber as K
from ledger.domain.kinds import Status
from ledger.domain.roles import Role
from ledger.domain.words import ORDER, PARCEL
from tests.contract.world import COLD, HANDLES, PERMIT_CLASS, PLAIN, SUPPLEMENT, USD, Order, World


@pytest.fixture
def world() -> World:
    return World()


def opened(world: World, seller: str = "seller", **goods: int | str) -> Order:
    """Open an order of a seller."""
    order = world.order(seller=seller, **goods)  # type: ignore[arg-type]
    assert world.send(seller, order.entry).codes == {}
    return order


def let(world: World, owner: str, writer: str, *kinds: K) -> None:
    assert world.do(COLD[owner].address, "let", HANDLES[owner], HANDLES[writer], sum(1 << k for k in kinds)) is None


def is_open(world: World, order: Order) -> bool:
    return Status.CONSUMED not in world.status(order.entry.subject)


def consumer(world: World, order: Order) -> int:
    """Return the low 160 bits of the parcel that an order is bound to."""
    return ORDER["parcel"].get(world.word(order.entry.subject))


def low(subject: int) -> int:
    return subject & (1 << 160) - 1


# ------------------------------------------------------------------------------------------------------------ ids
def test_naming_the_courier_as_opener_squats_nothing(world: World) -> None:
    filing = world.filing()
    named = replace(filing, detail=filing.detail | detail(K.FILED, opener=HANDLES["courier"]))
    assert world.send("rival_courier", named).codes == {0: ["NOT_YOURS"]}
    assert world.word(filing.subject) == 0
    assert world.send("courier", named).codes == {}
    assert PARCEL["opener"].get(world.word(filing.subject)) == HANDLES["courier"]


def test_a_masters_id_cannot_be_squatted(world: World) -> None:
    digest = keccak(b"a master")
    subject = world.domain.subject_id(K.MASTER_OPENED, HANDLES["courier"], digest)
    master = Entry(subject, K.MASTER_OPENED, world.now, digest)
    assert world.send("rival_courier", master).codes == {0: ["BAD_ID"]}
    assert world.send("courier", master).codes == {0: ["MASTER_HANDLE"]}


@pytest.mark.parametrize("kind", [K.ORDER_OPENED, K.MASTER_OPENED, K.CORRECTED])
def test_an_id_made_for_one_kind_opens_no_other(world: World, kind: K) -> None:
    filing = world.filing()
    other = replace(filing, subject=world.domain.subject_id(kind, HANDLES["courier"], filing.digest))
    assert world.send("courier", other).codes == {0: ["BAD_ID"]}


def test_a_filing_seen_in_the_open_serves_no_other_parcel_and_no_other_courier(world: World) -> None:
    order = opened(world)
    filing = world.filing(order)
    assert world.send("courier", filing).codes == {}
    before = world.word(filing.subject)
    assert world.send("courier", replace(filing, subject=filing.subject ^ 1)).codes == {0: ["BAD_ID"]}
    own = world.domain.subject_id(K.FILED, HANDLES["rival_courier"], filing.digest)
    assert world.send("rival_courier", replace(filing, subject=own)).codes == {0: ["ORDER_NOT_OPEN"]}
    assert (world.word(filing.subject), world.word(own)) == (before, 0)
    assert consumer(world, order) == low(filing.subject)


# --------------------------------------------------------------------------------------------------------- orders
def test_an_order_stays_used_whether_its_parcel_mismatched_or_was_refused(world: World) -> None:
    order = opened(world)
    filing = world.filing(order, goods=Goods(1, USD, PLAIN, 1))
    assert world.send("courier", filing).codes == {}
    assert world.findings(filing.subject) == (Finding.FACTS_MISMATCH,)
    assert world.send("courier", world.filing(order)).codes == {0: ["ORDER_NOT_OPEN"]}
    assert world.send("officer", world.result(K.DECIDED_REFUSE, filing.subject)).codes == {}
    assert world.send("courier", world.filing(order)).codes == {0: ["ORDER_NOT_OPEN"]}


def test_an_order_is_bound_once_within_a_batch_too(world: World) -> None:
    order = opened(world)
    first, second = world.filing(order), world.filing(order)
    assert world.send("courier", first, second).codes == {1: ["ORDER_NOT_OPEN"]}
    assert consumer(world, order) == low(first.subject)


def test_what_is_no_order_is_not_open(world: World) -> None:
    parcel = world.filed()
    good, ghost = opened(world), world.order()
    fake = replace(ghost, entry=replace(ghost.entry, subject=parcel))
    for other in (ghost, fake):
        assert world.send("courier", world.filing(good, other)).codes == {0: ["ORDER_NOT_OPEN"]}
    assert is_open(world, good)


def test_one_order_of_the_group_rejects_the_whole_filing_and_consumes_nothing(world: World) -> None:
    sister, other = opened(world, "sister_seller"), opened(world)
    assert world.send("courier", world.filing(sister, other)).codes == {0: ["ORDER_SAME_GROUP"]}
    assert is_open(world, sister)
    assert is_open(world, other)
    to = detail(K.ORDER_REASSIGNED, handed=HANDLES["rival_courier"])
    assert (
        world.send("sister_seller", Entry(sister.entry.subject, K.ORDER_REASSIGNED, world.now, detail=to)).codes == {}
    )
    assert world.send("rival_courier", world.filing(sister, courier="rival_courier")).codes == {}


def test_a_group_has_a_number_of_its_own_and_not_that_of_an_org() -> None:
    plain, group = World().genesis, {"seller": 777, "courier": 777, "rival_seller": HANDLES["courier"]}
    world = World(replace(plain, orgs=tuple(replace(o, group=group.get(o.name, o.group)) for o in plain.orgs)))
    assert world.send("courier", world.filing(opened(world))).codes == {0: ["ORDER_SAME_GROUP"]}
    assert world.send("courier", world.filing(opened(world, "rival_seller"))).codes == {}


def test_an_org_that_is_seller_and_courier_cannot_file_its_own_order_nor_let_a_broker() -> None:
    plain, both = World().genesis, int(Role.SELLER | Role.COURIER)
    orgs = tuple(replace(org, roles=both) if org.name == "courier" else org for org in plain.orgs)
    keys = tuple(replace(key, roles=both) if key.org == HANDLES["courier"] else key for key in plain.keys)
    world = World(replace(plain, orgs=orgs, keys=keys))
    own = opened(world, "courier")
    assert world.send("courier", world.filing(own)).codes == {0: ["ORDER_SAME_GROUP"]}
    let(world, "courier", "broker", K.FILED)
    assert world.send("broker", world.filing(own, broker=True)).codes == {0: ["ORDER_SAME_GROUP"]}
    assert world.send("courier", world.filing(opened(world))).codes == {}


@pytest.mark.parametrize("count", range(1, 9))
def test_one_filing_binds_each_of_up_to_eight_orders(world: World, count: int) -> None:
    orders = [opened(world, price=100) for _ in range(count)]
    filing = world.filing(*orders)
    assert world.send("courier", filing).codes == {}
    assert PARCEL["orders"].get(world.word(filing.subject)) == count
    assert {consumer(world, order) for order in orders} == {low(filing.subject)}
    assert world.findings(filing.subject) == ()


@pytest.mark.parametrize("bad", [0, 3, 7])
def test_one_order_that_is_not_handed_over_keeps_all_eight_open(world: World, bad: int) -> None:
    orders = sorted((world.order(price=100) for _ in range(8)), key=lambda order: order.entry.subject)
    for index, order in enumerate(orders):
        handed = HANDLES["rival_courier" if index == bad else "courier"]
        world.send("seller", replace(order.entry, detail=detail(K.ORDER_OPENED, handed=handed)))
    filing = world.filing(*orders)
    assert world.send("courier", filing).codes == {0: ["ORDER_NOT_HANDED"]}
    assert all(is_open(world, order) for order in orders)
    assert world.word(filing.subject) == 0


def test_a_correction_may_add_an_order_and_never_swaps_one(world: World) -> None:
    first, second, third = (opened(world, price=100) for _ in range(3))
    filing = world.filing(first, second)
    world.send("courier", filing)

    def corrected(*orders: Order) -> dict[int, list[str]]:
        return world.send("courier", world.filing(*orders, kind=K.CORRECTED, subject=filing.subject)).codes

    before = world.word(filing.subject)
    for swapped in ((first, third), (second, third), (third,)):
        assert corrected(*swapped) == {0: ["ORDER_DROPPED"]}
    assert world.word(filing.subject) == before
    assert is_open(world, third)
    assert corrected(first, second, third) == {}
    assert consumer(world, third) == low(filing.subject)
    assert corrected(first, second) == {0: ["ORDER_DROPPED"]}


# ----------------------------------------------------------------------------------------- brokers, and who was let
def test_a_broker_corrects_only_if_it_was_let_correct(world: World) -> None:
    order = opened(world)
    filing = world.filing(order, broker=True)
    let(world, "courier", "broker", K.CORRECTED)
    assert world.send("broker", filing).codes == {0: ["NOT_YOURS"]}
    let(world, "courier", "broker", K.FILED, K.CORRECTED)
    assert world.send("broker", filing).codes == {}
    assert PARCEL["opener"].get(world.word(filing.subject)) == HANDLES["courier"]
    correction = world.filing(order, kind=K.CORRECTED, subject=filing.subject)
    assert world.send("broker", correction).codes == {}
    let(world, "courier", "broker")
    assert world.send("broker", correction).codes == {0: ["NOT_YOURS"]}


def test_a_broker_has_no_parcels_and_no_orders_of_its_own(world: World) -> None:
    let(world, "courier", "broker", K.FILED)
    assert world.send("broker", world.filing(courier="broker")).codes == {0: ["ROLE"]}
    order = opened(world, to="broker")
    assert world.send("broker", world.filing(order, broker=True)).codes == {0: ["ORDER_NOT_HANDED"]}
    assert world.send("broker", world.filing(courier="rival_courier", broker=True)).codes == {0: ["NOT_YOURS"]}


def test_being_let_gives_no_role(world: World) -> None:
    let(world, "courier", "seller", *K)
    parcel = world.filed()
    for entry in (world.filing(broker=True), Entry(parcel, K.CARRIED_IN, world.now)):
        assert world.send("seller", entry).codes == {0: ["ROLE"]}


def test_a_yard_carries_in_only_for_couriers_that_let_it(world: World) -> None:
    entry = Entry(world.filed(), K.CARRIED_IN, world.now)
    for who in ("warehouse", "rival_courier"):
        assert world.send(who, entry).codes == {0: ["NOT_YOURS"]}
    let(world, "rival_courier", "warehouse", K.CARRIED_IN)
    let(world, "courier", "warehouse", K.RELEASED)
    assert world.send("warehouse", entry).codes == {0: ["NOT_YOURS"]}
    let(world, "courier", "warehouse", K.CARRIED_IN)
    assert world.send("warehouse", entry).codes == {}


# ---------------------------------------------------------------------------------------------------------- match
TRUE = Goods(5_000, USD, PLAIN, 2, unit=1)


@pytest.mark.parametrize(
    "told",
    [
        replace(TRUE, price=5_001),
        replace(TRUE, price=4_999),
        replace(TRUE, currency=392),
        replace(TRUE, goods_class=SUPPLEMENT),
        replace(TRUE, quantity=1),
        replace(TRUE, unit=0),
        replace(TRUE, use=Use.COMPANY),
    ],
)
def test_any_fact_that_differs_is_found_and_a_true_correction_clears_the_finding(world: World, told: Goods) -> None:
    order = opened(world, price=5_000, quantity=2, unit=1)
    lie = world.filing(order, goods=told)
    assert world.send("courier", lie).codes == {}
    assert Finding.FACTS_MISMATCH in world.findings(lie.subject)
    assert world.send("courier", world.filing(order, kind=K.CORRECTED, subject=lie.subject)).codes == {}
    assert world.findings(lie.subject) == ()


@pytest.mark.parametrize("part", ["rest", "salt"])
def test_another_rest_or_salt_than_the_sellers_is_found(world: World, part: str) -> None:
    order = opened(world)
    filing = world.filing(replace(order, **{part: bytes(32)}))
    assert world.send("courier", filing).codes == {}
    assert world.findings(filing.subject) == (Finding.FACTS_MISMATCH,)


def test_facts_of_one_order_told_of_another_are_found_though_the_sum_is_right(world: World) -> None:
    cheap, dear = opened(world, price=100), opened(world, price=9_000)
    filing = world.filing(replace(cheap, goods=dear.goods), replace(dear, goods=cheap.goods))
    assert world.send("courier", filing).codes == {}
    assert world.findings(filing.subject) == (Finding.FACTS_MISMATCH,)


def test_the_rules_judge_what_the_courier_declared(world: World) -> None:
    filing = world.filing(opened(world, price=100), goods=Goods(20_001, USD, SUPPLEMENT, 7))
    world.send("courier", filing)
    assert set(world.findings(filing.subject)) == {
        Finding.FACTS_MISMATCH, Finding.VALUE_OVER_LIMIT, Finding.CLASS_EXCLUDED, Finding.QUANTITY_OVER_PERSONAL_USE,
    }  # fmt: skip


def test_a_missing_order_is_made_good_by_a_correction(world: World) -> None:
    order, filing = opened(world, claimed=world.now - 1), world.filing(dispatch="CN")
    world.send("courier", filing)
    assert world.findings(filing.subject) == (Finding.ORDER_MISSING,)
    world.now += 1_800
    correction = world.filing(order, kind=K.CORRECTED, subject=filing.subject, dispatch="CN")
    assert world.send("courier", correction).codes == {}
    assert world.findings(filing.subject) == ()


# -------------------------------------------------------------------------------------------- class, quantity, use
@pytest.mark.parametrize("track", list(Track))
def test_what_a_class_asks_for_on_either_track(world: World, track: Track) -> None:
    def found(goods: Goods) -> tuple[Finding, ...]:
        filing = world.filing(goods=goods, track=track)
        assert world.send("courier", filing).codes == {}
        return world.findings(filing.subject)

    on_list = (Finding.CLASS_EXCLUDED,) if track is Track.LIST else ()
    assert found(Goods(5_000, USD, PLAIN, 1_000)) == ()
    assert found(Goods(5_000, USD, SUPPLEMENT, 6)) == on_list
    assert found(Goods(5_000, USD, SUPPLEMENT, 7)) == (*on_list, Finding.QUANTITY_OVER_PERSONAL_USE)
    assert found(Goods(5_000, USD, PERMIT_CLASS, 1)) == (Finding.PERMIT_MISSING,)
    assert found(Goods(5_000, USD, 9_999, 1)) == (Finding.RULE_UNKNOWN,)
    assert found(Goods(5_000, 392, PLAIN, 1)) == (Finding.RULE_UNKNOWN,)


@pytest.mark.parametrize("quantities", [(7,), (1,) * 7, (6, 1), (1, 6)])
def test_personal_use_is_summed_over_the_box_in_any_order_and_by_class(
    world: World, quantities: tuple[int, ...]
) -> None:
    same = [opened(world, price=100, goods_class=SUPPLEMENT, quantity=each) for each in quantities]
    over = world.filing(*same, track=Track.DECLARED)
    assert world.send("courier", over).codes == {}
    assert world.findings(over.subject) == (Finding.QUANTITY_OVER_PERSONAL_USE,)
    mixed = [opened(world, price=100, goods_class=SUPPLEMENT, quantity=each) for each in (2, 4)]
    within = world.filing(*mixed, opened(world, price=100, quantity=50), track=Track.DECLARED)
    assert world.send("courier", within).codes == {}
    assert world.findings(within.subject) == ()


@pytest.mark.parametrize("use", [1, 2, 255])
def test_any_use_but_personal_is_a_companys(world: World, use: int) -> None:
    goods = Goods(5_000, USD, PLAIN, 1).word() | use << 104
    for track, findings in ((Track.LIST, (Finding.COMMERCIAL_USE,)), (Track.DECLARED, ())):
        filing = world.filing(track=track)
        assert world.send("courier", replace(filing, extra=(filing.extra[0], goods))).codes == {}
        assert world.findings(filing.subject) == findings
        assert (Status.DUTY_OK in world.status(filing.subject)) is (track is Track.LIST)


def test_one_order_in_the_box_taints_it_all(world: World) -> None:
    orders = [
        opened(world, price=100),
        opened(world, price=100, use=1),
        opened(world, price=90, goods_class=SUPPLEMENT),
        opened(world, price=80, goods_class=PERMIT_CLASS),
    ]
    filing = world.filing(*orders)
    assert world.send("courier", filing).codes == {}
    assert set(world.findings(filing.subject)) == {
        Finding.COMMERCIAL_USE, Finding.CLASS_EXCLUDED, Finding.PERMIT_MISSING,
    }  # fmt: skip


def test_a_mode_without_a_rule_is_found(world: World) -> None:
    filing = world.filing(mode=Mode.EXPRESS_SEA)
    assert world.send("courier", filing).codes == {}
    assert world.findings(filing.subject) == (Finding.RULE_UNKNOWN,)
