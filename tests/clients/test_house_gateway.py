"""The courier's own HTTP endpoint: who is answered, what is bounded, what is never taken by halves."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from clients.convert.book import Book
from clients.convert.scans import MAX_BYTES, told
from clients.gateway.server import Endpoint, Server
from clients.sample.members import Keyring
from clients.spool import Spool
from tests.clients.simulated import DOMAIN, START
from tests.clients.worlds import COURIER
from tests.node.days import SEED

TOKEN = "a token of the house"
ROWS = f"house_bill,event,occurred_at\nHB1,PICKED_UP,{told(START)}\nHB1,PACKED,{told(START)}\n"


@dataclass
class House:
    server: Server
    spool: Spool
    http: httpx.Client

    def raw(self, request: bytes) -> bytes:
        """Send bytes as they are, say that nothing follows, and read the answer."""
        with socket.create_connection(self.server.server_address[:2], timeout=10) as line:  # type: ignore[arg-type]
            line.sendall(request)
            line.shutdown(socket.SHUT_WR)
            found = b""
            while part := line.recv(65_536):
                found += part
        return found


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    book = Book(tmp_path / "book.db")
    book.note_parcel("HB1", 1 << 250)
    spool = Spool(tmp_path / "spool.db", DOMAIN, Keyring(SEED).signer(COURIER), max_waiting=3)
    server = Server("127.0.0.1", 0, Endpoint(spool, book, TOKEN, lambda: START))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    own = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "text/csv"}
    with httpx.Client(base_url=server.url, headers=own, trust_env=False, timeout=10) as http:
        yield House(server, spool, http)
    server.shutdown()
    thread.join()
    server.server_close()
    spool.close()
    book.close()


def code(answer: httpx.Response) -> tuple[int, str]:
    problem = answer.json()
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert problem["title"]
    assert problem["title_ko"]
    return answer.status_code, problem["code"]


def test_only_programs_that_know_the_token_are_answered(house: House) -> None:
    assert house.http.get("/spool").status_code == 200
    for changed, wanted in (
        ({"Authorization": ""}, (401, "auth.required")),
        ({"Authorization": "Bearer another"}, (401, "auth.required")),
        ({"Origin": "https://shop.example"}, (403, "gateway.foreign-host")),
        ({"Origin": "null"}, (403, "gateway.foreign-host")),
        ({"Host": "rebound.example"}, (403, "gateway.foreign-host")),
    ):
        assert code(house.http.post("/scans", content=ROWS, headers=changed)) == wanted, changed
    assert house.spool.counts()["open"] == 0


def test_what_is_no_file_of_scans_is_refused_with_its_code(house: House) -> None:
    post, kind = house.http.post, "Content-Type"
    assert code(post("/elsewhere", content=ROWS)) == (404, "api.not-found")
    assert code(house.http.get("/tickets/9")) == (404, "api.not-found")
    assert code(post("/scans", content="{}", headers={kind: "application/json"})) == (415, "gateway.media-type")
    assert code(post("/scans", content="no header")) == (422, "scan.unreadable")
    assert code(post("/capture", content="[", headers={kind: "application/json"})) == (422, "scan.unreadable")
    assert code(house.http.put("/scans", content=ROWS)) == (405, "api.method")
    assert house.http.get("/livez").json() == {"status": "ok"}


def test_bodies_are_bounded_before_they_are_read_and_never_taken_by_halves(house: House) -> None:
    head = f"POST /scans HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: text/csv\r\n"
    for length, status in ((f"Content-Length: {MAX_BYTES + 1}", b" 413 "), ("Transfer-Encoding: chunked", b" 400 "),
                           ("Content-Length: -1", b" 400 "), ("", b" 400 ")):  # fmt: skip
        answer = house.raw(f"{head}{length}\r\n\r\n".encode())
        assert status in answer.split(b"\r\n", 1)[0], length
    cut = ROWS[: ROWS.index("\nHB1,PACKED")]  # a whole row, of a file that says it is longer
    answer = house.raw(f"{head}Content-Length: {len(ROWS)}\r\n\r\n{cut}".encode())
    assert b" 400 " in answer.split(b"\r\n", 1)[0]
    assert house.spool.counts()["open"] == 0


def test_what_is_taken_is_on_disk_and_every_row_is_answered(house: House) -> None:
    answer = house.http.post("/scans", content=ROWS + f"HB2,PACKED,{told(START)}\n")
    assert answer.status_code == 202
    assert answer.json()["new"] == 2
    assert [(each["place"], each["code"]) for each in answer.json()["rejected"]] == [("row 4", "scan.unknown-parcel")]
    ticket = house.http.get(answer.headers["Location"]).json()
    assert [each["state"] for each in ticket["entries"]] == ["waiting", "waiting"]
    assert house.http.get("/spool").json()["counts"]["open"] == 2
    other = ROWS.replace("PACKED", "SORTED").replace("PICKED_UP", "DELIVERED")
    full = house.http.post("/scans", content=other)
    assert code(full) == (503, "spool.full")
    assert full.headers["Retry-After"]
    assert house.spool.counts()["open"] == 2  # all of a file, or nothing
