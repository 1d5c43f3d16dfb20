"""An operator's commands about people: a number reissued, a report of resale; all of a file or nothing of it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from clients.cli.vault import opened, seals_of
from ledger.store import history, people
from tests.commands import Done, clearance

OLD, NEW, OTHER = "P990000000001", "P990000009999", "P990000000002"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    master = tmp_path / "master"
    master.write_text(bytes(range(32)).hex() + "\n")
    master.chmod(0o600)
    assert command(tmp_path, "register", f"number,name,phone\n{OLD},표본인 00001,01000000001\n").status == 0
    return tmp_path


def command(home: Path, name: str, text: str) -> Done:
    file = home / "told.csv"
    file.write_text(text)
    return clearance("api", name, str(file), "--home", str(home), "--identity-master", str(home / "master"))


def holds(home: Path, number: str) -> people.Registered | None:
    with opened(home, "") as (database, vault), database.read() as session:
        return people.holder(session, seals_of(bytes(range(32)), vault), number)


def test_a_reissued_number_keeps_its_holder_and_is_not_given_twice(home: Path) -> None:
    before = holds(home, OLD)
    assert before
    done = command(home, "reissue", f"old,new\n{OLD},{NEW}\n")
    assert (done.status, done.stdout) == (0, "1 noted\n"), done
    after = holds(home, NEW)
    assert after
    assert after.person == before.person
    again = command(home, "reissue", f"old,new\n{OLD},{NEW}\n")
    assert again.status != 0
    assert "held already" in again.stderr
    unknown = command(home, "reissue", f"old,new\n{OTHER},P990000000003\n")
    assert unknown.status != 0
    assert not any(number in unknown.stderr for number in (OTHER, "P990000000003")), "numbers are personal"


def test_a_report_of_resale_is_noted_once_and_a_broken_file_not_at_all(home: Path) -> None:
    broken = command(home, "resales", f"number,report,date\n{OLD},R-1,2026-11-20\n{OLD},R-2,tomorrow\n")
    assert broken.status != 0
    assert "Line 3" in broken.stderr
    for _ in range(2):
        assert command(home, "resales", f"number,report,date\n{OLD},R-1,2026-11-20\n").status == 0
    holder = holds(home, OLD)
    assert holder
    with opened(home, "") as (database, _), database.read() as session:
        assert history.resales(session, holder.person) == [dt.date(2026, 11, 20)]


@pytest.mark.parametrize("name", ["reissue", "resales"])
def test_a_file_that_cannot_be_read_is_one_clear_line(home: Path, name: str) -> None:
    missing = clearance("api", name, str(home / "nowhere.csv"), "--home", str(home))
    assert (missing.status, "nowhere.csv: No such file" in missing.stderr) == (1, True), missing
    (home / "latin.csv").write_bytes(f"old,new\n{OLD},".encode() + b"\xff\xfe\n")
    odd = clearance("api", name, str(home / "latin.csv"), "--home", str(home))
    assert (odd.status, "cannot be read as CSV" in odd.stderr) == (1, True), odd
    assert OLD not in odd.stderr
