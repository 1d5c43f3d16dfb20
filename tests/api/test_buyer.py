"""The holder of a number sees every use of it and stops misuse before release; nobody else sees or guesses anything."""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from ledger.answers import AnswerReceipt, Mark, parcel_text, statement
from ledger.chain.batch import Entry, detail
from ledger.domain.grounds import GROUNDS
from ledger.domain.kinds import KindNumber as K
from node.service import wait_until
from tests.api.journey import Journey
from tests.api.world import KEYRING, World


def person(number: int) -> dict[str, str]:
    """A person of the demo's register."""
    return {"pccc": f"P99{number:010}", "name": f"표본인 {number:05}", "phone": f"0100000{number % 10_000:04}"}


@dataclass
class Buyer:
    """A signed-in holder, with a device of his own."""

    service: World
    number: int
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.http = self.service.client()
        self.device = ec.generate_private_key(ec.SECP256R1())
        told = person(self.number)
        ticket = self.http.post("/v1/buyer/codes", json={"pccc": told["pccc"], "phone": told["phone"]}).json()["ticket"]
        sender = self.service.desk.sign_in._sender
        assert wait_until(lambda: told["phone"] in sender.newest, 30)
        point = self.device.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        body = {"ticket": ticket, "code": sender.newest.pop(told["phone"]), "device_key": "0x" + point.hex()}
        token = self.http.post("/v1/buyer/sessions", json=body).json()["access_token"]
        self.http.headers["Authorization"] = f"Bearer {token}"

    def sign(self, text: str) -> str:
        r, s = decode_dss_signature(self.device.sign(text.encode(), ec.ECDSA(SHA256())))
        return "0x" + r.to_bytes(32, "big").hex() + s.to_bytes(32, "big").hex()

    def said(self, what: str, about: str, details: dict[str, Any] | None = None) -> dict[str, Any]:
        """What goes into the body of a signed answer."""
        mark = Mark.fresh()
        return {"at": mark.at, "nonce": mark.nonce, "signature": self.sign(statement(what, about, mark, details))}

    def uses(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.http.get("/v1/buyer/uses").json()["data"]
        return found

    def use(self, journey: Journey) -> dict[str, Any]:
        """Wait until the authority has seen the filing, and return the use."""
        assert wait_until(lambda: any(self.service_parcel(each) == journey.parcel for each in self.uses()), 30)
        return next(each for each in self.uses() if self.service_parcel(each) == journey.parcel)

    def service_parcel(self, use: dict[str, Any]) -> int:
        with self.service.gateway.database.read() as session:
            from ledger.store.tables.identity import UseRow  # noqa: PLC0415

            row = session.get(UseRow, use["id"])
            return int.from_bytes(row.parcel, "big") if row else 0

    def answer(self, use: dict[str, Any], what: str, *, signed: bool = False) -> httpx.Response:
        body: dict[str, Any] = {"answer": what}
        if signed:
            body |= self.said(what, use["id"], {"parcel": use["parcel"]})
        return self.http.post(f"/v1/buyer/uses/{use['id']}/answers", json=body)


def filed(service: World, reference: str, number: int, **changes: str) -> Journey:
    return Journey(service, reference, person(number) | changes).ordered().filed()


def screened(journey: Journey) -> None:
    journey.settled("SCREENED_PASSED")


def test_the_register_is_asked_and_the_parcel_clears(service: World) -> None:
    journey = filed(service, "buyer-clean", 1)
    journey.settled("IDENTITY_CHECKED")
    screened(journey)
    journey.carried_in()
    buyer = Buyer(service, 1)
    use = buyer.use(journey)
    assert use["status"] == "cleared"
    assert use["goods"] == "a made-up thing"
    assert use["reasons"] == []
    whole = buyer.http.get(f"/v1/buyer/uses/{use['id']}").json()
    kinds = [each["kind"] for each in whole["timeline"]]
    assert {*kinds[1:3]} == {"IDENTITY_CHECKED", "SCREENED_PASSED"}, "in whatever order they came to be"
    assert [kinds[0], *kinds[3:]] == ["FILED", "CARRIED_IN", "CLEARED"]
    link = whole["link"].removeprefix("/p/")
    assert buyer.http.get(f"/v1/parcel-links/{link}", headers={"Authorization": ""}).json() == {
        "object": "parcel_status", "status": "cleared"
    }  # fmt: skip


def test_a_denial_stops_the_very_next_carry_in(service: World) -> None:
    journey = filed(service, "buyer-denied", 2)
    journey.settled("IDENTITY_CHECKED")
    screened(journey)
    buyer = Buyer(service, 2)
    use = buyer.use(journey)
    answer = buyer.answer(use, "denied", signed=True)
    assert answer.status_code == 201
    receipt = answer.json()["receipt"]
    assert receipt["signed_by_buyer"]
    assert AnswerReceipt.of(receipt).signer(service.genesis.domain) == KEYRING.signer("identity").address
    assert json.loads(receipt["statement"])["parcel"] == parcel_text(journey.parcel)
    assert [each["parcel"] for each in receipt["stops"]] == [parcel_text(journey.parcel)]
    journey.settled("IDENTITY_STOPPED")
    journey.carried_in()
    seen = journey.seen_by("courier-1")
    assert seen["clearance"] == "referred"
    assert buyer.use(journey)["status"] == "referred"
    assert any("not his" in each["en"] for each in buyer.use(journey)["reasons"])
    assert "not his" not in json.dumps(seen, ensure_ascii=False), "the cause is the holder's and customs' to know"

    # an officer who clears it all the same must name a ground, and the holder is told
    office = service.party("office-040")
    ground = GROUNDS[K.DECIDED_CLEAR][4]
    fields = detail(K.DECIDED_CLEAR, ground=ground.number, stops=1)
    office.write(Entry(journey.parcel, K.DECIDED_CLEAR, office.now(), detail=fields, names=journey.filing()))
    assert buyer.use(journey)["status"] == "cleared"
    events = buyer.http.get(f"/v1/buyer/uses/{use['id']}").json()["timeline"]
    assert events[-1]["kind"] == "DECIDED_CLEAR"
    assert events[-1]["ground"] == {"ko": ground.text.ko, "en": ground.text.en}


def test_somebody_elses_number_is_stopped(service: World) -> None:
    journey = filed(service, "buyer-stolen", 3, name="다른 사람")
    journey.settled("IDENTITY_STOPPED")
    screened(journey)
    journey.carried_in()
    assert journey.seen_by("courier-1")["clearance"] == "referred"
    unknown = filed(service, "buyer-unknown", 3, pccc="P999999999999")
    unknown.settled("IDENTITY_STOPPED")


def test_a_freeze_holds_what_its_owner_chose(service: World) -> None:
    held, through = filed(service, "buyer-held", 4), filed(service, "buyer-through", 4)
    for journey in (held, through):
        journey.settled("IDENTITY_CHECKED")
        screened(journey)
    buyer = Buyer(service, 4)
    mine = {"held": buyer.use(held), "through": buyer.use(through)}
    preview = buyer.http.get("/v1/buyer/number").json()
    assert {each["id"] for each in preview["under_way"]} == {each["id"] for each in mine.values()}
    exempt = [mine["through"]["id"]]
    body = {"exempt": exempt} | buyer.said("frozen", "number", {"exempt": [mine["through"]["parcel"]]})
    answer = buyer.http.post("/v1/buyer/number/freeze", json=body)
    assert answer.status_code == 201, answer.text
    held.settled("IDENTITY_STOPPED")
    for journey in (held, through):
        journey.carried_in()
    assert held.seen_by("courier-1")["clearance"] == "referred"
    assert through.seen_by("courier-1")["clearance"] == "cleared"
    later = filed(service, "buyer-later", 4)
    later.settled("IDENTITY_STOPPED")
    assert buyer.http.get("/v1/buyer/number").json()["state"] == "frozen"

    until = dt.datetime.fromtimestamp(service.clock.now(), dt.UTC) + dt.timedelta(days=2)
    unsigned = buyer.http.post("/v1/buyer/number/thaw", json={"until": until.isoformat()})
    assert unsigned.json()["code"] == "identity.device-needed"
    said = buyer.said("thawed", "number", {"until": until.strftime("%Y-%m-%dT%H:%M:%SZ")})
    thawed = buyer.http.post("/v1/buyer/number/thaw", json={"until": until.isoformat()} | said)
    assert thawed.status_code == 201, thawed.text
    assert buyer.http.get("/v1/buyer/number").json()["state"] == "thawed"
    after = filed(service, "buyer-after", 4)
    after.settled("IDENTITY_CHECKED")


def test_a_withheld_consent_bars_clearing_and_a_given_one_lets_it_clear(service: World) -> None:
    buyer = Buyer(service, 5)
    assert buyer.http.post("/v1/buyer/number/consent-first", json={"on": True}).status_code == 422
    answer = buyer.http.post(
        "/v1/buyer/number/consent-first", json={"on": True} | buyer.said("consent_first", "number")
    )
    assert answer.status_code == 201
    journey = filed(service, "buyer-consent", 5)
    use = buyer.use(journey)
    screened(journey)
    journey.carried_in()
    assert journey.seen_by("courier-1")["clearance"] == "pending"
    assert buyer.use(journey)["needs_consent"]
    assert buyer.answer(use, "consented").json()["code"] == "identity.device-needed"
    assert buyer.answer(use, "consented", signed=True).status_code == 201
    journey.settled("IDENTITY_CHECKED")
    assert journey.seen_by("courier-1")["clearance"] == "cleared"


def test_strangers_learn_nothing(service: World) -> None:
    known, unknown = person(6), person(6) | {"pccc": "P999999999998"}
    http = service.client()
    answers = [
        http.post("/v1/buyer/codes", json={"pccc": each["pccc"], "phone": phone})
        for each in (known, unknown)
        for phone in (each["phone"], "01099999999")
    ]
    assert {(each.status_code, tuple(sorted(each.json())), len(each.json()["ticket"])) for each in answers} == {
        (202, ("object", "ticket"), 66)
    }
    for each in answers[1:]:
        wrong = http.post("/v1/buyer/sessions", json={"ticket": each.json()["ticket"], "code": "000000"})
        assert (wrong.status_code, wrong.json()["code"]) == (401, "identity.sign-in")


def test_another_holder_sees_none_of_it(service: World) -> None:
    journey = filed(service, "buyer-private", 7)
    use = Buyer(service, 7).use(journey)
    other = Buyer(service, 8)
    assert other.uses() == []
    assert other.http.get(f"/v1/buyer/uses/{use['id']}").status_code == 404
    assert other.answer(use, "denied").status_code == 404
    assert other.http.post("/v1/buyer/number/freeze", json={"exempt": [use["id"]]}).status_code == 404


def test_a_code_dies_after_five_tries(service: World) -> None:
    told = person(9)
    http = service.client()
    ticket = http.post("/v1/buyer/codes", json={"pccc": told["pccc"], "phone": told["phone"]}).json()["ticket"]
    sender = service.desk.sign_in._sender
    assert wait_until(lambda: told["phone"] in sender.newest, 30)
    code = sender.newest.pop(told["phone"])
    wrong = f"{(int(code) + 1) % 10**6:06}"
    for _ in range(6):
        assert http.post("/v1/buyer/sessions", json={"ticket": ticket, "code": wrong}).status_code == 401
    assert http.post("/v1/buyer/sessions", json={"ticket": ticket, "code": code}).status_code == 401


def test_signatures_of_others_are_refused(service: World) -> None:
    journey = filed(service, "buyer-forged", 10)
    buyer, thief = Buyer(service, 10), Buyer(service, 11)
    use = buyer.use(journey)
    own, path = {"parcel": use["parcel"]}, f"/v1/buyer/uses/{use['id']}/answers"
    for said in (
        thief.said("denied", use["id"], own),
        buyer.said("confirmed", use["id"], own),
        buyer.said("denied", use["id"], {"parcel": parcel_text(1)}),
        buyer.said("denied", use["id"], own) | {"at": Mark.fresh().at - 1},
        buyer.said("denied", use["id"], own) | {"nonce": "0" * 32},
    ):
        assert buyer.http.post(path, json={"answer": "denied"} | said).json()["code"] == "identity.signature"
    bare = {"answer": "denied", "signature": buyer.said("denied", use["id"], own)["signature"]}
    assert buyer.http.post(path, json=bare).json()["code"] == "api.malformed"
    assert buyer.use(journey)["answer"] is None


def test_an_old_signature_takes_nothing_back(service: World) -> None:
    """Said again, a statement is the same answer; what was signed long ago is none."""
    buyer = Buyer(service, 14)
    path = "/v1/buyer/number/consent-first"
    off = {"on": False} | buyer.said("no_consent_first", "number")
    first = buyer.http.post(path, json=off).json()
    assert buyer.http.post(path, json={"on": True} | buyer.said("consent_first", "number")).status_code == 201
    assert buyer.http.post(path, json=off).json() == first
    assert buyer.http.get("/v1/buyer/number").json()["consent_first"] is True, "the old signature was used again"
    mark = Mark(Mark.fresh().at - 601, "0" * 32)
    signature = buyer.sign(statement("no_consent_first", "number", mark))
    late = {"on": False, "at": mark.at, "nonce": mark.nonce, "signature": signature}
    assert buyer.http.post(path, json=late).json()["code"] == "identity.signature"
    assert buyer.http.get("/v1/buyer/number").json()["consent_first"] is True


def test_nothing_personal_stands_in_the_database_or_on_chain(service: World) -> None:
    filed(service, "buyer-secret", 12)
    told = person(12)
    raw = b"".join(path.read_bytes() for path in service.home.rglob("*") if path.is_file())
    calldata = b"".join(batch.batch.entries for batch in service.sealer.included(1))
    for value in (told["pccc"], told["name"], told["phone"]):
        assert value.encode() not in raw
        assert value.encode() not in calldata


def signed_in_page(service: World, number: int, language: str) -> tuple[httpx.Client, str]:
    """Sign a person in as a browser without JavaScript does; return the browser and the page it is shown."""
    http = service.client(follow_redirects=True, headers={"Accept": "text/html", "Accept-Language": language})
    told = person(number)
    assert 'name="pccc"' in http.get("/").text
    asked = http.post("/sign-in/code", data={"pccc": told["pccc"], "phone": told["phone"]}).text
    ticket = re.search(r'name="ticket" value="([^"]+)"', asked)
    assert ticket
    sender = service.desk.sign_in._sender
    assert wait_until(lambda: told["phone"] in sender.newest, 30)
    return http, http.post("/sign-in", data={"ticket": ticket[1], "code": sender.newest.pop(told["phone"])}).text


@pytest.mark.parametrize("language", ["ko", "en"])
def test_pages_work_without_javascript(service: World, language: str) -> None:
    journey = filed(service, f"buyer-page-{language}", 13)
    journey.settled("IDENTITY_CHECKED")
    http, uses = signed_in_page(service, 13, language)
    assert f'<html lang="{language}"' in uses
    assert ("Uses of your number" if language == "en" else "내 번호가 쓰인 곳") in uses
    csrf = re.search(r'name="csrf" value="([^"]+)"', uses)
    action = re.search(r'action="(/uses/use_[0-9a-f]+/answer)"', uses)
    assert csrf
    assert action
    forged = http.post(action[1], data={"answer": "denied", "csrf": "x"}, follow_redirects=False)
    assert forged.status_code == 403, "a form of another site is not taken"
    done = http.post(action[1], data={"answer": "denied", "csrf": csrf[1]}).text
    assert "clearance.answer/v2" in done
    journey.settled("IDENTITY_STOPPED")
    number = http.get("/number").text
    assert ("Freeze" if language == "en" else "정지") in number
