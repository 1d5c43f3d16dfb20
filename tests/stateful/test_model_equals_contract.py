"""Whatever the members do, in whatever order: the plain Python model and the contract agree.

A failure prints the batches that led to it: add them to `test_found_by_the_model.py`. Two sizes of one machine: a small
one that always runs, and a long one (`slow`). What is rare is reached every time by `test_everything_is_reached.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ledger.chain.batch import Batch, Entry
from ledger.domain.facts import Mode, Track, Use
from ledger.domain.findings import Finding
from ledger.domain.kinds import KindNumber as K
from ledger.domain.limits import TRACE_LANE
from ledger.domain.rejections import Effect, Rejection
from ledger.domain.roles import Role
from tests.contract.world import HANDLES, OFFICE, OTHER_OFFICE, SIGNERS, USD, TestSigner, genesis
from tests.databases import address_of
from tests.model.filings import RECOMPUTED
from tests.model.members import GOOD, WATCHED
from tests.model.rulebook import Target
from tests.model.subjects import Order, Parcel
from tests.stateful.ledger_entries import LedgerEntries, Lie, Nudge, Sale, Travel, nth_newest
from tests.stateful.read_model import rows_in
from tests.stateful.rules import (
    CN,
    DAY,
    HEALTH_FOOD,
    HOUR,
    JP,
    LATER_EXCLUDED,
    PERMIT_CLASS,
    PLAIN,
    UNKNOWN_CLASS,
    US,
    YEN,
    YUAN,
)

PARTIES = ("seller", "rival_seller", "sister_seller", "courier", "rival_courier", "broker", "warehouse")
SELLERS = ("seller", "rival_seller", "sister_seller")
COURIERS = ("courier", "rival_courier")
LAST = (K.CARRIED_IN, K.IDENTITY_CHECKED, K.SCREENED_PASSED)
"""What completes a clean filing, in any order."""
CLAIMED = st.sampled_from([0, -60, 120, 121, -24 * HOUR, -24 * HOUR - 1, -72 * HOUR, -72 * HOUR - 1])
PICKS = st.integers(0, 5)

T = TypeVar("T")


def flawed(draft: Callable[..., T], fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[T]:
    """Return drafts with no flaw, one flaw, or many: one alone shows what it does, many show which comes first."""
    none = st.just(draft())
    one = st.one_of([st.builds(draft, **{name: values}) for name, values in fields.items()])
    shares = (none, none, none, one, one, st.builds(draft, **fields))
    return st.integers(0, len(shares) - 1).flatmap(lambda share: shares[share])  # one_of would even the shares out


SALES = flawed(
    Sale,
    {
        "seller": st.sampled_from(SELLERS),
        "to": st.sampled_from(COURIERS),
        "price": st.sampled_from([1, 0, 14_000, 15_000, 15_001, 20_000, 20_001, 200_000, 200_001, 2**40 - 1])
        | st.integers(1, 30_000),
        "currency": st.sampled_from([USD, YEN, YUAN, 999]),
        "goods_class": st.sampled_from([PLAIN, HEALTH_FOOD, PERMIT_CLASS, LATER_EXCLUDED, UNKNOWN_CLASS]),
        "quantity": st.sampled_from([1, 2, 3, 4, 6, 7]),
        "use": st.sampled_from(Use),
        "claimed": CLAIMED,
        "wrong_id": st.booleans(),
    },
)
TRAVELS = flawed(
    Travel,
    {
        "courier": st.sampled_from((*COURIERS, "warehouse")),
        "by_broker": st.booleans(),
        "orders": st.sampled_from([0, 1, 2, 3, 8]),
        "pick": PICKS,
        "foreign": st.booleans(),
        "unsorted": st.booleans(),
        "drop": st.booleans(),
        "lie": st.sampled_from(Lie),
        "goods": SALES,
        "dispatch": st.sampled_from([US, CN, JP]),
        "origin": st.sampled_from([US, CN]),
        "mode": st.sampled_from([*Mode, 7]),
        "track": st.sampled_from(Track),
        "office": st.sampled_from([OFFICE, OTHER_OFFICE, 0]),
        "master": st.integers(0, 4),
        "more": st.booleans(),
        "claimed": CLAIMED,
        "wrong_id": st.booleans(),
    },
)
NUDGES = flawed(
    Nudge,
    {
        "claimed": CLAIMED,
        "stranger": st.none() | st.integers(0, 17),
        "other_lane": st.booleans(),
        "stale": st.booleans(),
        "number": st.sampled_from([*range(8), 14, 17, 20, 30, 31, 200]),
    },
)
ON_PARCELS = st.sampled_from([
    K.CARRIED_IN, K.IDENTITY_CHECKED, K.IDENTITY_STOPPED, K.SCREENED_PASSED, K.SCREENED_REFERRED, K.HELD,
    K.HOLD_LIFTED, K.DECIDED_CLEAR, K.DECIDED_REFUSE, K.RECALLED, K.RELEASED, K.SWEPT,
])  # fmt: skip


class Ledger(LedgerEntries, RuleBasedStateMachine):
    """The actions as rules."""

    @initialize(
        watched=st.sampled_from([None, None, None, None, "seller", "courier"]),
        yard_office=st.sampled_from([0, OFFICE, OTHER_OFFICE]),
        courier_is_broker=st.booleans(),
    )
    def members(self, watched: str | None, yard_office: int, courier_is_broker: bool) -> None:
        """Who the members are differs from run to run."""
        orgs = {org.name: org for org in genesis().orgs}
        changes = {"warehouse": replace(orgs["warehouse"], office=yard_office)}
        if courier_is_broker:
            both = Role.BROKER | Role.COURIER
            changes["broker"] = replace(orgs["broker"], roles=int(both))
        if watched:
            changes[watched] = replace(orgs[watched], standing=WATCHED)
        self.start(changes)
        self.let("courier", "warehouse", frozenset({K.CARRIED_IN, K.RELEASED}))
        self.let("courier", "broker", frozenset({K.FILED, K.CORRECTED}))
        self.past: dict[int, tuple[object, ...]] = {}

    # ------------------------------------------------------------------------------------------ orders and filings
    @rule(draft=SALES)
    def sell(self, draft: Sale) -> None:
        seller, entry = self.sale(draft)
        self.send(seller, [entry])

    @precondition(lambda self: self.orders())
    @rule(pick=PICKS, nudge=NUDGES)
    def reassign(self, pick: int, nudge: Nudge) -> None:
        self.say(K.ORDER_REASSIGNED, nth_newest(self.orders(), pick), nudge)

    @rule(draft=TRAVELS)
    def file(self, draft: Travel) -> None:
        who, entry = self.filing(draft)
        self.send(who, [entry])

    @precondition(lambda self: self.parcels())
    @rule(pick=PICKS, draft=TRAVELS)
    def correct(self, pick: int, draft: Travel) -> None:
        who, entry = self.filing(draft, nth_newest(self.parcels(), pick))
        self.send(who, [entry])

    @rule(
        sale=SALES,
        travel=TRAVELS,
        last=st.permutations(LAST),
        upto=st.integers(1, 3),
        then=st.lists(ON_PARCELS, max_size=4),
    )
    def whole_parcel(self, sale: Sale, travel: Travel, last: list[K], upto: int, then: list[K]) -> None:
        """From order to clearance, as far as it goes, and on."""
        self.sell(sale)
        who, entry = self.filing(travel)
        if self.send(who, [entry]) and entry.subject in self.model.subjects:
            for kind in [*last[:upto], *then]:
                self.say(kind, entry.subject, Nudge())

    @rule(sale=SALES, last=st.permutations(LAST), then=st.lists(ON_PARCELS, max_size=4))
    def honest_parcel(self, sale: Sale, last: list[K], then: list[K]) -> None:
        """All that clears, by a courier that files what was sold; the goods may still be what the rules stop."""
        self.whole_parcel(replace(sale, to="courier"), Travel(), last, len(last), then)

    @rule(quantity=st.integers(2, 4), count=st.integers(2, 3), unsorted=st.booleans(), foreign=st.booleans())
    def box_of_orders(self, quantity: int, count: int, unsorted: bool, foreign: bool) -> None:
        """One parcel of several orders, some handed to another courier; personal use goes by their sum."""
        for number in range(count):
            to = "rival_courier" if foreign and number else "courier"
            self.sell(Sale(goods_class=HEALTH_FOOD, quantity=quantity, to=to))
        who, entry = self.filing(Travel(orders=count, unsorted=unsorted, foreign=foreign))
        self.send(who, [entry])

    @rule(travel=TRAVELS, first=st.sampled_from(LAST), seconds=st.sampled_from([2 * HOUR, 4 * HOUR - 1, 4 * HOUR]))
    def unchecked_parcel(self, travel: Travel, first: K, seconds: int) -> None:
        """A parcel waits for a check that does not come, and somebody sweeps it."""
        self.whole_parcel(Sale(), travel, [first], 1, [K.CARRIED_IN])
        self.wait(seconds)
        if self.parcels():
            self.act(K.SWEPT, 0, Nudge())

    @precondition(lambda self: self.parcels())
    @rule(pick=PICKS, travel=TRAVELS, judged=st.lists(ON_PARCELS, min_size=1, max_size=4), flaw=NUDGES)
    def corrected_and_judged(self, pick: int, travel: Travel, judged: list[K], flaw: Nudge) -> None:
        number = nth_newest(self.parcels(), pick)
        who, entry = self.filing(travel, number)
        self.send(who, [entry])
        for kind in judged:
            self.say(kind, number, flaw)

    @rule(sale=SALES, more=SALES, travel=TRAVELS)
    def late_order(self, sale: Sale, more: Sale, travel: Travel) -> None:
        """A parcel is filed, then another order turns up and a correction names it."""
        self.whole_parcel(sale, travel, [], 0, [])
        self.sell(more)
        if self.parcels():
            self.correct(0, Travel(orders=2))

    # ------------------------------------------------------------------------------------------------ on parcels
    @precondition(lambda self: self.parcels())
    @rule(kind=ON_PARCELS, pick=PICKS, nudge=NUDGES)
    def act(self, kind: K, pick: int, nudge: Nudge) -> None:
        self.say(kind, nth_newest(self.parcels(), pick), nudge)

    @precondition(lambda self: self.parcels())
    @rule(kinds=st.lists(ON_PARCELS, min_size=2, max_size=5), pick=PICKS)
    def act_on_one(self, kinds: list[K], pick: int) -> None:
        number = nth_newest(self.parcels(), pick)
        for kind in kinds:
            self.say(kind, number, Nudge())

    @precondition(lambda self: self.model.subjects)
    @rule(kind=ON_PARCELS, pick=st.integers(0, 99), nudge=NUDGES)
    def act_on_anything(self, kind: K, pick: int, nudge: Nudge) -> None:
        """Also on orders, masters and ids that nobody opened."""
        self.say(kind, nth_newest([*self.model.subjects, 0, 2**256 - 1], pick), nudge)

    @precondition(lambda self: self.parcels())
    @rule(pick=PICKS, times=st.integers(7, 9), lift=st.integers(0, 8))
    def many_holds(self, pick: int, times: int, lift: int) -> None:
        number = nth_newest(self.parcels(), pick)
        officer = self.rightful(K.HELD, self.model.subjects[number])
        without_ground = self.about(K.HELD, number, Nudge(number=6))
        self.send(officer, [without_ground] + [self.about(K.HELD, number, Nudge())] * times, lane=0)
        self.send(officer, [self.about(K.HOLD_LIFTED, number, Nudge(number=n)) for n in range(lift)])

    # -------------------------------------------------------------------------------------- masters, observations
    @rule(who=st.sampled_from(["courier", "rival_courier", "officer", "agency", "seller"]), nudge=NUDGES)
    def open_master(self, who: str, nudge: Nudge) -> None:
        self.send(who, [self.opening(K.MASTER_OPENED, who, nudge)])

    @precondition(lambda self: self.model.handles)
    @rule(kind=st.sampled_from([K.MASTER_ARRIVED, K.MASTER_UNLOADED, K.OBSERVED]), pick=PICKS, nudge=NUDGES)
    def report_master(self, kind: K, pick: int, nudge: Nudge) -> None:
        self.say(kind, nth_newest(self.model.handles, pick), nudge)

    @rule(nudge=NUDGES, rows=st.lists(st.sampled_from([2, 7, 14, 17, 30, 5, 8, 12]), max_size=6))
    def observe(self, nudge: Nudge, rows: list[int]) -> None:
        """An agency opens an observed parcel and records rows about it, all in one batch."""
        opened = self.opening(K.OBSERVED_OPENED, "agency", nudge)
        told = [self.about(K.OBSERVED, opened.subject, Nudge(number=row)) for row in rows]
        self.send("agency", [opened, *told])

    @precondition(lambda self: self.parcels(observed=True))
    @rule(kind=ON_PARCELS | st.just(K.OBSERVED), pick=PICKS, nudge=NUDGES)
    def act_on_observed(self, kind: K, pick: int, nudge: Nudge) -> None:
        self.say(kind, nth_newest(self.parcels(observed=True), pick), nudge)

    # ------------------------------------------------------------------------------------------------- batches
    @rule(
        who=st.sampled_from(sorted(HANDLES)),
        lane=st.sampled_from([1, 1, 1, 0, 2, TRACE_LANE - 1, TRACE_LANE, 2**64 - 1]),
        sales=st.lists(SALES, max_size=2),
        travels=st.lists(TRAVELS, max_size=2),
        others=st.lists(st.tuples(ON_PARCELS | st.just(K.ORDER_REASSIGNED), PICKS, NUDGES), max_size=6),
        order=st.randoms(use_true_random=False),
        age=st.sampled_from([0, 0, 1, 600, 900]),
    )
    def mixed_batch(self, who, lane, sales, travels, others, order, age) -> None:  # type: ignore[no-untyped-def]
        """One writer says many things at once, its own business or not; an entry may build on one before it."""
        entries = [self.sale(draft)[1] for draft in sales]
        entries += [self.filing(draft)[1] for draft in travels]
        known = [*self.model.subjects, *(entry.subject for entry in entries)]
        entries += [self.about(kind, nth_newest(known, pick), nudge) for kind, pick, nudge in others if known]
        order.shuffle(entries)
        self.send(who, entries, lane, age)

    @rule(
        who=st.sampled_from(["courier", "seller", "relayer", "identity"]),
        lane=st.sampled_from([0, 1, TRACE_LANE]),
        seq=st.integers(-2, 2),
        late=st.integers(-2, 2),
        age=st.sampled_from([0, 900, 901, -1]),
    )
    def batch_out_of_order(self, who: str, lane: int, seq: int, late: int, age: int) -> None:
        """Replays, gaps, expired batches, clocks ahead and behind; a gap is filled with an empty batch."""
        expected = self.model.next_seq.get((SIGNERS[who].address, lane), 0)
        t = self.world.now - age
        self.send(who, [], lane, age, seq=max(0, expected + seq), not_after=t + late)

    @rule(who=st.sampled_from(["courier", "stranger"]), entry=st.integers(0, 255), lane=st.sampled_from([0, 1]))
    def forged(self, who: str, entry: int, lane: int) -> None:
        """A batch whose signature is of other bytes, or of a key that is no member's."""
        said = [Entry(entry, K.SWEPT, self.world.now)]
        if who == "stranger":
            batch = Batch.signed(self.world.domain, TestSigner("stranger"), lane=lane, seq=0,
                                 not_after=self.world.now, entries=said)  # fmt: skip
        else:
            signed = self.world.batch(who, said, lane)
            batch = replace(signed, not_after=signed.not_after + 1)
        assert not self.relay(batch, self.world.now, said)

    # ------------------------------------------------------------------------------------- members, rules, time
    @rule(
        owner=st.sampled_from(PARTIES),
        writer=st.sampled_from(PARTIES),
        kinds=st.frozensets(st.sampled_from([K.ORDER_REASSIGNED, K.FILED, K.CORRECTED, K.CARRIED_IN, K.RELEASED,
                                             K.MASTER_ARRIVED])),
    )  # fmt: skip
    def let_write(self, owner: str, writer: str, kinds: frozenset[K]) -> None:
        self.let(owner, writer, kinds)

    @rule(name=st.sampled_from(["rival_courier", "rival_seller", "rival_courier", "warehouse", "courier"]),
          org=st.booleans())  # fmt: skip
    def suspend(self, name: str, org: bool) -> None:
        """Suspends an org, or a rival's key; an org can be reinstated."""
        if org or name == "courier":
            self.suspend_org(name)
        else:
            self.suspend_key(name)

    @rule(
        name=st.sampled_from(["courier", "seller", "rival_courier"]),
        standing=st.sampled_from([GOOD, GOOD, WATCHED]),
        group=st.sampled_from([None, None, None, "courier", "seller"]),
    )
    def reinstate(self, name: str, standing: int, group: str | None) -> None:
        self.govern(name, standing, group or name)

    @rule(
        aimed=st.sampled_from([(Target.GOODS_CLASS, PLAIN), (Target.ORIGIN, CN), (Target.ORIGIN, US),
                                (Target.SELLER, HANDLES["seller"]), (Target.COURIER, HANDLES["courier"])]),
        seconds=st.sampled_from([60, HOUR, DAY]),
    )  # fmt: skip
    def aim(self, aimed: tuple[Target, int], seconds: int) -> None:
        self.overlay(*aimed, seconds)

    @rule(seconds=st.sampled_from([1, 59, 1_799, 1_800, 2 * HOUR, 4 * HOUR, DAY, 3 * DAY, 7 * DAY]))
    def wait(self, seconds: int) -> None:
        note(f"{seconds} s pass")
        self.world.now += seconds

    # ------------------------------------------------------------------------------------------------ always true
    @invariant()
    def nothing_is_taken_back(self) -> None:
        """What the design promises for good, said apart from the code that does it."""
        for number, subject in self.model.subjects.items():
            if isinstance(subject, Order):
                now: tuple[object, ...] = (subject.opener, subject.parcel)
                before = self.past.get(number, now)
                assert before in (now, (subject.opener, None))
            elif isinstance(subject, Parcel):
                kept = frozenset(subject.findings - RECOMPUTED)
                now = (subject.recalled, subject.stops, kept, subject.orders.copy(), subject.by_rule, subject.referred)
                recalled, stops, findings, orders, by_rule, referred = self.past.get(number, now)
                assert subject.recalled >= recalled  # type: ignore[operator]
                assert subject.stops >= stops  # type: ignore[operator]
                assert kept >= findings
                assert subject.orders >= orders  # type: ignore[operator]
                assert subject.by_rule >= by_rule  # type: ignore[operator]
                assert not (subject.by_rule and not by_rule and (referred or stops or recalled))
            else:
                continue
            self.past[number] = now

    def teardown(self) -> None:
        """Compare all that there is, not only what the last batch touched."""
        self.compare_subjects(self.model.subjects)
        assert self.world.view("master_count") == len(self.model.handles)
        for handle, number in enumerate(self.model.handles, 1):
            assert self.world.view("masters", handle) == number


QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
SMALL = settings(max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=QUIET, derandomize=True,
                 database=None)  # fmt: skip
LONG = [settings(SMALL, max_examples=count, stateful_step_count=steps) for count, steps in ((70, 50), (50, 40))]
MOST = 0.9
"""Share of what can happen that a long run must have met: less, and the machine is no longer worth its time."""


def everything() -> set[str]:
    """Return the names of all that can happen; traces leave no mark that could be compared."""
    codes = {code.name for table in (Rejection, Effect, Finding) for code in table} | {kind.name for kind in K}
    return codes - {"TRACED"} | {
        "batch: clock", "batch: expired", "batch: sequence", "batch: stop lane", "members: not a member",
    }  # fmt: skip


def test_model_and_contract_agree() -> None:
    run_state_machine_as_test(Ledger, settings=SMALL)


@pytest.mark.slow
def test_the_read_model_on_postgresql_agrees_too(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    with address_of("postgresql", tmp_path, request) as address, rows_in(address):
        run_state_machine_as_test(Ledger, settings=settings(SMALL, max_examples=8))


@pytest.mark.slow
def test_model_and_contract_agree_whatever_happens() -> None:
    Ledger.seen.clear()
    for each in LONG:
        run_state_machine_as_test(Ledger, settings=each)
    missing = everything() - set(Ledger.seen)
    assert len(missing) <= (1 - MOST) * len(everything()), f"the machine hardly reaches what can happen: no {missing}"
