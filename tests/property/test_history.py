"""Split orders and personal use as pure rules: to the cent and to the day, on both sides, in any order."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.identity.history import COMMERCIAL, SPLIT_ORDERS, Past, Referral, referrals
from ledger.domain.facts import Use
from ledger.domain.history import (
    AGGREGATIONS,
    TRADE_RULES,
    Declaration,
    Purchase,
    Split,
    Trade,
    TradeRule,
    is_company_code,
)

DAY = dt.date(2025, 10, 20)
ARRIVAL_ENDS = dt.date(2022, 11, 16)
SHOP, OTHER_SHOP = b"shop", b"other"
LIMIT = 15_000
HEALTH_FOOD, ALLOWED = 601, 6


def declared(number: int, cents: int = 9_000, **changes: object) -> Declaration:
    values: dict[str, object] = {
        "parcel": bytes([number]), "filing": bytes([number]), "person": b"me", "declared_on": DAY, "cents": cents,
        "limit_cents": LIMIT,
    }  # fmt: skip
    return Declaration(**values | changes)  # type: ignore[arg-type]


def bought(number: int, cents: int, shop: bytes = SHOP, on: dt.date = DAY, **changes: object) -> Declaration:
    return declared(number, cents, purchases=(Purchase(shop, on, cents),), **changes)


def causes(found: tuple[Referral, ...]) -> set[tuple[bytes, str, tuple[str, ...]]]:
    return {(each.parcel, each.cause, each.reasons) for each in found}


def rule(sign: Trade) -> TradeRule:
    return next(each for each in TRADE_RULES if each.sign is sign)


# ------------------------------------------------------------------------------------------------------ split orders
@pytest.mark.parametrize(("second", "split"), [(5_999, False), (6_000, False), (6_001, True)])
def test_one_purchase_in_two_parcels_to_the_cent(second: int, split: bool) -> None:
    found = referrals(bought(2, second), Past([bought(1, 9_000)]))
    both = {(bytes([number]), SPLIT_ORDERS, (Split.SAME_PURCHASE.value,)) for number in (1, 2)}
    assert causes(found) == (both if split else set())


@pytest.mark.parametrize(
    "other",
    [
        bought(1, 14_000, shop=OTHER_SHOP),
        bought(1, 14_000, on=DAY - dt.timedelta(days=1)),
        bought(1, 14_000, on=DAY + dt.timedelta(days=1)),
        declared(1, 14_000),
    ],
)  # fmt: skip
def test_another_shop_or_day_is_no_split(other: Declaration) -> None:
    assert referrals(bought(2, 14_000), Past([other])) == ()


def test_only_what_was_bought_together_is_summed() -> None:
    """A dear thing from another shop in the same box does not make the rest too dear."""
    mixed = declared(1, 14_000, purchases=(Purchase(SHOP, DAY, 2_000), Purchase(OTHER_SHOP, DAY, 12_000)))
    assert referrals(bought(2, 13_000), Past([mixed])) == ()
    assert len(referrals(bought(2, 13_001), Past([mixed]))) == 2


def test_a_cheap_order_of_another_shop_hides_no_split() -> None:
    hidden = declared(2, 9_100, purchases=(Purchase(OTHER_SHOP, DAY, 100), Purchase(SHOP, DAY, 9_000)))
    assert len(referrals(hidden, Past([bought(1, 9_000)]))) == 2


def test_the_smallest_limit_of_the_parcels_holds() -> None:
    dear = bought(1, 9_000, limit_cents=20_000)
    assert referrals(bought(2, 9_000, limit_cents=20_000), Past([dear])) == ()
    assert len(referrals(bought(2, 9_000), Past([dear]))) == 2


def test_one_bill_in_two_parcels() -> None:
    found = referrals(declared(2, 6_001, bill=b"HAWB"), Past([declared(1, 9_000, bill=b"HAWB")]))
    assert {each.reasons for each in found} == {(Split.SAME_BILL.value,)}
    assert referrals(declared(2, 6_001, bill=b"HAWB"), Past([declared(1, 9_000, bill=b"OTHER")])) == ()
    assert referrals(declared(2, 6_001), Past([declared(1, 9_000)])) == ()


@pytest.mark.parametrize(("day", "split"), [(ARRIVAL_ENDS, True), (ARRIVAL_ENDS + dt.timedelta(days=1), False)])
def test_the_same_arrival_counts_to_the_day_its_rule_was_deleted(day: dt.date, split: bool) -> None:
    one, two = (declared(number, 9_000, arrived_on=ARRIVAL_ENDS, declared_on=day) for number in (1, 2))
    assert len(referrals(two, Past([one]))) == (2 if split else 0)


def test_across_the_day_of_deletion_nothing_is_summed() -> None:
    before = declared(1, 9_000, arrived_on=ARRIVAL_ENDS, declared_on=ARRIVAL_ENDS)
    after = declared(2, 9_000, arrived_on=ARRIVAL_ENDS, declared_on=ARRIVAL_ENDS + dt.timedelta(days=1))
    assert referrals(after, Past([before])) == referrals(before, Past([after])) == ()


def test_a_corrected_parcel_does_not_count_against_itself() -> None:
    assert referrals(bought(1, 9_000), Past([bought(1, 9_000)])) == ()


parcels = st.lists(
    st.builds(
        lambda number, cents, shop, day, bill: bought(
            number, cents, shop, DAY + dt.timedelta(days=day), bill=bytes([bill])
        ),
        st.integers(0, 200), st.integers(1, 16_000), st.sampled_from([SHOP, OTHER_SHOP]), st.integers(0, 1),
        st.integers(0, 3),
    ),
    max_size=4, unique_by=lambda each: each.parcel,
)  # fmt: skip


@given(parcels)
def test_the_order_of_judging_changes_nothing(dealt: list[Declaration]) -> None:
    found = []
    for order in permutations(dealt):
        seen: list[Declaration] = []
        referred: dict[tuple[bytes, str], set[str]] = {}
        for each in order:
            for one in referrals(each, Past(seen)):
                referred.setdefault((one.parcel, one.cause), set()).update(one.reasons)
            seen.append(each)
        found.append(referred)
    assert all(each == found[0] for each in found)


@given(parcels)
def test_a_referred_split_is_over_the_limit_and_none_over_it_is_missed(dealt: list[Declaration]) -> None:
    """Compared with sums made another way: all parcels of a key at once."""
    sums: dict[object, list[tuple[bytes, int]]] = {}
    for each in dealt:
        sums.setdefault(("bill", each.bill), []).append((each.parcel, each.cents))
        for one in each.purchases:
            sums.setdefault((one.supplier, one.ordered_on), []).append((each.parcel, one.cents))
    over = [group for group in sums.values() if len(group) > 1 and sum(cents for _, cents in group) > LIMIT]
    expected = {parcel for group in over for parcel, _ in group}
    found = {
        one.parcel for at, each in enumerate(dealt) for one in referrals(each, Past(dealt[:at]))
        if one.cause == SPLIT_ORDERS
    }  # fmt: skip
    assert found == expected


# ------------------------------------------------------------------------------------------- personal or company use
def many(count: int, gap: int = 0, **changes: object) -> list[Declaration]:
    day = DAY - dt.timedelta(days=gap)
    return [declared(number + 1, 100, declared_on=day, **changes) for number in range(count)]


@pytest.mark.parametrize(("earlier", "gap", "told"), [(29, 0, False), (30, 0, True), (30, 29, True), (30, 30, False)])
def test_frequency_to_the_parcel_and_the_day(earlier: int, gap: int, told: bool) -> None:
    assert (rule(Trade.FREQUENCY).limit, rule(Trade.FREQUENCY).days) == (30, 30)
    found = referrals(declared(250, 100), Past(many(earlier, gap)))
    assert causes(found) == ({(bytes([250]), COMMERCIAL, (Trade.FREQUENCY.value,))} if told else set())


@pytest.mark.parametrize(("earlier", "gap", "told"), [(18, 0, False), (19, 0, True), (19, 89, True), (19, 90, False)])
def test_quantity_over_all_parcels_to_the_piece_and_the_day(earlier: int, gap: int, told: bool) -> None:
    assert (rule(Trade.QUANTITY).limit, rule(Trade.QUANTITY).days) == (4, 90)
    past = many(1, gap, goods={HEALTH_FOOD: earlier})
    found = referrals(declared(250, 100, goods={HEALTH_FOOD: ALLOWED}), Past(past))
    assert bool(found) is told


def test_goods_without_a_figure_have_no_quantity() -> None:
    assert referrals(declared(250, 100, goods={1: 10_000, 65_000: 10_000}), Past(many(5, goods={1: 10_000}))) == ()


@pytest.mark.parametrize(("gap", "told"), [(0, True), (364, True), (365, False), (-1, False)])
def test_a_report_of_resale_counts_for_a_year(gap: int, told: bool) -> None:
    found = referrals(declared(1), Past(resales=[DAY - dt.timedelta(days=gap)]))
    assert bool(found) is told


@pytest.mark.parametrize(("people", "told"), [(3, False), (4, True)])
def test_one_address_for_many_numbers_refers_all_of_them(people: int, told: bool) -> None:
    past = [declared(number, person=bytes([number]), cluster=b"yard") for number in range(1, people)]
    found = referrals(declared(250, cluster=b"yard"), Past(clustered=past))
    assert {each.parcel for each in found} == ({bytes([250]), *(each.parcel for each in past)} if told else set())


def test_one_person_may_have_many_parcels_at_one_address() -> None:
    past = [declared(number, cluster=b"office") for number in range(1, 20)]
    assert referrals(declared(250, cluster=b"office"), Past(clustered=past)) == ()


def test_what_the_writer_declares_only_adds() -> None:
    """ "Personal" excuses nothing; what is declared as a company's the contract judges as such."""
    reported = Past(resales=[DAY])
    assert referrals(declared(1), reported)
    assert referrals(declared(1, use=Use.COMPANY), reported) == ()
    split = replace(bought(2, 9_000), use=Use.COMPANY)
    assert len(referrals(split, Past([bought(1, 9_000)]))) == 2, "a split stays one whatever is declared"


@pytest.mark.parametrize(
    ("text", "company"),
    [
        ("관세상사1234561", True),
        ("관세상사 1234561", True),
        ("P990000000001", False),
        ("", False),
        ("관세1234561", False),
    ],
)
def test_a_company_has_a_code_of_its_own_shape(text: str, company: bool) -> None:
    assert is_company_code(text) is company


def test_rules_are_rows_with_a_source() -> None:
    assert {each.key for each in AGGREGATIONS} == set(Split)
    assert {each.sign for each in TRADE_RULES} == set(Trade)
    assert all(each.source for each in (*AGGREGATIONS, *TRADE_RULES))
