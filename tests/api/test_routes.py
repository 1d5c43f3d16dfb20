"""Every route, as every role and as nobody: what is not marked public asks who calls; forged tokens open nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from starlette.routing import Mount, Route

from api.app import create_app
from api.auth import PUBLIC, member
from api.documented.document import examples
from ledger.domain.roles import Role
from ledger.keys import LocalSigner
from tests.api.test_buyer import Buyer
from tests.api.world import KEYRING, World

PARTIES = (
    "shop-05", "courier-4", "broker-1", "yard-040", "office-040", "identity", "screening", "agency", "oversight",
    "governor-1",
)  # fmt: skip
"""One member of each role; the sample's governors make rules too, and its relayer has no batches of its own to read."""
REFUSED = {
    "POST /v1/batches": "batch.signature",
    "PUT /v1/payloads/{digest}": "payload.unusable",
    "POST /v1/webhooks": "webhook.exists",
}
"""Requests of the right shape that are not taken from anybody here: another's batch, no envelope, an address again."""
SIGN_INS = {"/v1/auth/tokens", "/v1/buyer/sessions", "/sign-in"}
"""Public, and 401 all the same where what was sent proves nothing."""
FOR_BUYERS = re.compile(r"/v1/buyer/|/uses|/number|/receipts|/sign-out")
SCHEMA = ("/openapi.json",)
GIVEN = {
    "name": "sub_unknown",
    "lane": "1",
    "number": "0x" + "00" * 32,
    "digest": "0x" + "00" * 32,
    "code": "nothing",
    "link": "nothing",
    "message": "msg_unknown",
}
FORM = {"csrf": "x", "answer": "denied", "until": "2025-10-25", "on": "1", "pccc": "x", "phone": "x", "ticket": "x",
        "code": "x"}  # fmt: skip
"""Every field of every form."""


def routes(world: World) -> Iterator[APIRoute]:
    waiting: list[Any] = [*create_app(world.gateway, desk=world.desk).routes]
    while waiting:
        route = waiting.pop()
        if isinstance(route, APIRoute):
            yield route
        elif hasattr(route, "original_router"):  # FastAPI keeps included routers whole
            waiting += route.original_router.routes
        elif isinstance(route, Mount):
            assert route.path == "/static"
        else:
            assert isinstance(route, Route)
            assert route.path in SCHEMA, f"{route.path}: what is this?"


def is_public(route: APIRoute) -> bool:
    return bool((route.openapi_extra or {}).get("x-public"))


def asks_who_calls(route: APIRoute) -> bool:
    waiting = [route.dependant]
    while waiting:
        each = waiting.pop()
        if each.call is not None and getattr(each.call, "authorises", False):
            return True
        waiting += each.dependencies
    return False


def ask(http: httpx.Client, method: str, path: str, **options: Any) -> httpx.Response:
    """Ask, and read the answer unless it is a stream, which never ends."""
    with http.stream(method, path, **options) as answer:
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):
            answer.read()
        return answer


def address(route: APIRoute) -> str:
    path = route.path
    for name, value in GIVEN.items():
        path = path.replace("{" + name + "}", value)
    assert "{" not in path, f"give {path} an example"
    return path


def sent(http: httpx.Client, method: str, route: APIRoute, **options: Any) -> httpx.Response:
    """Send what a route takes: the recorded example of its body, or a page's form."""
    operation = f"{method} {route.path}"
    if operation.startswith("PUT"):
        options |= {"content": b"no envelope"}
        options["headers"] = options.get("headers", {}) | {"Content-Type": "application/octet-stream"}
    elif route.include_in_schema and "body" in examples().get(operation, {}):
        options |= {"json": examples()[operation]["body"]}
    elif method == "POST":
        options |= {"data": FORM}
    return ask(http, method, address(route), **options)


def test_every_route_is_authorised_or_marked_public(service: World) -> None:
    found = list(routes(service))
    told = service.party("courier-4").http.get("/openapi.json").json()["paths"]
    assert {route.path for route in found if route.include_in_schema} == told.keys()
    assert len(found) > 12
    assert [route.path for route in found if is_public(route) == asks_who_calls(route)] == []
    assert getattr(member, "authorises", False)
    assert PUBLIC == {"x-public": True}


@pytest.mark.parametrize("token", ["", "clt_forged", "clt_" + "A" * 43])
def test_nobody_passes(service: World, token: str) -> None:
    http = service.party("courier-4").http
    headers = {"Authorization": f"Bearer {token}"} if token else {"Authorization": ""}
    for route in routes(service):
        for method in sorted(route.methods):
            answer = sent(http, method, route, headers=headers)
            if is_public(route):
                assert answer.status_code != 401 or route.path in SIGN_INS, (route.path, answer.text)
            else:
                assert (answer.status_code, answer.json()["code"]) == (401, "auth.required"), route.path


@pytest.mark.parametrize("name", PARTIES)
def test_no_member_is_shown_what_is_not_its_own(service: World, name: str) -> None:
    party = service.party(name)
    roles = next(key.roles for key in service.genesis.keys if key.address == KEYRING.signer(name).hex_address)
    for route in routes(service):
        for method in sorted(route.methods) if not is_public(route) else ():
            operation = f"{method} {route.path}"
            answer = sent(party.http, method, route)
            if operation == "DELETE /v1/auth/tokens":
                assert answer.status_code == 204
                party.sign_in()
            elif FOR_BUYERS.match(route.path):
                assert answer.status_code == 401, (operation, "a member's token opens nothing of a buyer")
            elif route.path.startswith("/v1/customs/") and not roles & Role.CUSTOMS_OFFICER:
                assert answer.status_code == 404, operation
            elif not answer.is_success:
                assert answer.json()["code"] in {"api.not-found", REFUSED.get(operation)}, (operation, answer.text)


def test_a_holder_is_shown_nothing_of_the_members(service: World) -> None:
    buyer = Buyer(service, 53)
    allowed = {"api.not-found", "identity.signature"}
    own = 0
    for route in routes(service):
        for method in sorted(route.methods) if not is_public(route) else ():
            answer = sent(buyer.http, method, route)
            if route.path.startswith("/v1/buyer/"):
                own += answer.is_success
                assert answer.is_success or answer.json()["code"] in allowed, (method, route.path, answer.text)
            else:  # a page asks for the browser's cookie, not for this token
                assert (answer.status_code, answer.json()["code"]) == (401, "auth.required"), (method, route.path)
    assert own >= 2, "his own uses and his number"


@pytest.mark.parametrize("name", ["sealer", "follower"])
def test_a_relayers_key_opens_nothing(service: World, name: str) -> None:
    """Nodes carry batches for members; their own keys are no members' keys."""
    signer, http = KEYRING.signer(name), service.client()
    asked = http.post("/v1/auth/challenges", json={"address": signer.hex_address}).json()
    expires = asked["typed_data"]["message"]["expires"]
    digest = service.genesis.domain.sign_in_digest(signer.address, bytes.fromhex(asked["challenge"][2:]), expires)
    body = {"address": signer.hex_address, "challenge": asked["challenge"]}
    answer = http.post("/v1/auth/tokens", json=body | {"signature": "0x" + signer.sign_digest(digest).hex()})
    assert (answer.status_code, answer.json()["code"]) == (403, "batch.not-a-member")


def test_what_is_over_is_over(service: World) -> None:
    party = service.party("shop-06")
    assert party.http.get("/v1/orders").status_code == 200
    assert party.http.delete("/v1/auth/tokens").status_code == 204
    assert party.http.get("/v1/orders").json()["code"] == "auth.required"
    party.sign_in()


def test_a_challenge_is_good_once_and_for_its_key_only(service: World) -> None:
    party = service.party("shop-07")
    signer, http = party.signer, party.http
    asked = http.post("/v1/auth/challenges", json={"address": signer.hex_address}).json()
    challenge = bytes.fromhex(asked["challenge"][2:])
    expires = asked["typed_data"]["message"]["expires"]

    def trade(address: str, by: str) -> tuple[int, str]:
        key = KEYRING.signer(by)
        signature = key.sign_digest(service.genesis.domain.sign_in_digest(signer.address, challenge, expires))
        answer = http.post(
            "/v1/auth/tokens",
            json={"address": address, "challenge": asked["challenge"], "signature": "0x" + signature.hex()},
        )
        return answer.status_code, answer.json().get("code", "")

    assert trade(KEYRING.signer("shop-08").hex_address, "shop-08") == (401, "auth.challenge")
    assert trade(signer.hex_address, "shop-07") == (201, "")
    assert trade(signer.hex_address, "shop-07") == (401, "auth.challenge")


def test_a_stranger_signs_nothing_in(service: World) -> None:
    stranger = LocalSigner.from_seed(b"tests", "stranger")
    http = service.party("shop-07").http
    asked = http.post("/v1/auth/challenges", json={"address": stranger.hex_address}).json()
    digest = service.genesis.domain.sign_in_digest(
        stranger.address, bytes.fromhex(asked["challenge"][2:]), asked["typed_data"]["message"]["expires"]
    )
    body = {
        "address": stranger.hex_address, "challenge": asked["challenge"],
        "signature": "0x" + stranger.sign_digest(digest).hex(),
    }  # fmt: skip
    answer = http.post("/v1/auth/tokens", json=body)
    assert (answer.status_code, answer.json()["code"]) == (403, "batch.not-a-member")
