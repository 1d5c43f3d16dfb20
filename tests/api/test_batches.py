"""A parcel's whole way through API, outbox, node, chain and read model; and every fault of a batch at the door."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from sqlmodel import select

from api.idempotency import UNFINISHED
from ledger.chain.batch import Batch, Entry
from ledger.domain.kinds import KindNumber as K
from ledger.domain.limits import MAX_ENTRIES, TRACE_LANE
from ledger.store import idempotency
from ledger.store.tables.access import IdempotencyRow
from tests.api.journey import Journey
from tests.api.world import World

DATABASES = ("sqlite", "postgresql")


def test_a_parcel_is_cleared_through_the_api(service: World) -> None:
    journey = Journey(service, "order-1").ordered().filed()
    pending = journey.seen_by("courier-1")
    assert pending["clearance"] == "pending"
    assert set(pending["absences"]) - {"IDENTITY_OK", "SCREENED"} == {"CARRIED_IN"}  # type: ignore[call-overload]
    journey.checked().carried_in()
    cleared = journey.seen_by("courier-1")
    assert cleared["clearance"] == "cleared"
    assert cleared["decided_at"] is not None
    kinds = [each["kind"] for each in cleared["entries"]]  # type: ignore[attr-defined]
    assert {*kinds[1:3]} == {"IDENTITY_CHECKED", "SCREENED_PASSED"}, "in whatever order they came to be"
    assert [kinds[0], *kinds[3:]] == ["FILED", "CARRIED_IN"]
    assert cleared["orders"][0]["state"] == "bound"  # type: ignore[index]
    assert journey.seen_by("shop-01") == cleared


def test_what_is_not_yours_is_not_there(service: World) -> None:
    journey = Journey(service, "order-2").ordered().filed()
    for name in ("courier-2", "shop-02", "office-020"):
        party = service.party(name)
        answer = party.http.get(f"/v1/parcels/0x{journey.parcel:064x}")
        nothing = party.http.get(f"/v1/parcels/0x{'00' * 32}")
        assert answer.status_code == nothing.status_code == 404
        assert {**answer.json(), "request_id": ""} == {**nothing.json(), "request_id": ""}
        assert party.http.get("/v1/parcels").json()["data"] == []
    assert journey.seen_by("office-040")["clearance"] == "pending"


def test_a_batch_sent_again_is_the_same_submission(service: World) -> None:
    party = service.party("shop-03")
    batch = party.batch()
    first, again = party.post(batch), party.post(batch)
    assert first.status_code == again.status_code == 202
    assert first.json()["id"] == again.json()["id"]
    seen = party.send(batch)
    assert seen["state"] == "visible"
    assert seen["final"]
    assert seen["receipt"]["type"] == "Receipt"
    by_digest = party.http.get(f"/v1/submissions/{seen['batch']}").json()
    assert by_digest["id"] == seen["id"]


def test_rejected_entries_are_explained_one_by_one(service: World) -> None:
    party = service.party("courier-2")
    seen = party.write(Entry(12345, K.CARRIED_IN, party.now()), Entry(7, K.RELEASED, party.now()))
    assert [each["outcome"] for each in seen["entries"]] == ["rejected", "rejected"]
    for each in seen["entries"]:
        assert each["rejection"]["code"].startswith("entry.")
        assert each["rejection"]["hint"]


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"seq": 99}, 409, "batch.sequence"),
        ({"not_after": 1}, 422, "batch.near-expiry"),
        ({"lane": 0}, 422, "batch.stop-lane"),
    ],
)
def test_faults_of_a_batch_are_refused_at_the_door(
    service: World, change: dict[str, int], status: int, code: str
) -> None:
    answer = service.party("courier-3").post(service.party("courier-3").batch(**change))
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["hint"]


def test_a_batch_signed_by_another_key_is_refused(service: World) -> None:
    batch = service.party("courier-3").batch()
    answer = service.party("courier-2").post(batch)
    assert answer.json()["code"] == "batch.signature"
    forged = Batch(batch.lane, batch.seq, batch.not_after, batch.entries, bytes(65))
    assert service.party("courier-3").post(forged).json()["code"] == "batch.signature"


def test_a_malformed_batch_is_refused(service: World) -> None:
    party = service.party("courier-3")
    whole = party.batch([Entry(1, K.CARRIED_IN, party.now())])
    short = Batch(whole.lane, whole.seq, whole.not_after, whole.entries[:-1], whole.signature)
    assert party.post(short).json()["code"] == "batch.shape"
    many = (MAX_ENTRIES + 1).to_bytes(32, "big")
    assert party.post(Batch(1, 0, 1, many, whole.signature)).json()["code"] == "batch.shape"
    answer = party.http.post("/v1/batches", json={"lane": -1})
    assert answer.status_code == 422
    assert {each["pointer"] for each in answer.json()["errors"]} >= {"/lane", "/seq", "/entries"}


def test_idempotency_keys(service: World) -> None:
    party = service.party("shop-04")
    batch = party.batch()
    first = party.post(batch, **{"Idempotency-Key": "k1"})
    again = party.post(batch, **{"Idempotency-Key": "k1"})
    assert first.json() == again.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    other = party.post(party.batch(), **{"Idempotency-Key": "k1"})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency.mismatch")


def test_while_the_first_request_is_in_work_the_second_is_told_so(service: World) -> None:
    party = service.party("shop-04")
    gateway, sent = service.gateway, party.http.build_request("POST", "/v1/batches", json={"lane": "1"})
    told = hashlib.sha256(b"POST /v1/batches\0" + sent.content).digest()
    headers = {"Idempotency-Key": "k2", "Content-Type": "application/json"}
    with gateway.database.write() as session:
        now = gateway.now()
        assert idempotency.begin(session, party.signer.hex_address.lower(), "k2", told, now, now) is None
    answer = party.http.post("/v1/batches", content=sent.content, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency.running")
    with gateway.database.write() as session:
        row = session.get(IdempotencyRow, (party.signer.hex_address.lower(), "k2"))
        assert row is not None
        row.started = now - UNFINISHED
        session.add(row)
    answer = party.http.post("/v1/batches", content=sent.content, headers=headers)
    assert answer.json()["code"] == "api.malformed", "its process died: the request is handled"


def test_a_secret_that_is_shown_once_is_shown_again_under_its_key_and_kept_sealed(service: World) -> None:
    http = service.party("shop-03").http
    headers, body = {"Idempotency-Key": "hook"}, {"url": "https://shop.example/hooks"}
    first = http.post("/v1/webhooks", json=body, headers=headers)
    assert first.status_code == 201, first.text
    again = http.post("/v1/webhooks", json=body, headers=headers)
    assert again.json() == first.json()
    assert (again.status_code, again.headers["Cache-Control"]) == (201, "private, no-store")
    assert len(http.get("/v1/webhooks").json()["data"]) == 1
    with service.gateway.database.read() as session:
        kept = [row.body for row in session.exec(select(IdempotencyRow))]
    assert kept
    assert not any(first.json()["secret"].encode() in body for body in kept)
    told = http.get("/openapi.json").json()["paths"]
    named = {path for path, methods in told.items() for each in methods.get("post", {}).get("parameters", ())
             if each["name"] == "Idempotency-Key"}  # fmt: skip
    assert {"/v1/batches", "/v1/webhooks", "/v1/webhooks/{name}/secrets"} <= named


def test_after_a_restore_only_what_is_one_however_often_it_comes_is_done_again(
    service: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, other = service.party("shop-04"), service.party("shop-05")
    batch, keyed, body = shop.batch(), {"Idempotency-Key": "before"}, {"url": "https://shop.example/restored"}
    first = shop.post(batch, **keyed)
    assert first.status_code == 202, first.text
    assert other.http.post("/v1/webhooks", json=body, headers=keyed).status_code == 201
    restored = replace(service.gateway, secret=b"another key, made by the restore")
    monkeypatch.setitem(service.app.state._state, "gateway", restored)  # undone by name it would be gone for good
    again = shop.post(batch, **keyed)
    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
    assert shop.post(batch, **keyed).headers["Idempotent-Replayed"] == "true", "kept anew"
    refused = other.http.post("/v1/webhooks", json=body, headers=keyed)
    assert (refused.status_code, refused.json()["code"]) == (409, "idempotency.sealed")
    assert len(other.http.get("/v1/webhooks").json()["data"]) == 1


def test_trace_lanes(service: World) -> None:
    journey = Journey(service, "order-3").ordered().filed().settled("IDENTITY_CHECKED").settled("SCREENED_PASSED")
    party = service.party("courier-1")
    party.send(party.batch([Entry(journey.parcel, 1, party.now())], lane=TRACE_LANE))
    assert [each["trace"] for each in journey.seen_by("courier-1")["entries"]] == [False] * 3 + [True]  # type: ignore[attr-defined]
