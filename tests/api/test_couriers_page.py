"""docs/couriers.md in a morning: its commands run in order on a running service, and say what the page shows."""

from __future__ import annotations

import datetime as dt
import re
import shlex
from pathlib import Path

import pytest

from clients.convert.scans import told
from clients.sample.members import COURIERS
from tests.api.world import World
from tests.commands import clearance
from tests.node.days import SEED

PAGE = (Path(__file__).parents[2] / "docs" / "couriers.md").read_text()
BLOCKS = re.findall(r"```console\n(.*?)```", PAGE, re.S)
FILE = re.search(r"```csv\n(.*?)```", PAGE, re.S)
BILL = re.compile(r"PCL-TEST-[A-Z]+-[0-9a-f]{8}")
VARYING = (
    (re.compile(r"0x[0-9a-f]{4,}"), "ID"),
    (BILL, "BILL"),
    (re.compile(r"http://127\.0\.0\.1:\d+"), "URL"),
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:]+Z"), "TIME"),
    (re.compile(r"block \d+/\d+/\d+"), "PLACE"),
    (re.compile(r"--after \S+"), "RESUME"),
    (re.compile(r"[\s│┃]+"), " "),
)


def plain(text: str) -> str:
    for pattern, name in VARYING:
        text = pattern.sub(name, text)
    return text.strip()


def test_the_commands_of_the_page_say_what_it_shows(
    service: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("passphrase").write_text("a passphrase for a test\n")
    bill = ""
    assert len(BLOCKS) >= 4
    assert FILE is not None
    for block in BLOCKS:
        command, _, shown = block.partition("\n")
        words = shlex.split(command.removeprefix("$ clearance "))
        for option in {"--seed", "--demo-seed"}.intersection(words):
            words[words.index(option) + 1] = str(SEED)
        if words[1] == "scans":
            now = service.party(COURIERS[0]).now()
            rows = BILL.sub(bill, FILE[1])
            Path("today.csv").write_text(re.sub(r"2026-\S+\+09:00", korean(now), rows))
        done = clearance(*words, env={"CLEARANCE_API": service.url})
        said = done.stdout + done.stderr
        assert done.status in (0, 1), said
        if words[1] == "trigger":
            bill = BILL.search(said)[0]  # type: ignore[index]
        lines = {plain(line) for line in said.splitlines()}
        for line in shown.splitlines():
            if re.search(r"\w", line):
                assert plain(line) in lines, f"{command}: {line}\n{said}"


def korean(seconds: int) -> str:
    return dt.datetime.fromisoformat(told(seconds)).astimezone(dt.timezone(dt.timedelta(hours=9))).isoformat()
