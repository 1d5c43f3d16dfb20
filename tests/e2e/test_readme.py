"""The README's commands run, and what it prints is what they print."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
COMMANDS = sorted(set(re.findall(r"`\.venv/bin/clearance ([^`]+)`", README)))
TARGETS = sorted(set(re.findall(r"(?:\$ |`)make ([a-z-]+)", README)))
ROW = re.compile(r"│ ([a-z ]+?) +│ +([\d,]+) │")


def clearance(*words: str, timeout: int = 300) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "clients.cli", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, cwd=ROOT)


def test_it_names_commands_and_targets() -> None:
    assert len(COMMANDS) >= 5
    assert set(TARGETS) >= {"run", "test", "bench"}


@pytest.mark.parametrize("line", COMMANDS)
def test_the_options_of_every_command_exist(line: str) -> None:
    words = [word for word in shlex.split(line.partition(">")[0]) if word != "--help"]
    names = [word for word in words if re.fullmatch(r"[a-z][a-z-]*", word)]
    done = clearance(*names[:2], "--help") if len(names) > 1 else clearance(names[0], "--help")
    assert done.returncode == 0, done.stderr
    for option in (word for word in words if word.startswith("--")):
        assert option in done.stdout, f"{option} of {line}"


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_exists(target: str) -> None:
    subprocess.run(["make", "--dry-run", target], check=True, capture_output=True, cwd=ROOT)


@pytest.mark.slow
def test_the_run_it_shows_is_the_run_of_today(tmp_path: Path) -> None:
    done = clearance("run", "--once", "--sample-rate", "0", "--home", str(tmp_path / "run"))
    assert done.returncode == 0, done.stdout + done.stderr
    # authority and screening cut their batches by the machine's clock, so heads and how many entries they needed differ
    # from run to run, and so does what the random sample picks: outcomes must not
    assert "audit: ok" in README
    assert "audit: ok" in done.stdout
    rows = {name: count for name, count in ROW.findall(README) if name not in ("blocks", "entries")}
    assert len(rows) >= 4
    assert rows == {name: count for name, count in ROW.findall(done.stdout) if name in rows}


@pytest.mark.slow
def test_the_demo_and_its_score(tmp_path: Path) -> None:
    truth, result = tmp_path / "T", tmp_path / "R"
    done = clearance("demo", "--parcels", "60", "--seed", "7", "--truth", str(truth), "--json")
    assert done.returncode == 0, done.stderr
    result.write_text(done.stdout)
    assert clearance("score", str(result), str(truth)).returncode == 0
