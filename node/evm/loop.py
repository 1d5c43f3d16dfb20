"""A faster opcode loop: py-evm's Cancun computation with the opcodes that contracts use most inlined over integers.

py-evm calls three functions for every opcode and checks every operand again. Here a program is decoded once
(`node.evm.program`), its stack is a list of integers, and what moves numbers, memory words and words of storage is done
in place. Logs, calls and everything else go through py-evm's own functions, as do creations and precompiles; a run that
lacks gas or room on the stack goes through py-evm whole. Where it comes by often, Python is made of the ledger
contract's code (`node.evm.traces`). The meaning is py-evm's: the same gas, errors, memory and roots
(`tests/node/test_evm_loop.py`). The audit never uses it.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any, Final

from eth.abc import ComputationAPI, MessageAPI, SignedTransactionAPI, StateAPI, TransactionContextAPI
from eth.exceptions import Halt, InvalidJumpDestination, OutOfGas, WriteProtection
from eth.vm.forks.cancun.computation import CancunComputation
from eth.vm.forks.cancun.state import CancunState
from eth.vm.logic.invalid import InvalidOpcode

from ledger.genesis import CONTRACT
from node.evm.accounts import FastAccountDB
from node.evm.costs import COLD, STIPEND, WARM, grow, store
from node.evm.hashing import keccak

# isort: off
from node.evm.program import (
    ADD, ADD_TO, AND, AND_WITH, CALLDATACOPY, CALLDATALOAD, CALLDATASIZE, CALLER, CODECOPY, COPY_WORD, DATA_AT, DROP,
    DUP, EQ, GT, HASH_AT, HASH_FROM, ISZERO, JUMP, JUMP_IF, JUMP_UNLESS, JUMPI, LOAD_ADD, LOAD_AND, LOAD_AT, LT,
    MAX_WORD, MCOPY, MLOAD, MSTORE, MUL, NOT, OPCODES, OR, POP, PUSH, PUSHES, SGT, SHA3, SHL, SHL_BY, SHR, SHR_BY,
    SLOAD, SLT, SSTORE, STORE_AT, STORE_WORD, SUB, SWAP, XOR, Program, program_of,
)  # fmt: skip

# isort: on
from node.evm.quick import QuickExecutor
from node.evm.slots import Caches
from node.evm.traces import trace_at

SIGN: Final = 1 << 255
MAX_STACK: Final = 1024
HOT: Final = 24
"""How often the loop comes by before a place becomes a trace; making one takes a millisecond, which 400 runs save."""
MAX_TRACES: Final = 2_000
"""Traces of one program at most."""
TRACED: Final = frozenset({CONTRACT})
"""Addresses whose code may become Python: the ledger's, which is known. A stranger's could be written so that making
Python of it costs a thousand times what running it costs."""


def _finish(computation: Any) -> None:
    """Let py-evm go on from here to the end."""
    for opcode in computation.code:
        (OPCODES.get(opcode) or InvalidOpcode(opcode))(computation=computation)


def run(computation: Any, program: Program) -> None:  # noqa: C901  # one loop: that is its point
    """Run a program to its end.

    Raises:
        Halt: it ended, by STOP, RETURN or SELFDESTRUCT.
        VMError: it failed, as in py-evm.
    """
    runs, targets = program.runs, program.targets
    meter, code_stream, message = computation._gas_meter, computation.code, computation.msg
    memory, stack = computation._memory._bytes, computation._stack.values
    data, database = message.data_as_bytes, computation.state._account_db
    slots, warmed = database.slots(message.storage_address), database.warmed
    values, warm = slots.values, slots.warm
    gas, size, at = meter.gas_remaining, len(memory), 0
    push, pop, number_of = stack.append, stack.pop, int.from_bytes
    traces, heat, holder = program.traces, program.heat, computation._memory
    traced = message.code_address in TRACED
    while True:
        trace = traces.get(at)
        if trace is not None:
            while trace is not None:
                at, gas = trace(stack, gas, computation, holder, slots, data)
                trace = traces.get(at)
            if at < 0:
                at = ~at
            memory = holder._bytes
            size, values = len(memory), slots.values
        if traced:
            heat[at] = times = heat.get(at, 0) + 1
            if times == HOT and len(traces) < MAX_TRACES:
                found = trace_at(program, at)
                if found is not None:
                    traces[at] = found
        cost, need, room, steps, following = runs.get(at) or program.run_at(at)
        gas -= cost
        if gas < 0 or not need <= len(stack) <= MAX_STACK - room:
            meter.gas_remaining, code_stream.program_counter = gas + cost, at
            return _finish(computation)
        at = following
        for opcode, argument in steps:
            if opcode > 0xFF:  # of several opcodes
                if opcode == LOAD_AT:
                    start, end = argument
                    if size < end:
                        memory, size, gas = grow(computation, end, gas)
                    push(number_of(memory[start:end], "big"))
                elif opcode == STORE_AT:
                    start, end = argument
                    if size < end:
                        memory, size, gas = grow(computation, end, gas)
                    memory[start:end] = pop().to_bytes(32, "big")
                elif opcode == PUSHES:
                    stack += argument
                elif opcode == JUMP_UNLESS:
                    if not pop():
                        at = argument
                elif opcode == JUMP_IF:
                    if pop():
                        at = argument
                elif opcode == COPY_WORD:
                    start, end, target, behind = argument
                    if size < end:
                        memory, size, gas = grow(computation, end, gas)
                    if size < behind:
                        memory, size, gas = grow(computation, behind, gas)
                    memory[target:behind] = memory[start:end]
                elif opcode == LOAD_AND:
                    start, end = argument
                    if size < end:
                        memory, size, gas = grow(computation, end, gas)
                    stack[-1] &= number_of(memory[start:end], "big")
                elif opcode == SHL_BY:
                    stack[-1] = stack[-1] << argument & MAX_WORD
                elif opcode == STORE_WORD:
                    start, end, word = argument
                    if size < end:
                        memory, size, gas = grow(computation, end, gas)
                    memory[start:end] = word
                elif opcode == SHR_BY:
                    stack[-1] >>= argument
                elif opcode == ADD_TO:
                    stack[-1] = stack[-1] + argument & MAX_WORD
                elif opcode == AND_WITH:
                    stack[-1] &= argument
                elif opcode == LOAD_ADD:
                    start, end = argument
                    if size < end:
                        memory, size, gas = grow(computation, end, gas)
                    stack[-1] = stack[-1] + number_of(memory[start:end], "big") & MAX_WORD
                elif opcode == DATA_AT:
                    push(number_of(data[argument : argument + 32].ljust(32, b"\0"), "big"))
                elif opcode == HASH_AT:
                    start, length = argument
                    end = start + length
                    if length and size < end:
                        memory, size, gas = grow(computation, end, gas)
                    gas -= 6 * ((length + 31) >> 5)
                    if gas < 0:
                        raise OutOfGas("Out of gas: hash")
                    push(number_of(keccak(memory[start:end]), "big"))
                elif opcode == HASH_FROM:
                    length = stack[-1]
                    end = argument + length
                    if length and size < end:
                        memory, size, gas = grow(computation, end, gas)
                    gas -= 6 * ((length + 31) >> 5)
                    if gas < 0:
                        raise OutOfGas("Out of gas: hash")
                    stack[-1] = number_of(keccak(memory[argument:end]), "big")
                elif opcode == DROP:
                    top = pop()
                    stack[-1] = top
                else:  # OTHER: through py-evm, which charges it whole
                    meter.gas_remaining = gas
                    number, code_stream.program_counter = argument
                    (OPCODES.get(number) or InvalidOpcode(number))(computation=computation)
                    gas, memory, values = meter.gas_remaining, computation._memory._bytes, slots.values
                    size = len(memory)
                    if stack and type(stack[-1]) is bytes:  # it pushes what it has at hand
                        stack[-1] = number_of(stack[-1], "big")
            elif opcode == PUSH:
                push(argument)
            elif opcode == DUP:
                push(stack[argument])
            elif opcode == AND:
                stack[-1] = pop() & stack[-1]
            elif opcode == ADD:
                stack[-1] = pop() + stack[-1] & MAX_WORD
            elif opcode == OR:
                stack[-1] = pop() | stack[-1]
            elif opcode == XOR:
                stack[-1] = pop() ^ stack[-1]
            elif opcode == LT:
                stack[-1] = 1 if pop() < stack[-1] else 0
            elif opcode == POP:
                pop()
            elif opcode == GT:
                stack[-1] = 1 if pop() > stack[-1] else 0
            elif opcode == EQ:
                stack[-1] = 1 if pop() == stack[-1] else 0
            elif opcode == SWAP:
                stack[-1], stack[argument] = stack[argument], stack[-1]
            elif opcode == MLOAD:
                start = stack[-1]
                end = start + 32
                if size < end:
                    memory, size, gas = grow(computation, end, gas)
                stack[-1] = number_of(memory[start:end], "big")
            elif opcode == MSTORE:
                start = pop()
                end = start + 32
                if size < end:
                    memory, size, gas = grow(computation, end, gas)
                memory[start:end] = pop().to_bytes(32, "big")
            elif opcode == SLOAD:
                slot = stack[-1]
                if slot in warm:
                    gas -= WARM
                else:
                    warm.add(slot)
                    warmed.append((warm, slot))
                    gas -= COLD
                if gas < 0:
                    raise OutOfGas("Out of gas: SLOAD")
                value = values.get(slot)
                stack[-1] = slots.load(slot) if value is None else value
            elif opcode == ISZERO:
                stack[-1] = 0 if stack[-1] else 1
            elif opcode == SSTORE:
                if message.is_static:
                    raise WriteProtection("Cannot modify state while inside of a STATICCALL context")
                if gas <= STIPEND:
                    raise OutOfGas("Out of gas: SSTORE")
                slot = pop()
                gas -= store(computation, slots, slot, pop())
                if gas < 0:
                    raise OutOfGas("Out of gas: SSTORE")
            elif opcode == MCOPY or opcode == CODECOPY or opcode == CALLDATACOPY:  # noqa: SIM109  # a tuple is slower
                target, start, length = pop(), pop(), pop()
                gas -= 3 * ((length + 31) >> 5)
                if gas < 0:
                    raise OutOfGas("Out of gas: copy")
                if length:
                    end = (max(target, start) if opcode == MCOPY else target) + length
                    if size < end:
                        memory, size, gas = grow(computation, end, gas)
                    source = memory if opcode == MCOPY else program.code if opcode == CODECOPY else data
                    memory[target : target + length] = source[start : start + length].ljust(length, b"\0")
            elif opcode == JUMP:
                at = pop()
                if at not in targets:
                    raise InvalidJumpDestination("Invalid jump destination")
            elif opcode == JUMPI:
                target = pop()
                if pop():
                    if target not in targets:
                        raise InvalidJumpDestination("Invalid jump destination")
                    at = target
            elif opcode == SHL:
                shift = pop()
                stack[-1] = stack[-1] << shift & MAX_WORD if shift < 256 else 0
            elif opcode == SHR:
                shift = pop()
                stack[-1] = stack[-1] >> shift if shift < 256 else 0
            elif opcode == SHA3:
                start = pop()
                length = stack[-1]
                end = start + length
                if length and size < end:
                    memory, size, gas = grow(computation, end, gas)
                gas -= 6 * ((length + 31) >> 5)
                if gas < 0:
                    raise OutOfGas("Out of gas: hash")
                stack[-1] = number_of(keccak(memory[start:end]), "big")
            elif opcode == CALLDATALOAD:
                start = stack[-1]
                stack[-1] = number_of(data[start : start + 32].ljust(32, b"\0"), "big")
            elif opcode == SUB:
                stack[-1] = pop() - stack[-1] & MAX_WORD
            elif opcode == MUL:
                stack[-1] = pop() * stack[-1] & MAX_WORD
            elif opcode == NOT:
                stack[-1] ^= MAX_WORD
            elif opcode == SLT:
                stack[-1] = 1 if pop() ^ SIGN < stack[-1] ^ SIGN else 0
            elif opcode == SGT:
                stack[-1] = 1 if pop() ^ SIGN > stack[-1] ^ SIGN else 0
            elif opcode == CALLER:
                push(number_of(message.sender, "big"))
            elif opcode == CALLDATASIZE:
                push(len(data))


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
    """Cancun's state whose computations run in the loop above, on the faster account database."""

    computation_class = FastComputation
    transaction_executor_class = QuickExecutor
    checked: SignedTransactionAPI | None = None
    """The transaction that may come next as it is: nothing happened since it was checked."""

    def __init__(self, db: Any, context: Any, state_root: bytes, caches: Caches | None = None) -> None:
        """Take py-evm's arguments and what is kept from block to block."""
        self._caches = caches or Caches()
        super().__init__(db, context, state_root)

    def get_account_db_class(self) -> Any:
        """Return what makes the account database."""
        return partial(FastAccountDB, caches=self._caches)

    @property
    def again(self) -> dict[bytes, int]:
        """How often beyond the first time a node or code came, by hash."""
        return dict(self._account_db.tries.again)

    @property
    def dead(self) -> tuple[bytes, ...]:
        """Hashes of the nodes that went, one for each place."""
        return tuple(self._account_db.tries.dead)

    @property
    def tips(self) -> tuple[bytes, ...]:
        """Hashes of what came that may have been kept before: unless one of them was, nothing was."""
        return tuple(self._account_db.tries.tips)
