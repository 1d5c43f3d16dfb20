"""Signatures, shapes and lanes of batches at their edges: what test_batches.py does not reach."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from eth.constants import SECPK1_N
from eth.vm.message import Message
from eth.vm.transaction_context import BaseTransactionContext
from eth_hash.auto import keccak

from ledger.chain import calls
from ledger.chain.batch import Batch, Entry
from ledger.commitments import LedgerDomain, word
from ledger.domain.error_texts import ERROR_TEXTS
from ledger.domain.kinds import KindNumber as K
from ledger.domain.kinds import Status
from ledger.domain.limits import MAX_BATCH_BYTES, TRACE_LANE
from ledger.genesis import CONTRACT
from node.sealer import REASONS
from tests.contract.world import COLD, HANDLES, SIGNERS, World

SOURCES = Path(__file__).parents[2] / "contracts" / "src"
HALF_N = SECPK1_N // 2
OTHER_ADDRESS = bytes(19) + b"\x77"


@pytest.fixture
def world() -> World:
    return World()


def signed(world: World, data: bytes, *, who: str = "courier", domain: LedgerDomain | None = None, lane: int = 1,
           seq: int = 0) -> Batch:  # fmt: skip
    """Sign any bytes as entries, also those that the client's own codec would not pack."""
    not_after = world.now + 7200
    digest = (domain or world.domain).batch_digest(lane, seq, not_after, data)
    return Batch(lane, seq, not_after, data, SIGNERS[who].sign_digest(digest))


def refused(world: World, data: bytes) -> str:
    """Call the contract as a block would, write back whatever it left, and return the reason; the root must stand."""
    state = world._state(world.root)
    message = Message(gas=10**10, to=CONTRACT, sender=b"\3" * 20, value=0, data=data, code=world.code)
    state.computation_class.apply_message(state, message, BaseTransactionContext(0, b"\3" * 20, []))
    state.persist()
    assert state.state_root == world.root
    revert = world.call(data).revert
    assert revert is not None
    return revert


def refusal(world: World, batch: Batch, t: int | None = None) -> str:
    return refused(world, calls.submit_data(batch, world.now if t is None else t))


def next_seq(world: World, who: str, lane: int) -> int:
    return world.view("nexts", lane << 160 | int.from_bytes(SIGNERS[who].address, "big"))


def packed(*entries: Entry, count: int | None = None) -> bytes:
    return word(len(entries) if count is None else count) + b"".join(entry.packed() for entry in entries)


# ------------------------------------------------------------------------------------------------------- sequence
def test_the_same_number_signed_twice_is_taken_once(world: World) -> None:
    first, rival = world.batch("courier", [world.filing()]), world.batch("courier", [world.filing()])
    assert first.entries != rival.entries
    assert world.submit(first).revert is None
    assert refusal(world, rival) == "batch: sequence"


def test_lanes_and_keys_count_apart(world: World) -> None:
    for lane in (1, 2, TRACE_LANE - 1, TRACE_LANE, 2**64 - 1):
        assert refusal(world, world.batch("courier", [], lane, seq=1)) == "batch: sequence"
        assert world.send("courier", lane=lane).revert is None
        assert next_seq(world, "courier", lane) == 1
        assert next_seq(world, "rival_courier", lane) == 0
    assert world.send("courier", lane=1).revert is None
    assert [next_seq(world, "courier", lane) for lane in (1, 2)] == [2, 1]


# ------------------------------------------------------------------------------------------------------ signature
def test_the_twin_of_a_signature_is_refused_and_the_signature_taken(world: World) -> None:
    batch = world.batch("courier", [world.filing()])
    s = int.from_bytes(batch.signature[32:64], "big")
    assert s <= HALF_N
    twin = batch.signature[:32] + word(SECPK1_N - s) + bytes([55 - batch.signature[64]])
    assert refusal(world, replace(batch, signature=twin)) == "batch: high s"
    assert world.submit(batch).codes == {}
    assert refusal(world, replace(batch, signature=twin)) == "batch: high s"


@pytest.mark.parametrize("v", [0, 1, 2, 26, 29, 27 + 256, 28 + 256, 27 + 2**64, 2**256 - 1])
def test_a_recovery_number_other_than_27_and_28_is_refused(world: World, v: int) -> None:
    batch = world.batch("courier", [world.filing()])
    data = bytearray(calls.submit_data(batch, world.now))
    data[4 + 4 * 32 : 4 + 5 * 32] = word(v)
    assert refused(world, bytes(data)) == "batch: signature"
    assert world.submit(batch).codes == {}


def test_the_other_recovery_number_is_another_signer(world: World) -> None:
    batch = world.batch("courier", [world.filing()])
    other = batch.signature[:64] + bytes([55 - batch.signature[64]])
    assert refusal(world, replace(batch, signature=other)) in ("members: not a member", "batch: signature")


@pytest.mark.parametrize(
    ("r", "s"), [(0, 0), (0, 1), (1, 0), (SECPK1_N, 1), (2**256 - 1, 1), (5, 1)], ids=lambda n: hex(n)[:8]
)
def test_a_signature_that_gives_no_key_is_refused(world: World, r: int, s: int) -> None:
    """5 is no x of a point on the curve; a missing check would let the zero address write."""
    batch = replace(world.batch("courier", [world.filing()]), signature=word(r) + word(s) + bytes([27]))
    assert refusal(world, batch) == "batch: signature"


def test_the_highest_low_s_passes_to_the_recovery_and_the_next_does_not(world: World) -> None:
    batch = world.batch("courier", [world.filing()])
    for s, reason in ((HALF_N, "members: not a member"), (HALF_N + 1, "batch: high s")):
        assert refusal(world, replace(batch, signature=batch.signature[:32] + word(s) + bytes([27]))) == reason


@pytest.mark.parametrize(
    "domain",
    [LedgerDomain(4243, CONTRACT), LedgerDomain(4242, OTHER_ADDRESS), LedgerDomain(4242 + 2**64, CONTRACT)],
    ids=["chain id", "contract", "chain id above 64 bits"],
)
def test_a_signature_for_another_chain_or_contract_is_refused(world: World, domain: LedgerDomain) -> None:
    data = packed(world.filing())
    assert refusal(world, signed(world, data, domain=domain)) == "members: not a member"
    assert world.submit(signed(world, data)).codes == {}


def test_ids_and_batches_of_one_chain_are_nothing_on_another(world: World) -> None:
    other = World(replace(world.genesis, chain_id=4243))
    order = other.order()
    assert refusal(world, other.batch("seller", [order.entry])) == "members: not a member"
    assert world.send("seller", order.entry).codes == {0: ["BAD_ID"]}
    assert other.send("seller", order.entry).codes == {}


# ----------------------------------------------------------------------------------------------------------- time
def test_expiry_goes_by_the_time_of_wrapping_and_not_by_the_block(world: World) -> None:
    batch = world.batch("courier", [world.filing()], not_after=world.now)
    world.now += 600
    assert refusal(world, batch) == "batch: expired"
    assert world.submit(batch, t=world.now - 600).codes == {}


# ---------------------------------------------------------------------------------------------------- size, shape
def test_the_largest_batch_is_taken_and_a_word_more_is_not(world: World) -> None:
    orders = [world.order() for _ in range(8)]
    big = [world.filing(*orders) for _ in range(56)]
    big += [world.filing() for _ in range(5)] + [Entry(1, K.SWEPT, world.now)] * 2
    data = packed(*big)
    assert len(data) == MAX_BATCH_BYTES
    assert refusal(world, signed(world, data + bytes(32))) == ""
    assert refusal(world, signed(world, data + bytes(32), lane=TRACE_LANE)) == ""
    assert refusal(world, signed(world, data + b"\0")) == ""
    result = world.submit(signed(world, data))
    assert set(result.codes) == {*range(56), 61, 62}
    assert result.codes[55] + result.codes[62] == ["ORDER_NOT_OPEN", "STATE_MISSING"]


@pytest.mark.parametrize("kind", [21, 29, 30, 31, 32, 255])
def test_kinds_that_nobody_was_given_are_refused(world: World, kind: int) -> None:
    assert refusal(world, signed(world, packed(Entry(1, kind, world.now)))) in ("batch: kind", "batch: shape")


def test_an_entry_with_other_extra_words_than_its_kind_has_is_refused(world: World) -> None:
    filing, carried, order = world.filing(), Entry(1, K.CARRIED_IN, world.now), world.order().entry
    wrong = [replace(carried, extra=(0,)), replace(order, extra=()), replace(order, extra=(0, 0))]
    wrong += [replace(filing, extra=filing.extra[:1] * count) for count in (0, 1, 3, 4, 6, 7, 8, 10, 36, 37, 41)]
    for entry in wrong:
        assert refusal(world, signed(world, packed(entry))) == "batch: shape"
    spare = bytearray(packed(carried))
    spare[32 + 32 + 31 - 6] |= 0x80
    assert refusal(world, signed(world, bytes(spare))) == "batch: shape"


def test_one_malformed_entry_refuses_the_good_ones_beside_it(world: World) -> None:
    good, bad = world.filing(), Entry(1, 32, world.now)
    assert refusal(world, signed(world, packed(good, bad))) == "batch: kind"
    assert world.word(good.subject) == 0
    assert world.submit(signed(world, packed(good))).codes == {}


# -------------------------------------------------------------------------------------------------------- members
@pytest.mark.parametrize("lane", [0, 1, TRACE_LANE])
@pytest.mark.parametrize("what", ["key", "org"])
def test_a_suspended_key_or_org_writes_nothing_any_more(world: World, what: str, lane: int) -> None:
    who = "officer"
    assert world.send(who, lane=lane).revert is None
    waiting = world.batch(who, [], lane)
    target = SIGNERS[who].address if what == "key" else HANDLES[who]
    assert world.do(SIGNERS["governor"].address, f"suspend_{what}", target) is None
    assert refusal(world, waiting) == "members: not a member"
    assert world.send("officer2", lane=lane).revert is None, "another org of the same office"


def test_a_retired_key_writes_until_the_second_it_was_retired(world: World) -> None:
    batch = world.batch("courier", [world.filing()])
    world.now += 10
    assert world.do(COLD["courier"].address, "retire", SIGNERS["courier"].address) is None
    assert world.submit(batch, keep=False).revert is None
    world.now += 1
    assert refusal(world, batch) == "members: not a member"


def test_a_watched_org_goes_on_writing() -> None:
    plain = World().genesis
    orgs = tuple(replace(org, standing=2) if org.name == "courier" else org for org in plain.orgs)
    world = World(replace(plain, orgs=orgs))
    assert world.send("courier", world.filing()).codes == {}


# ---------------------------------------------------------------------------------------------------------- lanes
def test_the_lane_of_traces_changes_no_subject_and_the_one_before_it_does(world: World) -> None:
    filing = world.filing()
    result = world.send("courier", filing, lane=TRACE_LANE)
    assert (result.revert, result.codes) == (None, {})
    assert result.recorded
    assert (result.recorded.org, result.recorded.lane) == (HANDLES["courier"], TRACE_LANE)
    assert world.word(filing.subject) == 0
    assert world.send("courier", filing, lane=TRACE_LANE - 1).codes == {}
    assert Status.FILED in world.status(filing.subject)


def test_the_log_says_who_wrote_where_and_when(world: World) -> None:
    world.send("courier", lane=9)
    recorded = world.send("courier", world.filing(), lane=9).recorded
    assert recorded
    assert recorded.key == SIGNERS["courier"].address
    assert (recorded.org, recorded.lane, recorded.seq, recorded.t) == (HANDLES["courier"], 9, 1, world.now)


def test_whoever_relays_the_same_batch_leaves_the_same_state(world: World) -> None:
    batch = world.batch("courier", [world.filing()])
    roots = set()
    for relayer in (b"\1" * 20, SIGNERS["relayer"].address, SIGNERS["courier"].address, keccak(b"anyone")[:20]):
        other = world.fork()
        assert other.call(calls.submit_data(batch, world.now), relayer).revert is None
        roots.add(other.root)
    assert len(roots) == 1
    assert roots != {world.root}


# -------------------------------------------------------------------------------------------------------- reasons
def test_every_reason_a_batch_can_be_refused_for_has_a_code_and_no_code_is_dead() -> None:
    written = {
        reason
        for source in SOURCES.glob("*.vy")
        for reason in re.findall(r'"((?:batch|members): [^"]+)"', source.read_text())
        if reason.startswith("batch: ") or reason == "members: not a member"
    }
    assert set(REASONS) == written | {""}, "the empty reason is the decoder's: bytes longer than the contract takes"
    assert len(written) > 8


def test_every_code_of_a_refused_batch_has_its_sentences() -> None:
    assert set(REASONS.values()) <= set(ERROR_TEXTS)
