"""The faster loop against py-evm as it is: random programs, the sample day's blocks, damaged batches, tight gas."""

from __future__ import annotations

import random
from typing import Any

import pytest
from eth.db.atomic import AtomicDB
from eth.vm.execution_context import ExecutionContext
from eth.vm.forks.cancun.state import CancunState
from eth.vm.forks.cancun.transaction_context import CancunTransactionContext
from eth.vm.message import Message

from ledger.chain import calls
from ledger.genesis import CONTRACT
from node.blocks import EMPTY_ROOT
from node.chain import Chain
from node.evm import loop
from node.evm.executor import Driver, Executor
from node.evm.loop import FastState
from node.evm.program import EFFECTS, OPCODES, Programs, program_of
from tests.contract.world import World
from tests.node.days import Day

pytestmark = pytest.mark.filterwarnings("ignore:SELFDESTRUCT opcode:DeprecationWarning")
HERE, OTHER, SENDER = b"\x0a" * 20, b"\x0b" * 20, b"\x0c" * 20
CONTEXT = CancunTransactionContext(gas_price=0, origin=SENDER, blob_versioned_hashes=[b"\1" * 32])
TOP = bytes.fromhex("5f5260205ff3")
"""Returns the top of the stack."""
EDGES = [0, 1, 2, 31, 32, 33, 255, 256, 257, 1023, 2**16, 2**32, 2**64, 2**255 - 1, 2**255, 2**256 - 1]


def outcome(driver: type[CancunState], codes: dict[bytes, bytes], data: bytes, gas: int, *, static: bool) -> Any:
    """Run a program; return all of what it did that anyone could see."""
    context = ExecutionContext(SENDER, 1_700_000_000, 7, 0, bytes(32), 10**9, [b"\1" * 32], 4242, 0, 0)
    state = driver(AtomicDB(), context, EMPTY_ROOT)
    for address, code in codes.items():
        state.set_code(address, code)
        state.set_balance(address, 10)
        state.set_storage(address, 1, 77)
    state.lock_changes()
    message = Message(gas=gas, to=HERE, sender=SENDER, value=0, data=data, code=codes[HERE], is_static=static)
    done = state.computation_class.apply_message(state, message, CONTEXT)
    state.lock_changes()
    logs = [] if done.is_error else done.get_log_entries()
    refund = 0 if done.is_error else done.get_gas_refund()
    return done.is_error, done.get_gas_remaining(), done.output, done.return_data, logs, refund, state.make_state_root()


@pytest.fixture(autouse=True)
def hot_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a place become a trace when it is met the second time, in the programs of these tests too."""
    monkeypatch.setattr(loop, "HOT", 2)
    monkeypatch.setattr(loop, "TRACED", frozenset({HERE, OTHER, CONTRACT}))


def same(codes: dict[bytes, bytes], data: bytes, gas: int, *, static: bool = False) -> bool:
    """Check that both drivers do the same; return whether the program failed.

    The faster one three times: by the loop, with traces of what was met, and with those that need less gas.
    """
    plain = outcome(CancunState, codes, data, gas, static=static)
    for _ in range(3):
        fast = outcome(FastState, codes, data, gas, static=static)
        assert plain == fast, {address.hex(): code.hex() for address, code in codes.items()}
    return bool(plain[0])


def push(value: int) -> bytes:
    data = value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big")
    return bytes([0x5F + len(data)]) + data


def random_program(dice: random.Random) -> bytes:
    """Return code that mostly keeps its stack filled, with jumps to real and to wrong places."""
    code, targets = bytearray(), []
    for _ in range(dice.randint(1, 60)):
        what = dice.random()
        if what < 0.45:
            code += push(dice.choice([*EDGES, dice.randrange(2 ** dice.randint(1, 256)), dice.randrange(300)]))
        elif what < 0.80:
            code.append(dice.choice(sorted(EFFECTS.keys() - {0x56, 0x57})))
            if code[-1] == 0x5B:
                targets.append(len(code) - 1)
        elif what < 0.86:
            code += push(dice.choice([*targets, dice.randrange(len(code) + 3)]) if targets else 3)
            code.append(dice.choice([0x56, 0x57, 0x57]))
        elif what < 0.93:
            code.append(dice.choice([0x80, 0x81, 0x85, 0x8F, 0x90, 0x91, 0x9F]))
        else:
            code.append(dice.choice([*sorted(OPCODES), 0x0C, 0xFE, 0xEF]))
    end = dice.random()
    if end < 0.4:
        code += push(dice.choice([0, 32, 64])) + push(0) + bytes([dice.choice([0xF3, 0xFD])])
    return bytes(code) + (b"\x7f\x01" if end > 0.95 else b"")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_random_programs(seed: int) -> None:
    dice, failed = random.Random(seed), 0
    for _ in range(1_000):
        codes = {HERE: random_program(dice), OTHER: random_program(dice)}
        data = dice.randbytes(dice.choice([0, 1, 31, 32, 33, 100]))
        failed += same(codes, data, dice.choice([20, 100, 1_000, 30_000, 200_000]), static=dice.random() < 0.2)
    assert 100 < failed < 990, "both endings must occur"


@pytest.mark.slow
def test_every_limit_of_gas_on_traces() -> None:
    """Programs that became traces with enough gas, then with ever less: it ends where py-evm ends."""
    dice, failed = random.Random(7), 0
    for _ in range(40):
        codes = {HERE: random_program(dice), OTHER: random_program(dice)}
        same(codes, b"", 100_000)
        failed += sum(same(codes, b"", gas) for gas in range(2, 120, 5))
    assert 100 < failed < 960, "both endings must occur"


@pytest.mark.slow
def test_gas_ends_behind_a_branch_of_a_trace() -> None:
    """What was charged before it (memory, a hash, a slot) may be what is missing behind it."""
    for before in (b"\x5f\x51\x50", b"\x5f\x5f\x20\x50", push(64) + b"\x5f\x20\x50", b"\x5f\x54\x50", b"\x5f\x5f\x53"):
        code = before + b"\x36" + push(len(before) + 4) + b"\x57" + b"\x5b" + push(3) * 9 + b"\x02" * 8 + b"\x00"
        for data in (b"", b"x"):
            same({HERE: code, OTHER: b""}, data, 5_000)
            endings = {same({HERE: code, OTHER: b""}, data, gas) for gas in [*range(150), *range(2_090, 2_240)]}
            assert endings == {True, False}


@pytest.mark.parametrize("count", [1, 60, 190, 260, 3_000])
def test_long_straight_code(count: int) -> None:
    """Comparisons of comparisons, deeper than Python's parser goes, and runs longer than a trace."""
    for step in (b"\x15", b"\x36\x10", b"\x80\x01", b"\x80\x5b\x50", b"\x5f\x51\x14"):
        for start in (b"\x36", push(2)):
            body = b"\x5b" + start + step * count + push(0) + b"\x52"
            code = push(3) + body + b"\x60\x01\x90\x03\x80" + push(2) + b"\x57" + push(32) + push(0) + b"\xf3"
            for gas in (count, 5 * count, 100_000):
                same({HERE: code, OTHER: b""}, b"x", gas)


def test_a_strangers_code_becomes_no_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it costs to run is bounded by its gas, what it costs to make Python of it is not."""
    code = push(200) + b"\x5b" + push(1) + b"\x90\x03\x80" + push(2) + b"\x57"
    for traced, made in ((frozenset({CONTRACT}), False), (frozenset({HERE}), True)):
        monkeypatch.setattr(loop, "TRACED", traced)
        same({HERE: code, OTHER: b""}, b"", 100_000)
        assert bool(program_of(code).traces) is made


def test_programs_are_kept_by_their_bytes() -> None:
    """Strangers' programs push one another out, not the one that has traces."""
    programs = Programs(limit=1_000)
    ours = programs.of(bytes(300))
    ours.traces[0] = "made"
    for number in range(200):
        programs.of(number.to_bytes(100, "big"))
        assert len(programs) <= 8
    assert programs.of(bytes(300)) is ours
    assert len(programs.of(bytes(2_000)).code) == 2_000, "larger than all that is kept, and run all the same"


def test_words_of_memory_that_lie_across_one_another() -> None:
    """A trace remembers what it stored: not where something else was written over a part of it."""
    store_1, load, ends = b"\x7f" + b"\1" * 32 + push(64) + b"\x52", push(64) + b"\x51", TOP
    for place in (0, 32, 33, 40, 63, 64, 65, 95, 96, 97, 128):
        at, known = push(place), store_1 + load + b"\x50"
        data_at = push(0) + b"\x35" + b"\x01"  # a place that the trace does not know
        over = (
            b"\x7f" + b"\2" * 32 + at + b"\x52",
            b"\x7f" + b"\2" * 32 + at + data_at + b"\x52",
            push(3) + push(0) + at + b"\x37",
            push(40) + push(0) + at + b"\x37",
            push(9) + push(0) + at + b"\x39",
            push(9) + push(70) + at + b"\x5e",
            push(5) + data_at + push(0) + at + b"\x37",
            push(9) + at + b"\x53",
        )
        for each in over:
            same({HERE: known + each + load + ends, OTHER: b""}, bytes(32) + b"\3" * 9, 100_000)


def test_every_opcode_on_full_and_empty_stacks() -> None:
    filled = b"".join(push(value) for value in (*EDGES, 0, 0, 0, 0, 32, 5, 3, 2, 1))
    for opcode in range(256):
        for before in (b"", push(1), push(1) + push(2), filled):
            code = before + bytes([opcode]) + b"\x5b" + push(7) + push(0) + b"\x52" + push(32) + push(0) + b"\xf3"
            same({HERE: code, OTHER: b"\x60\x01\x60\x00\x55"}, b"\1" * 40, 300_000)


@pytest.mark.parametrize("depth", [1022, 1023, 1024, 1025])
def test_the_depth_of_the_stack(depth: int) -> None:
    for last in (push(1), b"\x80", b"\x58", b"\x36", b"\x5b"):
        same({HERE: b"\x5f" * depth + last + b"\x00"}, b"", 100_000)


def test_memory_grows_and_is_paid_alike() -> None:
    for end in (0, 1, 31, 32, 33, 1_000, 24_000, 10**6, 2**40, 2**256 - 1):
        for opcode in (0x51, 0x52, 0x20, 0x53, 0x37, 0x5E):
            code = (
                push(33)
                + push(5)
                + push(end)
                + bytes([opcode])
                + b"\x59"
                + push(0)
                + b"\x52"
                + push(32)
                + push(0)
                + b"\xf3"
            )
            for gas in (30, 200, 5_000, 3_000_000):
                same({HERE: code}, b"x" * 50, gas)


def test_calls_between_contracts() -> None:
    """Calls, delegate calls, static calls into code that writes, reverts or calls back."""
    dice = random.Random(3)
    bodies = [
        "6001600155",
        "60016001555f5ffd",
        "5f5f5f5f5f730a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a5af1",
        "fe",
        "",
        "30ff",
    ]
    for body in bodies:
        for kind, values in ((0xF1, 7), (0xF2, 7), (0xF4, 6), (0xFA, 6)):
            arguments = [0, 0, 0, 0] + [dice.choice([0, 1])] * (values == 7)
            code = b"".join(push(each) for each in arguments) + b"\x73" + OTHER + push(60_000) + bytes([kind])
            code += push(0) + b"\x52" + push(1) + b"\x54" + push(32) + b"\x52" + push(64) + push(0) + b"\xf3"
            for gas in (2_000, 40_000, 500_000):
                same({HERE: code, OTHER: bytes.fromhex(body)}, b"", gas)


def test_creations() -> None:
    for initial in (b"\x60\x01\x60\x00\xf3", b"\xfe", b"\x5f\x5f\xfd", b"\x60\x01\x60\x01\x55"):
        for kind in (b"\xf0", b"\xf5"):
            code = (
                push(int.from_bytes(initial.ljust(32, b"\0"), "big"))
                + push(0)
                + b"\x52"
                + (push(5) if kind == b"\xf5" else b"")
            )
            code += push(len(initial)) + push(0) + push(0) + kind + push(0) + b"\x52" + push(32) + push(0) + b"\xf3"
            same({HERE: code}, b"", 400_000)


def test_every_block_of_the_sample_day(day: Day) -> None:
    chain = Chain(day.memory(), day.genesis)
    fast = Executor(chain.nodes, day.genesis.chain_id, driver=Driver.FAST)
    for height in range(1, chain.head.number + 1):
        executed = fast.validate(chain.block(height - 1).header, chain.block(height))
        assert executed.block.hash == chain.block(height).hash


@pytest.mark.slow
def test_damaged_batches_and_tight_gas() -> None:
    """The contract itself, fed with broken bytes and too little gas: the same output, gas and state."""
    dice, world = random.Random(5), World()
    orders = [world.order() for _ in range(3)]
    world.send("seller", *(order.entry for order in orders))
    batch = world.batch("courier", [world.filing(order) for order in orders])
    whole = calls.submit_data(batch, world.now)
    seen = set()
    for number in range(400):
        data = bytearray(whole)
        for _ in range(dice.choice([0, 1, 1, 3])):
            data[dice.randrange(len(data))] = dice.randrange(256)
        if number % 5 == 0:
            del data[dice.randrange(len(data)) :]
        gas = dice.choice([10**8, dice.randrange(10**6)])
        found = []
        for driver in (CancunState, FastState):
            state = driver(world._db, world._state(world.root).execution_context, world.root)
            message = Message(gas=gas, to=CONTRACT, sender=SENDER, value=0, data=bytes(data), code=world.code)
            done = state.computation_class.apply_message(state, message, CONTEXT)
            state.lock_changes()
            logs = [] if done.is_error else done.get_log_entries()
            found.append((done.is_error, done.get_gas_remaining(), done.output, logs, state.make_state_root()))
        assert found[0] == found[1]
        seen.add(found[0][0])
    assert seen == {True, False}


def test_a_push_cut_by_the_end_of_the_code() -> None:
    assert program_of(b"\x7f\x01").run_at(0)[3][0] == (0x60, 1 << 248)
    for code in (b"\x7f\x01", b"\x60", b"\x5b\x61\x01", b"\x61\x5b\x5b"):
        same({HERE: code}, b"", 1_000)
