"""Real answers, which lie beside the project and are no part of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.domain.kinds import KindNumber
from ledger.unipass.errors import ProgressRefused
from ledger.unipass.progress import Cargo, read_file
from tests.unit.unipass.guards import first_refused

REAL = Path(__file__).parents[3].parent / "shared" / "data" / "unipass"
pytestmark = pytest.mark.skipif(not REAL.is_dir(), reason="needs the real answers in ../shared/data/unipass")
K = KindNumber
TRACES = {
    "completed-cn-air.xml": 11, "completed-uk-air.xml": 12, "completed-us-air.xml": 10, "completed-us-air2.xml": 10,
    "in-progress.xml": 13,
}  # fmt: skip


def real(name: str) -> Cargo:
    (cargo,) = read_file(REAL / name)
    return cargo


@pytest.mark.parametrize(("name", "rows"), TRACES.items())
def test_a_real_trace_is_read_whole_and_passes_the_guards(name: str, rows: int) -> None:
    cargo = real(name)
    assert len(cargo.rows) == rows
    assert all(row.known for row in cargo.rows)
    assert [row.at for row in cargo.rows] == sorted(row.at for row in cargo.rows)
    assert first_refused(cargo) is None
    main = [row.kind for row in cargo.rows if row.kind in (K.CARRIED_IN, K.DECIDED_CLEAR, K.RELEASED)]
    assert main == [K.CARRIED_IN, K.DECIDED_CLEAR, K.RELEASED]
    assert [row.kind for row in cargo.rows].count(K.FILED) == 1


def test_list_traces_are_cleared_and_released_in_one_second() -> None:
    for name in ("completed-us-air.xml", "completed-us-air2.xml", "in-progress.xml"):
        cleared, released = (row for row in real(name).rows if row.kind in (K.DECIDED_CLEAR, K.RELEASED))
        assert cleared.at == released.at


def test_goods_may_move_after_clearance() -> None:
    rows = real("in-progress.xml").rows
    carried = next(row for row in rows if row.kind is K.CARRIED_IN)
    cleared = next(row for row in rows if row.kind is K.DECIDED_CLEAR)
    assert carried.moved_at is not None
    assert carried.at < cleared.at < carried.moved_at


def test_1211_houses_are_of_one_master() -> None:
    cargos = read_file(REAL / "multiple-results.xml")
    assert (
        len({cargo.number for cargo in cargos}) == len({cargo.house_bill for cargo in cargos}) == len(cargos) == 1_211
    )
    assert len({cargo.master for cargo in cargos}) == len({cargo.master_bill for cargo in cargos}) == 1


def test_nothing_found() -> None:
    assert read_file(REAL / "empty-results.xml") == ()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("invalid-key.xml", "존재하지 않는 인증키"),
        ("missing-key.xml", "인증키(crkyCn)는 필수입력"),
        ("missing-reference.xml", "중 한가지는 필수입력"),
    ],
)
def test_error_answers_say_why(name: str, says: str) -> None:
    with pytest.raises(ProgressRefused) as caught:
        read_file(REAL / name)
    assert says in caught.value.detail
