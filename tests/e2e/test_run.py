"""`clearance run` and what a newcomer tries next: audit the running node with receipts and heads, ask as a party."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlmodel import select

from clients.cli.processes import free_port, start, wait_ready
from clients.sample.gateway import Session
from clients.sample.members import HANDLES, Keyring
from ledger.payloads import Spool
from ledger.store.database import Database
from ledger.store.tables.chain import OrderRow
from node.home import Home
from node.remote import RemoteNode
from tests.e2e.test_sample_day import clearance

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Running:
    home: Path
    url: str
    token: str
    gateway: str


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("run") / "home"
    command = [sys.executable, "-m", "clients.cli", "run", "--home", str(home), "--parcels", "64", "--seed", "1",
               "--sample-rate", "25"]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    said = ""
    assert process.stdout
    for line in process.stdout:
        said += line
        if "serving until" in line:
            break
    url = re.search(r"sealer +(http://\S+)", said)
    gateway = re.search(r"gateway +(http://\S+)", said)
    assert url, said
    assert gateway, said
    yield Running(home, url[1], (home / "sealer" / "token").read_text().strip(), gateway[1])
    process.send_signal(signal.SIGINT)
    process.stdout.close()
    assert process.wait(30) == 0


def test_the_audit_that_is_suggested_finds_nothing(running: Running) -> None:
    done = clearance(
        "audit", "chain", "--rpc", running.url, "--token", running.token, "--json",
        "--receipts", str(running.home / "receipts"), "--heads", str(running.home / "heads.jsonl"),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["ok"]


def test_screening_of_the_gateway_caught_what_was_planted_and_its_sample_is_recomputed(running: Running) -> None:
    scored = clearance("score", str(running.home / "result.json"), str(running.home / "truth.json"), "--json")
    assert scored.returncode == 0, scored.stdout + scored.stderr
    audited = clearance("audit", "samples", "--rpc", running.url, "--token", running.token, "--json")
    assert audited.returncode == 0, audited.stdout + audited.stderr
    sample = json.loads(audited.stdout)["subject"]
    assert sample["days_revealed"] >= 1
    assert sample["parcels"] >= 30
    assert sample["parcels_before_sampling"] == 0


def test_a_party_asks_the_node_with_its_own_key(running: Running, tmp_path: Path) -> None:
    keyring = Keyring(1)
    (tmp_path / "word").write_text("a passphrase for a test\n")
    keyring.signer("courier-1").save(tmp_path / "key.json", "a passphrase for a test")
    from cryptography.hazmat.primitives import serialization as s  # noqa: PLC0415

    pem = keyring.opener("courier-1").private_bytes(
        s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption()
    )  # fmt: skip
    (tmp_path / "open.pem").write_bytes(pem)
    (tmp_path / "open.pem").chmod(0o600)
    fetch_payloads(running, keyring, tmp_path / "spool")
    common = [
        "--node", running.url, "--token", running.token, "--key", str(tmp_path / "key.json"),
        "--passphrase-file", str(tmp_path / "word"), "--spool", str(tmp_path / "spool"),
        "--open-key", str(tmp_path / "open.pem"), "--home", str(tmp_path / "courier"),
    ]  # fmt: skip
    inbox = clearance("courier", "inbox", "--all", "--json", *common)
    assert inbox.returncode == 0, inbox.stderr
    orders = json.loads(inbox.stdout)["orders"]
    assert orders
    shops = {handle for name, handle in HANDLES.items() if name.startswith("shop-")}
    assert {order["signed_by"] for order in orders} <= shops
    reference, order = next((each["reference"], each["order"]) for each in orders if each["parcel"])
    draft = clearance(
        "courier", "file", "HBTEST", order, "--draft", "--json", "--dispatch", "US", "--office", "40", *common
    )
    assert draft.returncode == 0, draft.stderr
    signed_by = {row["field"]: row["signed_by"] for row in json.loads(draft.stdout)["draft"]}
    assert signed_by[f"{reference} price"] in {each["signed_by"] for each in orders}
    assert signed_by["office"] == HANDLES["courier-1"]
    filed = clearance("courier", "file", "HBTEST", order, "--dispatch", "US", "--office", "40", "--json", *common)
    assert filed.returncode == 1, filed.stderr  # that order is used already: the entry is rejected and explained
    assert filed.stdout, filed.stderr
    assert json.loads(filed.stdout)["entries"][0]["reason"]["code"] == "entry.order-not-open"


def fetch_payloads(running: Running, keyring: Keyring, folder: Path) -> None:
    """Fetch the payloads of orders that courier-1 may read from the gateway into a spool."""
    database = Database(f"sqlite:///{running.home / 'gateway' / 'gateway.db'}")
    with database.read() as session:
        handed = select(OrderRow.payload).where(OrderRow.handed == HANDLES["courier-1"])
        digests = list(session.exec(handed))
    database.close()
    node = RemoteNode(running.url, running.token)
    party = Session(running.gateway, keyring.signer("courier-1"), node.genesis().domain)
    spool = Spool(folder)
    for digest in digests:
        envelope = party.get(digest)
        if envelope is not None:
            spool.put(digest, envelope)
    party.close()
    node.close()


def test_a_follower_refuses_the_rewritten_past_and_the_audit_names_it(running: Running, tmp_path: Path) -> None:
    """The sealer's store is replaced by one of another day under the same keys: same genesis, other blocks."""
    shutil.copytree(running.home / "follower", tmp_path / "follower")
    other = tmp_path / "other"
    process = subprocess.Popen(
        [sys.executable, "-m", "clients.cli", "run", "--home", str(other), "--parcels", "30", "--seed", "1", "--once"],
        stdout=subprocess.DEVNULL,
    )
    assert process.wait(120) == 0
    port = free_port()
    sealer = start(other / "sealer", port, "--logical-clock")
    node = RemoteNode(f"http://127.0.0.1:{port}", Home(other / "sealer").token())
    try:
        wait_ready(node, sealer, other / "sealer")
        follower_port = free_port()
        follower = start(
            tmp_path / "follower", follower_port, "--follow", node.url, "--follow-token", Home(other / "sealer").token()
        )
        watched = RemoteNode(f"http://127.0.0.1:{follower_port}", Home(tmp_path / "follower").token())
        try:
            wait_ready(watched, follower, tmp_path / "follower")
            end = time.monotonic() + 30
            while time.monotonic() < end and not watched.status()["trouble"]:
                time.sleep(0.1)
            trouble = watched.status()["trouble"]
            assert trouble, "the follower took a rewritten past"
            assert trouble["code"] in ("block.second", "block.invalid")
        finally:
            watched.close()
            follower.terminate()
            follower.wait()
        done = clearance(
            "audit", "chain", "--rpc", node.url, "--token", Home(other / "sealer").token(), "--json",
            "--receipts", str(running.home / "receipts"), "--heads", str(running.home / "heads.jsonl"),
        )  # fmt: skip
        assert done.returncode == 1
        codes = {found["code"] for found in json.loads(done.stdout)["findings"]}
        assert "head.differs" in codes
        assert "receipt.missing" in codes
    finally:
        node.close()
        sealer.terminate()
        sealer.wait()
