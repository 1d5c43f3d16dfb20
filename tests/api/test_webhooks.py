"""Webhooks over real HTTP, from registration to a receiver that checks the signature."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from api.routes.webhooks import EventOut
from ledger.chain.batch import Entry
from ledger.domain.kinds import KindNumber as K
from node.service import wait_until
from tests.api.journey import Journey
from tests.api.receiver import Receiver, receiving
from tests.api.streaming import listening
from tests.api.world import Party, World


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


def register(party: Party, url: str, **more: Any) -> dict[str, Any]:
    answer = party.http.post("/v1/webhooks", json={"url": url} | more)
    assert answer.status_code == 201, answer.text
    assert answer.headers["Cache-Control"] == "private, no-store"
    found: dict[str, Any] = answer.json()
    return found


def log(party: Party, name: str, **query: Any) -> list[dict[str, Any]]:
    return party.http.get(f"/v1/webhooks/{name}/deliveries", params=query).json()["data"]  # type: ignore[no-any-return]


def test_a_parcel_told_to_its_courier(service: World, receiver: Receiver) -> None:
    courier = service.party("courier-1")
    made = register(courier, receiver.url)
    with listening(courier) as heard:
        journey = Journey(service, "hook-1").ordered().filed().checked().carried_in()
        assert wait_until(lambda: "parcel.cleared" in receiver.types() and len(receiver.came) == 7, 15), (
            receiver.types()
        )
    for headers, body in receiver.came:
        told = Webhook(made["secret"]).verify(body, headers)
        assert told["type"] in heard.types()
        with pytest.raises(WebhookVerificationError):
            Webhook(made["secret"]).verify(body + " ", headers)
        for personal in journey.consignee.values():
            assert personal not in body
        EventOut.model_validate(told, strict=True, extra="forbid")
    assert len(set(receiver.ids())) == 7
    assert "event" in courier.http.get("/openapi.json").json()["webhooks"]
    assert {json.loads(body)["id"] for _, body in receiver.came} == {each["id"] for each in heard.events}
    listed = log(courier, made["id"])
    assert {each["id"] for each in listed} == set(receiver.ids())
    assert wait_until(lambda: {each["state"] for each in log(courier, made["id"])} == {"delivered"}, 10)
    assert listed[0]["attempts"] == [] or listed[0]["attempts"][0]["status"] == 204
    assert courier.http.delete(f"/v1/webhooks/{made['id']}").status_code == 204
    assert courier.http.get(f"/v1/webhooks/{made['id']}").status_code == 404


def test_the_secret_is_shown_once_and_kept_sealed(service: World, receiver: Receiver) -> None:
    party = service.party("shop-01")
    made = register(party, receiver.url, types=["parcel.cleared"])
    assert made["secret"].startswith("whsec_")
    raw = made["secret"].removeprefix("whsec_")
    for path in ("/v1/webhooks", f"/v1/webhooks/{made['id']}", f"/v1/webhooks/{made['id']}/deliveries"):
        assert raw not in party.http.get(path).text
    stored = b"".join(path.read_bytes() for path in service.home.glob("gateway.db*"))
    assert made["id"].encode() in stored
    assert raw.encode() not in stored
    assert (service.home / "webhooks.key").stat().st_mode & 0o077 == 0
    party.http.delete(f"/v1/webhooks/{made['id']}")


def test_rotation_signs_with_both(service: World, receiver: Receiver) -> None:
    party = service.party("courier-2")
    made = register(party, receiver.url)
    answer = party.http.post(f"/v1/webhooks/{made['id']}/secrets", json={"overlap_hours": 1})
    assert answer.status_code == 201
    second = answer.json()["secret"]
    party.write(Entry(1, K.CARRIED_IN, party.now()))
    assert wait_until(lambda: len(receiver.came) == 1, 10)
    headers, body = receiver.came[0]
    assert len(headers["webhook-signature"].split(" ")) == 2
    for secret in (made["secret"], second):
        assert Webhook(secret).verify(body, headers)["type"] == "entry.rejected"
    third = party.http.post(f"/v1/webhooks/{made['id']}/secrets", json={"overlap_hours": 0}).json()["secret"]
    party.write(Entry(2, K.CARRIED_IN, party.now()))
    assert wait_until(lambda: len(receiver.came) == 2, 10)
    headers, body = receiver.came[1]
    Webhook(third).verify(body, headers)
    for secret in (made["secret"], second):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(body, headers)
    party.http.delete(f"/v1/webhooks/{made['id']}")


def test_sent_again_it_is_the_same_message(service: World, receiver: Receiver) -> None:
    party = service.party("courier-3")
    made = register(party, receiver.url)
    party.write(Entry(1, K.CARRIED_IN, party.now()))
    assert wait_until(lambda: [each["state"] for each in log(party, made["id"])] == ["delivered"], 10)
    path = f"/v1/webhooks/{made['id']}/deliveries/{receiver.ids()[0]}/resend"
    assert party.http.post(path).status_code == 202
    assert wait_until(lambda: len(receiver.came) == 2, 10)
    assert receiver.ids()[0] == receiver.ids()[1]
    assert receiver.came[0][1] == receiver.came[1][1]
    tries = lambda: [len(each["attempts"]) for each in log(party, made["id"], state="delivered")]  # noqa: E731
    assert wait_until(lambda: tries() == [2], 10)
    assert party.http.post(path.replace("msg_", "msg_0")).status_code == 404
    party.http.delete(f"/v1/webhooks/{made['id']}")


def test_gone_ends_it(service: World, receiver: Receiver) -> None:
    party = service.party("shop-02")
    made = register(party, receiver.url)
    receiver.answers = [(410, {})]
    party.write(Entry(1, K.CARRIED_IN, party.now()))
    assert wait_until(lambda: party.http.get(f"/v1/webhooks/{made['id']}").json()["state"] == "disabled", 10)
    (dead,) = log(party, made["id"], state="dead")
    answer = party.http.post(f"/v1/webhooks/{made['id']}/deliveries/{dead['id']}/resend")
    assert (answer.status_code, answer.json()["code"]) == (409, "webhook.disabled")
    party.http.delete(f"/v1/webhooks/{made['id']}")


def test_what_is_not_yours_is_not_there(service: World, receiver: Receiver) -> None:
    owner, other = service.party("shop-03"), service.party("shop-04")
    made = register(owner, receiver.url)
    path = f"/v1/webhooks/{made['id']}"
    for answer in (
        other.http.get(path), other.http.delete(path), other.http.get(f"{path}/deliveries"),
        other.http.post(f"{path}/secrets", json={}), other.http.post(f"{path}/deliveries/msg_1/resend"),
    ):  # fmt: skip
        assert (answer.status_code, answer.json()["code"]) == (404, "api.not-found")
    assert other.http.get("/v1/webhooks").json()["data"] == []
    assert [each["id"] for each in owner.http.get("/v1/webhooks").json()["data"]] == [made["id"]]
    owner.http.delete(path)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"url": "http://10.0.0.1/"}, 422, "webhook.address"),
        ({"url": "http://169.254.169.254/latest/meta-data"}, 422, "webhook.address"),
        ({"url": "https://user:pass@hooks.example/"}, 422, "webhook.address"),
        ({"url": "gopher://hooks.example/"}, 422, "webhook.address"),
        ({"url": "https://hooks.example/", "types": ["parcel.invented"]}, 422, "api.malformed"),
        ({"url": "https://hooks.example/", "more": 1}, 422, "api.malformed"),
        ({}, 422, "api.malformed"),
    ],
)
def test_what_is_refused(service: World, body: dict[str, Any], status: int, code: str) -> None:
    answer = service.party("shop-05").http.post("/v1/webhooks", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert "pass" not in answer.text


def test_an_address_stands_once_and_an_org_has_so_many(service: World) -> None:
    party = service.party("shop-06")
    made = [register(party, f"https://hooks.example/{number}") for number in range(8)]
    again = party.http.post("/v1/webhooks", json={"url": "https://hooks.example/0"})
    assert (again.status_code, again.json()["code"]) == (409, "webhook.exists")
    more = party.http.post("/v1/webhooks", json={"url": "https://hooks.example/8"})
    assert (more.status_code, more.json()["code"]) == (409, "webhook.too-many")
    for each in made:
        assert party.http.delete(f"/v1/webhooks/{each['id']}").status_code == 204


def test_the_log_page_by_page(service: World, receiver: Receiver) -> None:
    party = service.party("courier-4")
    made = register(party, receiver.url, types=["entry.rejected"])
    party.write(*(Entry(number, K.CARRIED_IN, party.now()) for number in range(1, 8)))
    path = f"/v1/webhooks/{made['id']}/deliveries"
    assert wait_until(lambda: len(log(party, made["id"], state="delivered")) == 7, 15)
    seen: list[str] = []
    cursor = None
    while True:
        found = party.http.get(path, params={"limit": 3} | ({"cursor": cursor} if cursor else {})).json()
        seen += [each["id"] for each in found["data"]]
        cursor = found["next_cursor"]
        if not found["has_more"]:
            break
    assert sorted(seen) == sorted(receiver.ids())
    assert len(seen) == 7
    party.http.delete(f"/v1/webhooks/{made['id']}")
