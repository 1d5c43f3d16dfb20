"""The dealt day: what is planted stands apart from what is clean, and cases of several parcels are whole."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import pytest

from clients.sample.cases import PLANTED, TOGETHER, Case, planted
from clients.sample.people import MOST_PARCELS, register_of
from clients.sample.plan import Dealer, Plan


@pytest.fixture(scope="module", params=[(60, 3), (200, 1), (700, 5)])
def plan(request: pytest.FixtureRequest) -> Plan:
    return Dealer(*request.param).deal()


def filings(plan: Plan) -> dict[str, Any]:
    return {event.arguments["house"]: event.arguments for event in plan.events if event.action == "file"}


def test_every_kind_is_planted_often_enough(plan: Plan) -> None:
    counts = Counter(plan.truth.values())
    assert {case: counts[case] for case in PLANTED} == {case: planted(case, plan.parcels) for case in PLANTED}
    assert all(planted(case, 2_000) >= 20 for case in PLANTED)


def test_nobody_in_a_case_has_clean_parcels_and_nobody_is_in_two(plan: Plan) -> None:
    cases: dict[str, set[str]] = defaultdict(set)
    for house, told in filings(plan).items():
        cases[told["consignee"]["pccc"]].add(plan.truth[house])
    assert all(len(kinds) == 1 for kinds in cases.values())


def test_clean_people_have_few_parcels_and_never_two_of_one_shop(plan: Plan) -> None:
    clean = [told for house, told in filings(plan).items() if plan.truth[house] == Case.CLEAN]
    people = Counter(told["consignee"]["pccc"] for told in clean)
    assert max(people.values(), default=0) <= MOST_PARCELS
    assert max(Counter((told["consignee"]["pccc"], told["shop"]) for told in clean).values(), default=0) == 1
    register = register_of(plan.holders)
    assert all(register[told["consignee"]["pccc"]]["zip"] == told["consignee"]["zip"] for told in clean)


def test_cases_of_several_parcels_fly_together_from_one_shop(plan: Plan) -> None:
    rings: dict[Case, dict[str, list[Any]]] = {case: defaultdict(list) for case in TOGETHER}
    for house, told in filings(plan).items():
        case = Case(plan.truth[house])
        if case in TOGETHER:
            key = "pccc" if case is Case.SPLIT_ORDERS else "address"
            rings[case][told["consignee"][key]].append((told["shop"], told["master"]))
    for case, found in rings.items():
        assert all(len(parcels) >= TOGETHER[case] and len(set(parcels)) == 1 for parcels in found.values())


def test_the_truth_stands_nowhere_but_in_the_truth(plan: Plan) -> None:
    told = repr([(event.party, event.action, event.arguments) for event in plan.events])
    assert not any(case.value in told for case in PLANTED)


def test_the_register_knows_both_numbers_of_a_reissue(plan: Plan) -> None:
    register = register_of(plan.holders)
    former = [told["consignee"]["pccc"] for house, told in filings(plan).items()
              if plan.truth[house] == Case.REISSUED_NUMBER]  # fmt: skip
    assert former
    assert all(register[number].get("retired") for number in former)
    assert sum("retired" in told for told in register.values()) == len(former)
