"""An officer's commands through the API and straight at a node: list, hold, lift, decide, recall; a courier's event."""

from __future__ import annotations

import pytest

from tests.api.journey import Journey
from tests.api.test_buyer import filed
from tests.api.world import World
from tests.commands import Done, clearance
from tests.node.days import SEED
from tests.node.serving import TOKEN

OFFICER = ("--demo-seed", str(SEED), "--as", "office-040")
COURIER = ("--demo-seed", str(SEED), "--as", "courier-1")


def customs(service: World, *words: str, node: bool = False) -> Done:
    where = ("--node", service.sealer.url, "--token", TOKEN) if node else ("--api", service.url)
    return clearance("customs", *words, *where, *OFFICER, "--json")


@pytest.fixture(scope="module")
def parcel(service: World) -> Journey:
    return filed(service, "officers", 51).checked()


@pytest.mark.parametrize("node", [False, True], ids=["api", "node"])
def test_held_lifted_and_held_back_by_number(service: World, parcel: Journey, node: bool) -> None:
    number = f"0x{parcel.parcel:064x}"
    done = customs(service, "hold", number, "--ground", "2", node=node)
    assert done.status == 0, done
    assert done.json["entries"][0]["outcome"] == "recorded"
    (hold,) = customs(service, "show", number).json["open_holds"]
    assert hold in customs(service, "show", number, node=True).json["open_holds"]
    (listed,) = [each for each in customs(service, "list").json["parcels"] if each["id"] == number]
    assert listed["open_holds"] == [hold]
    assert customs(service, "lift", number, str(hold), node=node).status == 0
    again = customs(service, "lift", number, str(hold), node=node)
    assert again.status == 1
    reason = again.json["entries"][0]["reason"]
    assert reason["code"].startswith("entry.")
    assert reason["ko"]
    assert reason["hint"]


def test_carried_in_refused_and_recalled(service: World) -> None:
    parcel = filed(service, "officers-refuse", 52, phone="01000009999").settled("IDENTITY_STOPPED")
    number = f"0x{parcel.parcel:064x}"
    done = clearance("courier", "event", number, "CARRIED_IN", "--api", service.url, *COURIER, "--json")
    assert done.status == 0, done
    assert done.json["entries"][0]["effects"] == ["REFERRED"]
    shown = clearance("customs", "show", number, "--api", service.url, *OFFICER)
    assert "referred (office 040)" in shown.stdout
    assert "IDENTITY_STOPPED" in shown.stdout
    assert customs(service, "decide", number, "refuse", "--ground", "3").status == 0
    assert customs(service, "show", number).json["clearance"] == "refused"
    assert customs(service, "recall", number, "--ground", "1", node=True).status == 0
    assert customs(service, "decide", number, "maybe", "--ground", "3").status == 1


def test_a_courier_is_no_officer(service: World) -> None:
    done = clearance("customs", "list", "--api", service.url, *COURIER)
    assert done.status == 1
    assert "api.not-found" in done.stderr
