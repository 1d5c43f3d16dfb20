"""Files of scans through the courier's command and its own gateway: every row ends, each once, kills in between."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from clients.convert.book import Book
from clients.convert.scans import told
from clients.sample.members import CHAIN_ID, HANDLES
from ledger.domain.kinds import KindNumber as K
from ledger.genesis import CONTRACT
from node.service import wait_until
from tests.api.journey import Journey
from tests.api.world import World
from tests.node.days import SEED
from tests.node.serving import TOKEN

KEY = ("--demo-seed", str(SEED), "--as", "courier-1")


def courier(*arguments: str, timeout: int = 120) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "clients.cli", "courier", *arguments]
    wide = os.environ | {"COLUMNS": "200"}
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, env=wide)


@pytest.fixture(scope="module")
def parcels(service: World) -> list[Journey]:
    return [Journey(service, f"SC{number:05}").ordered().filed() for number in range(4)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, parcels: list[Journey]) -> Path:
    """Return a courier's folder whose book knows the parcels."""
    made = tmp_path_factory.mktemp("courier")
    book = Book(made / "book.db")
    book.note_parcels((each.reference, each.parcel, "") for each in parcels)
    book.close()
    return made


def csv(now: int, *rows: tuple[str, str]) -> str:
    lines = [f"{bill},{event},{told(now)}" for bill, event in rows]
    return "house_bill,event,occurred_at\n" + "\n".join(lines) + "\n"


def stands(service: World, parcel: Journey) -> Counter[str]:
    """Return how often each kind the courier wrote stands on a parcel, by what the chain says."""
    found: Counter[str] = Counter()
    for batch in service.sealer.included(1):
        for each in batch.entries():
            if each.entry.subject == parcel.parcel and batch.org == HANDLES["courier-1"] and each.rejection is None:
                found[str(each.entry.kind) if batch.batch.is_trace else K(each.entry.kind).name] += 1
    return found


def test_every_row_of_a_csv_is_accounted_for_and_a_second_run_doubles_nothing(
    service: World, parcels: list[Journey], home: Path, tmp_path: Path
) -> None:
    first, second = parcels[:2]
    file = tmp_path / "today.csv"
    rows = csv(
        first.now, (first.reference, "CARRIED_IN"), (first.reference, "PICKED_UP"), ("NOBODYS", "CARRIED_IN"),
        (second.reference, "RELEASED"), (second.reference, "NO SUCH WORD"),
    )  # fmt: skip
    file.write_text(rows + f"{second.reference},PICKED_UP,2026-11-23T09:00:00\n")
    done = courier("scans", str(file), *KEY, "--api", service.url, "--home", str(home), "--json")
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)
    assert found["counts"] == {"open": 0, "recorded": 2, "rejected": 1, "refused": 0}
    by_place = {each["place"]: each for each in found["entries"]}
    assert {name: each["outcome"] for name, each in by_place.items()} == {
        "row 2": "recorded", "row 3": "recorded", "row 5": "rejected"
    }  # fmt: skip
    assert by_place["row 5"]["reason"]["code"] == "entry.state-missing"
    assert by_place["row 5"]["reason"]["hint"]
    assert {each["place"]: each["code"] for each in found["rejected"]} == {
        "row 4": "scan.unknown-parcel", "row 6": "scan.unknown-event", "row 7": "scan.naive-time"
    }  # fmt: skip
    before = stands(service, first)
    assert before["CARRIED_IN"] == 1
    again = courier("scans", str(file), *KEY, "--api", service.url, "--home", str(home))
    assert again.returncode == 1, again.stderr
    assert stands(service, first) == before
    for text in ("row 5", "entry.state-missing", "row 4", "scan.unknown-parcel", "2 recorded", "2 left out"):
        assert text in again.stdout


def test_epcis_goes_straight_to_a_node(service: World, parcels: list[Journey], home: Path, tmp_path: Path) -> None:
    third = parcels[2]
    event = {
        "type": "ObjectEvent", "action": "OBSERVE", "eventTime": told(third.now), "eventTimeZoneOffset": "+09:00",
        "epcList": [f"https://id.example/bill/{third.reference}"], "bizStep": "departing",
        "clearance:event": "EXPORT_DEPARTED",
    }  # fmt: skip
    file = tmp_path / "events.json"
    file.write_text(
        json.dumps(
            {"@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"], "type": "EPCISDocument",
             "schemaVersion": "2.0", "creationDate": told(third.now), "epcisBody": {"eventList": [event]}}
        )
    )  # fmt: skip
    done = courier("scans", str(file), *KEY, "--node", service.sealer.url, "--token", TOKEN, "--home", str(home))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 recorded" in done.stdout


def test_what_waits_is_kept_and_a_second_run_follows_it(
    service: World, parcels: list[Journey], home: Path, tmp_path: Path
) -> None:
    file = tmp_path / "later.csv"
    file.write_text(csv(parcels[3].now, (parcels[3].reference, "SORTED")))
    away = ("--api", "http://127.0.0.1:9", "--wait", "0")
    known = {"chain_id": CHAIN_ID, "contract": CONTRACT.hex(), "demo": True}
    (home / "chain.json").write_text(json.dumps(known))  # as it is left by any command that reached the service
    done = courier("scans", str(file), *KEY, *away, "--home", str(home))
    assert done.returncode == 3, done.stderr
    assert "api.unreachable" in done.stderr
    done = courier("scans", str(file), *KEY, "--api", service.url, "--home", str(home))
    assert done.returncode == 0, done.stderr
    assert "1 recorded" in done.stdout


@contextmanager
def house_gateway(service: World, home: Path) -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    command = [sys.executable, "-m", "clients.cli", "courier", "gateway", "--port", "0", *KEY,
               "--api", service.url, "--home", str(home)]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"})
    try:
        assert process.stdout is not None
        address = re.search(r"http://\S+:\d+", process.stdout.readline())
        assert address is not None
        token = (home / "gateway.token").read_text().strip()
        with httpx.Client(
            base_url=address[0], headers={"Authorization": f"Bearer {token}"}, trust_env=False, timeout=30
        ) as http:
            yield process, http
    finally:
        process.terminate()
        process.communicate(timeout=20)
        assert process.returncode in (0, -signal.SIGKILL)


@pytest.mark.slow
def test_a_gateway_killed_after_its_answer_loses_and_doubles_nothing(
    service: World, parcels: list[Journey], home: Path
) -> None:
    last = parcels[3]
    body = csv(last.now, (last.reference, "PICKED_UP"), (last.reference, "EXPORT_DEPARTED"), ("NOBODYS", "PACKED"))
    before = stands(service, last).total()
    posted = {"content": body.encode(), "headers": {"Content-Type": "text/csv"}}
    with house_gateway(service, home) as (process, http):
        answer = http.post("/scans", **posted)  # type: ignore[arg-type]
        process.kill()
    assert answer.status_code == 202, answer.text
    taken: dict[str, Any] = answer.json()
    assert taken["new"] == 2
    assert [each["code"] for each in taken["rejected"]] == ["scan.unknown-parcel"]
    with house_gateway(service, home) as (_, http):
        ticket = answer.headers["Location"]
        assert wait_until(lambda: http.get(ticket).json()["counts"]["open"] == 0, 30)
        told = http.get(ticket).json()
        assert [each["outcome"] for each in told["entries"]] == ["recorded", "recorded"]
        retried = http.post("/scans", **posted).json()  # type: ignore[arg-type]  # the caller lost the first answer
        assert retried["new"] == 0
        followed = http.get(f"/tickets/{retried['ticket']}").json()
        assert followed["entries"] == told["entries"]
    assert stands(service, last).total() == before + 2


def test_a_gateway_of_another_chain_gets_no_signature(service: World, tmp_path: Path) -> None:
    (tmp_path / "chain.json").write_text(json.dumps({"chain_id": 5, "contract": "ab" * 20, "demo": True}))
    file = tmp_path / "one.csv"
    file.write_text(csv(0, ("SC00000", "PACKED")))
    done = courier("scans", str(file), *KEY, "--api", service.url, "--home", str(tmp_path))
    assert done.returncode == 1
    assert "api.foreign-chain" in done.stderr
