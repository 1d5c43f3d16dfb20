"""What must hold of the repository itself: locks without addresses, documents that name what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from contracts.artifact import load_artifact
from ledger.domain.kinds import KINDS

ROOT = Path(__file__).parents[2]
PRODUCT = ("api", "benchmarks", "clients", "contracts", "ledger", "node", "tests", "tools", "docs", "requirements")
MADE = {"node_modules", "__pycache__", "build"}
LONGEST = 430
"""Lines of a source file: about four hundred."""


def files(*suffixes: str) -> list[Path]:
    """Return the repository's own files."""
    top = [path for path in ROOT.iterdir() if path.is_file() and path.name != "bench.json"]
    found = top + [path for name in PRODUCT for path in (ROOT / name).rglob("*") if path.is_file()]
    return [path for path in found if path.suffix in suffixes and not MADE & set(path.parts)]


def test_no_lock_names_a_registry() -> None:
    locks = [*(ROOT / "requirements").glob("*.txt"), *ROOT.glob("tools/*/package*.json"), ROOT / "pyproject.toml"]
    assert len(locks) >= 4
    for path in locks:
        found = re.findall(r"https?://\S+|--index-url|--find-links|\"resolved\"", path.read_text())
        assert not found, path
    assert not (ROOT / "uv.lock").exists()


def test_every_requirement_is_pinned_with_hashes() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        for entry in re.split(r"\n(?=\S)", path.read_text().strip()):
            assert re.match(r"[\w.\-\[\]]+==\S+", entry), entry
            assert "--hash=sha256:" in entry, entry


def test_files_stay_readable() -> None:
    long = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in files(".py", ".vy")}
    assert {name: lines for name, lines in long.items() if lines > LONGEST} == {}


@pytest.mark.parametrize("path", files(".md"), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#:\s]+)[^)]*\)", path.read_text()):
        assert (path.parent / target).exists(), target


def test_every_threat_names_a_test_that_exists() -> None:
    rows = [line for line in (ROOT / "docs" / "threat-model.md").read_text().splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 15
    for row in rows:
        tests = re.findall(r"`(tests/[^`]+)`", row)
        assert tests, row
        assert len(set(tests)) == len(tests), row
        for test in tests:
            assert "def test_" in (ROOT / test).read_text(), test


def test_the_contracts_size_is_the_one_that_is_told() -> None:
    text = (ROOT / "docs" / "adr" / "0002-vyper-cancun.md").read_text()
    assert f"{len(load_artifact().runtime):,} of 24,576 bytes" in text
    assert f"{len(KINDS)} kinds" in (ROOT / "docs" / "adr" / "0005-words-and-kinds.md").read_text()


INSIDE = re.compile(r"`((?:contracts|ledger|node|clients|tests|docs|benchmarks)/[\w./-]+\.\w+)`")


def test_paths_in_documents_exist() -> None:
    for path in files(".md"):
        for named in INSIDE.findall(path.read_text()):
            assert (ROOT / named).exists(), f"{path.name}: {named}"


def test_decisions_that_sources_name_exist() -> None:
    numbers = {path.name[:4] for path in (ROOT / "docs" / "adr").glob("0*.md")}
    for path in files(".py", ".vy", ".md"):
        text = path.read_text()
        assert {*re.findall(r"ADR (\d{4})", text), *re.findall(r"docs/adr/(\d{4})", text)} <= numbers, path


def test_sources_do_not_need_what_is_beside_the_repository() -> None:
    for path in files(".py", ".vy", ".toml"):
        if "tests" not in path.relative_to(ROOT).parts:
            assert "../shared" not in path.read_text(), path
