"""The guard table as it stands in the bytecode: where each word is, and the code with one bit of it flipped."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from contracts.table import ROWS, UNASSIGNED, guard_word, guard_words
from ledger.domain.kinds import KINDS, Flag, KindNumber


@dataclass(frozen=True, slots=True)
class GuardPlace:
    """One guard word in the code.

    Attributes:
        row: kind number.
        lane: "stops" for the words that lane 0 uses, else "others".
        at: offset of its bytes.
        size: how many bytes the compiler pushes; those above are zero and stand nowhere.
    """

    row: int
    lane: str
    at: int
    size: int

    def flipped(self, code: bytes, bit: int) -> bytes:
        """Return the code with one bit of this word flipped."""
        changed = bytearray(code)
        changed[self.at + self.size - 1 - bit // 8] ^= 1 << bit % 8
        return bytes(changed)

    @property
    def word(self) -> int:
        """The word as the table has it."""
        return guard_word(KINDS[KindNumber(self.row)]) if self.lane == "stops" else guard_words()[self.row]


PUSH0: Final = 0x5F


def guard_places(code: bytes) -> tuple[GuardPlace, ...]:
    """Find every guard word in the runtime code.

    Raises:
        ValueError: a word does not stand exactly once.
    """
    return (*_table(code), *_stops(code))


def _pushed(word: int) -> bytes:
    data = word.to_bytes((word.bit_length() + 7) // 8, "big")
    return bytes([PUSH0 + len(data)]) + data


def _table(code: bytes) -> Iterator[GuardPlace]:
    words = guard_words()
    unassigned = iter([found.start() for found in re.finditer(re.escape(_pushed(UNASSIGNED)), code)])
    for row in range(ROWS):
        push = _pushed(words[row])
        at = next(unassigned) if words[row] == UNASSIGNED else _only(code, push)
        yield GuardPlace(row, "others", at + 1, len(push) - 1)
    if next(unassigned, None) is not None:
        raise ValueError("more unassigned rows in the code than in the table")


def _stops(code: bytes) -> Iterator[GuardPlace]:
    for kind in KINDS.values():
        if Flag.STOP in kind.flags:
            push = _pushed(guard_word(kind))
            yield GuardPlace(int(kind.number), "stops", _only(code, push) + 1, len(push) - 1)


def _only(code: bytes, push: bytes) -> int:
    if code.count(push) != 1:
        raise ValueError(f"{push.hex()} stands {code.count(push)} times")
    return code.index(push)
