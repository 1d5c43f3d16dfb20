"""The courier's two tools, run as commands: six test parcels out, their events back, forwarded and signed."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from standardwebhooks import Webhook

from api.app import create_app
from clients.sample.trigger import NotADemo, Stage
from tests.api.receiver import receiving
from tests.api.world import World, served_app
from tests.node.days import SEED

WANTED = {
    "cleared": ("cleared", []),
    "referred": ("referred", ["VALUE_OVER_LIMIT"]),
    "held": ("pending", []),
    "stopped": ("referred", ["IDENTITY_STOPPED"]),
    "refused": ("refused", ["VALUE_OVER_LIMIT"]),
    "late": ("referred", ["LATE"]),
}


def courier(service: World, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "clients.cli", "courier", *arguments, "--api", service.url]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def parcels(service: World) -> dict[str, dict[str, Any]]:
    done = courier(service, "trigger", "--seed", str(SEED), "--as", "courier-2", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return {each["path"]: each for each in json.loads(done.stdout)["parcels"]}


def test_six_parcels_walk_their_paths(parcels: dict[str, dict[str, Any]]) -> None:
    assert {name: (each["clearance"], each["findings"]) for name, each in parcels.items()} == WANTED
    assert "HELD" in parcels["held"]["status"]
    assert "STOP_OPEN" in parcels["stopped"]["status"]


def test_their_events_are_heard_and_forwarded(service: World, parcels: dict[str, dict[str, Any]]) -> None:
    key = ("--demo-seed", str(SEED), "--as", "courier-2", "--after", "start")
    whole = courier(service, "listen", *key, "--print-json", "--count", "40")
    assert whole.returncode == 0, whole.stderr
    events = [json.loads(line) for line in whole.stdout.splitlines()]
    told = {name: [e["type"] for e in events if e["subject"] == each["parcel"]] for name, each in parcels.items()}
    assert told["cleared"][-2:] == ["parcel.carried_in", "parcel.cleared"]
    assert told["held"][-2:] == ["parcel.held", "parcel.carried_in"]
    assert "parcel.identity_stopped" in told["stopped"]
    assert told["refused"][-1] == "parcel.refused"
    assert "parcel.referred" in told["referred"]
    assert "resume with --after" in whole.stderr
    with receiving() as receiver:
        done = courier(service, "listen", *key, "--type", "parcel.filed", "--forward-to", receiver.url, "--count", "6")
        assert done.returncode == 0, done.stderr
        secret = done.stderr.split("signing secret ")[1].split()[0]
        assert len(receiver.came) == 6
        for headers, body in receiver.came:
            sent = Webhook(secret).verify(body, headers)
            assert sent["type"] == "parcel.filed"
            assert {name: sent[name] for name in sent if name != "timestamp"} in events
        assert len(set(receiver.ids())) == 6
        assert done.stdout.count("-> 204") == 6


def test_without_a_key_or_with_the_wrong_seed_it_says_what_to_do(service: World) -> None:
    done = courier(service, "listen", "--count", "1")
    assert done.returncode == 1
    assert "--demo-seed" in done.stderr
    done = courier(service, "trigger", "--seed", "999")
    assert done.returncode == 1
    assert "batch.not-a-member" in done.stderr
    done = courier(service, "trigger", "sideways")
    assert done.returncode == 1
    assert "no path sideways" in done.stderr


def test_a_real_chain_takes_no_test_parcels(service: World) -> None:
    real = replace(service.gateway, genesis=replace(service.genesis, demo=False))
    with served_app(create_app(real)) as url, pytest.raises(NotADemo):
        Stage(url, SEED, "courier-2")
