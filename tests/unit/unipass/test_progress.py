"""Reading of progress answers, on made-up answers of the real grammar."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.domain.crosswalk import STAGE_KINDS, STAGE_TRACES, TRACE_BY_NUMBER, TRACES, UNKNOWN_STAGE
from ledger.domain.errors import LedgerError
from ledger.domain.kinds import KindNumber
from ledger.unipass.errors import ProgressFault, ProgressIncomplete, ProgressRefused, ProgressTooLarge
from ledger.unipass.progress import (
    RANK,
    Cargo,
    read_file,
    read_files,
    read_moved,
    read_processed,
    read_progress,
)
from ledger.unipass.records import MAX_BYTES
from tests.unit.unipass.guards import first_refused

SAMPLES = Path(__file__).parents[2] / "samples" / "unipass"
K = KindNumber
NUMBER = "99ZZ000009I00010001"


def sample(name: str) -> Cargo:
    (cargo,) = read_file(SAMPLES / name)
    return cargo


def kinds(cargo: Cargo) -> list[str]:
    return [TRACE_BY_NUMBER[row.trace].name if row.kind is K.TRACED else row.kind.name for row in cargo.rows]


def answer(*rows: tuple[str, str], notice: str = "", count: int | None = None, moved: str = "") -> bytes:
    told = "".join(
        f"<cargCsclPrgsInfoDtlQryVo><prcsDttm>{at}</prcsDttm><rlbrDttm>{moved}</rlbrDttm>"
        f"<cargTrcnRelaBsopTpcd>{stage}</cargTrcnRelaBsopTpcd></cargCsclPrgsInfoDtlQryVo>"
        for stage, at in rows
    )
    return document(header(), told, notice=notice, count=len(rows) if count is None else count)


def header(number: str = NUMBER, **more: str) -> str:
    fields = "".join(f"<{name}>{text}</{name}>" for name, text in {"cargMtNo": number, **more}.items())
    return f"<cargCsclPrgsInfoQryVo>{fields}</cargCsclPrgsInfoQryVo>"


def document(*parts: str, notice: str = "", count: int | str = 0) -> bytes:
    inside = "".join(parts)
    return (
        f"<cargCsclPrgsInfoQryRtnVo><ntceInfo>{notice}</ntceInfo><tCnt>{count}</tCnt>{inside}"
        f"</cargCsclPrgsInfoQryRtnVo>"
    ).encode()


# ------------------------------------------------------------------------------------------------ whole answers
def test_a_list_parcel_by_air() -> None:
    cargo = sample("list-us-air.xml")
    assert kinds(cargo) == [
        "ARRIVAL_REPORTED", "MANIFEST_SUBMITTED", "MANIFEST_REVIEWED", "FILED", "MASTER_UNLOADED", "MASTER_ARRIVED",
        "MANIFEST_CORRECTED", "CARRIED_IN", "DECIDED_CLEAR", "RELEASED",
    ]  # fmt: skip
    assert (cargo.number, cargo.master) == ("99ZZ000001I00010001", "99ZZ000001I0001")
    assert (cargo.master_bill, cargo.house_bill) == ("99900000001", "SMP000000001")
    assert (cargo.status, cargo.progress_code, cargo.bill_type) == ("통관목록심사완료", "IMPA36", "X")
    assert (cargo.loading_country, cargo.loading_port, cargo.discharge_port) == ("US", "JFK", "ICN")
    assert (cargo.arrived_on, cargo.packages, cargo.grams) == (dt.date(2025, 3, 10), 1, 800)
    carried, cleared, released = cargo.rows[-3:]
    assert cleared.at == released.at == dt.datetime(2025, 3, 10, 5, 30, 22, tzinfo=dt.UTC)
    assert (carried.shed, carried.bay, carried.detail) == ("04099901", "9ZZZ", "입항 반입")
    assert carried.moved_at == dt.datetime(2025, 3, 10, 5, 29, 55, tzinfo=dt.UTC)
    assert cleared.moved_at is None
    assert cleared.declaration == "AE99992500000001"


def test_a_declared_parcel_filed_before_its_manifest_was_reviewed() -> None:
    assert kinds(sample("declared-cn-air.xml")) == [
        "ARRIVAL_REPORTED", "MANIFEST_SUBMITTED", "FILED", "REVIEW_STARTED", "MANIFEST_REVIEWED", "APPROVAL_NOTIFIED",
        "MASTER_ARRIVED", "MANIFEST_CORRECTED", "MASTER_UNLOADED", "CARRIED_IN", "DECIDED_CLEAR", "RELEASED",
    ]  # fmt: skip


def test_rows_by_sea_go_on_after_release_and_the_clearance_status_stays() -> None:
    cargo = sample("list-cn-sea.xml")
    assert kinds(cargo)[-5:] == ["CARRIED_IN", "DECIDED_CLEAR", "RELEASED", "PERIOD_EXTENSION_ASKED", "PERIOD_EXTENDED"]
    assert (cargo.status, cargo.progress) == ("통관목록심사완료", "하선장소 반입기간연장 승인")
    carried = next(row for row in cargo.rows if row.kind is K.CARRIED_IN)
    cleared = next(row for row in cargo.rows if row.kind is K.DECIDED_CLEAR)
    assert carried.moved_at is not None
    assert carried.at < cleared.at < carried.moved_at


def test_an_unknown_stage_keeps_its_name() -> None:
    cargo = sample("in-progress-air.xml")
    assert kinds(cargo)[-6:] == [
        "CARRIED_IN", "INSPECTION_CHOSEN", "OPENED", "HOLD_TOLD", "HOLD_LIFT_TOLD", "OTHER_STAGE",
    ]  # fmt: skip
    assert [row.stage for row in cargo.rows if not row.known] == ["표본 단계"]
    assert not {K.DECIDED_CLEAR, K.RELEASED} & {row.kind for row in cargo.rows}


def test_release_before_clearance_neither_clears_nor_releases() -> None:
    assert kinds(sample("released-before-clearance.xml")) == [
        "MASTER_ARRIVED", "FILED", "CARRIED_IN", "RELEASED_BEFORE_CLEARANCE",
    ]  # fmt: skip


def test_several_houses_of_one_master() -> None:
    cargos = read_file(SAMPLES / "multiple-houses.xml")
    assert len({cargo.number for cargo in cargos}) == len(cargos) == 5
    assert {cargo.master for cargo in cargos} == {"99ZZ000006I0006"}
    assert {cargo.master_bill for cargo in cargos} == {"99900000006"}
    assert all(cargo.rows == () for cargo in cargos)


def test_nothing_found_is_no_error() -> None:
    assert read_file(SAMPLES / "empty.xml") == ()


@pytest.mark.parametrize("name", ["error-unknown-key.xml", "error-missing-key.xml", "error-missing-reference.xml"])
def test_an_error_answer_raises_its_own_sentence(name: str) -> None:
    (notice,) = re.findall(r"<ntceInfo>(.*)</ntceInfo>", (SAMPLES / name).read_text(encoding="utf-8"))
    with pytest.raises(ProgressRefused, match=re.escape(f"{name}: {notice}")) as caught:
        read_file(SAMPLES / name)
    assert caught.value.code == "unipass.refused"


def test_files_are_read_in_turn_and_the_bad_one_is_named() -> None:
    found = read_files([SAMPLES / "empty.xml", SAMPLES / "multiple-houses.xml", SAMPLES / "error-unknown-key.xml"])
    assert [len(cargos) for _, cargos in (next(found), next(found))] == [0, 5]
    with pytest.raises(ProgressRefused, match=r"error-unknown-key\.xml"):
        next(found)


def test_a_file_that_is_not_there_or_too_large_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(ProgressFault, match="No such file"):
        read_file(tmp_path / "nothing.xml")
    with pytest.raises(ProgressFault, match="directory"):
        read_file(tmp_path)
    large = tmp_path / "large.xml"
    with large.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(ProgressTooLarge, match=r"large\.xml"):
        read_file(large)


# ------------------------------------------------------------------------------------------------ what tCnt counts
@pytest.mark.parametrize(
    "data",
    [
        answer(("반입신고", "20250101000000"), count=2),
        answer(("반입신고", "20250101000000"), count=0),
        document(header(), count=0),
        document(header(), header("99ZZ000009I00010002"), count=2),
        document(header(), notice="[N00] 다건", count=2),
        document(count=3),
        document(notice="[N00] 다건", count=3),
    ],
)
def test_other_rows_than_it_counts_are_incomplete(data: bytes) -> None:
    with pytest.raises(ProgressIncomplete):
        read_progress(data)


def test_rows_among_several_cargos_are_incomplete() -> None:
    with pytest.raises(ProgressIncomplete):
        read_progress(answer(("반입신고", "20250101000000"), notice="[N00] 다건", count=1))


@pytest.mark.parametrize("count", ["", "-2", "x", "1.0", "٣", "1234567"])
def test_a_count_that_is_none_is_a_fault(count: str) -> None:
    with pytest.raises(ProgressFault):
        read_progress(document(header(), count=count))


def test_an_error_without_a_sentence_gets_one() -> None:
    with pytest.raises(ProgressRefused, match="UNI-PASS reports a fault"):
        read_progress(document(count=-1))
    with pytest.raises(ProgressRefused, match="잠시 후"):
        read_progress(document(notice="잠시 후 다시 조회하십시오.", count=0))


def test_a_notice_beside_rows_does_not_hide_them() -> None:
    (cargo,) = read_progress(answer(("반입신고", "20250101000000"), notice="점검 안내"))
    assert len(cargo.rows) == 1


@pytest.mark.parametrize("number", ["", "99ZZ000009I", "99ZZ000009E00010001", "99zz000009I00010001"])
def test_a_cargo_without_a_valid_number_is_a_fault(number: str) -> None:
    with pytest.raises(ProgressFault, match="cargMtNo"):
        read_progress(document(header(number), notice="[N00]", count=1))


# ------------------------------------------------------------------------------------------------ times
def test_both_formats_are_kst() -> None:
    moment = dt.datetime(2019, 12, 31, 15, 0, 1, tzinfo=dt.UTC)
    assert read_processed("20200101000001") == read_moved("2020-01-01 00:00:01") == moment
    assert read_moved("") is None


@given(seconds=st.integers(631_238_400, 7_258_000_000))
def test_times_are_read_as_korea_writes_them(seconds: int) -> None:
    moment = dt.datetime.fromtimestamp(seconds, dt.UTC)
    korean = moment.astimezone(dt.timezone(dt.timedelta(hours=9)))
    assert read_processed(korean.strftime("%Y%m%d%H%M%S")) == moment
    assert read_moved(korean.strftime("%Y-%m-%d %H:%M:%S")) == moment


@pytest.mark.parametrize(
    "text",
    [
        "", "2020010100000", "202001010000011", "2020-01-01 00:00:01", "20201301000000", "20200230000000",
        "20200101240000", "20200101006000", "20200101000060", "00010101000000", "99990101000000",
        "２０２００１０１００００００", " 0200101000001", "2020 101000001", "+0200101000001",
    ],
)  # fmt: skip
def test_what_is_no_time_is_a_fault(text: str) -> None:
    with pytest.raises(ProgressFault, match="no time"):
        read_processed(text)


@pytest.mark.parametrize("text", ["20200101000001", "2020-1-01 00:00:01", "2020-01-01T00:00:01", "2020-01-01", "x"])
def test_a_moved_time_has_its_own_format(text: str) -> None:
    with pytest.raises(ProgressFault, match="no time"):
        read_moved(text)
    with pytest.raises(ProgressFault):
        read_progress(answer(("반입신고", "20250101000000"), moved=text))


# ------------------------------------------------------------------------------------------------ order and stages
def test_what_shares_a_second_is_carried_in_then_cleared_then_released() -> None:
    at = "20250101000000"
    for order in (("반출신고", "통관목록심사완료", "반입신고"), ("반입신고", "반출신고", "통관목록심사완료")):
        (cargo,) = read_progress(answer(*((stage, at) for stage in order)))
        assert [row.kind for row in cargo.rows] == [K.CARRIED_IN, K.DECIDED_CLEAR, K.RELEASED]


def test_a_stage_is_matched_in_nfc_and_whole() -> None:
    decomposed = "\u1107\u1161\u11ab\u110b\u1175\u11b8\u1109\u1175\u11ab\u1100\u1169"  # 반입신고 in single jamo
    (cargo,) = read_progress(answer((decomposed, "20250101000000"), ("반입신고 ", "20250101000001")))
    assert [row.kind for row in cargo.rows] == [K.CARRIED_IN, K.CARRIED_IN]
    (cargo,) = read_progress(answer(("반입신고 취소", "20250101000000")))
    assert (cargo.rows[0].kind, cargo.rows[0].trace) == (K.TRACED, UNKNOWN_STAGE.number)


def test_a_row_without_a_stage_is_a_fault() -> None:
    with pytest.raises(ProgressFault, match="no stage"):
        read_progress(answer(("", "20250101000000")))


STAGES = st.sampled_from([*STAGE_KINDS, *STAGE_TRACES, "표본 단계", "하선신고 수리 취소"])
MOMENTS = st.integers(0, 5).map(lambda second: f"2025010100000{second}")


@given(rows=st.lists(st.tuples(STAGES, MOMENTS), max_size=12))
def test_rows_come_oldest_first_and_none_is_lost(rows: list[tuple[str, str]]) -> None:
    cargos = read_progress(answer(*rows)) if rows else ()
    read = [row for cargo in cargos for row in cargo.rows]
    assert sorted((row.stage, row.at) for row in read) == sorted((stage, read_processed(at)) for stage, at in rows)
    keys = [(row.at, RANK.get(row.kind, 0)) for row in read]
    assert keys == sorted(keys)
    for row in read:
        trace = STAGE_TRACES.get(row.stage, UNKNOWN_STAGE).number
        meaning = (STAGE_KINDS[row.stage], 0) if row.stage in STAGE_KINDS else (K.TRACED, trace)
        assert (row.kind, row.trace) == meaning


@given(rows=st.lists(STAGES, min_size=2, max_size=8, unique=True))
def test_the_file_order_of_one_second_is_newest_first(rows: list[str]) -> None:
    (cargo,) = read_progress(answer(*((stage, "20250101000000") for stage in rows)))
    unranked = [row.stage for row in cargo.rows if row.kind not in RANK]
    assert unranked == [stage for stage in reversed(rows) if STAGE_KINDS.get(stage) not in RANK]


# ------------------------------------------------------------------------------------------------ guards
@pytest.mark.parametrize(
    "name",
    [
        "list-us-air.xml",
        "declared-cn-air.xml",
        "list-cn-sea.xml",
        "in-progress-air.xml",
        "released-before-clearance.xml",
    ],
)
def test_samples_pass_the_guards_of_the_kinds_they_report(name: str) -> None:
    assert first_refused(sample(name)) is None


@pytest.mark.parametrize(
    ("stages", "refused"),
    [
        (("통관목록접수", "통관목록심사완료", "반입신고"), "통관목록심사완료"),
        (("통관목록접수", "반입신고", "반출신고", "통관목록심사완료"), "반출신고"),
        (("반입신고", "통관목록심사완료"), "통관목록심사완료"),
        (("통관목록접수", "하선신고 수리", "입항보고 수리", "반출신고"), "반출신고"),
        (("수입신고", "반입신고", "수입신고수리전반출", "반출신고"), "반출신고"),
    ],
)
def test_rows_out_of_order_do_not_pass(stages: tuple[str, ...], refused: str) -> None:
    rows = [(stage, f"2025010100000{number}") for number, stage in enumerate(stages)]
    (cargo,) = read_progress(answer(*reversed(rows)))
    found = first_refused(cargo)
    assert found is not None
    assert found.stage == refused


# ------------------------------------------------------------------------------------------------ broken answers
WHOLE = (SAMPLES / "list-us-air.xml").read_bytes()


@given(at=st.integers(0, len(WHOLE) - 1), byte=st.integers(0, 255))
def test_one_altered_byte_is_read_or_refused_with_a_code(at: int, byte: int) -> None:
    altered = WHOLE[:at] + bytes([byte]) + WHOLE[at + 1 :]
    try:
        cargos = read_progress(altered)
    except LedgerError as error:
        codes = error.as_dict()["code"]
    else:
        codes = ""
        assert len(cargos) <= 1
    assert codes.startswith("unipass.") or not codes


@given(cut=st.integers(0, len(WHOLE) - 40))
def test_a_cut_answer_is_never_taken_for_whole(cut: int) -> None:
    with pytest.raises(ProgressFault):
        read_progress(WHOLE[:cut])


def test_a_dropped_row_is_noticed() -> None:
    text = WHOLE.decode()
    rows = re.findall(r"<cargCsclPrgsInfoDtlQryVo>.*</cargCsclPrgsInfoDtlQryVo>\n", text)
    assert len(rows) == 10
    for row in rows:
        with pytest.raises(ProgressIncomplete):
            read_progress(text.replace(row, "", 1).encode())


def test_traces_that_samples_show_are_known() -> None:
    shown = {
        name
        for path in SAMPLES.glob("*-*.xml")
        if "error" not in path.name
        for c in read_file(path)
        for name in kinds(c)
    }
    assert shown - {kind.name for kind in KindNumber} <= TRACES.keys()
