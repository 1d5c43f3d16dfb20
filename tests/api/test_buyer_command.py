"""The buyer's command as a person uses it: code at a prompt, key of the computer, answers signed, receipts kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from api.routes import buyer as routes
from clients.cli.buyer_receipts import Receipts
from clients.cli.buyer_texts import OWN
from clients.sample.members import Keyring
from clients.sdk.receipts import Authorities
from node.service import wait_until
from tests.api.test_buyer import filed, person
from tests.api.world import World
from tests.commands import Done, clearance
from tests.node.days import SEED

HOLDER = 41


class Terminal:
    """The command with one folder, as its owner runs it."""

    def __init__(self, service: World, folder: Path) -> None:
        self.service, self.home = service, folder / "buyer"
        self.passphrase, self.number = folder / "passphrase", folder / "number.json"
        self.passphrase.write_text("four quiet made-up words\n")
        self.number.write_text(json.dumps({name: person(HOLDER)[name] for name in ("pccc", "phone")}))
        self.number.chmod(0o600)

    def run(self, *words: str, typed: Any = "", lang: str = "en", fails: bool = False) -> Done:
        own = {"CLEARANCE_LANG": lang, "CLEARANCE_PASSPHRASE_FILE": str(self.passphrase)}
        done = clearance("buyer", *words, "--home", str(self.home), typed=typed, env=own)
        assert (done.status != 0) is fails, done
        return done

    def json(self, *words: str) -> dict[str, Any]:
        return self.run(*words, "--json").json

    def sign_in(self) -> Done:
        messages = Messages(self.service)
        return self.run("sign-in", "--api", self.service.url, "--number-file", str(self.number), typed=messages)


class Messages:
    """The holder's telephone beside the keyboard: he types the code when it has come."""

    def __init__(self, service: World) -> None:
        self.newest = service.desk.sign_in._sender.newest
        self.phone = person(HOLDER)["phone"]
        self.newest.pop(self.phone, None)

    def readline(self) -> str:
        assert wait_until(lambda: self.phone in self.newest, 20)
        return str(self.newest.pop(self.phone)) + "\n"


@pytest.fixture(scope="module")
def terminal(service: World, tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    made = Terminal(service, tmp_path_factory.mktemp("holder"))
    done = made.sign_in()
    assert person(HOLDER)["pccc"] not in done.stdout + done.stderr
    return made


def use_of(terminal: Terminal, reference: str) -> tuple[Any, dict[str, Any]]:
    """File a parcel of the holder's; return it and the newest use."""
    before = {each["id"] for each in terminal.json("uses")["uses"]}
    journey = filed(terminal.service, reference, HOLDER).settled("IDENTITY_CHECKED")
    (fresh,) = [each for each in terminal.json("uses")["uses"] if each["id"] not in before]
    return journey, fresh


def test_a_denial_is_signed_kept_and_stops_the_next_carry_in(terminal: Terminal) -> None:
    journey, use = use_of(terminal, "command-denied")
    told = terminal.run("deny", use["id"], lang="ko").stdout
    assert "본인 것이 아니라고 답했습니다" in told
    path = Path(told.rsplit("접수증을 두었습니다 ", 1)[1].split("\n")[0])
    assert path.stat().st_mode & 0o077 == 0
    kept = json.loads(path.read_text())
    assert kept["signed"] is True
    assert kept["receipt"]["signature"] in told
    assert kept["receipt_signer"] == Keyring(SEED).signer("identity").hex_address.lower()
    journey.settled("IDENTITY_STOPPED").carried_in()
    assert "CLEARED" not in journey.seen_by("courier-1")["status"]
    assert "not yours" in terminal.run("show", use["id"]).stdout
    assert "api.conflict" in terminal.run("gift", use["id"], fails=True).stderr


@pytest.mark.parametrize("fault", ["foreign", "altered", "none"])
def test_a_receipt_that_is_wrong_is_kept_before_it_is_said_so(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    _, use = use_of(terminal, f"command-{fault}")
    if fault == "foreign":
        monkeypatch.setattr(
            Authorities, "of_chain", lambda _: Authorities(terminal.service.genesis.domain, frozenset())
        )
    else:
        wrong = {"altered": {"type": "Answer"}, "none": None}[fault]
        monkeypatch.setattr(routes, "receipt", lambda row, real=routes.receipt: real(row) | {"receipt": wrong})
    before = set(terminal.home.glob("receipts/*"))
    why = terminal.run("confirm", use["id"], fails=True).stderr
    (kept,) = set(terminal.home.glob("receipts/*")) - before
    assert f"kept in {kept}" in why
    assert json.loads(kept.read_text())["about"] == use["id"]
    assert kept.stat().st_mode & 0o077 == 0
    if fault == "foreign":
        assert Keyring(SEED).signer("identity").hex_address.lower() in why
        assert "clearance audit roles" in why


def test_a_gateway_does_not_choose_where_a_receipt_is_kept(tmp_path: Path) -> None:
    for name in ("../../outside", "", "x" * 90, None):
        receipts = Receipts(tmp_path)
        receipts.keep({"id": name})
        assert receipts.path
        assert receipts.path.parent == tmp_path / "receipts"
        assert receipts.path.exists()


def test_a_freeze_shows_what_it_meets_and_lets_the_chosen_through(terminal: Terminal) -> None:
    journey, use = use_of(terminal, "command-exempt")
    row = [each["id"] for each in terminal.json("freeze", "--preview")["under_way"]].index(use["id"]) + 1
    assert use["id"] in terminal.run("freeze", typed=f"{row}\nn\n").stdout
    assert terminal.json("number")["state"] == "active"
    terminal.run("freeze", typed=f"{row}\ny\n")
    assert terminal.json("number")["state"] == "frozen"
    assert "STOP_OPEN" not in journey.seen_by("courier-1")["status"]  # type: ignore[operator]
    thawed = terminal.json("thaw", "--until", "2025-10-25")
    assert '"until":"2025-10-25T14:59:59Z"' in thawed["receipt"]["statement"]
    assert terminal.json("number")["state"] == "thawed"
    assert terminal.json("consent-first", "on")["signed"] is True
    assert terminal.json("number")["consent_first"] is True
    terminal.json("consent-first", "off")


def test_what_goes_wrong_says_what_to_do_and_repeats_no_number(terminal: Terminal, tmp_path: Path) -> None:
    other = Terminal(terminal.service, tmp_path)
    assert "clearance buyer sign-in" in other.run("uses", fails=True).stderr
    other.number.chmod(0o644)
    words = ("--api", terminal.service.url, "--number-file", str(other.number))
    assert "chmod 600" in other.run("sign-in", *words, fails=True).stderr
    terminal.passphrase.write_text("another\n")
    why = terminal.run("deny", "use_x", fails=True).stderr
    terminal.passphrase.write_text("four quiet made-up words\n")
    assert "device.unusable" in why
    assert b"ENCRYPTED" in (terminal.home / "device.pem").read_bytes()
    assert person(HOLDER)["pccc"] not in why


def test_every_sentence_is_in_both_languages() -> None:
    assert all(each.ko and each.en and each.ko != each.en for each in OWN.values())
