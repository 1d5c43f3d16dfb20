"""Role x kind x state bit, against the contract: what may be written is what the design says, and nothing else."""

from __future__ import annotations

import pytest

from tests.contract.expected_kinds import EXPECTED, ROLE_BITS, ROLES
from tests.contract.matrix import Matrix


@pytest.fixture(scope="module")
def matrix() -> Matrix:
    return Matrix()


@pytest.mark.parametrize("kind", EXPECTED, ids=[row.name for row in EXPECTED.values()])
def test_kind(matrix: Matrix, kind: int) -> None:
    cases = [case for case in matrix.cases if case.rows[0] == kind]
    assert len(cases) > 40
    assert not matrix.failures(cases)


def test_kinds_that_are_not_assigned(matrix: Matrix) -> None:
    assert not matrix.failures(case for case in matrix.cases if case.rows[0] not in EXPECTED)


def test_every_role_that_may_write_a_kind_meets_state_bits(matrix: Matrix) -> None:
    for row in EXPECTED.values():
        met = {case.probe.roles for case in matrix.cases if case.rows == (row.number,) and case.tag[0] == "bit"}
        brokers = ROLES["BROKER"] if row.name == "FILED" else 0
        assert {1 << bit for bit in range(ROLE_BITS) if row.roles & ~brokers & 1 << bit} <= met, row.name


def test_both_answers_occur_for_every_kind_and_role(matrix: Matrix) -> None:
    for row in EXPECTED.values():
        answers = {case.code for case in matrix.cases if case.rows == (row.number,)}
        assert "" in answers
        assert row.name == "SWEPT" or "ROLE" in answers, row.name
