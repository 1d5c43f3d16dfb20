"""Certificates from a real gateway: for those who may read the parcel, checked by the command as the page says."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from api.certificates import certificate_of
from clients.cli.verify import TEXTS
from ledger.certificate import Certificate, verify
from ledger.chain.evidence import NotFinal
from ledger.domain.error_texts import ERROR_TEXTS
from ledger.trust import Trust
from node.remote import NodeRefused, RemoteNode
from tests.api.journey import Journey
from tests.api.test_buyer import Buyer, filed, person
from tests.api.test_couriers_page import plain
from tests.api.world import World
from tests.commands import clearance
from tests.node.days import SEED

PAGE = (Path(__file__).parents[2] / "docs" / "certificates.md").read_text()
BLOCKS = re.findall(r"```console\n(.*?)```", PAGE, re.S)
HOLDER = 41


@pytest.fixture(scope="module")
def journey(service: World) -> Journey:
    return filed(service, "certified", HOLDER).checked().carried_in()


@pytest.fixture(scope="module")
def holder(service: World) -> Buyer:
    return Buyer(service, HOLDER)


@pytest.fixture
def trust(service: World, tmp_path: Path) -> Path:
    (tmp_path / "genesis.json").write_text(service.genesis.dumps())
    done = clearance("node", "trust", "--home", str(tmp_path))
    assert done.status == 0, done.stderr
    (tmp_path / "trust.json").write_text(done.stdout)
    return tmp_path / "trust.json"


def address(journey: Journey) -> str:
    return f"/v1/parcels/0x{journey.parcel:064x}/certificate"


def kept(path: Path, document: Any) -> str:
    path.write_text(json.dumps(document))
    return str(path)


# ---------------------------------------------------------------------------------------------------------- who gets it
def test_those_who_may_read_the_parcel_get_a_certificate_that_holds(
    service: World, journey: Journey, trust: Path
) -> None:
    trusted = Trust.loads(trust.read_text())
    assert (trusted.needed, len(trusted.followers)) == (1, 1)
    for name in ("courier-1", "shop-01", "office-040"):
        answer = service.party(name).http.get(address(journey))
        assert answer.status_code == 200, (name, answer.text)
        assert answer.headers["cache-control"] == "private, no-store"
        found = Certificate.loads(answer.content)
        verify(found, trusted)
        assert found.parcel == journey.parcel
        assert found.filing == journey.filing()
        assert (found.says["clearance"], found.says["decided_by"]) == ("cleared", "rule")


def test_others_get_what_nobody_gets(service: World, journey: Journey) -> None:
    unknown = f"/v1/parcels/0x{1:064x}/certificate"
    for name in ("courier-2", "shop-02", "office-020"):
        http = service.party(name).http
        found, nobody = http.get(address(journey)), http.get(unknown)
        assert (found.status_code, found.json()["code"]) == (404, "api.not-found")
        assert found.json() | {"request_id": ""} == nobody.json() | {"request_id": ""}


def test_the_holder_gets_it_and_nothing_of_it_names_a_person(
    service: World, journey: Journey, holder: Buyer, trust: Path
) -> None:
    use = holder.use(journey)
    answer = holder.http.get(f"/v1/buyer/uses/{use['id']}/certificate")
    assert answer.status_code == 200, answer.text
    found = Certificate.loads(answer.content)
    verify(found, Trust.loads(trust.read_text()))
    assert found.parcel == journey.parcel
    assert answer.json() == service.party("courier-1").http.get(address(journey)).json(), "what any party gets"
    text = answer.text
    for value in (*person(HOLDER).values(), use["id"], use["goods"], use["shop"], use["courier"]):
        assert value not in text
        assert value.encode().hex() not in text
    other = Buyer(service, HOLDER + 1)
    assert other.http.get(f"/v1/buyer/uses/{use['id']}/certificate").status_code == 404


@pytest.mark.parametrize(("language", "link"), [("ko", "통관 증명 받기"), ("en", "Download the proof")])
def test_the_page_of_a_use_offers_it(
    service: World, journey: Journey, holder: Buyer, trust: Path, language: str, link: str
) -> None:
    use = holder.use(journey)
    token = holder.http.headers["Authorization"].removeprefix("Bearer ")
    http = service.client(
        headers={"Accept": "text/html", "Accept-Language": language}, cookies={"clearance_buyer": token}
    )
    shown = http.get(f"/uses/{use['id']}").text
    found = re.search(rf'<a href="([^"]+)" download>{link}</a>', shown)
    assert found, shown
    answer = http.get(found[1])
    assert re.fullmatch(r'attachment; filename="certificate-\d+\.json"', answer.headers["content-disposition"])
    verify(Certificate.loads(answer.content), Trust.loads(trust.read_text()))
    assert http.get("/uses/use_unknown/certificate").status_code == 404


def test_what_the_node_cannot_prove_yet_is_told(
    service: World, journey: Journey, holder: Buyer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotFinal):
        certificate_of(service.gateway, bytes(31) + b"\1")
    use = holder.use(journey)
    for code, status in (("certificate.not-final", 409), ("state.pruned", 503)):

        def refuses(*_: object, code: str = code) -> None:
            raise NodeRefused({"data": {"code": code, "detail": "not now", "hint": "later"}})

        monkeypatch.setattr(RemoteNode, "evidence", refuses)
        for http, path in (
            (service.party("courier-1").http, address(journey)),
            (holder.http, f"/v1/buyer/uses/{use['id']}/certificate"),
        ):
            answer = http.get(path)
            assert (answer.status_code, answer.json()["code"]) == (status, code)
            assert ("retry-after" in answer.headers) == (status == 503)


# ---------------------------------------------------------------------------------------------------------- the command
def test_the_commands_of_the_page_say_what_it_shows(
    service: World, journey: Journey, trust: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trust.parent)
    assert len(BLOCKS) == 3
    for block in BLOCKS:
        command, _, shown = block.partition("\n")
        words = shlex.split(command.removeprefix("$ clearance "))
        for place, each in enumerate(words):
            if each == "--demo-seed":
                words[place + 1] = str(SEED)
            elif each == "--home":
                words[place + 1] = str(trust.parent)
            elif each.startswith("0x"):
                words[place] = f"0x{journey.parcel:064x}"
        done = clearance(*words, env={"CLEARANCE_API": service.url})
        assert done.status == 0, done.stderr
        lines = {numberless(line) for line in done.stdout.splitlines()}
        for line in shown.splitlines():
            assert numberless(line) in lines, f"{line}\n{done.stdout}"


def numberless(line: str) -> str:
    return re.sub(r"\d+", "N", plain(line))


def test_the_command_tells_which_point_fails(service: World, journey: Journey, trust: Path, tmp_path: Path) -> None:
    document = service.party("courier-1").http.get(address(journey)).json()
    whole = kept(tmp_path / "whole", document)
    lying = kept(tmp_path / "lying", document | {"says": document["says"] | {"clearance": "refused"}})
    done = clearance("verify", lying, "--trust", str(trust), "--demo", "--lang", "ko")
    assert done.status == 1
    assert ERROR_TEXTS["certificate.says"].ko in done.stdout
    assert "certificate.says" in done.stderr
    assert "clearance." in done.stderr
    done = clearance("verify", lying, "--trust", str(trust), "--demo", "--json")
    assert (done.status, done.json["verified"], done.json["error"]["code"]) == (1, False, "certificate.says")
    done = clearance("verify", whole, "--trust", str(trust), "--demo", "--json")
    assert done.status == 0
    assert (done.json["verified"], done.json["height"]) == (True, document["says"]["height"])
    assert [each["follower"] for each in done.json["countersigned_by"]] == list(service.genesis.followers)
    assert done.json["sealed_by"] == service.genesis.sealer
    done = clearance("verify", whole, "--trust", str(trust), "--demo", "--lang", "ko")
    assert done.status == 0
    for name in ("holds", "demo", "by.rule", "later", "declared"):
        assert TEXTS[name].ko in done.stdout


def test_a_demo_chains_certificate_is_taken_for_a_trial_only(
    service: World, journey: Journey, trust: Path, tmp_path: Path
) -> None:
    document = service.party("courier-1").http.get(address(journey)).json()
    whole = kept(tmp_path / "whole", document)
    done = clearance("verify", whole, "--trust", str(trust))
    assert (done.status, done.stdout) == (2, "")
    assert "trust.demo" in done.stderr
    assert "--demo" in done.stderr
    done = clearance("verify", whole, "--trust", str(trust), "--demo", "--json")
    assert (done.status, done.json["verified"], done.json["demo"]) == (0, True, True)
    told = json.loads(trust.read_text())
    unmarked = kept(tmp_path / "unmarked", {name: told[name] for name in told if name != "demo"})
    assert clearance("verify", whole, "--trust", unmarked).status == 2
    done = clearance("verify", whole, "--trust", kept(tmp_path / "real", told | {"demo": False}), "--json")
    assert (done.status, done.json["demo"]) == (0, False)


def test_files_that_cannot_be_used_are_a_matter_of_usage(trust: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("{}")
    for proof, trusted, status in (
        (tmp_path / "empty", trust, 1), (tmp_path / "missing", trust, 2), (tmp_path / "empty", tmp_path / "missing", 2),
        (tmp_path / "empty", tmp_path / "empty", 2), (tmp_path, trust, 2),
    ):  # fmt: skip
        assert clearance("verify", str(proof), "--trust", str(trusted), "--demo").status == status, (proof, trusted)
    assert clearance("verify", str(tmp_path / "empty")).status == 2


def test_seller_and_buyer_fetch_it_too_and_a_file_that_cannot_be_written_is_told(
    service: World, journey: Journey, holder: Buyer, trust: Path, tmp_path: Path
) -> None:
    token = holder.http.headers["Authorization"].removeprefix("Bearer ")
    (tmp_path / "session.json").write_text(json.dumps({"api": service.url, "token": token, "genesis": ""}))
    member = (f"0x{journey.parcel:064x}", "--api", service.url, "--demo-seed", str(SEED))
    buyer = (holder.use(journey)["id"], "--home", str(tmp_path))
    for number, words in enumerate((("courier", *member), ("seller", *member), ("buyer", *buyer))):
        file = tmp_path / f"{number}.json"
        done = clearance(words[0], "certificate", *words[1:], "--out", str(file))
        assert done.status == 0, done
        verify(Certificate.loads(file.read_text()), Trust.loads(trust.read_text()))
        done = clearance(words[0], "certificate", *words[1:], "--out", str(tmp_path / "no folder" / "file"))
        assert (done.status, "Give another file with --out" in done.stderr) == (1, True), done


def test_a_service_told_to_trust_more_signatures_asks_for_them(service: World, trust: Path) -> None:
    home = str(trust.parent)
    assert clearance("node", "trust", "--home", home, "--countersignatures", "2").status == 1
    done = clearance("node", "trust", "--home", home, "--countersignatures", "0")
    assert json.loads(done.stdout)["countersignatures"] == 0
