"""Who may change members and rules: k of n with a delay, suspension at once, and never backwards."""

from __future__ import annotations

import pytest

from ledger.domain.facts import Mode
from ledger.domain.findings import Finding
from ledger.domain.kinds import KindNumber as K
from ledger.domain.limits import GOVERNANCE_DELAY
from ledger.domain.roles import Role
from ledger.domain.rules import class_row, dispatch_row, dispatch_value
from tests.contract.world import COLD, HANDLES, OFFICE, SIGNERS, USD, WEEK, TestSigner, World

ORG, KEY, QUORUM = 1, 2, 3
GOVERNORS = [SIGNERS[name].address for name in ("governor", "governor2", "governor3")]
SELLER = SIGNERS["seller"].address
NEW = TestSigner("new key")
EVER = (1 << 40) - 1


def word_of_key(org: int, roles: int, start: int = 0, end: int = EVER) -> int:
    return org | roles << 24 | start << 40 | end << 80


def agree(world: World, name: str, *proposal: object, voters: list[bytes] = GOVERNORS[:2]) -> str | None:
    """Vote, wait and carry out; return the last reason or None."""
    reason = None
    for voter in voters:
        reason = world.do(voter, name, *proposal)
    if reason is None:
        world.now += GOVERNANCE_DELAY
        reason = world.do(voters[0], name, *proposal)
    return reason


def test_a_grant_takes_two_governors_and_a_day() -> None:
    world = World()
    handle, until = 200, world.now + 10 * GOVERNANCE_DELAY
    word = 200 | 1 << 32 | int(Role.SELLER) << 40
    proposal = (until, ORG, handle, word)
    assert world.do(GOVERNORS[0], "govern", *proposal) is None
    assert world.do(GOVERNORS[0], "govern", *proposal) is None
    assert world.view("orgs", handle) == 0, "the same vote twice is one"
    assert world.do(GOVERNORS[1], "govern", *proposal) is None
    world.now += GOVERNANCE_DELAY - 1
    assert world.do(GOVERNORS[0], "govern", *proposal) is None
    assert world.view("orgs", handle) == 0
    world.now += 1
    assert world.do(GOVERNORS[0], "govern", *proposal) is None
    assert world.view("orgs", handle) == word


def test_two_keys_of_one_governor_are_one_vote() -> None:
    world = World()
    second = TestSigner("second key of the governor")
    own = word_of_key(HANDLES["governor"], int(Role.GOVERNOR))
    assert world.do(COLD["governor"].address, "enrol", second.address, own) is None
    proposal = (world.now + 10 * GOVERNANCE_DELAY, QUORUM, 1, 0)
    assert agree(world, "govern", *proposal, voters=[GOVERNORS[0], second.address]) is None
    assert world.view("quorum") == 2
    assert agree(world, "govern", *proposal, voters=[GOVERNORS[2]]) is None
    assert world.view("quorum") == 1


@pytest.mark.parametrize("who", ["seller", "courier", "officer", "oversight", "relayer"])
def test_nobody_else_governs(who: str) -> None:
    world = World()
    until = world.now + 10
    assert world.do(SIGNERS[who].address, "govern", until, QUORUM, 1, 0) == "members: role"
    assert world.do(NEW.address, "govern", until, QUORUM, 1, 0) is not None
    row = class_row(1)
    pair = (world.now // 3600 + 48) | 1 << 24
    assert world.do(SIGNERS[who].address, "rule", until, row, pair) == "members: role"
    assert world.do(SIGNERS[who].address, "set_rate", until, 392, WEEK, 5) == "members: role"
    assert world.do(SIGNERS[who].address, "suspend_org", HANDLES["courier"]) == "members: role"
    assert world.do(SIGNERS[who].address, "suspend_key", SELLER) == "members: role"


def test_a_proposal_dies() -> None:
    world = World()
    proposal = (world.now + GOVERNANCE_DELAY - 1, QUORUM, 1, 0)
    assert agree(world, "govern", *proposal) == "members: expired"
    assert world.view("quorum") == 2


def test_suspension_is_immediate_and_needs_one() -> None:
    for by in (GOVERNORS[2], COLD["seller"].address):
        world = World()
        assert world.do(by, "suspend_org", HANDLES["seller"]) is None
        assert world.send("seller", world.order().entry).revert == "members: not a member"
        world = World()
        assert world.do(by, "suspend_key", SELLER) is None
        assert world.send("seller", world.order().entry).revert == "members: not a member"
    assert World().do(COLD["courier"].address, "suspend_org", HANDLES["seller"]) is not None


def test_an_org_enrols_and_retires_its_keys_within_its_roles() -> None:
    world = World()
    cold, handle = COLD["seller"].address, HANDLES["seller"]
    good = word_of_key(handle, int(Role.SELLER))
    assert world.do(cold, "enrol", NEW.address, word_of_key(handle, int(Role.COURIER))) == "members: role"
    assert world.do(cold, "enrol", NEW.address, word_of_key(HANDLES["courier"], 0)) == "members: cold key"
    assert world.do(SELLER, "enrol", NEW.address, good) == "members: cold key"
    assert world.do(cold, "enrol", NEW.address, good) is None
    assert world.do(cold, "enrol", NEW.address, good) == "members: key known"
    assert world.do(COLD["courier"].address, "retire", NEW.address) == "members: cold key"
    assert world.do(cold, "retire", SELLER) is None
    assert world.send("seller", world.order().entry).revert is None, "valid to the last second"
    world.now += 1
    assert world.send("seller", world.order().entry).revert == "members: not a member"


# ----------------------------------------------------------------------------------------------------- rules
def test_a_new_row_holds_from_its_hour_and_not_before() -> None:
    world = World()
    row = dispatch_row(int.from_bytes(b"US", "big"), Mode.EXPRESS_AIR)
    start = (world.now + 3 * GOVERNANCE_DELAY) // 3600 + 1
    pair = start | dispatch_value(4_000, 4_000) << 24
    assert agree(world, "rule", world.now + 10 * GOVERNANCE_DELAY, row, pair) is None
    for now, found in ((start * 3600 - 1, ()), (start * 3600, (Finding.VALUE_OVER_LIMIT,))):
        world.now = now
        assert world.findings(world.filed(price=5_000)) == found


def test_a_countrys_first_row_leaves_the_time_before_it_alone() -> None:
    world = World()
    row = dispatch_row(int.from_bytes(b"JP", "big"), Mode.EXPRESS_AIR)
    start = (world.now + 10 * GOVERNANCE_DELAY) // 3600
    pair = start | dispatch_value(1_000, 1_000) << 24
    assert agree(world, "rule", world.now + 20 * GOVERNANCE_DELAY, row, pair) is None
    for now, found in ((start * 3600 - 1, ()), (start * 3600, (Finding.VALUE_OVER_LIMIT,))):
        world.now = now
        order = world.order(5_000)
        world.send("seller", order.entry)
        filing = world.filing(order, dispatch="JP")
        assert world.send("courier", filing).codes == {}
        assert world.findings(filing.subject) == found


def test_one_governor_cannot_suspend_another() -> None:
    world = World()
    for name, target in (("suspend_org", HANDLES["governor2"]), ("suspend_key", GOVERNORS[1])):
        assert world.do(GOVERNORS[0], name, target) == "members: governor"
        assert world.do(COLD["governor2"].address, name, target) is None


def test_rows_do_not_reach_back_nor_change() -> None:
    world = World()
    row, until = class_row(1), world.now + 10 * GOVERNANCE_DELAY
    past = world.now // 3600 - 1
    assert world.do(GOVERNORS[0], "rule", until, row, past | 1 << 24) == "rules: valid from"
    start = (world.now + 8 * GOVERNANCE_DELAY) // 3600
    assert agree(world, "rule", until, row, start | 1 << 24) is None
    for again in (start, start - 1):
        assert agree(world, "rule", until, row, again | 2 << 24) == "rules: valid from"
    assert agree(world, "rule", until, row, start + 1 | 2 << 24) is None


def test_a_row_has_sixteen_pairs() -> None:
    world = World()
    row, until = class_row(2), world.now + 100 * GOVERNANCE_DELAY
    start = (world.now + 30 * GOVERNANCE_DELAY) // 3600
    for number in range(16):
        assert agree(world, "rule", until, row, start + number | number << 24 + 8) is None
    assert agree(world, "rule", until, row, start + 16 | 1 << 24) == "rules: row is full"


def test_the_newest_pair_not_after_the_hour_counts_however_old() -> None:
    world = World()
    row, until = class_row(1), world.now + 100 * GOVERNANCE_DELAY
    start = (world.now + 20 * GOVERNANCE_DELAY) // 3600
    for number in range(15):
        personal_use = number + 1
        assert agree(world, "rule", until, row, (start + 24 * number) | personal_use << 8 + 24) is None
    for number in range(15):
        for quantity, found in ((number + 1, ()), (number + 2, (Finding.QUANTITY_OVER_PERSONAL_USE,))):
            world.now = (start + 24 * number) * 3600 + quantity
            assert world.findings(world.filed(quantity=quantity)) == found


def test_a_rate_is_written_once() -> None:
    world = World()
    until, yen = world.now + 100, 392
    assert world.do(GOVERNORS[0], "set_rate", until, yen, WEEK, 9_210_000) is None
    assert world.findings(world.filed(currency=yen)) == (Finding.RULE_UNKNOWN,)
    assert world.do(GOVERNORS[1], "set_rate", until, yen, WEEK, 9_210_000) is None
    assert world.findings(world.filed(currency=yen)) == ()
    assert world.do(GOVERNORS[0], "set_rate", until, yen, WEEK, 1) == "rules: rate known"
    assert world.do(GOVERNORS[0], "set_rate", until, USD, WEEK, 1) == "rules: rate known"
    assert world.do(GOVERNORS[0], "set_rate", until, yen, WEEK + 1, 0) == "rules: rate"


def test_an_overlay_needs_two_officers_of_the_office_and_ends() -> None:
    world = World()
    month = 30 * 86_400
    for who, until, reason in (
        ("courier", 10, "members: role"), ("officer", 0, "rules: overlay"), ("officer", month + 1, "rules: overlay"),
    ):  # fmt: skip
        assert world.do(SIGNERS[who].address, "overlay", 4, HANDLES["courier"], world.now + until) == reason
    vote = (4, HANDLES["courier"], world.now + month)
    assert world.do(SIGNERS["officer"].address, "overlay", *vote) is None
    assert world.do(SIGNERS["far_officer"].address, "overlay", *vote) is None
    place = OFFICE << 40 | 4 << 32 | HANDLES["courier"]
    assert world.view("overlays", place) == 0, "officers of two offices are not two of one"
    assert world.do(SIGNERS["officer2"].address, "overlay", *vote) is None
    assert world.view("overlays", place) == world.now + month


def test_letting_is_the_owners_alone() -> None:
    world = World()
    let = (HANDLES["courier"], HANDLES["warehouse"], 1 << K.CARRIED_IN)
    for other in ("seller", "warehouse", "governor"):
        assert world.do(COLD[other].address, "let", *let) == "members: cold key"
    assert world.do(COLD["courier"].address, "let", *let) is None
