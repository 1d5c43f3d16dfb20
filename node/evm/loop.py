"""A faster opcode loop: py-evm's Cancun computation with the opcodes that contracts use most inlined over integers.

py-evm calls three functions for every opcode and checks every operand again. Here a program is decoded once, its stack
is a list of integers, and what only moves numbers (stack, arithmetic, memory words, jumps, hashes) is done in place;
storage, logs, calls and everything else goes through py-evm's own functions, as do creations and precompiles. The
meaning is py-evm's: the same gas, errors, memory and roots (`tests/node/test_evm_loop.py`). The audit never uses it.
"""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from typing import Any, Final, NamedTuple

from eth.abc import ComputationAPI, MessageAPI, StateAPI, TransactionContextAPI
from eth.exceptions import FullStack, Halt, InsufficientStack, InvalidJumpDestination, OutOfGas
from eth.vm.forks.cancun.computation import CancunComputation
from eth.vm.forks.cancun.state import CancunState
from eth.vm.logic.invalid import InvalidOpcode
from eth_hash.auto import keccak

MAX_WORD: Final = 2**256 - 1
SIGN: Final = 1 << 255
MAX_STACK: Final = 1024
PROGRAMS: Final = 256
"""Programs kept decoded."""
OPCODES: Final = CancunComputation.opcodes

# one number for all pushes, duplications and swaps: the argument tells them apart
STOP, ADD, MUL, SUB = 0x00, 0x01, 0x02, 0x03
LT, GT, SLT, SGT, EQ, ISZERO, AND, OR, XOR, NOT = 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19
SHL, SHR, SHA3, CALLDATALOAD, POP, MLOAD, MSTORE = 0x1B, 0x1C, 0x20, 0x35, 0x50, 0x51, 0x52
JUMP, JUMPI, JUMPDEST, PUSH, DUP, SWAP = 0x56, 0x57, 0x5B, 0x60, 0x80, 0x90
INLINED: Final = frozenset({
    ADD, MUL, SUB, LT, GT, SLT, SGT, EQ, ISZERO, AND, OR, XOR, NOT, SHL, SHR, SHA3, CALLDATALOAD, POP, MLOAD, MSTORE,
    JUMP, JUMPI, JUMPDEST, PUSH, DUP, SWAP,
})  # fmt: skip


class Program(NamedTuple):
    """Code decoded once.

    Attributes:
        steps: for every place (opcode, argument, static gas if inlined, next place); behind the code it stops.
        targets: where jumps may lead.
    """

    steps: tuple[tuple[int, int, int, int], ...]
    targets: frozenset[int]


@lru_cache(maxsize=PROGRAMS)
def program_of(code: bytes) -> Program:
    """Decode code; what lies inside the data of a push is no place to be."""
    steps: list[tuple[int, int, int, int]] = [(STOP, 0, 0, 0)] * (len(code) + 1)
    targets = set()
    at = 0
    while at < len(code):
        opcode, size, argument = code[at], 1, 0
        number = opcode
        if 0x5F <= opcode <= 0x7F:
            size += opcode - 0x5F
            number, argument = PUSH, int.from_bytes(code[at + 1 : at + size].ljust(size - 1, b"\0"), "big")
        elif 0x80 <= opcode <= 0x8F:
            number, argument = DUP, 0x7F - opcode
        elif 0x90 <= opcode <= 0x9F:
            number, argument = SWAP, 0x8E - opcode
        elif opcode == JUMPDEST:
            targets.add(at)
        gas = OPCODES[opcode].gas_cost if number in INLINED else 0
        steps[at] = (number, argument, gas, min(at + size, len(code)))
        at += size
    return Program(tuple(steps), frozenset(targets))


def _expansion_gas(size: int, end: int) -> int:
    """Return the gas for memory that grows from `size` to hold `end` bytes (yellow paper, appendix H)."""
    before, after = size >> 5, (end + 31) >> 5
    return 3 * (after - before) + after * after // 512 - before * before // 512


def _grow(computation: Any, end: int) -> bytearray:
    """Grow the memory to whole words that hold `end` bytes, and return it."""
    memory: bytearray = computation._memory._bytes
    more = bytes(((end + 31) >> 5 << 5) - len(memory))
    try:
        memory += more
    except BufferError:  # a view of it is still held, so it cannot move; py-evm makes a copy then too
        memory = bytearray(memory) + more
        computation._memory._bytes = memory
    return memory


def run(computation: Any, program: Program) -> None:  # noqa: C901  # one loop: that is its point
    """Run a program to its end.

    Raises:
        Halt: it ended, by STOP, RETURN or SELFDESTRUCT.
        VMError: it failed, as in py-evm.
    """
    steps, targets = program
    meter, code_stream = computation._gas_meter, computation.code
    memory, stack = computation._memory._bytes, computation._stack.values
    data = computation.msg.data_as_bytes
    gas, size, at = meter.gas_remaining, len(memory), 0
    push, pop, number_of = stack.append, stack.pop, int.from_bytes
    try:
        while True:
            opcode, argument, cost, following = steps[at]
            gas -= cost
            if gas < 0:
                raise OutOfGas("Out of gas")
            if opcode == PUSH:
                push(argument)
            elif opcode == DUP:
                push(stack[argument])
            elif opcode == MLOAD:
                start = pop()
                end = start + 32
                if size < end:
                    gas -= _expansion_gas(size, end)
                    if gas < 0:
                        raise OutOfGas("Out of gas: memory")
                    memory = _grow(computation, end)
                    size = len(memory)
                push(number_of(memory[start:end], "big"))
            elif opcode == MSTORE:
                start = pop()
                value = pop()
                end = start + 32
                if size < end:
                    gas -= _expansion_gas(size, end)
                    if gas < 0:
                        raise OutOfGas("Out of gas: memory")
                    memory = _grow(computation, end)
                    size = len(memory)
                memory[start:end] = value.to_bytes(32, "big")
            elif opcode == JUMPI:
                target = pop()
                if pop():
                    if target not in targets:
                        raise InvalidJumpDestination("Invalid jump destination")
                    at = target
                    continue
            elif opcode == JUMPDEST:
                pass
            elif opcode == AND:
                push(pop() & pop())
            elif opcode == ISZERO:
                push(0 if pop() else 1)
            elif opcode == ADD:
                push((pop() + pop()) & MAX_WORD)
            elif opcode == SWAP:
                stack[-1], stack[argument] = stack[argument], stack[-1]
            elif opcode == POP:
                pop()
            elif opcode == SHR:
                shift = pop()
                value = pop()
                push(value >> shift if shift < 256 else 0)
            elif opcode == JUMP:
                at = pop()
                if at not in targets:
                    raise InvalidJumpDestination("Invalid jump destination")
                continue
            elif opcode == OR:
                push(pop() | pop())
            elif opcode == SHL:
                shift = pop()
                value = pop()
                push(value << shift & MAX_WORD if shift < 256 else 0)
            elif opcode == XOR:
                push(pop() ^ pop())
            elif opcode == LT:
                push(1 if pop() < pop() else 0)
            elif opcode == GT:
                push(1 if pop() > pop() else 0)
            elif opcode == EQ:
                push(1 if pop() == pop() else 0)
            elif opcode == SLT:
                push(1 if pop() ^ SIGN < pop() ^ SIGN else 0)
            elif opcode == SGT:
                push(1 if pop() ^ SIGN > pop() ^ SIGN else 0)
            elif opcode == SUB:
                value = pop()
                push((value - pop()) & MAX_WORD)
            elif opcode == MUL:
                push(pop() * pop() & MAX_WORD)
            elif opcode == NOT:
                push(pop() ^ MAX_WORD)
            elif opcode == SHA3:
                start = pop()
                length = pop()
                end = start + length
                if length and size < end:
                    gas -= _expansion_gas(size, end)
                    if gas < 0:
                        raise OutOfGas("Out of gas: memory")
                    memory = _grow(computation, end)
                    size = len(memory)
                gas -= 6 * ((length + 31) >> 5)
                if gas < 0:
                    raise OutOfGas("Out of gas: hash")
                push(number_of(keccak(bytes(memory[start:end])), "big"))
            elif opcode == CALLDATALOAD:
                start = pop()
                push(number_of(data[start : start + 32].ljust(32, b"\0"), "big"))
            else:  # through py-evm, which charges it whole
                meter.gas_remaining = gas
                code_stream.program_counter = following
                (OPCODES.get(opcode) or InvalidOpcode(opcode))(computation=computation)
                gas, memory = meter.gas_remaining, computation._memory._bytes
                size = len(memory)
                if stack and type(stack[-1]) is bytes:  # it pushes what it has at hand
                    stack[-1] = number_of(stack[-1], "big")
            if len(stack) > MAX_STACK:
                raise FullStack("Stack limit reached")
            at = following
    except IndexError as error:
        raise InsufficientStack("Not enough on the stack") from error


class FastComputation(CancunComputation):  # type: ignore[misc]  # py-evm's classes are untyped
    """Cancun's computation with the loop above."""

    @classmethod
    def apply_computation(
        cls,
        state: StateAPI,
        message: MessageAPI,
        transaction_context: TransactionContextAPI,
        parent_computation: ComputationAPI | None = None,
    ) -> ComputationAPI:
        """Run a message; creations, precompiles and accounts without code as py-evm does."""
        if message.is_create or not message.code or message.code_address in cls._precompiles:
            return super().apply_computation(state, message, transaction_context, parent_computation)
        with cls(state, message, transaction_context) as computation:
            computation.contracts_created = parent_computation.contracts_created if parent_computation else []
            with suppress(Halt):
                run(computation, program_of(message.code))
        return computation


class FastState(CancunState):  # type: ignore[misc]  # py-evm's classes are untyped
    """Cancun's state whose computations run in the loop above."""

    computation_class = FastComputation
