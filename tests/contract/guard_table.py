"""The guard table as it stands in the bytecode: where each word is, and the code with one bit of it flipped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from contracts.table import guard_word, guard_words
from ledger.domain.kinds import KINDS, Flag, KindNumber
from ledger.domain.words import GUARD
from tests.contract.expected_kinds import EXPECTED, NAME_A_GROUND, ROLES, STATUS, TRACED


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
    """The table is written row after row, so that equal rows stand in their order after the first one."""
    at = _only(code, _pushed(guard_words()[0]))
    for row, word in enumerate(guard_words()):
        push = _pushed(word)
        at = code.index(push, at)
        yield GuardPlace(row, "others", at + 1, len(push) - 1)
        at += len(push)


def _stops(code: bytes) -> Iterator[GuardPlace]:
    for kind in KINDS.values():
        if Flag.STOP in kind.flags:
            push = _pushed(guard_word(kind))
            yield GuardPlace(int(kind.number), "stops", _only(code, push) + 1, len(push) - 1)


def _only(code: bytes, push: bytes) -> int:
    if code.count(push) != 1:
        raise ValueError(f"{push.hex()} stands {code.count(push)} times")
    return code.index(push)


SETS_IN_CODE: Final = {
    "ORDER_REASSIGNED",
    "FILED",
    "CORRECTED",
    "CARRIED_IN",
    "HELD",
    "HOLD_LIFTED",
    "SWEPT",
    "OBSERVED",
}
"""Kinds whose own code sets their bits: what the row says has no effect, so that it must be what the design says."""
KNOWN: Final = sum(field.mask for field in GUARD.values())


def faults(place: GuardPlace, word: int) -> list[str]:
    """Return what is not well formed in a guard word: bits that the contract would pass over."""
    flags, roles = Flag(GUARD["flags"].get(word)), GUARD["roles"].get(word)
    own, office = GUARD["own"].get(word), GUARD["office"].get(word)
    needs, sets = GUARD["needs"].get(word), GUARD["sets"].get(word)
    row = EXPECTED.get(place.row)
    found = {
        "a bit that means nothing": word & ~KNOWN,
        "part of the opener": own not in (0, (1 << GUARD["own"].width) - 1),
        "part of the office": office not in (0, (1 << GUARD["office"].width) - 1),
        "a need outside the mask": needs & ~GUARD["mask"].get(word),
        "two sorts of code": (flags & (Flag.NAMES | Flag.OPENING | Flag.SPECIAL)).bit_count() > 1,
        "a filing without its code": Flag.FILING in flags and Flag.SPECIAL not in flags,
        "customs too, of what is not the opener's": Flag.CUSTOMS_TOO in flags
        and not (own and roles & ROLES["CUSTOMS"]),
        "a stop by its flag, not by the design": (Flag.STOP in flags) != (row is not None and row.is_stop),
        "a ground by its flag, not by the design": (Flag.GROUND in flags)
        != (row is not None and row.name in NAME_A_GROUND)
        and bool(roles),
        "a stop that may be observed": Flag.STOP in flags and Flag.OBSERVABLE in flags,
        "sets what it needs": sets & needs,
        "a role for a kind that is not assigned": row is None and roles,
        "observable, though not assigned": row is None and place.row != TRACED and Flag.OBSERVABLE in flags,
        "sets what its code does not": row
        and roles
        and row.name in SETS_IN_CODE
        and sets != (row.sets if row.name != "OBSERVED" else 0),
        "an agency's parcel that is not observed": Flag.OPENING in flags
        and roles == ROLES["AGENCY"]
        and not sets & STATUS["OBSERVED"],
        "more than its shape, though nobody may write it": not roles
        and word & ~(GUARD["extra"].mask | GUARD["flags"].put(int(Flag.STOP | Flag.OBSERVABLE))),
    }
    return [name for name, fault in found.items() if fault]
