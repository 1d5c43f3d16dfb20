"""Every bit of the guard table matters: flip it in the bytecode, and the behaviour matrix or the table's form fails.

The flipped code runs, so this tests the matrix: a rule that no case covers would let its bit be flipped unseen.
"""

from __future__ import annotations

import pytest

from ledger.domain.words import GUARD
from tests.contract.guard_table import GuardPlace, faults, guard_places
from tests.contract.kind_cases import OFFICE_SHIFT, OPENER_SHIFT, Case
from tests.contract.matrix import Matrix

PARTS = 6


@pytest.fixture(scope="module")
def matrix() -> Matrix:
    return Matrix()


@pytest.fixture(scope="module")
def places(matrix: Matrix) -> tuple[GuardPlace, ...]:
    return guard_places(matrix.world.code)


def test_the_table_is_well_formed(places: tuple[GuardPlace, ...]) -> None:
    assert {place: faults(place, place.word) for place in places if faults(place, place.word)} == {}


def probes(case: Case, bit: int) -> bool:
    """Whether a case looks at just what the bit of a guard word says: those run first."""
    for name, probed in (
        ("mask", ("bit", bit)),
        ("needs", ("bit", bit - GUARD["needs"].shift)),
        ("own", ("bit", OPENER_SHIFT + bit - GUARD["own"].shift)),
        ("office", ("bit", OFFICE_SHIFT + bit - GUARD["office"].shift)),
        ("roles", ("role", bit - GUARD["roles"].shift)),
    ):
        if GUARD[name].mask >> bit & 1:
            return case.tag == probed
    return False


def is_seen(matrix: Matrix, place: GuardPlace, bit: int) -> bool:
    """Whether flipping the bit fails the form of the table or the matrix."""
    if faults(place, place.word ^ 1 << bit):
        return True
    if bit >= 8 * place.size:
        return False
    world = matrix.with_code(place.flipped(matrix.world.code, bit))
    cases = sorted((case for case in matrix.cases if place.row in case.rows), key=lambda case: not probes(case, bit))
    first = sum(probes(case, bit) for case in cases)
    return any(matrix.failures(part, world, first=True) for part in (cases[:first], cases[first:]))


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_a_flipped_bit_is_seen(matrix: Matrix, places: tuple[GuardPlace, ...], part: int) -> None:
    unseen = [
        (place.row, place.lane, bit)
        for place in places[part::PARTS]
        for bit in range(256)
        if not is_seen(matrix, place, bit)
    ]
    assert unseen == [], "kind, lane, bit of the guard word"
