"""No person reads, guesses or times another's data: what is not yours and what does not exist are one thing.

Compared are status, body and the number of database statements that a request takes, not wall time: on a machine that
others use a clock would fail by chance and pass by chance.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from sqlalchemy import event

from ledger.store import people
from ledger.store.erasing import erase_person
from node.service import wait_until
from tests.api.test_buyer import Buyer, filed, person
from tests.api.world import World

REQUESTS = "AnyIO worker thread"
"""Threads that serve requests; background jobs of the same process have others."""


@contextmanager
def statements(service: World) -> Iterator[list[str]]:
    """Collect the statements of requests."""
    engine, seen = service.gateway.database.engine, []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if threading.current_thread().name.startswith(REQUESTS):
            seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


def shown(service: World, ask: Callable[[], httpx.Response]) -> tuple[int, object, list[str]]:
    """Return what a stranger sees of an answer, and the statements it took."""
    with statements(service) as seen:
        answer = ask()
    body: Any = answer.text
    if "json" in answer.headers.get("Content-Type", ""):
        body = {name: value for name, value in answer.json().items() if name not in ("instance", "request_id")}
        body |= {"ticket": len(body["ticket"])} if "ticket" in body else {}
    return answer.status_code, body, list(seen)


@pytest.fixture(scope="module")
def uses(service: World) -> dict[str, str]:
    """Use and answer of holder 31; nobody else's."""
    journey = filed(service, "oracle", 31)
    owner = Buyer(service, 31)
    use = owner.use(journey)
    answer = owner.answer(use, "confirmed")
    assert answer.status_code == 201, answer.text
    return {"use": use["id"], "answer": answer.json()["id"]}


@pytest.fixture(scope="module")
def stranger(service: World) -> Buyer:
    return Buyer(service, 32)


ROUTES: dict[str, Callable[[httpx.Client, str], httpx.Response]] = {
    "use": lambda http, name: http.get(f"/v1/buyer/uses/{name}"),
    "answer to a use": lambda http, name: http.post(f"/v1/buyer/uses/{name}/answers", json={"answer": "denied"}),
    "exemption": lambda http, name: http.post("/v1/buyer/number/freeze", json={"exempt": [name]}),
    "answer": lambda http, name: http.get(f"/v1/buyer/answers/{name}"),
}


@pytest.mark.parametrize("route", ROUTES)
def test_what_is_anothers_and_what_is_nobodys_are_one(
    service: World, uses: dict[str, str], stranger: Buyer, route: str
) -> None:
    kind, prefix = ("answer", "ans_") if route == "answer" else ("use", "use_")
    ask = ROUTES[route]
    ask(stranger.http, prefix + secrets.token_hex(12))  # what is prepared once
    anothers = shown(service, lambda: ask(stranger.http, uses[kind]))
    nobodys = shown(service, lambda: ask(stranger.http, prefix + secrets.token_hex(12)))
    assert anothers[0] == 404
    assert anothers == nobodys
    assert anothers[2], "the counting hears nothing"


def code_for(http: httpx.Client, told: dict[str, str]) -> httpx.Response:
    return http.post("/v1/buyer/codes", json={"pccc": told["pccc"], "phone": told["phone"]})


def test_asking_for_a_code_says_nothing_of_a_number(service: World) -> None:
    gone = person(33)
    gateway, seals = service.gateway, service.desk.seals
    with gateway.database.read() as session:
        erased = people.who_holds(session, seals, gone["pccc"])
    assert erased is not None
    code_for(service.client(), gone)
    assert wait_until(lambda: gone["phone"] in service.desk.sign_in._sender.newest, 5), "he was there"
    erase_person(gateway.database, gateway.payloads, seals, erased, gateway.now())
    asked = {
        "his own": person(34), "wrong telephone": person(35) | {"phone": "01099999999"},
        "nobody's number": person(36) | {"pccc": "P999999999997"}, "erased": gone,
    }  # fmt: skip
    answers = {who: shown(service, lambda told=told: code_for(service.client(), told)) for who, told in asked.items()}  # type: ignore[misc]
    assert answers["his own"][0] == 202
    assert answers["his own"][2]
    for who, answer in answers.items():
        assert answer == answers["his own"], who


def test_a_wrong_code_says_nothing_of_a_number(service: World) -> None:
    http = service.client()
    tickets = [code_for(http, told).json()["ticket"] for told in (person(37), person(37) | {"pccc": "P999999999996"})]
    answers = [
        shown(service, lambda ticket=ticket: http.post("/v1/buyer/sessions", json={"ticket": ticket, "code": "x"}))  # type: ignore[misc]
        for ticket in tickets
    ]
    assert answers[0] == answers[1]
    assert answers[0][0] == 401


# ------------------------------------------------------------------------------------------ nobody is locked out
def from_address(service: World, address: str) -> httpx.Client:
    return httpx.Client(
        base_url=service.url, trust_env=False, timeout=30, transport=httpx.HTTPTransport(local_address=address)
    )


def spent(http: httpx.Client, told: dict[str, str], **more: str) -> httpx.Response:
    """Ask for codes until there are no more; return the last answer."""
    for _ in range(12):
        answer = http.post("/v1/buyer/codes", json={"pccc": told["pccc"], "phone": told["phone"]} | more)
        if answer.status_code != 202:
            break
    return answer


def test_a_stranger_cannot_use_up_a_holders_codes(service: World) -> None:
    told = person(38)
    sender = service.desk.sign_in._sender
    sender.newest.pop(told["phone"], None)
    http = service.client()
    ticket = code_for(http, told).json()["ticket"]
    assert wait_until(lambda: told["phone"] in sender.newest, 5)
    body = {"ticket": ticket, "code": sender.newest.pop(told["phone"])}
    proof = http.post("/v1/buyer/sessions", json=body).json()["proof"]
    with from_address(service, "127.0.0.2") as other, from_address(service, "127.0.0.3") as third:
        assert spent(other, told).status_code == 429
        refused = spent(other, told | {"pccc": "P999999999995"})
        assert refused.status_code == 429, "a number that nobody holds has the same limit"
        assert code_for(third, told).status_code == 202, "a stranger elsewhere used the holder's codes up"
        shown_proof = {"pccc": told["pccc"], "phone": told["phone"], "proof": proof}
        assert other.post("/v1/buyer/codes", json=shown_proof).status_code == 202, "behind the stranger's own address"
        forged = shown_proof | {"proof": proof[:-2] + "AA"}
        assert other.post("/v1/buyer/codes", json=forged).status_code == 429
        moved = person(39) | {"proof": proof}
        assert spent(other, moved, proof=proof).status_code == 429, "a proof counts for its own number only"


def test_codes_get_longer_where_many_ask(service: World) -> None:
    told = person(40)
    sender = service.desk.sign_in._sender
    lengths = []
    for address in range(10, 15):
        with from_address(service, f"127.0.0.{address}") as http:
            for _ in range(5):
                sender.newest.pop(told["phone"], None)
                assert code_for(http, told).status_code == 202
                assert wait_until(lambda: told["phone"] in sender.newest, 5)
                lengths.append(len(sender.newest[told["phone"]]))
    assert lengths == [6] * 20 + [10] * 5


# ------------------------------------------------------------------------------------------------- proofs of erasure
def test_an_erased_payload_verifies_as_erased_to_its_parties_and_is_not_there_to_others(service: World) -> None:
    journey = filed(service, "erased", 41)
    shown_parcel = journey.seen_by("courier-1")
    digest = shown_parcel["payload"]
    ask = f"/v1/payloads/{digest}"
    gateway = service.gateway
    assert wait_until(lambda: bool(gateway.payloads.openings(bytes.fromhex(digest[2:]))), 10), "it was judged"
    strangers = [service.party(name).http for name in ("courier-2", "shop-03")]
    before = [each.get(ask).json()["code"] for each in strangers]
    assert service.party("courier-1").http.get(ask).status_code == 404, "it is sealed to customs only"
    assert wait_until(lambda: Buyer(service, 41).uses() != [], 10)
    with gateway.database.read() as session:
        holder = people.who_holds(session, service.desk.seals, person(41)["pccc"])
    assert holder is not None
    assert erase_person(gateway.database, gateway.payloads, service.desk.seals, holder, gateway.now()) == 2
    for name in ("courier-1", "shop-01", "identity"):
        answer = service.party(name).http.get(ask)
        assert (answer.status_code, answer.json()["code"]) == (410, "vault.erased"), name
    assert [each.get(ask).json()["code"] for each in strangers] == before == ["api.not-found"] * 2
    assert journey.seen_by("courier-1")["payload"] == digest, "the digest stays"
