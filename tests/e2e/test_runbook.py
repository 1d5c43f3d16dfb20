"""Commands and options that the runbook names exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.e2e.test_sample_day import clearance

RUNBOOK = (Path(__file__).parents[2] / "docs" / "runbook.md").read_text()
GROUPS = ("node", "api", "audit")
USES = sorted(set(re.findall(r"(?:\$ |`)clearance ([a-z][^`\n|]*)", RUNBOOK.replace("`clearance up`", ""))))


def test_it_names_commands() -> None:
    assert len(USES) > 10


@pytest.mark.parametrize("line", USES)
def test_every_command_and_option_exists(line: str) -> None:
    words = line.split()
    names = words[: 3 if words[:2] == ["api", "vault"] else 2 if words[0] in GROUPS else 1]
    done = clearance(*names, "--help", COLUMNS="200")
    assert done.returncode == 0, done.stderr
    for option in re.findall(r"--[a-z-]+", line):
        assert option in done.stdout, f"{option} of {names}"
