"""A well-shaped batch in sequence never fails, whatever its entries say; a damaged one always does, for codec and
contract alike."""

from __future__ import annotations

from collections import Counter

import pytest

from ledger.chain.batch import MAX_SEQ, Batch, BatchFault, Entry, pack, unpack
from ledger.chain.calls import Outcome, call_data
from ledger.domain.kinds import KindNumber
from ledger.domain.limits import MAX_BATCH_BYTES, MAX_ENTRIES, STOP_LANE, TRACE_LANE
from ledger.domain.rejections import Effect, Rejection
from ledger.domain.roles import STOP_LANE_ROLES
from tests.contract.world import COLD, HANDLES, MEMBERS, SIGNERS, World
from tests.property.random_entries import EntryDealer

K = KindNumber
DECISIONS = {Effect.CLEARED, Effect.REFERRED}
NUMBERED = {Effect.MASTER_HANDLE: K.MASTER_OPENED, Effect.HOLD_NUMBER: K.HELD}
SHAPE_FAULTS = {"batch: shape", "batch: size", "batch: kind", "batch: entries", ""}
"""Reasons of reverts that anyone can see coming; an empty one is a read behind the end."""


def check_outcomes(entries: list[Entry], outcomes: tuple[Outcome, ...]) -> None:
    """Check that the list says of each entry at most: rejected, or its number and its decision."""
    assert [outcome.index for outcome in outcomes] == sorted(outcome.index for outcome in outcomes)
    for index, entry in enumerate(entries):
        codes = [outcome.code for outcome in outcomes if outcome.index == index]
        if any(isinstance(code, Rejection) for code in codes):
            assert len(codes) == 1
        assert len(codes) == len(set(codes))
        assert not set(codes) >= DECISIONS
        for code, kind in NUMBERED.items():
            assert code not in codes or entry.kind == kind
    for outcome in outcomes:
        assert outcome.index < len(entries)
        assert outcome.value == 0 or outcome.code in NUMBERED
        assert outcome.code is not Effect.MASTER_HANDLE or outcome.value > 0


def run_random_batches(batches: int, seed: str) -> Counter[str]:
    """Send random batches of all members; return how often each outcome came up."""
    world = World()
    dealer = EntryDealer(seed, world)
    draw = dealer.draw
    let = call_data("let", world.now, HANDLES["courier"], HANDLES["warehouse"], 2**32 - 1)
    assert world.call(let, COLD["courier"].address).revert is None
    for _ in range(6):
        dealer.adopt(K.FILED, world.filed())
    writers = [*MEMBERS, *["seller", "courier", "officer", "identity", "screening", "agency"] * 6]
    seen: Counter[str] = Counter()
    for _ in range(batches):
        who = draw.choice(writers)
        may_stop = bool(MEMBERS[who][0] & STOP_LANE_ROLES)
        lane = draw.choice((1, 1, 1, 1, 1, 1, 2, TRACE_LANE, STOP_LANE if may_stop else 3))
        entries = dealer.entries(who, draw.choice((0, 1, 1, 2, 2, 3, 5)))
        alone = entries[0].subject if len(entries) == 1 else None
        before = None if alone is None else world.word(alone)
        result = world.send(who, *entries, lane=lane)
        assert result.revert is None, f"{who} in lane {lane}: {result.revert!r} for {entries}"
        assert result.recorded is not None
        check_outcomes(entries, result.recorded.outcomes)
        rejected = result.recorded.rejected
        dealer.forget([entry for i, entry in enumerate(entries) if i in rejected or lane >= TRACE_LANE])
        if alone is not None and rejected:
            assert world.word(alone) == before, "a rejected entry changed its subject"
        seen.update(outcome.code.name for outcome in result.recorded.outcomes)
        seen["recorded"] += len(entries) - len(rejected) if lane < TRACE_LANE else 0
        world.now += draw.choice((0, 0, 1, 60, 900))
    return seen


def test_300_random_batches_never_revert() -> None:
    seen = run_random_batches(300, "fast")
    assert seen["recorded"] > 50
    assert len(seen) > 8


@pytest.mark.slow
def test_10_000_random_batches_never_revert() -> None:
    seen = run_random_batches(10_000, "all")
    assert seen["recorded"] > 2_000
    missed = {code.name for code in Rejection} - set(seen)
    assert missed <= {"LIMIT"}, f"the entries are too tame: {missed}"


def test_the_largest_batch_of_rejected_and_of_numbered_entries_is_taken() -> None:
    world = World()
    noise = [Entry(number, K.RELEASED, world.now) for number in range(MAX_ENTRIES)]
    result = world.send("courier", *noise)
    assert result.recorded is not None
    assert set(result.recorded.rejected.values()) == {Rejection.STATE_MISSING}
    assert len(result.recorded.rejected) == MAX_ENTRIES
    domain, org = world.domain, HANDLES["courier"]
    digests = [number.to_bytes(32, "big") for number in range(1, MAX_ENTRIES + 1)]
    masters = [Entry(domain.subject_id(K.MASTER_OPENED, org, each), K.MASTER_OPENED, world.now, each)
               for each in digests]  # fmt: skip
    result = world.send("courier", *masters)
    assert result.recorded is not None
    assert [outcome.value for outcome in result.recorded.outcomes] == list(range(1, MAX_ENTRIES + 1))


# ------------------------------------------------------------------------------------------------------------- codec
def dealt(seed: int) -> tuple[EntryDealer, World]:
    world = World()
    return EntryDealer(f"codec {seed}", world), world


def test_what_is_packed_is_unpacked() -> None:
    dealer, _ = dealt(1)
    for count in [*range(20), 60]:
        entries = dealer.entries("courier", count)
        data = pack(entries)
        assert list(unpack(data)) == entries
        assert pack(unpack(data)) == data
        assert list(unpack(data, traces=True)) == entries


def damaged(dealer: EntryDealer, data: bytes) -> bytes:
    """Damage the bytes of a batch where it hurts: count, headers, length; now and then nowhere."""
    draw = dealer.draw
    place = draw.randrange(7)
    if place == 0:  # the count
        count = max(0, int.from_bytes(data[:32], "big") + draw.choice((-1, 1, 499, 500, 2**255)))
        return count.to_bytes(32, "big") + data[32:]
    if place == 1:
        return data[: draw.randrange(len(data) + 1)]
    if place == 2:
        return data + draw.randbytes(draw.choice((1, 31, 32, 96)))
    if place == 3 and len(data) >= 96:  # low bytes of the first header: kind, time, extra words
        at = draw.choice((63, 63, 57, 57, 56, 60))
        return data[:at] + bytes([draw.randrange(256)]) + data[at + 1 :]
    if place == 4:
        at = draw.randrange(len(data))
        return data[:at] + bytes([data[at] ^ 1 << draw.randrange(8)]) + data[at + 1 :]
    if place == 5:  # a word lost or doubled
        at = 32 * draw.randrange(max(1, len(data) // 32))
        return data[:at] + data[at + 32 * draw.choice((-1, 1)) :] if at else data[32:]
    return data


def verdicts(world: World, data: bytes) -> tuple[bool, str | None]:
    """Return whether the codec refuses the bytes, and the contract's reason or None."""
    refused = False
    try:
        unpack(data)
    except BatchFault:
        refused = True
    signature = SIGNERS["courier"].sign_digest(world.domain.batch_digest(5, 0, MAX_SEQ, data))
    return refused, world.submit(Batch(5, 0, MAX_SEQ, data, signature), keep=False).revert


def compare_damaged(cases: int, seed: int) -> Counter[str]:
    dealer, world = dealt(seed)
    reasons: Counter[str] = Counter()
    for _ in range(cases):
        data = damaged(dealer, pack(dealer.entries("courier", dealer.draw.choice((0, 1, 1, 2, 3)))))
        refused, reason = verdicts(world, data)
        assert refused == (reason is not None), f"codec refuses: {refused}, contract: {reason!r} for {data.hex()}"
        assert reason is None or reason in SHAPE_FAULTS, f"{reason!r} for {data.hex()}"
        reasons[str(reason)] += 1
    return reasons


def test_codec_and_contract_refuse_the_same_batches() -> None:
    reasons = compare_damaged(400, 2)
    assert set(reasons) == SHAPE_FAULTS | {"None"}


@pytest.mark.slow
def test_codec_and_contract_refuse_the_same_batches_at_length() -> None:
    reasons = compare_damaged(5_000, 3)
    assert min(reasons.values()) > 20


def test_codec_and_contract_agree_on_the_words_of_every_kind() -> None:
    """Every kind byte with so many extra words; filings take 2, or 1 and 4 for each of up to 8 orders."""
    _, world = dealt(4)
    taken = Counter[int]()
    for kind in range(256):
        for extra in range(38) if kind < 32 else (0, 1):
            header = extra << 48 | kind
            data = (1).to_bytes(32, "big") + bytes(32) + header.to_bytes(32, "big") + bytes(32 + 32 * extra)
            refused, reason = verdicts(world, data)
            assert refused == (reason is not None), f"kind {kind}, {extra} words: {refused}, contract {reason!r}"
            taken[kind] += not refused
    assert {kind: count for kind, count in taken.items() if count} == {
        kind: 9 if kind in (K.FILED, K.CORRECTED) else 1 for kind in range(K.OBSERVED + 1)
    }


def test_the_spare_bit_and_the_size_limit_hold_on_both_sides() -> None:
    _, world = dealt(5)
    header = (1 << 55 | K.SWEPT).to_bytes(32, "big")
    assert verdicts(world, (1).to_bytes(32, "big") + bytes(32) + header + bytes(32)) == (True, "batch: shape")
    filing = Entry(1, K.FILED, 0, extra=(0,) * 33)
    entry_bytes = 32 * 36
    most = (MAX_BATCH_BYTES - 32) // entry_bytes
    assert verdicts(world, pack([filing] * most)) == (False, None)
    over = (most + 1).to_bytes(32, "big") + filing.packed() * (most + 1)
    assert verdicts(world, over) == (True, "")
