"""How often one key, holder or address may ask, and how much it may send: over HTTP, on rates a test can reach."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest
from fastapi import Request
from sqlmodel import select

from api.limits import LIMITS, read_rates, source_of
from ledger.domain.errors import LedgerError
from ledger.store.tables.access import ChallengeRow
from tests.api.test_buyer import Buyer
from tests.api.test_no_oracle import from_address
from tests.api.world import KEYRING, World, world

RATES = {
    "public": "9/minute", "sign-in": "12/minute", "bad-token": "8/minute", "read": "7/minute", "write": "5/minute",
    "buyer": "6/minute",
}  # fmt: skip
TOO_MUCH = b"x" * (301 << 10)
"""Bytes above the bound of a request."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("limits"), rates=RATES) as made:
        yield made


@pytest.fixture
def elsewhere(service: World, request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    """A stranger at an address of this test's own."""
    place = sum(request.node.name.encode()) % 200 + 20
    with from_address(service, f"127.0.1.{place}") as http:
        yield http


def passed(ask: Callable[[], httpx.Response], most: int = 20) -> int:
    """Ask until it is too often; return how many were answered. The refusal says when to come again."""
    for number in range(most):
        answer = ask()
        if answer.status_code == 429:
            assert answer.json()["code"] == "api.rate-limited"
            assert 1 <= int(answer.headers["Retry-After"]) <= 60
            return number
    raise AssertionError(f"{most} requests and no end")


def challenge(http: httpx.Client) -> httpx.Response:
    return http.post("/v1/auth/challenges", json={"address": KEYRING.signer("shop-02").hex_address})


def test_a_strangers_challenges_are_counted_by_address_and_write_no_more_rows(
    service: World, elsewhere: httpx.Client
) -> None:
    def rows() -> int:
        with service.gateway.database.read() as session:
            return len(session.exec(select(ChallengeRow)).all())

    before = rows()
    assert passed(lambda: challenge(elsewhere)) == 12
    assert rows() == before + 12
    body = {"address": "0x" + "11" * 20, "challenge": "0x" + "22" * 32, "signature": "0x" + "33" * 65}
    assert elsewhere.post("/v1/auth/tokens", json=body).status_code == 429, "one allowance for both steps"
    with from_address(service, "127.0.1.10") as other:
        assert challenge(other).status_code == 201, "a stranger's flood keeps nobody else out"


def test_guessed_tokens_are_counted_by_address(elsewhere: httpx.Client) -> None:
    forged = {"Authorization": "Bearer clt_forged"}
    assert passed(lambda: elsewhere.get("/v1/orders", headers=forged)) == 8
    assert elsewhere.get("/v1/buyer/uses", headers=forged).status_code == 429
    assert elsewhere.get("/v1/chain").status_code == 200, "what a client asks for before it signs in"
    assert challenge(elsewhere).status_code == 201


@pytest.mark.parametrize(
    ("host", "source"),
    [("::ffff:192.0.2.1", "192.0.2.1"), ("::ffff:192.0.2.2", "192.0.2.2"), ("192.0.2.1", "192.0.2.1"),
     ("2001:db8:1:2:3::4", "2001:0db8:0001:0002"), ("2001:db8:1:2::5", "2001:0db8:0001:0002"),
     ("a socket", "a socket")],
)  # fmt: skip
def test_what_counts_as_one_address(host: str, source: str) -> None:
    assert source_of(Request({"type": "http", "client": (host, 1)})) == source


@pytest.mark.parametrize("path", ["/v1/chain", "/errors", "/v1/parcel-links/nothing", "/", "/p/nothing"])
def test_what_anybody_may_ask_is_counted_by_address(elsewhere: httpx.Client, path: str) -> None:
    assert passed(lambda: elsewhere.get(path)) == 9


def test_reads_and_writes_of_a_key_are_counted_apart(service: World) -> None:
    party = service.party("courier-2")
    assert passed(lambda: party.http.get("/v1/parcels")) == 7
    assert party.http.get("/v1/lanes/1").status_code == 429, "reads are one class"
    lost = "0x" + "00" * 32
    assert passed(lambda: party.http.put(f"/v1/payloads/{lost}", content=b"none")) == 5
    assert party.http.post("/v1/batches", json={}).status_code == 429, "writes are one class"
    assert service.party("courier-3").http.get("/v1/parcels").status_code == 200, "another key has its own allowance"


def test_a_holders_calls_are_counted(service: World) -> None:
    buyer = Buyer(service, 51)
    assert passed(lambda: buyer.http.get("/v1/buyer/number")) == 6
    assert buyer.http.post("/v1/buyer/number/freeze", json={"exempt": []}).status_code == 429


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_bound_is_refused_whoever_sends_it(elsewhere: httpx.Client, chunked: bool) -> None:
    for path, headers in (
        ("/v1/auth/challenges", {"Content-Type": "application/json"}),
        ("/sign-in/code", {"Content-Type": "application/x-www-form-urlencoded"}),
    ):
        body = iter([TOO_MUCH[:9], TOO_MUCH]) if chunked else TOO_MUCH
        answer = elsewhere.post(path, content=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (413, "api.too-large"), path
    assert elsewhere.get("/livez").status_code == 200


def test_a_members_body_over_the_bound_is_refused(service: World) -> None:
    party = service.party("courier-3")
    for method, path in (("POST", "/v1/batches"), ("PUT", "/v1/payloads/0x" + "00" * 32)):
        answer = party.http.request(method, path, content=TOO_MUCH)
        assert (answer.status_code, answer.json()["code"]) == (413, "api.too-large"), path


def test_rates_are_settings() -> None:
    assert read_rates(["read=100/second", "public=5/minute"]) == {"read": "100/second", "public": "5/minute"}
    assert read_rates([f"{name}={rate}" for name, rate in LIMITS.items()]) == LIMITS
    for wrong in ("read", "read=", "read=many", "reading=5/minute"):
        with pytest.raises(LedgerError, match="is no rate"):
            read_rates([wrong])
