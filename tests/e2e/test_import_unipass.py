"""Real UNI-PASS answers as observed entries, through the real command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.test_sample_day import clearance

SHARED = Path(__file__).parents[3] / "shared" / "data" / "unipass"
real = pytest.mark.skipif(not SHARED.exists(), reason="real UNI-PASS answers (../shared/data/unipass) are not here")


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
    done = clearance("import", "unipass", str(SHARED / f"{name}.xml"))
    assert done.returncode == 1
    assert "unipass.refused" in done.stderr


def test_a_trace_out_of_order_is_rejected_with_its_reason(tmp_path: Path) -> None:
    """Made up: cleared before carry-in, released before cleared."""
    rows = [("20250101090000", "통관목록접수"), ("20250101100000", "통관목록심사완료"), ("20250101110000", "반출신고")]
    detail = "".join(
        f"<cargCsclPrgsInfoDtlQryVo><prcsDttm>{at}</prcsDttm><cargTrcnRelaBsopTpcd>{stage}</cargTrcnRelaBsopTpcd>"
        "</cargCsclPrgsInfoDtlQryVo>"
        for at, stage in reversed(rows)
    )
    file = tmp_path / "early.xml"
    file.write_text(
        "<cargCsclPrgsInfoQryRtnVo><ntceInfo></ntceInfo><cargCsclPrgsInfoQryVo><cargMtNo>25ZZ000001I00010001</cargMtNo>"
        f"<mblNo>MADEUP1</mblNo><hblNo>MADEUP2</hblNo></cargCsclPrgsInfoQryVo><tCnt>3</tCnt>{detail}"
        "</cargCsclPrgsInfoQryRtnVo>"
    )
    last = json.loads(clearance("import", "unipass", "--json", str(file)).stdout)
    assert (last["accepted"], last["rejected"], last["reasons"]) == (1, 2, {"STATE_MISSING": 2})
