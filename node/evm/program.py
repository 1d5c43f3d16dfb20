"""EVM code decoded once: straight runs of steps, each run with the gas and the room on the stack it needs as a whole.

Between two places where anyone could look (a jump, a call, the rest of the gas, a store) gas only falls and the stack
is nobody's business but the run's own: so both are checked once, before the run. Pairs and triples of opcodes that
contracts are made of are one step. What a run cannot take goes to py-evm opcode by opcode (`node.evm.loop`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

from eth.vm.forks.cancun.computation import CancunComputation

OPCODES: Final = CancunComputation.opcodes
PROGRAM_BYTES: Final = 256 << 10
"""Bytes of code kept decoded, which takes about 150 times as much memory."""
MAX_WORD: Final = 2**256 - 1
MAX_PLACE: Final = 2**32
"""Memory places below it may be fused with what they address: gas ends far before."""

# opcodes by their numbers
STOP, ADD, MUL, SUB = 0x00, 0x01, 0x02, 0x03
LT, GT, SLT, SGT, EQ, ISZERO, AND, OR, XOR, NOT = 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19
SHL, SHR, SHA3, CALLER, CALLDATALOAD, CALLDATASIZE = 0x1B, 0x1C, 0x20, 0x33, 0x35, 0x36
CALLDATACOPY, CODECOPY, MCOPY = 0x37, 0x39, 0x5E
POP, MLOAD, MSTORE, SLOAD, SSTORE, JUMP, JUMPI, JUMPDEST = 0x50, 0x51, 0x52, 0x54, 0x55, 0x56, 0x57, 0x5B
PUSH, DUP, SWAP = 0x60, 0x80, 0x90
"""One number for all pushes, duplications and swaps: the argument tells them apart."""

# steps that stand for two or three opcodes, or for one of py-evm's
PUSHES, LOAD_AT, STORE_AT, JUMP_TO, JUMP_IF, JUMP_UNLESS = 0x100, 0x101, 0x102, 0x103, 0x104, 0x105
SHL_BY, SHR_BY, AND_WITH, ADD_TO, HASH_AT, DROP, OTHER = 0x106, 0x107, 0x108, 0x109, 0x10A, 0x10B, 0x10C
LOAD_AND, LOAD_ADD, COPY_WORD, STORE_WORD, DATA_AT, HASH_FROM = 0x10D, 0x10E, 0x10F, 0x110, 0x111, 0x112

EFFECTS: Final = {
    ADD: (2, 1), MUL: (2, 1), SUB: (2, 1), LT: (2, 1), GT: (2, 1), SLT: (2, 1), SGT: (2, 1), EQ: (2, 1),
    ISZERO: (1, 1), AND: (2, 1), OR: (2, 1), XOR: (2, 1), NOT: (1, 1), SHL: (2, 1), SHR: (2, 1), SHA3: (2, 1),
    CALLER: (0, 1), CALLDATALOAD: (1, 1), CALLDATASIZE: (0, 1), POP: (1, 0), MLOAD: (1, 1), MSTORE: (2, 0),
    SLOAD: (1, 1), SSTORE: (2, 0), JUMP: (1, 0), JUMPI: (2, 0), JUMPDEST: (0, 0), CALLDATACOPY: (3, 0),
    CODECOPY: (3, 0), MCOPY: (3, 0),
}  # fmt: skip
"""What the inlined opcodes take from the stack and put on it; pushes, duplications and swaps beside them."""
CHARGED_LATER: Final = frozenset({SLOAD, SSTORE})
"""Opcodes whose gas depends on the state; the step charges it."""
LAST: Final = frozenset({JUMP, JUMPI, SSTORE})
"""Opcodes that end a run: a jump, and the one that looks at how much gas is left (EIP-2200)."""

Step = tuple[int, Any]


Run = tuple[int, int, int, tuple[Step, ...], int]
"""Steps one behind the other.

Gas they cost at least, words the stack must hold before, how much higher it may stand on the way, the steps, and where
it goes on if no jump is taken. A plain tuple: Python unpacks it fastest.
"""


class Program:
    """Code with its jump targets; by their places the runs decoded so far, how often each was taken, and traces."""

    __slots__ = ("code", "heat", "runs", "targets", "traces")

    def __init__(self, code: bytes) -> None:
        """Find the places jumps may lead to: what lies inside the data of a push is none."""
        self.code = code
        self.runs: dict[int, Run] = {}
        self.heat: dict[int, int] = {}
        self.traces: dict[int, Any] = {}
        targets = set()
        at = 0
        while at < len(code):
            if code[at] == JUMPDEST:
                targets.add(at)
            at += code[at] - 0x5E if 0x60 <= code[at] <= 0x7F else 1
        self.targets = frozenset(targets)

    def run_at(self, at: int) -> Run:
        """Decode the run that begins at a place."""
        self.runs[at] = run = _decode(self, at)
        return run


class Programs:
    """Programs by their code, those used last; one with traces stays, however much else is run."""

    def __init__(self, limit: int = PROGRAM_BYTES) -> None:
        """Take how many bytes of code are kept."""
        self._limit = limit
        self._bytes = 0
        self._kept: OrderedDict[bytes, Program] = OrderedDict()

    def __len__(self) -> int:
        """Programs kept."""
        return len(self._kept)

    def of(self, code: bytes) -> Program:
        """Return the program of code."""
        program = self._kept.get(code)
        if program is None:
            self._make_room(len(code))
            program = self._kept[code] = Program(code)
            self._bytes += len(code)
        else:
            self._kept.move_to_end(code)
        return program

    def _make_room(self, size: int) -> None:
        for code in [code for code, program in self._kept.items() if not program.traces]:
            if self._bytes + size <= self._limit:
                return
            del self._kept[code]
            self._bytes -= len(code)


program_of: Final = Programs().of


def _decode(program: Program, at: int) -> Run:
    """Decode from a place to the next opcode that ends a run, or to a place where another run begins."""
    code, gas, height, lowest, highest, begin = program.code, 0, 0, 0, 0, at
    steps: list[Step] = []
    while at < len(code):
        opcode = code[at]
        if opcode == JUMPDEST and at > begin:
            break
        size, step, takes, gives = _step(code, at)
        if step is None:  # through py-evm, which charges it whole
            steps.append((OTHER, (opcode, at + 1)))
            at += 1
            break
        lowest = max(lowest, takes - height)
        height += gives - takes
        highest = max(highest, height)
        gas += 0 if opcode in CHARGED_LATER else OPCODES[opcode].gas_cost
        at += size
        if opcode != JUMPDEST:
            steps.append(step)
        if opcode in LAST:
            break
    else:
        steps.append((OTHER, (STOP, at)))  # behind the code it stops
    steps = _fused(steps, program.targets)
    if steps and steps[-1][0] == JUMP_TO:
        at = steps.pop()[1]
    return gas, lowest, highest, tuple(steps), at


def _step(code: bytes, at: int) -> tuple[int, Step | None, int, int]:
    """Return size, step (None if not inlined), words taken and given of the opcode at a place."""
    opcode = code[at]
    if 0x5F <= opcode <= 0x7F:
        size = opcode - 0x5F
        data = code[at + 1 : at + 1 + size].ljust(size, b"\0")
        return 1 + size, (PUSH, int.from_bytes(data, "big")), 0, 1
    if 0x80 <= opcode <= 0x8F:
        return 1, (DUP, 0x7F - opcode), opcode - 0x7F, opcode - 0x7E
    if 0x90 <= opcode <= 0x9F:
        return 1, (SWAP, 0x8E - opcode), opcode - 0x8E, opcode - 0x8E
    if opcode not in EFFECTS:
        return 1, None, 0, 0
    takes, gives = EFFECTS[opcode]
    return 1, (opcode, 0), takes, gives


Fuse = Callable[[Any, Any, frozenset[int]], Step | None]
"""Makes one step of two, from both arguments and the jump targets; None if it cannot."""


def _with_word(step: int, limit: int = MAX_WORD) -> Fuse:
    return lambda word, _, __: (step, word) if word <= limit else None


def _jump(step: int) -> Fuse:
    return lambda target, _, targets: (step, target) if target in targets else None


def _place(step: int) -> Fuse:
    return lambda place, _, __: (step, (place, place + 32)) if place < MAX_PLACE else None


FUSED: Final[dict[tuple[int, int], Fuse]] = {
    (PUSH, SHL): _with_word(SHL_BY, 255),
    (PUSH, SHR): _with_word(SHR_BY, 255),
    (PUSH, AND): _with_word(AND_WITH),
    (PUSH, ADD): _with_word(ADD_TO),
    (PUSH, CALLDATALOAD): _with_word(DATA_AT),
    (PUSH, MLOAD): _place(LOAD_AT),
    (PUSH, MSTORE): _place(STORE_AT),
    (PUSH, JUMP): _jump(JUMP_TO),
    (PUSH, JUMPI): _jump(JUMP_IF),
    (ISZERO, JUMP_IF): lambda _, target, __: (JUMP_UNLESS, target),
    (LOAD_AT, AND): lambda place, _, __: (LOAD_AND, place),
    (LOAD_AT, ADD): lambda place, _, __: (LOAD_ADD, place),
    (LOAD_AT, STORE_AT): lambda source, target, _: (COPY_WORD, (*source, *target)),
    (PUSH, STORE_AT): lambda word, target, _: (STORE_WORD, (*target, word.to_bytes(32, "big"))),
    (PUSH, HASH_FROM): lambda size, start, _: (HASH_AT, (start, size)) if size < MAX_PLACE else None,
    (PUSH, SHA3): _with_word(HASH_FROM, MAX_PLACE),
    (SWAP, POP): lambda place, _, __: (DROP, 0) if place == -2 else None,
    (PUSH, PUSH): lambda one, other, _: (PUSHES, (one, other)),
    (PUSHES, PUSH): lambda words, word, _: (PUSHES, (*words, word)),
}
"""Which two steps are one."""
PUSHED: Final = (PUSH, PUSHES)


def _fused(steps: list[Step], targets: frozenset[int]) -> list[Step]:
    """Return steps with those joined that are often neighbours; pushes last, so that they serve what follows them."""
    made: list[Step] = []
    for step in steps:
        made.append(step)
        while len(made) > 1 and made[-1][0] not in PUSHED and _join(made, targets):
            pass
    joined: list[Step] = []
    for step in made:
        joined.append(step)
        if step[0] == PUSH and len(joined) > 1:
            _join(joined, targets)
    return joined


def _join(steps: list[Step], targets: frozenset[int]) -> bool:
    (before, one), (opcode, other) = steps[-2:]
    fuse = FUSED.get((before, opcode))
    step = fuse(one, other, targets) if fuse else None
    if step is None:
        return False
    steps[-2:] = [step]
    return True
