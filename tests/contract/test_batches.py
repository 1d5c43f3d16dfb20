"""What refuses a whole batch: nothing of it is kept, its number is not used, and the reason has a stable code."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from eth.vm.message import Message
from eth.vm.transaction_context import BaseTransactionContext

from ledger.chain.batch import Batch, Entry
from ledger.chain.calls import submit_data
from ledger.commitments import word
from ledger.domain.kinds import KindNumber as K
from ledger.domain.limits import CLAIM_AHEAD, CLOCK_BEHIND, MAX_BATCH_BYTES, MAX_ENTRIES
from ledger.domain.roles import Role
from ledger.genesis import CONTRACT, MemberKey
from node.sealer import REASONS
from tests.contract.world import COLD, HANDLES, SIGNERS, TestSigner, World, genesis

N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def refused(world: World, batch: Batch, **at: int) -> str:
    """Check that a batch is refused with a reason that has a stable code, and leaves no trace."""
    root = world.root
    result = world.submit(batch, **at)
    assert result.revert is not None
    assert result.revert in REASONS
    assert world.root == root
    return result.revert


def plain(world: World, who: str = "seller", **changes: int) -> Batch:
    return world.batch(who, [world.order().entry], **changes)


def test_a_replayed_batch() -> None:
    world = World()
    batch = plain(world)
    assert world.submit(batch).revert is None
    assert refused(world, batch) == "batch: sequence"
    # nor as the next one: the number is signed, so that another key comes out, which has sent nothing
    assert refused(world, replace(batch, seq=1)) == "batch: sequence"


def test_a_gap_is_refused_until_it_is_filled() -> None:
    world = World()
    first, second, third = (plain(world, seq=seq) for seq in range(3))
    assert refused(world, second) == "batch: sequence"
    assert world.submit(first).revert is None
    assert refused(world, third) == "batch: sequence"
    # an empty batch fills it
    assert world.submit(world.batch("seller", [], seq=1)).revert is None
    assert refused(world, second) == "batch: sequence"
    assert world.submit(third).revert is None


def test_lanes_count_apart() -> None:
    world = World()
    for lane in (1, 2, 2**62):
        assert world.submit(plain(world, lane=lane, seq=0)).revert is None
    assert world.submit(plain(world, lane=2, seq=1)).revert is None
    assert refused(world, plain(world, lane=1, seq=0)) == "batch: sequence"
    assert refused(world, plain(world, lane=3, seq=1)) == "batch: sequence"


def test_a_malleable_signature() -> None:
    world = World()
    batch = plain(world)
    r, s, v = batch.signature[:32], int.from_bytes(batch.signature[32:64], "big"), batch.signature[64]
    twin = replace(batch, signature=r + word(N - s) + bytes([55 - v]))
    assert refused(world, twin) == "batch: high s"
    for bad in (0, 1, 29, 255):
        assert refused(world, replace(batch, signature=batch.signature[:64] + bytes([bad]))) == "batch: signature"
    assert refused(world, replace(batch, signature=bytes(64) + bytes([27]))) == "batch: signature"
    assert world.submit(batch).revert is None


@pytest.mark.parametrize("field", ["lane", "seq", "not_after", "entries"])
def test_every_field_is_signed(field: str) -> None:
    world = World()
    batch = plain(world)
    changed = {"lane": 7, "seq": batch.seq + 1, "not_after": batch.not_after + 1, "entries": batch.entries[:-1] + b"\1"}
    wanted = "batch: sequence" if field == "seq" else "members: not a member"
    assert refused(world, replace(batch, **{field: changed[field]})) == wanted


def test_a_batch_for_another_chain_or_contract() -> None:
    world = World()
    entries = [world.order().entry]
    for domain in (
        replace(world.domain, chain_id=world.domain.chain_id + 1),
        replace(world.domain, contract=b"\7" * 20),
    ):
        foreign = Batch.signed(
            domain, SIGNERS["seller"], lane=1, seq=0, not_after=world.now + 60, entries=entries
        )  # fmt: skip
        assert refused(world, foreign) == "members: not a member"


def test_an_expired_batch() -> None:
    world = World()
    batch = plain(world, not_after=world.now)
    world.now += 1
    assert refused(world, batch) == "batch: expired"
    world.now -= 1
    assert world.submit(batch).revert is None


def test_the_time_of_wrapping() -> None:
    world = World()
    batch = plain(world)
    assert refused(world, batch, t=world.now + 1) == "batch: clock"
    assert refused(world, batch, t=world.now - CLOCK_BEHIND - 1) == "batch: clock"
    assert world.submit(batch, t=world.now - CLOCK_BEHIND).revert is None


def test_the_future_refuses_the_entry_only() -> None:
    world = World()
    now, ahead = (world.order(claimed=world.now + more).entry for more in (CLAIM_AHEAD, CLAIM_AHEAD + 1))
    assert world.send("seller", ahead, now).codes == {0: ["FUTURE"]}
    assert (world.word(ahead.subject), bool(world.word(now.subject))) == (0, True)


def signed(world: World, data: bytes, who: str = "seller") -> Batch:
    """Sign entries bytes that the codec would not make."""
    digest = world.domain.batch_digest(1, 0, world.now + 60, data)
    return Batch(1, 0, world.now + 60, data, SIGNERS[who].sign_digest(digest))


def test_too_many_entries_or_bytes() -> None:
    world = World()
    entry = Entry(1, K.CARRIED_IN, world.now).packed()
    assert refused(world, signed(world, word(MAX_ENTRIES + 1) + entry * (MAX_ENTRIES + 1))) == "batch: entries"
    assert refused(world, signed(world, word(2**255))) == "batch: entries"
    assert refused(world, signed(world, word(1) + bytes(MAX_BATCH_BYTES))) == ""
    assert world.submit(signed(world, word(MAX_ENTRIES) + entry * MAX_ENTRIES)).revert is None


def test_bytes_that_are_no_entries() -> None:
    world = World()
    entry = world.order().entry.packed()
    for data in (word(2) + entry, word(1) + entry + bytes(32), word(1) + entry[:-32], word(1), word(0) + bytes(32)):
        assert refused(world, signed(world, data)) == "batch: size"
    assert refused(world, signed(world, b"")) in {"", "batch: size"}
    odd = bytearray(entry)
    odd[63] = 40  # a kind above the table
    assert refused(world, signed(world, word(1) + bytes(odd))) == "batch: kind"
    odd[63] = K.CARRIED_IN  # a carry-in with an extra word
    assert refused(world, signed(world, word(1) + bytes(odd))) == "batch: shape"


def test_nobody_and_those_who_are_not_members_now() -> None:
    world = World()
    stranger = TestSigner("stranger")
    batch = Batch.signed(
        world.domain, stranger, lane=1, seq=0, not_after=world.now + 60, entries=[world.order().entry]
    )  # fmt: skip
    assert refused(world, batch) == "members: not a member"
    relayed = plain(world, "rival_seller")
    assert world.do(COLD["rival_seller"].address, "suspend_key", SIGNERS["rival_seller"].address) is None
    assert refused(world, relayed) == "members: not a member"
    of_the_org = plain(world)
    assert world.do(SIGNERS["governor"].address, "suspend_org", HANDLES["seller"]) is None
    assert refused(world, of_the_org) == "members: not a member"


def test_a_key_is_valid_from_the_first_to_the_last_second() -> None:
    plan = genesis()
    seller = next(key for key in plan.keys if key.org == HANDLES["seller"])
    start, end = plan.timestamp + 2_000, plan.timestamp + 3_000
    keys = tuple(replace(key, valid_from=start, valid_to=end) if key == seller else key for key in plan.keys)
    world = World(replace(plan, keys=keys))
    for now, seq, ok in ((start - 1, 0, False), (start, 0, True), (end, 1, True), (end + 1, 2, False)):
        world.now = now
        batch = plain(world, seq=seq)
        if ok:
            assert world.submit(batch).revert is None
        else:
            assert refused(world, batch) == "members: not a member"


def test_a_key_has_no_role_its_org_has_not() -> None:
    plan = genesis()
    every = MemberKey("0x" + TestSigner("every").address.hex(), HANDLES["seller"], 0xFFFF)
    world = World(replace(plan, keys=(*plan.keys, every)))
    entry = Entry(world.filed(), K.CARRIED_IN, world.now)
    batch = Batch.signed(world.domain, TestSigner("every"), lane=1, seq=0, not_after=world.now + 60, entries=[entry])
    assert world.submit(batch).codes == {0: ["ROLE"]}


def test_only_those_who_stop_use_the_stop_lane() -> None:
    world = World()
    parcel = world.filed()
    stop = Entry(parcel, K.IDENTITY_STOPPED, world.now)
    may = Role.IDENTITY_AUTHORITY | Role.CUSTOMS_OFFICER
    for org in genesis().orgs:
        batch = world.batch(org.name, [stop], lane=0)
        if org.roles & may:
            assert world.submit(batch, keep=False).revert is None
        else:
            assert refused(world, batch) == "batch: stop lane"


def test_a_batch_through_another_contract() -> None:
    """A forwarder would hide it from who reads blocks, and let a stop stand behind other batches."""
    world = World()
    batch = plain(world)
    relayer = TestSigner("relayer of it all").address
    state = world._state(world.root)
    message = Message(
        gas=10**9, to=CONTRACT, sender=b"\x0f" * 20, value=0, data=submit_data(batch, world.now), code=world.code
    )
    done = state.computation_class.apply_message(state, message, BaseTransactionContext(0, relayer, []))
    assert b"batch: forwarded" in done.output
    assert world.submit(batch).revert is None


def test_one_bad_entry_leaves_the_others_alone() -> None:
    world = World()
    orders = [world.order().entry for _ in range(5)]
    orders[2] = replace(orders[2], subject=orders[2].subject ^ 1)
    sent = world.send("seller", *orders)
    assert sent.codes == {2: ["BAD_ID"]}
    assert [bool(world.word(order.subject)) for order in orders] == [True, True, False, True, True]


def test_every_reason_of_the_source_has_a_stable_code() -> None:
    sources = (Path(__file__).parents[2] / "contracts" / "src").glob("*.vy")
    reasons = {found for path in sources for found in re.findall(r'"((?:batch|members: not)[^"]*)"', path.read_text())}
    assert {reason for reason in reasons if ": " in reason} <= set(REASONS)
