"""Votes, delays and events of members and rules at their edges: what test_governance.py does not reach."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ledger.chain.calls import CHANGED, call_data
from ledger.domain.facts import Mode
from ledger.domain.findings import Finding
from ledger.domain.kinds import KindNumber as K
from ledger.domain.limits import CLOCK_BEHIND, GOVERNANCE_DELAY
from ledger.domain.roles import Role
from ledger.domain.rules import class_row, dispatch_row, dispatch_value
from tests.contract.world import COLD, HANDLES, PLAIN, SIGNERS, T0, WEEK, TestSigner, World

ORG, KEY, QUORUM = 1, 2, 3
ONE, TWO, THREE = (SIGNERS[name].address for name in ("governor", "governor2", "governor3"))
SELLER = SIGNERS["seller"].address
NEW = TestSigner("new key")
EVER = (1 << 40) - 1
YEN = 392
SUSPENDED = 3 << 32


@pytest.fixture
def world() -> World:
    return World()


def later(world: World) -> int:
    return world.now + 30 * GOVERNANCE_DELAY


def key_word(org: str, roles: int) -> int:
    return HANDLES[org] | roles << 24 | EVER << 80


def number(address: bytes) -> int:
    return int.from_bytes(address, "big")


def carried_out(world: World, *proposal: int) -> None:
    """Two governors vote, a day passes, one carries it out."""
    for who in (ONE, TWO):
        assert world.do(who, "govern", *proposal) is None
    world.now += GOVERNANCE_DELAY
    assert world.do(THREE, "govern", *proposal) is None


def logs(world: World, who: bytes, name: str, *arguments: object) -> list[tuple[int, bytes]]:
    """Return (what, by) of the changes that a call logs, without keeping it."""
    computation = world._call(call_data(name, world.now, *arguments), who, False)
    computation.raise_if_error()
    topics = [topics for _, topics, _ in computation.get_log_entries()]
    assert all(each[0] == number(CHANGED) for each in topics)
    return [(what, by.to_bytes(32, "big")[12:]) for _, what, by in topics]


def seller_writes(world: World) -> bool:
    return world.send("seller", world.order().entry).revert is None


# ---------------------------------------------------------------------------------------------------------- votes
@pytest.mark.parametrize("what", ["org", "key"])
def test_one_governor_suspends_and_only_two_and_a_day_reinstate(world: World, what: str) -> None:
    handle = HANDLES["seller"]
    before = world.view("orgs", handle) if what == "org" else world.view("keys", SELLER)
    proposal = (ORG, handle, before) if what == "org" else (KEY, number(SELLER), before)
    assert world.do(THREE, f"suspend_{what}", handle if what == "org" else SELLER) is None
    assert not seller_writes(world)
    until = later(world)
    assert world.do(ONE, "govern", until, *proposal) is None
    world.now += 2 * GOVERNANCE_DELAY
    assert world.do(ONE, "govern", until, *proposal) is None
    assert not seller_writes(world), "one governor, however often and late"
    assert world.do(TWO, "govern", until, *proposal) is None
    world.now += GOVERNANCE_DELAY - 1
    assert world.do(TWO, "govern", until, *proposal) is None
    assert not seller_writes(world)
    world.now += 1
    assert world.do(ONE, "govern", until, *proposal) is None
    assert seller_writes(world)


def test_a_third_vote_does_not_start_the_delay_again(world: World) -> None:
    proposal = (later(world), QUORUM, 1, 0)
    for who in (ONE, TWO):
        world.do(who, "govern", *proposal)
    world.now += GOVERNANCE_DELAY - 1
    assert world.do(THREE, "govern", *proposal) is None
    assert world.view("quorum") == 2
    world.now += 1
    assert world.do(THREE, "govern", *proposal) is None
    assert world.view("quorum") == 1


def test_what_was_carried_out_needs_all_votes_again(world: World) -> None:
    until, handle = later(world), HANDLES["seller"]
    word = world.view("orgs", handle)
    proposal = (until, ORG, handle, word)
    carried_out(world, *proposal)
    world.do(ONE, "suspend_org", handle)
    for _ in range(2):
        world.now += GOVERNANCE_DELAY
        assert world.do(TWO, "govern", *proposal) is None
    assert not seller_writes(world), "an old proposal reinstates nobody"


def test_votes_for_proposals_that_differ_anywhere_do_not_add_up(world: World) -> None:
    until, handle = later(world), HANDLES["seller"]
    word = world.view("orgs", handle) & ~(255 << 32) | 2 << 32
    proposal = (until, ORG, handle, word)
    assert world.do(ONE, "govern", *proposal) is None
    others = [(until + 1, *proposal[1:]), (until, KEY, *proposal[2:]), (until, ORG, handle + 1, word)]
    for other in (*others, (*proposal[:3], word ^ 1)):
        assert world.do(TWO, "govern", *other) is None
    world.now += GOVERNANCE_DELAY
    assert world.do(ONE, "govern", *proposal) is None
    assert world.view("orgs", handle) != word


def test_a_quorum_of_three_takes_three(world: World) -> None:
    carried_out(world, later(world), QUORUM, 3, 0)
    until, handle = later(world), HANDLES["seller"]
    word = world.view("orgs", handle) & ~(255 << 32) | SUSPENDED
    for who in (ONE, TWO):
        assert world.do(who, "govern", until, ORG, handle, word) is None
    world.now += GOVERNANCE_DELAY
    assert world.do(TWO, "govern", until, ORG, handle, word) is None
    assert seller_writes(world)
    assert world.do(THREE, "govern", until, ORG, handle, word) is None
    world.now += GOVERNANCE_DELAY
    assert world.do(THREE, "govern", until, ORG, handle, word) is None
    assert not seller_writes(world)


@pytest.mark.parametrize("proposal", [(QUORUM, 0, 0), (ORG, 0, 5), (KEY, 0, 5), (0, 1, 1), (4, 1, 1), (2**255, 1, 1)])
def test_what_can_be_proposed(world: World, proposal: tuple[int, int, int]) -> None:
    assert world.do(ONE, "govern", later(world), *proposal) == "members: proposal"


def test_a_suspended_or_retired_governor_has_no_vote(world: World) -> None:
    assert world.do(COLD["governor2"].address, "suspend_org", HANDLES["governor2"]) is None
    assert world.do(COLD["governor3"].address, "retire", THREE) is None
    world.now += 1
    for who in (TWO, THREE):
        assert world.do(who, "govern", later(world), QUORUM, 1, 0) == "members: not a member"
        assert world.do(who, "suspend_org", HANDLES["seller"]) == "members: not a member"


def test_a_governors_key_without_the_role_does_not_govern(world: World) -> None:
    cold = COLD["governor"].address
    assert world.do(cold, "enrol", NEW.address, key_word("governor", int(Role.RULE_MAKER))) is None
    assert world.do(NEW.address, "govern", later(world), QUORUM, 1, 0) == "members: role"
    assert world.do(NEW.address, "suspend_key", SELLER) == "members: role"
    assert world.do(NEW.address, "set_rate", later(world), YEN, WEEK, 5) is None


def test_governors_and_rule_makers_are_two_roles() -> None:
    plain = World().genesis
    only = {"governor": Role.GOVERNOR, "governor2": Role.RULE_MAKER}
    orgs = tuple(replace(org, roles=int(only.get(org.name, Role(org.roles)))) for org in plain.orgs)
    world = World(replace(plain, orgs=orgs))
    pair = (world.now // 3600 + 100) | 1 << 24
    assert world.do(ONE, "rule", later(world), class_row(1), pair) == "members: role"
    assert world.do(ONE, "set_rate", later(world), YEN, WEEK, 5) == "members: role"
    assert world.do(TWO, "govern", later(world), QUORUM, 1, 0) == "members: role"
    assert world.do(TWO, "suspend_org", HANDLES["seller"]) == "members: role"


def test_a_role_taken_from_an_org_is_gone_from_its_keys(world: World) -> None:
    word = world.view("orgs", HANDLES["seller"]) & ~(0xFFFF << 40) | int(Role.AGENCY) << 40
    carried_out(world, later(world), ORG, HANDLES["seller"], word)
    assert world.send("seller", world.order().entry).codes == {0: ["ROLE"]}


# ----------------------------------------------------------------------------------------------------------- keys
def test_a_suspended_key_stays_so_whatever_its_org_does(world: World) -> None:
    cold = COLD["seller"].address
    assert world.do(ONE, "suspend_key", SELLER) is None
    assert world.do(cold, "enrol", SELLER, key_word("seller", 1)) == "members: key known"
    assert world.do(cold, "retire", SELLER) is None
    assert not seller_writes(world)


def test_a_retired_key_is_not_prolonged(world: World) -> None:
    cold = COLD["seller"].address
    assert world.do(cold, "retire", SELLER) is None
    ended = world.view("keys", SELLER)
    world.now += 100
    assert world.do(cold, "retire", SELLER) == "members: key ended"
    assert world.view("keys", SELLER) == ended


def test_whom_nobody_knows_cannot_be_suspended_and_no_key_is_born_suspended(world: World) -> None:
    assert world.do(ONE, "suspend_key", NEW.address) == "members: unknown key"
    assert world.do(ONE, "suspend_org", 999) == "members: unknown org"
    born = key_word("seller", 1) | 1 << 120
    assert world.do(COLD["seller"].address, "enrol", NEW.address, born) == "members: role"


@pytest.mark.parametrize(("place", "reason"), [(0, None), (1, "members: let"), (2, "members: let")])
def test_what_can_be_let(world: World, place: int, reason: str | None) -> None:
    arguments = [HANDLES["courier"], 2**24 - 1, 2**32 - 1]
    if place:
        arguments[place] += 1
    assert world.do(COLD["courier"].address, "let", *arguments) == reason


# ---------------------------------------------------------------------------------------------------- clock, events
CALLS = {
    "govern": (ONE, (EVER, QUORUM, 1, 0)),
    "suspend_key": (ONE, (SELLER,)),
    "suspend_org": (ONE, (HANDLES["seller"],)),
    "enrol": (COLD["seller"].address, (NEW.address, key_word("seller", 1))),
    "retire": (COLD["seller"].address, (SELLER,)),
    "let": (COLD["courier"].address, (HANDLES["courier"], HANDLES["broker"], 1 << K.FILED)),
    "rule": (ONE, (EVER, class_row(1), 600_000 | 1 << 24)),
    "set_rate": (ONE, (EVER, YEN, WEEK, 5)),
    "overlay": (SIGNERS["officer"].address, (1, PLAIN, T0 + GOVERNANCE_DELAY)),
}


@pytest.mark.parametrize("name", CALLS)
def test_every_call_goes_by_a_time_near_the_blocks(world: World, name: str) -> None:
    who, arguments = CALLS[name]
    for t in (world.now + 1, world.now - CLOCK_BEHIND - 1, 0):
        assert world.do(who, name, *arguments, t=t) == "batch: clock"
    for t in (world.now, world.now - CLOCK_BEHIND):
        assert world.fork().do(who, name, *arguments, t=t) is None


@pytest.mark.parametrize(
    ("name", "what"), [("suspend_key", 7), ("suspend_org", 8), ("enrol", 9), ("retire", 10), ("let", 11)]
)
def test_every_change_is_an_event(world: World, name: str, what: int) -> None:
    who, arguments = CALLS[name]
    assert logs(world, who, name, *arguments) == [(what, who)]


@pytest.mark.parametrize(("name", "what"), [("govern", QUORUM), ("rule", 4), ("set_rate", 5), ("overlay", 6)])
def test_a_vote_is_no_change_and_the_one_that_carries_out_is(world: World, name: str, what: int) -> None:
    first, arguments = CALLS[name]
    second = SIGNERS["officer2"].address if name == "overlay" else TWO
    assert logs(world, first, name, *arguments) == []
    assert world.do(first, name, *arguments) is None
    if name in ("govern", "rule"):
        assert logs(world, second, name, *arguments) == []
        assert world.do(second, name, *arguments) is None
        world.now += GOVERNANCE_DELAY
    assert logs(world, second, name, *arguments) == [(what, second)]


# ----------------------------------------------------------------------------------------------------------- rules
def test_a_row_takes_two_rule_makers_and_a_day(world: World) -> None:
    row, pair = class_row(PLAIN), (world.now // 3600 + 100) | 1 << 24
    proposal = (later(world), row, pair)
    for who in (ONE, ONE, TWO):
        assert world.view("rows", row << 2) & 0xFFFFFF != pair & 0xFFFFFF
        assert world.do(who, "rule", *proposal) is None
    world.now += GOVERNANCE_DELAY - 1
    assert world.do(ONE, "rule", *proposal) is None
    assert world.view("rows", row << 2) & (1 << 64) - 1 != pair
    world.now += 1
    old = world.view("rows", row << 2) & (1 << 64) - 1
    assert world.do(ONE, "rule", *proposal) is None
    assert world.view("rows", row << 2) == old << 64 | pair, "the older pair stands behind it, as it was"


def test_a_row_whose_hour_passed_while_it_waited_is_not_carried_out(world: World) -> None:
    row, hour = class_row(PLAIN), (world.now + GOVERNANCE_DELAY) // 3600
    proposal = (later(world), row, hour | 1 << 24)
    for who in (ONE, TWO):
        assert world.do(who, "rule", *proposal) is None
    world.now = hour * 3600 + 1
    assert world.do(ONE, "rule", *proposal) == "rules: valid from"


def test_a_new_row_changes_nothing_that_was_filed_before_it(world: World) -> None:
    row = dispatch_row(int.from_bytes(b"US", "big"), Mode.EXPRESS_AIR)
    hour = (world.now + 2 * GOVERNANCE_DELAY) // 3600
    old = world.filing()
    world.send("courier", old)
    proposal = (later(world), row, hour | dispatch_value(100, 100) << 24)
    for who in (ONE, TWO):
        assert world.do(who, "rule", *proposal) is None
    world.now += GOVERNANCE_DELAY
    assert world.do(ONE, "rule", *proposal) is None
    world.now = hour * 3600
    assert world.send("courier", world.filing(kind=K.CORRECTED, subject=old.subject)).codes == {}
    assert world.findings(old.subject) == ()
    new = world.filing()
    world.send("courier", new)
    assert world.findings(new.subject) == (Finding.VALUE_OVER_LIMIT,)


def test_rates_are_agreed_for_one_currency_one_week_and_one_value(world: World) -> None:
    until = later(world)
    for rate in ((YEN, WEEK, 5), (YEN, WEEK + 1, 6), (978, WEEK, 6)):
        assert world.do(ONE, "set_rate", until, *rate) is None
    assert world.do(TWO, "set_rate", until, YEN, WEEK, 6) is None
    for currency, week in ((YEN, WEEK), (YEN, WEEK + 1), (978, WEEK)):
        assert world.view("rates", currency << 16 | week) == 0
    assert world.do(ONE, "set_rate", until, YEN, WEEK, 6) is None
    assert world.view("rates", YEN << 16 | WEEK) == 6
    assert world.view("rates", YEN << 16 | WEEK + 1) == 0


@pytest.mark.parametrize("rate", [(1000, WEEK, 5), (YEN, 65_536, 5), (YEN, WEEK, 0), (YEN, WEEK, 2**40)])
def test_what_can_be_a_rate(world: World, rate: tuple[int, int, int]) -> None:
    assert world.do(ONE, "set_rate", later(world), *rate) == "rules: rate"


@pytest.mark.parametrize("name", ["rule", "set_rate"])
def test_a_vote_on_rules_dies_too(world: World, name: str) -> None:
    who, arguments = CALLS[name]
    assert world.do(who, name, world.now - 1, *arguments[1:]) == "rules: expired"
    assert world.do(who, name, world.now, *arguments[1:]) is None
