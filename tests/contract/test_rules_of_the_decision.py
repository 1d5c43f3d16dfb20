"""What clears a parcel and what never does: results, stops, decisions, holds, recall and sweep."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ledger.chain.batch import Entry, detail
from ledger.domain.facts import Goods, Track
from ledger.domain.findings import Finding
from ledger.domain.kinds import KindNumber as K
from ledger.domain.kinds import Status
from ledger.domain.words import PARCEL
from tests.contract.steps import (
    BARRED,
    CLEARED,
    HOLD_UNKNOWN,
    LIMIT,
    MISSING,
    NOT_YOURS,
    REFERRED,
    RESULTS,
    STALE_DECISION,
    STALE_FILING,
    TOO_EARLY,
    carry,
    check,
    decide,
    hold,
    lift,
    ready,
    release,
    stop,
    sweep,
)
from tests.contract.world import COLD, HANDLES, OFFICE, OTHER_OFFICE, PLAIN, USD, World

HOUR = 3600


@pytest.fixture
def world() -> World:
    return World()


# -------------------------------------------------------------------------------------------------- stale results
def test_a_result_for_the_filing_before_a_correction_is_stale_and_must_be_given_anew(world: World) -> None:
    filing = world.filing()
    world.send("courier", filing)
    parcel = filing.subject
    old = [world.result(kind, parcel) for _, kind in RESULTS]
    assert check(world, parcel) == [{}, {}]
    world.send("courier", world.filing(kind=K.CORRECTED, subject=parcel))
    assert world.status(parcel) & (Status.IDENTITY_OK | Status.SCREENED) == Status(0)
    for (who, _), entry in zip(RESULTS, old, strict=True):
        assert world.send(who, entry).codes == STALE_FILING
    assert carry(world, parcel) == {}
    assert check(world, parcel) == [{}, CLEARED]


def test_a_result_for_the_filing_of_another_parcel_is_stale(world: World) -> None:
    first, second = world.filed(), world.filed()
    for who, kind in RESULTS:
        entry = replace(world.result(kind, first), subject=second)
        assert world.send(who, entry).codes == STALE_FILING


def test_the_same_facts_filed_again_are_another_filing(world: World) -> None:
    filing = world.filing()
    world.send("courier", filing)
    parcel, old = filing.subject, world.result(K.IDENTITY_CHECKED, filing.subject)
    same = replace(filing, kind=K.CORRECTED)
    names = set()
    for _ in range(2):
        assert world.send("courier", same).codes == {}
        names.add(world.view("filings", parcel))
        assert world.send("identity", old).codes == STALE_FILING
    assert len(names | {old.names}) == 3


@pytest.mark.parametrize("kind", [K.DECIDED_CLEAR, K.DECIDED_REFUSE])
def test_a_decision_on_another_filing_or_one_that_did_not_see_every_stop_is_stale(world: World, kind: K) -> None:
    parcel = ready(world)
    blind = world.result(kind, parcel)
    stop(world, parcel)
    assert carry(world, parcel) == REFERRED
    assert world.send("officer", blind).codes == STALE_DECISION
    stop(world, parcel)
    for stops in (0, 1, 3, 255):
        assert decide(world, parcel, kind, stops=stops) == STALE_DECISION
    seen = world.result(kind, parcel, stops=2)
    assert world.send("officer", replace(seen, names=seen.names ^ 1)).codes == STALE_DECISION
    assert world.send("officer", seen).codes == {}


def test_a_decision_made_before_a_correction_is_stale(world: World) -> None:
    filing = world.filing(goods=Goods(20_001, USD, PLAIN, 1))
    world.send("courier", filing)
    assert carry(world, filing.subject) == REFERRED
    made = world.result(K.DECIDED_CLEAR, filing.subject)
    world.send("courier", world.filing(kind=K.CORRECTED, subject=filing.subject))
    assert world.send("officer", made).codes == STALE_DECISION
    assert decide(world, filing.subject) == {}


# ---------------------------------------------------------------------------------------------------------- stops
def test_a_denial_that_stands_before_the_carry_in_bars_it_and_one_behind_it_bars_the_release(world: World) -> None:
    for first in (True, False):
        trial = world.fork()
        parcel = ready(trial)
        if first:
            assert stop(trial, parcel) == {}
            assert carry(trial, parcel) == REFERRED
            assert Status.AUTO not in trial.status(parcel)
        else:
            assert carry(trial, parcel) == CLEARED
            assert stop(trial, parcel) == {}
        assert trial.findings(parcel) == (Finding.IDENTITY_STOPPED,)
        assert release(trial, parcel) == (MISSING if first else BARRED)


@pytest.mark.parametrize("state", ["filed", "carried", "cleared", "refused", "held", "recalled", "released", "swept"])
def test_a_stop_is_taken_counted_and_open_in_every_state(world: World, state: str) -> None:
    parcel = world.filed() if state in ("filed", "carried", "swept") else ready(world)
    if state in ("carried", "cleared", "released", "swept"):
        carry(world, parcel)
    if state == "held":
        hold(world, parcel)
    if state == "recalled":
        world.send("officer", Entry(parcel, K.RECALLED, world.now, detail=detail(K.RECALLED, ground=1)), lane=0)
    if state == "refused":
        assert decide(world, parcel, K.DECIDED_REFUSE) == {}
    if state == "released":
        assert release(world, parcel) == {}
    if state == "swept":
        world.now += 4 * HOUR
        assert sweep(world, parcel) == {}
    for count in (1, 2, 3):
        assert stop(world, parcel) in ({}, REFERRED)
        assert PARCEL["stops"].get(world.word(parcel)) == count
    assert Status.STOP_OPEN in world.status(parcel)


def test_after_a_stop_nothing_but_a_decision_clears_and_only_it_closes_the_stop(world: World) -> None:
    filing = world.filing()
    world.send("courier", filing)
    parcel = filing.subject
    stop(world, parcel)
    assert world.send("courier", world.filing(kind=K.CORRECTED, subject=parcel)).codes == {}
    assert check(world, parcel) == [{}, {}]
    hold(world, parcel)
    assert carry(world, parcel) == REFERRED
    assert lift(world, parcel, 0) == {}
    assert world.status(parcel) & (Status.CLEARED | Status.STOP_OPEN) == Status.STOP_OPEN
    assert decide(world, parcel) == {}
    assert world.status(parcel) & (Status.CLEARED | Status.STOP_OPEN | Status.AUTO) == Status.CLEARED
    assert release(world.fork(), parcel) == {}
    assert stop(world, parcel) == {}
    assert release(world, parcel) == BARRED
    assert decide(world, parcel) == {}
    assert release(world, parcel) == {}


def test_a_refusal_leaves_the_stop_open(world: World) -> None:
    parcel = ready(world)
    stop(world, parcel)
    assert decide(world, parcel, K.DECIDED_REFUSE) == {}
    assert Status.STOP_OPEN in world.status(parcel)


# ------------------------------------------------------------------------------------------------------- decisions
def test_only_the_competent_office_decides_and_carry_in_moves_the_competence(world: World) -> None:
    assert world.do(COLD["courier"].address, "let", HANDLES["courier"], HANDLES["warehouse"], 1 << K.CARRIED_IN) is None
    filing = world.filing(office=OTHER_OFFICE)
    world.send("courier", filing)
    parcel = filing.subject
    assert decide(world, parcel, K.DECIDED_REFUSE) == NOT_YOURS
    assert hold(world, parcel).codes == NOT_YOURS
    assert world.send("warehouse", Entry(parcel, K.CARRIED_IN, world.now)).codes == {}
    assert PARCEL["office"].get(world.word(parcel)) == OFFICE
    assert decide(world, parcel, who="far_officer") == NOT_YOURS
    assert decide(world, parcel, who="officer2") == {}


def test_a_refusal_bars_release_and_correction_until_a_clear_decision_takes_it_back(world: World) -> None:
    parcel = ready(world)
    assert carry(world, parcel) == CLEARED
    assert decide(world, parcel, K.DECIDED_REFUSE) == {}
    assert release(world, parcel) == BARRED
    assert world.send("courier", world.filing(kind=K.CORRECTED, subject=parcel)).codes == BARRED
    assert decide(world, parcel) == {}
    assert Status.REFUSED not in world.status(parcel)
    assert release(world, parcel) == {}
    assert decide(world, parcel, K.DECIDED_REFUSE) == BARRED


def test_a_decision_to_clear_needs_the_goods_here(world: World) -> None:
    parcel = ready(world)
    assert decide(world, parcel) == MISSING
    assert decide(world, parcel, K.DECIDED_REFUSE) == {}
    assert carry(world, parcel) == {}
    assert Status.CLEARED not in world.status(parcel)


def test_a_parcel_clears_by_itself_once_and_never_after_a_referral(world: World) -> None:
    filing = world.filing(goods=Goods(20_001, USD, PLAIN, 1))
    world.send("courier", filing)
    assert carry(world, filing.subject) == REFERRED
    world.send("courier", world.filing(kind=K.CORRECTED, subject=filing.subject))
    assert check(world, filing.subject) == [{}, {}]
    assert Status.CLEARED not in world.status(filing.subject)
    parcel = ready(world)
    assert carry(world, parcel) == CLEARED
    assert carry(world, parcel) == BARRED
    assert check(world, parcel) == [BARRED, BARRED]
    assert world.send("courier", world.filing(kind=K.CORRECTED, subject=parcel)).codes == BARRED


def test_what_screening_refers_is_referred_before_and_after_carry_in(world: World) -> None:
    before, after = world.filed(), world.filed()
    assert world.send("screening", world.result(K.SCREENED_REFERRED, before)).codes == {}
    assert carry(world, before) == REFERRED
    assert carry(world, after) == {}
    assert world.send("screening", world.result(K.SCREENED_REFERRED, after)).codes == REFERRED
    for parcel in (before, after):
        assert world.findings(parcel) == (Finding.SCREENING_REFERRED,)
        assert world.send("identity", world.result(K.IDENTITY_CHECKED, parcel)).codes == {}
        assert Status.CLEARED not in world.status(parcel)


def test_goods_that_owe_duty_wait_and_are_neither_cleared_referred_nor_swept(world: World) -> None:
    filing = world.filing(goods=Goods(15_001, USD, PLAIN, 1), track=Track.DECLARED)
    world.send("courier", filing)
    assert [*check(world, filing.subject), carry(world, filing.subject)] == [{}, {}, {}]
    world.now += 100 * HOUR
    assert sweep(world, filing.subject) == MISSING
    assert world.status(filing.subject) & (Status.CLEARED | Status.REFERRED) == Status(0)


def test_release_needs_clearance_and_is_the_openers(world: World) -> None:
    parcel = ready(world)
    assert release(world, parcel) == MISSING
    carry(world, parcel)
    assert world.send("rival_courier", Entry(parcel, K.RELEASED, world.now)).codes == NOT_YOURS
    assert release(world, parcel) == {}
    assert release(world, parcel) == BARRED


# ---------------------------------------------------------------------------------------------------------- recall
def test_a_recall_is_never_undone(world: World) -> None:
    parcel = ready(world)
    carry(world, parcel)
    assert world.send("officer", Entry(parcel, K.RECALLED, world.now, detail=detail(K.RECALLED, ground=1))).codes == {
        0: ["WRONG_LANE"]
    }
    assert (
        world.send(
            "far_officer", Entry(parcel, K.RECALLED, world.now, detail=detail(K.RECALLED, ground=1)), lane=0
        ).codes
        == NOT_YOURS
    )
    assert (
        world.send("officer", Entry(parcel, K.RECALLED, world.now, detail=detail(K.RECALLED, ground=1)), lane=0).codes
        == {}
    )
    assert release(world, parcel) == BARRED
    assert decide(world, parcel) == BARRED
    hold(world, parcel)
    assert lift(world, parcel, 0) == {}
    assert decide(world, parcel, K.DECIDED_REFUSE) == {}
    assert Status.RECALLED in world.status(parcel)


def test_a_recall_outlives_a_correction_and_bars_the_clearance(world: World) -> None:
    filing = world.filing()
    world.send("courier", filing)
    assert (
        world.send(
            "officer", Entry(filing.subject, K.RECALLED, world.now, detail=detail(K.RECALLED, ground=1)), lane=0
        ).codes
        == {}
    )
    world.send("courier", world.filing(kind=K.CORRECTED, subject=filing.subject))
    assert [*check(world, filing.subject), carry(world, filing.subject)] == [{}, {}, {}]
    assert world.status(filing.subject) & (Status.RECALLED | Status.CLEARED) == Status.RECALLED
    world.now += 5 * HOUR
    assert sweep(world, filing.subject) == BARRED


def test_released_goods_can_be_recalled(world: World) -> None:
    parcel = ready(world)
    carry(world, parcel)
    release(world, parcel)
    assert hold(world, parcel).codes == BARRED
    assert (
        world.send("officer", Entry(parcel, K.RECALLED, world.now, detail=detail(K.RECALLED, ground=1)), lane=0).codes
        == {}
    )


# ----------------------------------------------------------------------------------------------------------- holds
def test_holds_are_numbered_and_each_is_lifted_by_its_number(world: World) -> None:
    parcel = ready(world)
    assert lift(world, parcel, 0) == MISSING
    for number in range(3):
        result = hold(world, parcel)
        assert result.recorded
        assert [(each.code.name, each.value) for each in result.recorded.outcomes] == [("HOLD_NUMBER", number)]
    assert carry(world, parcel) == {}
    for wrong in (3, 7, 8, 15, 255):
        assert lift(world, parcel, wrong) == HOLD_UNKNOWN
    assert lift(world, parcel, 1) == {}
    assert lift(world, parcel, 1) == HOLD_UNKNOWN
    assert decide(world, parcel) == BARRED
    assert lift(world, parcel, 2) == {}
    assert Status.HELD in world.status(parcel)
    assert lift(world, parcel, 0) == CLEARED, "lifting the last completes the set"
    assert lift(world, parcel, 0) == MISSING


def test_numbers_are_not_used_again_and_the_ninth_hold_is_over_the_limit(world: World) -> None:
    parcel = world.filed()
    for number in range(8):
        assert hold(world, parcel).codes == {0: ["HOLD_NUMBER"]}
        assert lift(world, parcel, number) == {}
    assert hold(world, parcel).codes == LIMIT
    assert Status.HELD not in world.status(parcel)


def test_a_hold_bars_clearance_and_release_and_outlives_a_correction(world: World) -> None:
    filing = world.filing()
    world.send("courier", filing)
    hold(world, filing.subject)
    world.send("courier", world.filing(kind=K.CORRECTED, subject=filing.subject))
    assert [*check(world, filing.subject), carry(world, filing.subject)] == [{}, {}, {}]
    assert world.status(filing.subject) & (Status.HELD | Status.CLEARED) == Status.HELD
    parcel = ready(world)
    carry(world, parcel)
    hold(world, parcel)
    assert release(world, parcel) == BARRED
    assert lift(world, parcel, 0) == {}
    assert release(world, parcel) == {}


# ----------------------------------------------------------------------------------------------------------- sweep
@pytest.mark.parametrize("given", [(), (0,), (1,)])
def test_what_lacks_a_check_four_hours_after_carry_in_is_referred_by_whoever_sweeps(
    world: World, given: tuple[int, ...]
) -> None:
    parcel = world.filed()
    for who, kind in (RESULTS[index] for index in given):
        world.send(who, world.result(kind, parcel))
    world.now += HOUR
    assert sweep(world, parcel) == MISSING
    carry(world, parcel)
    for wait, code in ((0, TOO_EARLY), (4 * HOUR - 1, TOO_EARLY), (1, {})):
        world.now += wait
        assert sweep(world, parcel) == code
    assert world.findings(parcel) == (Finding.NOT_CHECKED_IN_TIME,)
    assert Status.REFERRED in world.status(parcel)
    assert sweep(world, parcel) == BARRED
    for who, kind in RESULTS:
        world.send(who, world.result(kind, parcel))
    assert Status.CLEARED not in world.status(parcel)


def test_what_is_held_decided_or_cleared_is_not_swept(world: World) -> None:
    held, refused, cleared = world.filed(), world.filed(), ready(world)
    hold(world, held)
    decide(world, refused, K.DECIDED_REFUSE)
    for parcel in (held, refused, cleared):
        carry(world, parcel)
    world.now += 5 * HOUR
    for parcel in (held, refused, cleared):
        assert sweep(world, parcel) == BARRED
    assert lift(world, held, 0) == {}
    assert sweep(world, held, "seller") == {}
