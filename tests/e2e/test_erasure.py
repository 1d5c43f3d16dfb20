"""The erasure drill by the real commands: back up, erase, restore from before: the person does not come back."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import httpx
import pytest

from clients.cli.api import open_database
from clients.cli.vault import FOLDER
from ledger.store.migrations import migrate
from tests.e2e.services import Up, eventually
from tests.e2e.test_restore import put_back, refused, told
from tests.e2e.test_sample_day import clearance
from tests.e2e.test_up import ports

pytestmark = pytest.mark.slow
ERASED = {"number": "P990000000001", "phone": "01000000001"}
KEPT = {"number": "P990000000002", "phone": "01000000002"}


def asks_for_a_code(up: Up, person: dict[str, str]) -> None:
    answer = httpx.post(
        f"{up.urls['gateway']}/v1/buyer/codes", json={"pccc": person["number"], "phone": person["phone"]},
        trust_env=False, timeout=30,
    )  # fmt: skip
    assert answer.status_code == 202, answer.text


def codes(up: Up, person: dict[str, str]) -> int:
    """Count the codes that were sent to somebody."""
    return (up.home / "gateway.log").read_text().count(f"ending in {person['phone'][-4:]}")


def test_an_erased_person_does_not_come_back_from_a_backup(tmp_path: Path) -> None:
    old = Up(tmp_path / "old", ("--demo", "--seed", "6", *ports()))
    old.start()
    try:
        asks_for_a_code(old, ERASED)
        eventually(lambda: codes(old, ERASED) == 1, "the person is in the register")
        told("backup", "--home", str(old.home), "--to", str(tmp_path / "backup"), "--with-keys")
        file = tmp_path / "number"
        file.write_text(ERASED["number"] + "\n")
        done = told("api", "vault", "erase", "--home", str(old.home / "gateway"), "--number-file", str(file))
        assert Path(done["register"]).stat().st_size > 0
        assert "in-use" in refused("api", "vault", "rotate", "wrapping", "--home", str(old.home / "gateway"))
        asks_for_a_code(old, KEPT)
        asks_for_a_code(old, ERASED)
        eventually(lambda: codes(old, KEPT) == 1, "the others stay")
        assert codes(old, ERASED) == 1, "erased while the gateway ran, and still known to it"
    finally:
        old.kill_all()
    new = Up(tmp_path / "new", ports())
    told("restore", "--from", str(tmp_path / "backup"), "--home", str(new.home), "--no-follower-left")
    put_back(old.home, new.home)
    for name in ("sealer", "follower"):
        (new.home / name / "passphrase").write_text((old.home / name / "passphrase").read_text())
    new.start()
    try:
        asks_for_a_code(new, ERASED)
        asks_for_a_code(new, KEPT)
        eventually(lambda: codes(new, KEPT) == 1, "the others are back")
        assert codes(new, ERASED) == 0, "the backup brought an erased person back"
    finally:
        new.kill_all()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A gateway's folder with a register of two people."""
    folder = tmp_path / "gateway"
    database = open_database(folder, "")
    migrate(database)
    database.close()
    people = tmp_path / "people.csv"
    people.write_text("number,name,phone\n" + "".join(f"{p['number']},표본인,{p['phone']}\n" for p in (ERASED, KEPT)))
    master = tmp_path / "master.key"
    master.write_text("11" * 32)
    master.chmod(0o600)
    done = clearance("api", "register", str(people), "--home", str(folder), "--identity-master", str(master))
    assert done.returncode == 0, done.stderr
    return folder


def test_keys_change_copies_are_taken_and_registers_of_elsewhere_are_carried_out(home: Path, tmp_path: Path) -> None:
    at = ("--home", str(home))
    copied = clearance("api", "vault", "copy", str(tmp_path / "keys"), *at)
    assert copied.returncode == 0, copied.stderr
    for what in ("wrapping", "index"):
        done = clearance("api", "vault", "rotate", what, *at)
        assert done.returncode == 0, done.stderr
        assert [path.name for path in (home / FOLDER / what).iterdir()] == ["2.key"]
    backup = tmp_path / "gateway.db"
    shutil.copyfile(home / "gateway.db", backup)
    old = tmp_path / "old"
    shutil.copytree(home / FOLDER, old)
    number = tmp_path / "number"
    number.write_text(ERASED["number"])
    told("api", "vault", "erase", "--number-file", str(number), *at)
    register = tmp_path / "register.jsonl"
    shutil.copyfile(home / FOLDER / "erasures.jsonl", register)
    shutil.rmtree(home / FOLDER)  # everything is restored from before
    shutil.copytree(old, home / FOLDER)
    shutil.copyfile(backup, home / "gateway.db")
    replayed = clearance("api", "vault", "replay", str(register), *at)
    assert replayed.returncode == 0, replayed.stderr
    assert "Nobody holds this number" in refused("api", "vault", "erase", "--number-file", str(number), *at)
    number.write_text(KEPT["number"])
    assert told("api", "vault", "erase", "--number-file", str(number), *at)["payloads"] == 0
    listed = clearance("api", "vault", "openings", "0x" + "11" * 32, "--json", *at)
    assert json.loads(listed.stdout) == {"payload": "unknown", "openings": []}
