"""What a gateway logs of people: nothing, whatever they do and whatever breaks."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from sqlalchemy import text

from api import logs, middleware
from ledger.store import people
from tests.api.test_buyer import Buyer, filed, person
from tests.api.world import World

DATABASES = ("sqlite", "postgresql")
HOLDER = 55


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Everything that goes to the log while a test runs, as a gateway's process configures it."""
    root = logging.getLogger()
    handlers, level, kept = root.handlers[:], root.level, structlog.get_config()
    logs.configure()
    written = io.StringIO()
    (handler,) = root.handlers
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(written)
    monkeypatch.setattr(logging.getLogger("httpx"), "level", logging.WARNING)  # as `clearance api run` sets it
    monkeypatch.setattr(middleware, "log", structlog.get_logger("clearance.api"))
    yield written
    structlog.configure(**kept)
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(written: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


def test_a_holders_and_a_couriers_day_leave_no_name_number_or_token(
    service: World, logged: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = person(HOLDER)
    journey = filed(service, "logged", HOLDER).settled("IDENTITY_CHECKED")
    buyer, courier = Buyer(service, HOLDER), service.party("courier-1")
    use = buyer.use(journey)
    answered = buyer.answer(use, "denied", signed=True).json()
    link = buyer.http.get(f"/v1/buyer/uses/{use['id']}").json()["link"]
    assert buyer.http.get(link).status_code == 200
    courier.http.get(f"/v1/parcels?cursor={told['pccc']}{told['phone']}")
    courier.http.get(f"/v1/{told['name']}")

    def broken(session: Any, _seals: object, number: str) -> None:
        values = {"number": number, "name": told["name"], "phone": told["phone"]}
        row = "INSERT INTO webhook (id, url, types) VALUES (:number, :name, :phone)"  # PostgreSQL tells the failing row
        session.connection().execute(text(row), values)

    monkeypatch.setattr(people, "holder", broken)
    failed = service.client().post("/v1/buyer/codes", json={"pccc": told["pccc"], "phone": told["phone"]})
    assert (failed.status_code, failed.json()["code"]) == (500, "api.internal")
    monkeypatch.undo()

    found = lines(logged)
    assert {"/v1/batches", "/v1/buyer/uses/{name}", "/p/{link}"} <= {each.get("route") for each in found}
    assert any("IntegrityError" in each.get("exception", "") for each in found), "the fault itself is logged"
    secrets = [
        told["name"], told["phone"], told["pccc"], link, use["id"], answered["receipt"]["device_signature"],
        buyer.http.headers["Authorization"].removeprefix("Bearer "),
        courier.http.headers["Authorization"].removeprefix("Bearer "),
    ]  # fmt: skip
    for secret in secrets:
        assert secret not in logged.getvalue()


@pytest.mark.parametrize(
    "said", ["P990000000030", "p990000000030", "01000000030", "010-0000-0030", "010 0000 0030", "+82 10-0000-0030"]
)
def test_what_looks_like_a_persons_number_is_blotted_out(logged: io.StringIO, said: str) -> None:
    structlog.get_logger("tests").info("x", note=f"of {said} here")
    logging.getLogger("tests").warning("of %s here", said)
    try:
        raise ValueError(said)
    except ValueError:
        logging.getLogger("tests").exception("failed")
    own = [json.dumps(each) for each in lines(logged) if each["logger"] == "tests"]
    assert len(own) == 3
    assert all("[redacted]" in each and said not in each for each in own)


def test_ids_and_times_are_left_alone(logged: io.StringIO) -> None:
    structlog.get_logger("tests").info("x", parcel="0x" + "ab" * 32, at="2025-10-20T01:00:00Z", milliseconds=1234.5)
    (own,) = [each for each in lines(logged) if each["logger"] == "tests"]
    assert "redacted" not in json.dumps(own)
