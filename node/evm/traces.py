"""Hot places of a program as Python: a straight way through it (a trace) becomes one function over local variables.

A trace begins where the loop often comes by. It follows the code past jumps whose target is known and along the way
that conditions mostly took; what leaves it puts the stack right and says where to go on. Gas of plain opcodes and room
on the stack are checked once, on entry: if either does not suffice for the whole trace, nothing is done and the loop
takes over at its beginning, opcode by opcode if need be. So every error arises where py-evm has it. The source is made
of numbers and of the templates below, of nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from eth.exceptions import InvalidJumpDestination, OutOfGas

from node.evm.costs import WARM, cold, copied, grown, stored
from node.evm.hashing import keccak

# isort: off
from node.evm.program import (
    ADD, AND, CALLDATACOPY, CALLDATALOAD, CALLDATASIZE, CALLER, CHARGED_LATER, CODECOPY, EFFECTS, EQ, GT, ISZERO, JUMP,
    JUMPDEST, JUMPI, LT, MAX_PLACE, MAX_WORD, MCOPY, MLOAD, MSTORE, MUL, NOT, OPCODES, OR, POP, SGT, SHA3, SHL, SHR,
    SLOAD, SLT, SSTORE, SUB, XOR, Program,
)  # fmt: skip

# isort: on
MAX_STACK: Final = 1024
SIGN: Final = 1 << 255
LONGEST: Final = 200
"""Opcodes of a trace at most; its last run may be as long once more."""
LONGEST_TEST: Final = 500
"""Characters of a comparison that is not yet a number: Python's parser takes 200 parentheses in one another."""

Trace = Callable[[list[Any], int, Any, Any, Any, bytes], tuple[int, int]]
"""Takes stack, gas, computation, memory, storage and calldata; returns where to go on, and the gas left.

A place below 0 is the complement of one at which the loop must do at least one run itself.
"""
Atom = int | str
"""A number known now, or the name of a local variable."""


SCOPE: Final = {
    "N": int.from_bytes, "keccak": keccak, "grown": grown, "copied": copied, "stored": stored, "cold": cold,
    "OutOfGas": OutOfGas, "InvalidJumpDestination": InvalidJumpDestination,
}  # fmt: skip
WORDS: Final[dict[int, tuple[str, Callable[[int, int], int]]]] = {
    ADD: (f"({{}} + {{}}) & {MAX_WORD}", lambda a, b: a + b & MAX_WORD),
    SUB: (f"({{}} - {{}}) & {MAX_WORD}", lambda a, b: a - b & MAX_WORD),
    MUL: (f"{{}} * {{}} & {MAX_WORD}", lambda a, b: a * b & MAX_WORD),
    AND: ("{} & {}", lambda a, b: a & b),
    OR: ("{} | {}", lambda a, b: a | b),
    XOR: ("{} ^ {}", lambda a, b: a ^ b),
    SHL: (f"({{1}} << {{0}} & {MAX_WORD} if {{0}} < 256 else 0)", lambda a, b: b << a & MAX_WORD if a < 256 else 0),
    SHR: ("({1} >> {0} if {0} < 256 else 0)", lambda a, b: b >> a if a < 256 else 0),
}
"""Opcodes of two words: the expression, and the same for numbers known now."""
TESTS: Final[dict[int, tuple[str, Callable[[int, int], bool]]]] = {
    LT: ("{} < {}", lambda a, b: a < b),
    GT: ("{} > {}", lambda a, b: a > b),
    EQ: ("{} == {}", lambda a, b: a == b),
    SLT: (f"({{}} ^ {SIGN}) < ({{}} ^ {SIGN})", lambda a, b: a ^ SIGN < b ^ SIGN),
    SGT: (f"({{}} ^ {SIGN}) > ({{}} ^ {SIGN})", lambda a, b: a ^ SIGN > b ^ SIGN),
}
"""Opcodes that compare: their result stays an expression until a number is asked for."""


class Tracer:
    """Writes the function of one trace."""

    def __init__(self, program: Program, start: int) -> None:
        """Take the program and where the trace begins."""
        self._code, self._targets, self._heat, self._start = program.code, program.targets, program.heat, start
        self._lines: list[str] = []
        self._stack: list[Atom] = []  # what stands above the words of the entry that are not touched
        self._taken = 0  # how many words of the entry stand in `_stack` instead
        self._loaded: set[str] = set()
        self._tests: dict[str, str] = {}
        self._words: dict[int, Atom] = {}  # what memory holds, by place
        self._size = 0  # bytes that memory surely has
        self._names = 0
        self._cost = self._until = 0  # gas of plain opcodes: to the run's beginning, to its end
        self._charged = False  # whether anything else was charged
        self._highest = 0

    # ------------------------------------------------------------------------------------------------ the way through
    def source(self) -> str | None:
        """Return the function's source, None if there is nothing to gain."""
        at: int | None = self._start
        count, seen = 0, set[int]()
        while at is not None and at not in seen and count < LONGEST and (not count or at in self._heat):
            seen.add(at)
            opcodes, cost = self._run_at(at)
            if not opcodes:
                break
            self._cost, self._until = self._until, self._until + cost
            if self._charged:
                self._line(f"if g < {self._until}:")
                self._leave(str(~at), self._cost, "    ")
            count += len(opcodes)
            at = self._walk(opcodes)
        if at is not None:
            self._leave(str(at), self._until)
        if count < 2:
            return None
        checks = [f"g < {self._until}"] * (self._until > 0)
        checks += [f"len(s) < {self._taken}"] * (self._taken > 0)
        checks += [f"len(s) > {MAX_STACK - self._highest}"] * (self._highest > 0)
        head = ["def trace(s, g, C, M, X, D):"]
        if checks:
            head += [f"    if {' or '.join(checks)}:", f"        return {~self._start}, g"]
        return "\n".join([*head, "    m = M._bytes", *("    " + line for line in self._lines)])

    def _run_at(self, at: int) -> tuple[list[tuple[int, int]], int]:
        """Return places and opcodes of the run that begins at a place, and what its plain opcodes cost."""
        code, found, cost = self._code, list[tuple[int, int]](), 0
        while at < len(code) and len(found) < LONGEST:
            opcode = code[at]
            if not (opcode in EFFECTS or (0x5F <= opcode <= 0x9F and opcode != MCOPY)):
                break
            found.append((at, opcode))
            cost += 0 if opcode in CHARGED_LATER else OPCODES[opcode].gas_cost
            at += 1 + (opcode - 0x5F if 0x5F < opcode <= 0x7F else 0)
            if opcode in (JUMP, JUMPI, SSTORE):
                break
        return found, cost

    def _walk(self, opcodes: list[tuple[int, int]]) -> int | None:
        """Write a run; return where the trace goes on, None if it has ended."""
        for at, opcode in opcodes:
            if opcode == JUMP:
                return self._jump()
            if opcode == JUMPI:
                return self._branch(at + 1)
            if 0x5F <= opcode <= 0x7F:
                size = opcode - 0x5F
                self._push(int.from_bytes(self._code[at + 1 : at + 1 + size].ljust(size, b"\0"), "big"))
                after = at + 1 + size
            else:
                self._write(opcode)
                after = at + 1
        return after

    def _jump(self) -> int | None:
        target = self._pop()
        if isinstance(target, int):
            if target in self._targets:
                return target
            self._line('raise InvalidJumpDestination("Invalid jump destination")')
            return None
        self._line(f"if {target} not in T:")
        self._line('    raise InvalidJumpDestination("Invalid jump destination")')
        self._leave(target, self._until)
        return None

    def _branch(self, following: int) -> int | None:
        target, condition = self._pop(), self._pop_test()
        if isinstance(target, int) and target not in self._targets:
            self._line(f"if {condition}:")
            self._line('    raise InvalidJumpDestination("Invalid jump destination")')
            return following
        if isinstance(target, int) and self._heat.get(target, 0) > self._heat.get(following, 0):
            self._line(f"if not ({condition}):")
            self._leave(str(following), self._until, "    ")
            return target
        self._line(f"if {condition}:")
        if not isinstance(target, int):
            self._line(f"    if {target} not in T:")
            self._line('        raise InvalidJumpDestination("Invalid jump destination")')
        self._leave(str(target), self._until, "    ")
        return following

    def _leave(self, target: str, cost: int, indent: str = "") -> None:
        """Put the stack right and return."""
        stack, taken = self._stack, self._taken
        same = 0
        while same < min(taken, len(stack)) and stack[same] == f"e{taken - same}":
            same += 1
        gone, new = taken - same, [self._inline(each) for each in stack[same:]]
        words = f"({', '.join(new)},)"
        if gone and new:
            self._line(f"{indent}s[-{gone}:] = {words}" if len(new) > 1 or gone > 1 else f"{indent}s[-1] = {new[0]}")
        elif gone:
            self._line(f"{indent}del s[-{gone}:]")
        elif new:
            self._line(f"{indent}s += {words}" if len(new) > 1 else f"{indent}s.append({new[0]})")
        self._line(f"{indent}return {target}, g - {cost}" if cost else f"{indent}return {target}, g")

    # --------------------------------------------------------------------------------------------------- stack, names
    def _line(self, text: str) -> None:
        self._lines.append(text)

    def _name(self, expression: str) -> str:
        self._names += 1
        self._line(f"v{self._names} = {expression}")
        return f"v{self._names}"

    def _push(self, atom: Atom) -> None:
        self._stack.append(atom)
        self._highest = max(self._highest, len(self._stack) - self._taken)

    def _reach(self, depth: int) -> None:
        """Take words of the entry until so many stand here."""
        while len(self._stack) < depth:
            self._taken += 1
            self._stack.insert(0, f"e{self._taken}")

    def _pop_raw(self) -> Atom:
        self._reach(1)
        return self._stack.pop()

    def _pop(self) -> Atom:
        return self._value(self._pop_raw())

    def _value(self, atom: Atom) -> Atom:
        """Return an atom that can be used, assigned before."""
        if isinstance(atom, str):
            if atom in self._tests:
                self._line(f"{atom} = 1 if {self._tests.pop(atom)} else 0")
            elif atom[0] == "e" and atom not in self._loaded:
                self._line(f"{atom} = s[-{atom[1:]}]")
                self._loaded.add(atom)
        return atom

    def _inline(self, atom: Atom) -> str:
        """Return an expression for an atom that assigns nothing."""
        if isinstance(atom, str):
            if atom in self._tests:
                return f"1 if {self._tests[atom]} else 0"
            if atom[0] == "e" and atom not in self._loaded:
                return f"s[-{atom[1:]}]"
        return str(atom)

    def _test(self, expression: str) -> None:
        self._names += 1
        self._tests[f"v{self._names}"] = expression
        self._push(f"v{self._names}")

    def _pop_test(self) -> str:
        """Return the condition that the top stands for."""
        atom = self._pop_raw()
        if isinstance(atom, str) and atom in self._tests:
            return self._tests[atom]
        return str(self._value(atom))

    # -------------------------------------------------------------------------------------------------------- opcodes
    def _write(self, opcode: int) -> None:
        if opcode in WORDS or opcode in TESTS:
            self._two(opcode)
        elif 0x80 <= opcode <= 0x8F:
            self._reach(opcode - 0x7F)
            self._push(self._stack[0x7F - opcode])
        elif 0x90 <= opcode <= 0x9F:
            self._reach(opcode - 0x8E)
            stack, place = self._stack, 0x8E - opcode
            stack[-1], stack[place] = stack[place], stack[-1]
        elif opcode != JUMPDEST:
            WRITERS[opcode](self)

    def _two(self, opcode: int) -> None:
        a, b = self._pop(), self._pop()
        template, known = WORDS[opcode] if opcode in WORDS else TESTS[opcode]
        if isinstance(a, int) and isinstance(b, int):
            self._push(int(known(a, b)))
        elif opcode in TESTS:
            self._test(template.format(a, b))
        else:
            if isinstance(a, int) and opcode in (SHL, SHR):
                shifted = f"{b} << {a} & {MAX_WORD}" if opcode == SHL else f"{b} >> {a}"
                template = shifted if a < 256 else "0"
            self._push(self._name(template.format(a, b)))

    def _drop(self) -> None:
        self._pop_raw()

    def _is_zero(self) -> None:
        atom = self._pop_raw()
        if isinstance(atom, int):
            self._push(int(not atom))
        elif atom in self._tests and len(self._tests[atom]) < LONGEST_TEST:
            self._test(f"not ({self._tests[atom]})")
        else:
            self._test(f"not {self._value(atom)}")

    def _invert(self) -> None:
        atom = self._pop()
        self._push(atom ^ MAX_WORD if isinstance(atom, int) else self._name(f"{atom} ^ {MAX_WORD}"))

    def _touch(self, start: Atom, length: int = 32) -> tuple[str, str]:
        """Make memory reach so far; return the ends of the place."""
        self._charged = True
        if isinstance(start, int) and start < MAX_PLACE:
            end = start + length
            if end > self._size:
                self._line(f"if len(m) < {end}: m, g = grown(C, {end}, g, {self._until})")
                self._size = end
            return str(start), str(end)
        end_name = self._name(f"{start} + {length}")
        self._line(f"if len(m) < {end_name}: m, g = grown(C, {end_name}, g, {self._until})")
        return str(start), end_name

    def _load(self) -> None:
        start = self._pop()
        if isinstance(start, int) and start in self._words:
            self._push(self._words[start])
            return
        first, end = self._touch(start)
        word = self._name(f"N(m[{first}:{end}], 'big')")
        if isinstance(start, int):
            self._words[start] = word
        self._push(word)

    def _keep(self) -> None:
        start, value = self._pop(), self._pop()
        first, end = self._touch(start)
        if isinstance(value, int):
            self._line(f"m[{first}:{end}] = {value.to_bytes(32, 'big')!r}")
        else:
            self._line(f"m[{first}:{end}] = {value}.to_bytes(32, 'big')")
        if isinstance(start, int):
            self._words = {at: word for at, word in self._words.items() if abs(at - start) >= 32}
            self._words[start] = value
        else:
            self._words = {}

    def _hash(self) -> None:
        start, length = self._pop(), self._pop()
        self._charged = True
        if isinstance(length, int) and length < MAX_PLACE:
            first, end = self._touch(start, length) if length else ("0", "0")
            self._line(f"g -= {6 * ((length + 31) >> 5)}")
        else:
            first, end = str(start), self._name(f"{start} + {length}")
            self._line(f"if {length} and len(m) < {end}: m, g = grown(C, {end}, g, {self._until})")
            self._line(f"g -= 6 * (({length} + 31) >> 5)")
        self._line(f'if g < {self._until}: raise OutOfGas("Out of gas: hash")')
        self._push(self._name(f"N(keccak(m[{first}:{end}]), 'big')"))

    def _copy(self, source: str) -> None:
        target, start, length = self._pop(), self._pop(), self._pop()
        self._charged = True
        self._line(f"m, g = copied(C, {source}, {target}, {start}, {length}, g, {self._until})")
        if isinstance(target, int) and isinstance(length, int):
            self._words = {at: w for at, w in self._words.items() if at + 32 <= target or at >= target + length}
        else:
            self._words = {}

    def _read_slot(self) -> None:
        slot = self._pop()
        self._charged = True
        self._line(f"if {slot} in X.warm: g -= {WARM}")
        self._line(f"else: g = cold(C, X, {slot}, g)")
        self._line(f'if g < {self._until}: raise OutOfGas("Out of gas: SLOAD")')
        word = self._name(f"X.values.get({slot})")
        self._line(f"if {word} is None: {word} = X.load({slot})")
        self._push(word)

    def _write_slot(self) -> None:
        slot, value = self._pop(), self._pop()
        self._charged = True
        self._line(f"g = stored(C, X, {slot}, {value}, g, {self._until})")

    def _read_data(self) -> None:
        start = self._pop()
        end = start + 32 if isinstance(start, int) else f"{start} + 32"
        self._push(self._name(f"N(D[{start}:{end}].ljust(32, b'\\0'), 'big')"))


WRITERS: Final[dict[int, Callable[[Tracer], None]]] = {
    POP: Tracer._drop,
    ISZERO: Tracer._is_zero,
    NOT: Tracer._invert,
    MLOAD: Tracer._load,
    MSTORE: Tracer._keep,
    SHA3: Tracer._hash,
    SLOAD: Tracer._read_slot,
    SSTORE: Tracer._write_slot,
    MCOPY: lambda tracer: tracer._copy("None"),
    CODECOPY: lambda tracer: tracer._copy("B"),
    CALLDATACOPY: lambda tracer: tracer._copy("D"),
    CALLDATALOAD: Tracer._read_data,
    CALLDATASIZE: lambda tracer: tracer._push(tracer._name("len(D)")),
    CALLER: lambda tracer: tracer._push(tracer._name("N(C.msg.sender, 'big')")),
}
"""What writes the opcodes that are neither pushes, duplications, swaps nor of two words."""


def trace_at(program: Program, start: int) -> Trace | None:
    """Return the trace that begins at a place of a program; None if there is nothing to gain."""
    source = Tracer(program, start).source()
    if source is None:
        return None
    scope: dict[str, Any] = SCOPE | {"T": program.targets, "B": program.code}
    exec(compile(source, f"<trace {start}>", "exec"), scope)  # noqa: S102  # made of numbers and templates alone
    made: Trace = scope["trace"]
    return made
