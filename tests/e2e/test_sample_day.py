"""The sample day through the real command: golden roots, every planted case caught, chance when permuted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

GOLDEN = json.loads((Path(__file__).parents[1] / "golden.json").read_text())


def clearance(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "clients.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, check=False)


def test_the_golden_root_stands_under_another_hash_seed_time_zone_and_without_the_wheels() -> None:
    """Roots must not depend on dict order, the clock's zone, or the optional wheels (here: the other keccak)."""
    golden = GOLDEN["parcels 60, seed 3"]
    for environment in (
        {"PYTHONHASHSEED": "1", "TZ": "America/New_York"},
        {"PYTHONHASHSEED": "2", "TZ": "Asia/Seoul", "ETH_HASH_BACKEND": "pycryptodome"},
    ):
        done = clearance("demo", "--parcels", "60", "--seed", "3", "--json", **environment)
        assert done.returncode == 0, done.stderr
        result = json.loads(done.stdout)
        assert {name: result[name] for name in golden} == golden
        assert result["audit"] == "ok"


@pytest.mark.slow
def test_the_golden_root_of_two_hundred_parcels() -> None:
    golden = GOLDEN["parcels 200, seed 3"]
    result = json.loads(clearance("demo", "--parcels", "200", "--seed", "3", "--json").stdout)
    assert {name: result[name] for name in golden} == golden


def test_score_is_whole_and_falls_to_chance_when_the_labels_are_dealt_anew(tmp_path: Path) -> None:
    truth, result = tmp_path / "T", tmp_path / "R"
    done = clearance("demo", "--parcels", "160", "--seed", "7", "--truth", str(truth), "--json")
    result.write_text(done.stdout)
    scored = clearance("score", str(result), str(truth), "--json")
    assert scored.returncode == 0, scored.stdout + scored.stderr
    document = json.loads(scored.stdout)
    assert document["clean_referred"] == 0
    assert all(kind["planted"] == kind["caught"] >= 2 for kind in document["kinds"].values())
    permuted = clearance("score", str(result), str(truth), "--permute", "1", "--json")
    assert permuted.returncode == 1
    kinds = json.loads(permuted.stdout)["kinds"].values()
    assert sum(kind["caught"] for kind in kinds) < 0.2 * sum(kind["planted"] for kind in kinds)


def test_a_clean_parcel_that_an_officer_had_to_see_fails_the_score(tmp_path: Path) -> None:
    truth, result = tmp_path / "T", tmp_path / "R"
    done = clearance("demo", "--parcels", "80", "--seed", "1", "--truth", str(truth), "--json")
    document = json.loads(done.stdout)
    clean = next(house for house, label in json.loads(truth.read_text()).items() if label == "clean")
    document["outcomes"][clean]["referred"] = True
    result.write_text(json.dumps(document))
    assert clearance("score", str(result), str(truth)).returncode == 1


def test_score_of_files_that_are_none_says_what_to_give(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.write_text("no json")
    done = clearance("score", str(empty), str(empty))
    assert done.returncode == 2
    assert "no JSON file" in done.stderr
