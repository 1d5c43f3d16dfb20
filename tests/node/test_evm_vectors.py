"""What the EIPs state for Cancun, on both drivers: gas, refunds, memory, addresses and limits, each by its source.

No package of a registry brings Ethereum's published execution tests, so these are the cases that stand in the texts
themselves: they judge both drivers by something neither of them computed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import pytest
from eth.db.atomic import AtomicDB
from eth.vm.execution_context import ExecutionContext
from eth.vm.forks.cancun.state import CancunState
from eth.vm.forks.cancun.transaction_context import CancunTransactionContext
from eth.vm.message import Message

from node.blocks import EMPTY_ROOT
from node.evm.loop import FastState
from tests.node.evm_programs import pushes

pytestmark = pytest.mark.filterwarnings("ignore:SELFDESTRUCT opcode:DeprecationWarning")
SENDER, HERE, OTHER = b"\x0c" * 20, b"\x0a" * 20, b"\x0b" * 20
GAS: Final = 1_000_000
TOP: Final = bytes.fromhex("5f5260205ff3")
"""Returns the top of the stack."""
ALL: Final = bytes.fromhex("595ff3")
"""Returns the whole memory."""
DRIVERS: Final = {"plain": CancunState, "fast": FastState}
COLD_SLOT: Final = 2_100


@pytest.fixture(params=sorted(DRIVERS))
def make(request: pytest.FixtureRequest) -> Any:
    return DRIVERS[request.param]


@dataclass(frozen=True)
class Done:
    """What became of a program."""

    error: str
    used: int
    refund: int
    output: bytes
    state: Any

    def word(self, slot: int = 0, address: bytes = HERE) -> int:
        value: int = self.state.get_storage(address, slot)
        return value


def run(make: Any, code: bytes, *, slot: int = 0, here: bytes = HERE, gas: int = GAS, other: bytes = b"") -> Done:
    """Run code at an account whose slot 0 holds a word; `other` is the code of another one."""
    context = ExecutionContext(SENDER, 1_700_000_000, 7, 0, bytes(32), 10**9, [b"\1" * 32], 4242, 0, 0)
    state = make(AtomicDB(), context, EMPTY_ROOT)
    for address, held in ((here, code), (OTHER, other)):
        state.set_code(address, held)
        state.set_nonce(address, 1)
        state.set_balance(address, 1_000)
    state.set_storage(here, 0, slot)
    state.lock_changes()
    message = Message(gas=gas, to=here, sender=SENDER, value=0, data=b"", code=code)
    transaction = CancunTransactionContext(gas_price=0, origin=SENDER, blob_versioned_hashes=[b"\1" + bytes(31)])
    done = state.computation_class.apply_message(state, message, transaction)
    error = type(done.error).__name__ if done.is_error else ""
    refund = 0 if done.is_error else done.get_gas_refund()
    return Done(error, gas - done.get_gas_remaining(), refund, done.output, state)


STORES: Final = (
    ("60006000556000600055", 212, 0, 0), ("60006000556001600055", 20_112, 0, 0),
    ("60016000556000600055", 20_112, 19_900, 0), ("60016000556002600055", 20_112, 0, 0),
    ("60016000556001600055", 20_112, 0, 0), ("60006000556000600055", 3_012, 4_800, 1),
    ("60006000556001600055", 3_012, 2_800, 1), ("60006000556002600055", 3_012, 0, 1),
    ("60026000556000600055", 3_012, 4_800, 1), ("60026000556003600055", 3_012, 0, 1),
    ("60026000556001600055", 3_012, 2_800, 1), ("60026000556002600055", 3_012, 0, 1),
    ("60016000556000600055", 3_012, 4_800, 1), ("60016000556002600055", 3_012, 0, 1),
    ("60016000556001600055", 212, 0, 1), ("600160005560006000556001600055", 40_118, 19_900, 0),
    ("600060005560016000556000600055", 5_918, 7_600, 1),
)  # fmt: skip
"""EIP-3529, the table of its test cases: code, gas on a warm slot, refund, word before."""


@pytest.mark.parametrize(("code", "gas", "refund", "before"), STORES)
def test_stores_cost_and_refund_what_eip_3529_says(make: Any, code: str, gas: int, refund: int, before: int) -> None:
    done = run(make, bytes.fromhex(code), slot=before)
    assert (done.error, done.used, done.refund) == ("", gas + COLD_SLOT, refund)


def test_a_store_needs_more_than_the_stipend(make: Any) -> None:
    """EIP-2200: with 2,300 gas or less left it fails, whatever it would cost; 100 of 2,301 suffice for no change."""
    warm = "5f5450" + "5f5f55"
    before = 2 + COLD_SLOT + 2 + 2 * 2
    assert run(make, bytes.fromhex(warm), gas=before + 2_300).error == "OutOfGas"
    assert run(make, bytes.fromhex(warm), gas=before + 2_301).error == ""


@pytest.mark.parametrize(
    ("code", "used"),
    [
        ("5f545f5450", 2 + 2_100 + 2 + 100 + 2),  # SLOAD cold, then warm
        ("73" + OTHER.hex() + "3b73" + OTHER.hex() + "3b", 3 + 2_600 + 3 + 100),  # EXTCODESIZE
        ("73" + OTHER.hex() + "3173" + OTHER.hex() + "3f", 3 + 2_600 + 3 + 100),  # BALANCE, EXTCODEHASH
        ("5f5f5f5f73" + OTHER.hex() + "5ffa", 5 * 2 + 3 + 2_600),  # STATICCALL
        ("5f5f5f5f60045ffa", 5 * 2 + 3 + 100),  # a precompile is warm
        ("5f5f5f5f303b", 4 * 2 + 2 + 2_600),  # what runs is warm only where a transaction made it so
    ],
)
def test_what_is_touched_first_is_dear(make: Any, code: str, used: int) -> None:
    """EIP-2929: 2,100 for a slot, 2,600 for an account, 100 afterwards."""
    done = run(make, bytes.fromhex(code))
    assert (done.error, done.used) == ("", used)


MEMORY: Final = bytes(range(32))
COPIES: Final = (
    (bytes(32) + MEMORY, 0, 32, 32, MEMORY + MEMORY),
    (b"\1" * 32, 0, 0, 32, b"\1" * 32),
    (bytes(range(9)) + bytes(23), 0, 1, 8, bytes([1, 2, 3, 4, 5, 6, 7, 8, 8]) + bytes(23)),
    (bytes(range(9)) + bytes(23), 1, 0, 8, bytes([0, 0, 1, 2, 3, 4, 5, 6, 7]) + bytes(23)),
)
"""EIP-5656, its test cases: memory before, target, source, length, memory after."""


@pytest.mark.parametrize(("before", "target", "source", "length", "after"), COPIES)
def test_mcopy_copies_as_if_through_a_buffer(
    make: Any, before: bytes, target: int, source: int, length: int, after: bytes
) -> None:
    filled = b"".join(
        b"\x7f" + before[at : at + 32] + pushes(at) + b"\x52" for at in range(0, len(before), 32)
    )  # fmt: skip
    copy = pushes(length, source, target) + b"\x5e"
    done = run(make, filled + copy + ALL)
    assert done.output == after
    without = run(make, filled + pushes(length, source, target) + b"\x50\x50\x50" + ALL)
    assert done.used - without.used == 6 - 3 * 2, "6 gas, against three POP of 2"


def test_push0(make: Any) -> None:
    """EIP-3855, its test cases: one costs 2, 1,024 fill the stack, one more fails."""
    assert run(make, b"\x5f").used == 2
    assert run(make, b"\x5f" * 1_024).error == ""
    assert run(make, b"\x5f" * 1_025).error == "FullStack"
    assert run(make, b"\x5f" + TOP).output == bytes(32)


SHIFTS: Final = (
    ("1b", 1, 0, 1), ("1b", 1, 1, 2), ("1b", 1, 0xFF, 1 << 255), ("1b", 1, 0x100, 0), ("1b", 1, 0x101, 0),
    ("1b", 2**256 - 1, 1, 2**256 - 2), ("1b", 2**256 - 1, 0xFF, 1 << 255), ("1b", 2**255 - 1, 1, 2**256 - 2),
    ("1c", 1, 1, 0), ("1c", 1 << 255, 1, 1 << 254), ("1c", 1 << 255, 0xFF, 1), ("1c", 1 << 255, 0x100, 0),
    ("1c", 2**256 - 1, 1, 2**255 - 1), ("1c", 2**256 - 1, 0x101, 0),
    ("1d", 1 << 255, 1, 3 << 254), ("1d", 1 << 255, 0xFF, 2**256 - 1), ("1d", 1 << 255, 0x101, 2**256 - 1),
    ("1d", 1 << 254, 0xFE, 1), ("1d", 2**255 - 1, 0xF8, 0x7F), ("1d", 2**255 - 1, 0x100, 0),
)  # fmt: skip


@pytest.mark.parametrize(("opcode", "value", "shift", "result"), SHIFTS)
def test_shifts(make: Any, opcode: str, value: int, shift: int, result: int) -> None:
    """EIP-145, its test cases: the shift fixed by a push, and come from storage."""
    done = run(make, pushes(value, shift) + bytes.fromhex(opcode) + TOP)
    assert int.from_bytes(done.output, "big") == result
    loaded = run(make, pushes(value) + bytes.fromhex("5f54" + opcode) + TOP, slot=shift)
    assert int.from_bytes(loaded.output, "big") == result


CREATED: Final = (
    ("00" * 20, 0, "00", "4D1A2e2bB4F88F0250f26Ffff098B0b30B26BF38"),
    ("deadbeef" + "00" * 16, 0, "00", "B928f69Bb1D91Cd65274e3c79d8986362984fDA3"),
    ("deadbeef" + "00" * 16, 0xFEED << 144, "00", "D04116cDd17beBE565EB2422F2497E06cC1C9833"),
    ("00" * 20, 0, "deadbeef", "70f2b2914A2a4b783FaEFb75f459A580616Fcb5e"),
    ("00" * 16 + "deadbeef", 0xCAFEBABE, "deadbeef", "60f3f640a8508fC6a86d45DF051962668E1e8AC7"),
    ("00" * 20, 0, "", "E33C0C7F7df4809055C3ebA6c09CFe4BaF1BD9e0"),
)
"""EIP-1014, its examples: who creates, salt, creation code, address."""


@pytest.mark.parametrize(("here", "salt", "initial", "address"), CREATED)
def test_addresses_of_create2(make: Any, here: str, salt: int, initial: str, address: str) -> None:
    data, creator = bytes.fromhex(initial), bytes.fromhex(here)
    code = pushes(int.from_bytes(data.ljust(32, b"\0"), "big"), 0) + b"\x52"
    code += pushes(salt, len(data), 0, 0) + b"\xf5" + TOP
    done = run(make, code, here=creator)
    stops = data in (b"", b"\0")
    assert done.output[12:] == (bytes.fromhex(address) if stops else bytes(20)), "0xde is no opcode"
    assert done.state.get_nonce(creator) == 2
    assert done.state.get_nonce(bytes.fromhex(address)) == int(stops)


@pytest.mark.parametrize(
    ("runtime", "kept"), [("ef", False), ("ef00", False), ("ef0000000000", False), ("fe", True), ("00ef", True)]
)
def test_no_code_begins_with_ef(make: Any, runtime: str, kept: bool) -> None:
    """EIP-3541, its test cases."""
    data = bytes.fromhex(runtime)
    initial = b"\x5f" + bytes([0x5F + len(data)]) + data + b"\x5f\x52\x50" + pushes(len(data), 32 - len(data)) + b"\xf3"
    code = pushes(int.from_bytes(initial.ljust(32, b"\0"), "big"), 0) + b"\x52" + pushes(len(initial), 0, 0) + b"\xf0"
    done = run(make, code + TOP)
    assert any(done.output) == kept
    if kept:
        assert done.state.get_code(done.output[12:]) == data


@pytest.mark.parametrize(("size", "fails"), [(49_152, False), (49_153, True)])
def test_creation_code_is_bounded(make: Any, size: int, fails: bool) -> None:
    """EIP-3860: at most 49,152 bytes; one more ends the creator too."""
    assert (run(make, pushes(size, 0, 0) + b"\xf0").error != "") == fails


def test_transient_words(make: Any) -> None:
    """EIP-1153: 100 gas each, undone by a revert, another account's own, not of a static call."""
    assert run(make, pushes(1, 0) + b"\x5d").used == 4 + 1 + 100
    kept = run(make, pushes(8, 1) + b"\x5d" + pushes(1) + b"\x5c" + TOP)
    assert int.from_bytes(kept.output, "big") == 8
    call = bytes.fromhex("5f5f5f5f5f73" + OTHER.hex() + "5af1")
    own = run(make, pushes(8, 1) + b"\x5d" + call + pushes(1) + b"\x5c" + TOP, other=pushes(9, 1) + b"\x5d")
    assert int.from_bytes(own.output, "big") == 8
    static = bytes.fromhex("5f5f5f5f73" + OTHER.hex() + "5afa")
    assert int.from_bytes(run(make, static + TOP, other=pushes(1, 0) + b"\x5d").output, "big") == 0
    delegate = bytes.fromhex("5f5f5f5f73" + OTHER.hex() + "5af4")
    reverts = pushes(9, 1) + b"\x5d" + pushes(0, 0) + b"\xfd"
    undone = run(make, pushes(8, 1) + b"\x5d" + delegate + pushes(1) + b"\x5c" + TOP, other=reverts)
    assert int.from_bytes(undone.output, "big") == 8


def test_blobs_of_a_chain_without_blobs(make: Any) -> None:
    """EIP-4844 and 7516: BLOBHASH costs 3 and is 0 behind the last; BLOBBASEFEE costs 2 and is at least 1."""
    assert run(make, b"\x5f\x49" + TOP).output == b"\1" + bytes(31)
    assert run(make, pushes(1) + b"\x49" + TOP).output == bytes(32)
    assert run(make, b"\x5f\x49").used == 2 + 3
    assert run(make, b"\x4a").used == 2
    assert int.from_bytes(run(make, b"\x4a" + TOP).output, "big") == 1


def test_selfdestruct_only_pays_out_what_is_older(make: Any) -> None:
    """EIP-6780: code, nonce and storage stay where the account was not made in the same transaction."""
    done = run(make, b"\x73" + OTHER + b"\xff", slot=5)
    assert (done.error, done.word()) == ("", 5)
    assert done.state.get_balance(HERE) == 0
    assert done.state.get_balance(OTHER) == 2_000
    assert done.state.get_code(HERE)


def test_hashes_of_code(make: Any) -> None:
    """EIP-1052: 0 of what is not there, of no code the hash of nothing, else of the code."""
    ask = bytes.fromhex("73" + OTHER.hex() + "3f") + TOP
    empty = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert run(make, ask).output.hex() == empty
    assert run(make, bytes.fromhex("61dead3f") + TOP).output == bytes(32)
    stop = "bc36789e7a1e281436464229828f817d6612f7b477d66591ff96a9e064bcc98a"
    assert run(make, ask, other=b"\0").output.hex() == stop
