"""UNI-PASS answers, made-up and real ones, as observed entries, through the real command."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ledger.unipass.progress import read_files
from tests.e2e.test_sample_day import clearance

SHARED = Path(__file__).parents[3] / "shared" / "data" / "unipass"
SAMPLES = Path(__file__).parents[1] / "samples" / "unipass"
TRACES = [SAMPLES / f"{name}.xml" for name in (
    "list-us-air", "declared-cn-air", "list-cn-sea", "in-progress-air", "released-before-clearance", "multiple-houses",
)]  # fmt: skip
real = pytest.mark.skipif(not SHARED.exists(), reason="real UNI-PASS answers (../shared/data/unipass) are not here")


def test_every_row_of_the_made_up_traces_is_accepted_under_the_guards() -> None:
    rows = sum(len(cargo.rows) for _, cargos in read_files(TRACES) for cargo in cargos)
    assert rows == 50
    done = clearance("import", "unipass", "--json", *map(str, TRACES))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "files": 6, "rows": 50, "accepted": 50, "rejected": 0, "reasons": {}, "parcels": 10, "masters": 6,
        "audit": "ok",
    }  # fmt: skip


def test_a_master_of_1211_houses_is_one_master(tmp_path: Path) -> None:
    """As many as a real answer names, made from one house of a made-up one."""
    whole = (SAMPLES / "multiple-houses.xml").read_text()
    houses = re.findall(r"<cargCsclPrgsInfoQryVo>.*?</cargCsclPrgsInfoQryVo>\n?", whole, re.S)
    start, end = whole.index(houses[0]), whole.index(houses[-1]) + len(houses[-1])
    many = "".join(
        houses[0].replace("99ZZ000006I00060001", f"99ZZ000006I{number:08}").replace("SMP000000061", f"SMP9{number:08}")
        for number in range(1, 1_212)
    )
    file = tmp_path / "many.xml"
    file.write_text(whole[:start] + many + re.sub(r"<tCnt>\d+", "<tCnt>1211", whole[end:]))
    done = clearance("import", "unipass", "--json", str(file))
    assert done.returncode == 0, done.stderr
    last = json.loads(done.stdout)
    assert (last["parcels"], last["masters"], last["rejected"], last["audit"]) == (1_211, 1, 0, "ok")


@pytest.mark.parametrize("name", ["error-unknown-key", "error-missing-key", "error-missing-reference"])
def test_an_error_answer_ends_with_its_own_sentence(name: str) -> None:
    file = SAMPLES / f"{name}.xml"
    said = re.search(r"<ntceInfo>(.+?)</ntceInfo>", file.read_text())
    assert said is not None
    done = clearance("import", "unipass", str(file))
    assert done.returncode == 1
    assert f"unipass.refused: {file.name}: {said[1]}" in done.stderr


def test_an_empty_answer_records_nothing() -> None:
    last = json.loads(clearance("import", "unipass", "--json", str(SAMPLES / "empty.xml")).stdout)
    assert (last["rows"], last["parcels"], last["masters"], last["audit"]) == (0, 0, 0, "ok")


@real
def test_every_row_of_the_real_traces_is_accepted_under_the_guards() -> None:
    files = [str(path) for path in sorted(SHARED.glob("completed-*.xml"))] + [str(SHARED / "in-progress.xml")]
    done = clearance("import", "unipass", "--json", *files)
    assert done.returncode == 0, done.stderr
    last = json.loads(done.stdout.strip().splitlines()[-1])
    assert last == {
        "files": 5, "rows": 56, "accepted": 56, "rejected": 0, "reasons": {}, "parcels": 5, "masters": 5, "audit": "ok",
    }  # fmt: skip


@real
def test_the_houses_of_one_answer_make_one_master() -> None:
    done = clearance("import", "unipass", "--json", str(SHARED / "multiple-results.xml"))
    last = json.loads(done.stdout)
    assert (last["parcels"], last["masters"], last["audit"]) == (1_211, 1, "ok")


@real
@pytest.mark.parametrize("name", ["invalid-key", "missing-key", "missing-reference"])
def test_error_answers_exit_one_with_their_own_message(name: str) -> None:
    file = SHARED / f"{name}.xml"
    said = re.search(r"<ntceInfo>(.+?)</ntceInfo>", file.read_text(), re.S)
    assert said is not None
    done = clearance("import", "unipass", str(file))
    assert done.returncode == 1
    assert "unipass.refused" in done.stderr
    assert said[1].strip() in done.stderr


def early(folder: Path) -> Path:
    """Make up a trace out of order: cleared before carry-in, released before cleared."""
    rows = [("20250101090000", "통관목록접수"), ("20250101100000", "통관목록심사완료"), ("20250101110000", "반출신고")]
    detail = "".join(
        f"<cargCsclPrgsInfoDtlQryVo><prcsDttm>{at}</prcsDttm><cargTrcnRelaBsopTpcd>{stage}</cargTrcnRelaBsopTpcd>"
        "</cargCsclPrgsInfoDtlQryVo>"
        for at, stage in reversed(rows)
    )
    file = folder / "early.xml"
    file.write_text(
        "<cargCsclPrgsInfoQryRtnVo><ntceInfo></ntceInfo><cargCsclPrgsInfoQryVo><cargMtNo>25ZZ000001I00010001</cargMtNo>"
        f"<mblNo>MADEUP1</mblNo><hblNo>MADEUP2</hblNo></cargCsclPrgsInfoQryVo><tCnt>3</tCnt>{detail}"
        "</cargCsclPrgsInfoQryRtnVo>"
    )
    return file


def test_a_trace_out_of_order_is_rejected_with_its_reason(tmp_path: Path) -> None:
    last = json.loads(clearance("import", "unipass", "--json", str(early(tmp_path))).stdout)
    assert (last["accepted"], last["rejected"], last["reasons"]) == (1, 2, {"STATE_MISSING": 2})
