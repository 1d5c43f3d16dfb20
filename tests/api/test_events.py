"""Events over real HTTP: resumed at any event nothing is lost or doubled, nobody hears what is not his."""

from __future__ import annotations

import datetime as dt
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pytest
import uvicorn
from sqlalchemy import update
from sqlmodel import col

from api.app import create_app
from clients.cli.node import bind
from ledger.chain.batch import Entry
from ledger.domain.kinds import KindNumber as K
from ledger.domain.limits import TRACE_LANE
from ledger.store.tables.access import TokenRow
from node.service import wait_until
from tests.api.journey import Journey
from tests.api.streaming import listening
from tests.api.world import Party, World


def everything(party: Party, limit: int = 100) -> list[dict[str, Any]]:
    """Read the whole list, page by page."""
    found, cursor, more = [], None, True
    while more:
        page = party.http.get("/v1/entries", params={"limit": limit} | ({"cursor": cursor} if cursor else {})).json()
        found += page["data"]
        cursor, more = page["next_cursor"], page["has_more"]
    return found


def at_rest(service: World) -> None:
    """Wait until the gateway's own authority has nothing left to say."""

    def rests() -> bool:
        told = service.party("courier-1").http.get("/readyz").json()
        return not told["judging"] and not told["waiting"] and not told["lag"]

    assert wait_until(rests, 20)


def place(entry: dict[str, Any]) -> tuple[int, int, int]:
    return entry["block"], entry["place"], entry["number"]


def test_a_parcel_told_as_it_goes(service: World) -> None:
    courier = service.party("courier-1")
    with listening(courier) as heard:
        journey = Journey(service, "told-1").ordered().filed().checked().carried_in()
        courier.send(courier.batch([Entry(journey.parcel, 25, courier.now())], lane=TRACE_LANE))
        wanted = [
            "order.opened", "order.handed", "parcel.filed", "parcel.identity_checked", "parcel.screened",
            "parcel.carried_in", "parcel.cleared", "trace.delivered",
        ]  # fmt: skip
        assert wait_until(lambda: len(heard.events) >= len(wanted), 15), heard.types()
    types = heard.types()
    types[3:5] = sorted(types[3:5])  # checked and screened in whatever order they came to be
    assert types == wanted
    for each in heard.events:
        assert each["source"] == f"eip155:{service.genesis.chain_id}:0x{service.genesis.domain.contract.hex()}"
        assert each["data"]["first_of_kind"]
        assert each["subject"] in (f"0x{journey.order:064x}", f"0x{journey.parcel:064x}")
        dt.datetime.fromisoformat(each["time"])
    assert len(set(heard.ids)) == len(heard.ids)
    by_kind = {each["data"]["kind"] for each in heard.events if each["type"] in ("parcel.carried_in", "parcel.cleared")}
    assert by_kind == {"CARRIED_IN"}
    for personal in journey.consignee.values():
        assert personal not in str(heard.events)


def test_resumed_at_any_event_the_rest_follows(service: World) -> None:
    courier = service.party("courier-1")
    Journey(service, "told-2").ordered().filed().checked().carried_in()
    at_rest(service)
    with listening(courier, after="start") as whole:
        count = sum(1 for _ in everything(courier))
        assert wait_until(lambda: len({place(e["data"]) for e in whole.events}) >= count, 15)
    events = whole.events
    assert [place(a["data"]) for a in events] == sorted(place(a["data"]) for a in events)
    for at in (0, 1, len(events) // 2, len(events) - 2):
        with listening(courier, last=events[at]["id"]) as rest:
            left = len(events) - at - 1
            assert wait_until(lambda: len(rest.events) >= left, 15)  # noqa: B023
        assert rest.events == events[at + 1 :]


def test_the_second_of_a_kind_is_no_first(service: World) -> None:
    courier = service.party("courier-2")
    with listening(courier) as heard:
        for _ in range(2):
            courier.write(Entry(4711, K.CARRIED_IN, courier.now()))
        assert wait_until(lambda: len(heard.events) == 2, 10)
    assert heard.types() == ["entry.rejected"] * 2
    assert [each["data"]["first_of_kind"] for each in heard.events] == [True, False]
    assert heard.events[0]["data"]["rejection"].startswith("entry.")


def test_nobody_hears_of_what_is_not_his(service: World) -> None:
    stranger, seller = service.party("courier-3"), service.party("shop-01")
    other_courier = service.party("courier-2")
    with listening(stranger) as nothing, listening(seller) as sellers, listening(other_courier) as others:
        journey = Journey(service, "told-3").ordered().filed().checked().carried_in()
        other_courier.write(Entry(journey.parcel, K.CARRIED_IN, other_courier.now()))
        stranger.write(Entry(99, K.CARRIED_IN, stranger.now()))
        assert wait_until(lambda: len(nothing.events) == 1 and len(others.events) == 1, 10)
        assert wait_until(lambda: "parcel.cleared" in sellers.types(), 10)
    assert nothing.types() == ["entry.rejected"]
    assert others.types() == ["entry.rejected"]
    assert "entry.rejected" not in sellers.types(), "what others were refused is nobody else's"
    assert "parcel.filed" in sellers.types()
    assert everything(stranger)[-1]["org"] == everything(stranger)[0]["org"]


def test_the_list_page_by_page_is_the_whole_list(service: World) -> None:
    courier = service.party("courier-1")
    Journey(service, "told-4").ordered().filed()
    at_rest(service)
    whole = everything(courier)
    assert everything(courier, limit=1) == everything(courier, limit=3) == whole
    assert all(place(a) < place(b) for a, b in pairwise(whole))
    foreign = service.party("courier-2").http.get("/v1/entries", params={"limit": 1}).json()["next_cursor"]
    answer = courier.http.get("/v1/entries", params={"cursor": foreign})
    assert answer.json()["code"] == "api.cursor"


def test_only_the_types_asked_for(service: World) -> None:
    courier = service.party("courier-1")
    with listening(courier, type=["parcel.filed", "order.handed"]) as heard:
        Journey(service, "told-5").ordered().filed()
        assert wait_until(lambda: len(heard.events) == 2, 10)
    assert heard.types() == ["order.handed", "parcel.filed"]
    answer = courier.http.get("/v1/events", params={"type": "parcel.invented"})
    assert (answer.status_code, answer.json()["code"]) == (422, "api.malformed")
    assert "parcel.cleared" in courier.http.get("/v1/event-types").json()["data"]


@pytest.mark.parametrize("cursor", ["nonsense", "AAAA", ""])
def test_a_forged_place_is_refused(service: World, cursor: str) -> None:
    courier = service.party("courier-1")
    foreign = service.party("shop-01")
    with listening(foreign) as heard:
        pass
    answer = courier.http.get("/v1/events", headers={"Last-Event-ID": cursor or heard.ids[0]})
    assert (answer.status_code, answer.json()["code"]) == (422, "api.cursor")


def test_one_key_has_so_many_streams_and_no_more(service: World) -> None:
    party = service.party("shop-02")
    with listening(party), listening(party), listening(party), listening(party):
        answer = party.http.get("/v1/events")
        assert (answer.status_code, answer.json()["code"]) == (429, "events.too-many-streams")
        assert answer.headers["Retry-After"]
        with listening(service.party("shop-03")):
            pass

    def again() -> bool:
        with party.http.stream("GET", "/v1/events") as answer:
            return answer.status_code == 200

    assert wait_until(again, 10), "a stream that was left counts no more"


def test_a_stream_ends_with_its_token(service: World) -> None:
    party = service.party("shop-04")
    with listening(party) as heard:
        assert party.http.delete("/v1/auth/tokens").status_code == 204
        assert heard.ended.wait(10)
    party.sign_in()
    with listening(party) as heard:
        with service.gateway.database.write() as session:
            over = service.gateway.now() - dt.timedelta(seconds=1)
            session.execute(update(TokenRow).where(col(TokenRow.key) == party.signer.address).values(expires=over))
        assert heard.ended.wait(10)
    party.sign_in()


def test_no_database_connection_is_held_while_waiting(service: World) -> None:
    pool = service.gateway.database.engine.pool
    with listening(service.party("shop-05")), listening(service.party("shop-06")):
        assert wait_until(lambda: pool.checkedout() == 0, 5)
        free = [pool.checkedout() for _ in range(200)]
    assert free.count(0) > 100


@contextmanager
def served_with_small_buffers(app: Any) -> Iterator[int]:
    """Serve the application once more, on sockets that hold little."""
    listener = bind("127.0.0.1", 0)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", access_log=False, lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    assert wait_until(lambda: server.started, 10)
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def test_a_client_that_takes_nothing_is_let_go(service: World) -> None:
    """Its window is full after some events; the slot comes back, and so may it, by its last id."""
    party = service.party("courier-4")
    party.write(*(Entry(number, K.CARRIED_IN, party.now()) for number in range(500)))
    app = create_app(service.gateway)
    streams = app.state.streams
    streams.stall = 0.5
    name = party.signer.hex_address.lower()
    with served_with_small_buffers(app) as port, socket.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        raw.connect(("127.0.0.1", port))
        token = party.http.headers["Authorization"]
        raw.sendall(f"GET /v1/events?after=start HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n\r\n".encode())
        assert wait_until(lambda: streams.open(name) == 1, 10)
        assert wait_until(lambda: streams.open(name) == 0, 20)
    with listening(party, after="start") as heard:
        assert wait_until(lambda: len(heard.events) >= 500, 20), len(heard.events)


def test_streams_end_when_the_service_stops(service: World) -> None:
    app = create_app(service.gateway)
    party = service.party("courier-4")
    with served_with_small_buffers(app) as port, listening(party, port=port) as heard:
        app.state.streams.close()
        assert heard.ended.wait(5)
