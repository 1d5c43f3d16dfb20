"""The sample day through the real command: golden roots, every planted case caught, chance when permuted."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

OPTIONAL = ("rusty_rlp", "sha3", "_pysha3", "blake2b")
"""Modules of wheels that not every Python and platform has."""
GOLDEN = json.loads((Path(__file__).parents[1] / "golden.json").read_text())


def clearance(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "clients.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, check=False)


WITHOUT = """
import sys
from importlib.machinery import PathFinder
blocked = set(sys.argv.pop(1).split(","))
class Finder(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in blocked else super().find_spec(name, path, target)
sys.meta_path[sys.meta_path.index(PathFinder)] = Finder
from clients.cli.main import app
try:
    app(sys.argv[1:], prog_name="clearance")
finally:
    print("loaded:", *sorted(blocked & {name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
"""
"""The command in a process that cannot import some modules."""


def golden(parcels: int, done: subprocess.CompletedProcess[str]) -> None:
    """Check what a demo of seed 3 printed against the golden roots."""
    assert done.returncode == 0, done.stderr
    result, wanted = json.loads(done.stdout), GOLDEN[f"parcels {parcels}, seed 3"]
    assert {name: result[name] for name in wanted} == wanted
    assert result["audit"] == "ok"


def test_the_golden_root_stands_under_another_hash_seed_and_time_zone() -> None:
    """Roots must not depend on dict order or the clock's zone."""
    for environment in ({"PYTHONHASHSEED": "1", "TZ": "America/New_York"}, {"PYTHONHASHSEED": "2", "TZ": "Asia/Seoul"}):
        golden(60, clearance("demo", "--parcels", "60", "--seed", "3", "--json", **environment))


@pytest.mark.slow
def test_the_golden_root_stands_without_the_optional_wheels() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "ETH_HASH_BACKEND"}
    command = [sys.executable, "-c", WITHOUT, ",".join(OPTIONAL), "demo", "--parcels", "60", "--seed", "3", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    golden(60, done)
    assert done.stderr.splitlines()[-1] == "loaded:"


@pytest.mark.slow
def test_the_golden_root_of_two_hundred_parcels_on_one_core_in_another_zone() -> None:
    pinned = ["taskset", "-c", "0"] if shutil.which("taskset") else []
    command = [*pinned, sys.executable, "-m", "clients.cli", "demo", "--parcels", "200", "--seed", "3", "--json"]
    environment = os.environ | {"PYTHONHASHSEED": "1", "TZ": "America/New_York"}
    golden(200, subprocess.run(command, capture_output=True, text=True, env=environment, check=False))


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
