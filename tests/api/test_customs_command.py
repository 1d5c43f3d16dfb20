"""An officer's commands through the API and straight at a node: list, hold, lift, decide, recall; a courier's event."""

from __future__ import annotations

from pathlib import Path

import pytest
from eth_hash.auto import keccak

from ledger.domain.grounds import GROUNDS
from ledger.domain.kinds import KindNumber as K
from tests.api.journey import Journey
from tests.api.test_buyer import Buyer, filed
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
    done = customs(service, "hold", number, "--ground", "documents-missing", node=node)
    assert done.status == 0, done
    assert done.json["entries"][0]["outcome"] == "recorded"
    (hold,) = customs(service, "show", number).json["open_holds"]
    assert hold in customs(service, "show", number, node=True).json["open_holds"]
    (listed,) = [each for each in customs(service, "list").json["parcels"] if each["id"] == number]
    assert listed["open_holds"] == [hold]
    (held, *_) = [each for each in customs(service, "show", number).json["entries"] if each["kind"] == "HELD"]
    assert held["ground"]["code"] == "documents-missing"
    assert held["ground"]["answer_due"].endswith("Z")
    shown = clearance("customs", "show", number, "--api", service.url, *OFFICER).stdout
    assert "HELD for documents-missing: " in shown
    assert "customs answers by" in shown
    assert customs(service, "lift", number, str(hold), node=node).status == 0
    again = customs(service, "lift", number, str(hold), node=node)
    assert again.status == 1
    reason = again.json["entries"][0]["reason"]
    assert reason["code"].startswith("entry.")
    assert reason["ko"]
    assert reason["hint"]


def test_carried_in_refused_and_recalled(service: World, tmp_path: Path) -> None:
    parcel = filed(service, "officers-refuse", 52, phone="01000009999").settled("IDENTITY_STOPPED")
    number = f"0x{parcel.parcel:064x}"
    done = clearance("courier", "event", number, "CARRIED_IN", "--api", service.url, *COURIER, "--json")
    assert done.status == 0, done
    assert done.json["entries"][0]["effects"] == ["REFERRED"]
    shown = clearance("customs", "show", number, "--api", service.url, *OFFICER)
    assert "referred (office 040)" in shown.stdout
    assert "IDENTITY_STOPPED" in shown.stdout
    assert customs(service, "decide", number, "refuse", "--ground", "whim").status == 1
    evidence = tmp_path / "evidence.txt"
    evidence.write_text("what the office found")
    done = customs(service, "decide", number, "refuse", "--ground", "number-misused", "--evidence", str(evidence))
    assert done.status == 0, done
    assert customs(service, "show", number).json["clearance"] == "refused"
    *_, last = customs(service, "show", number).json["entries"]
    assert last["kind"] == "DECIDED_REFUSE"
    assert last["ground"]["code"] == "number-misused"
    assert last["ground"]["evidence"] == "0x" + keccak(b"what the office found").hex()
    assert customs(service, "recall", number, "--ground", "public-health", node=True).status == 0
    assert customs(service, "decide", number, "maybe", "--ground", "breach").status == 1


def test_what_a_holder_denies_is_listed(service: World) -> None:
    denied = filed(service, "officers-denied", 53).settled("IDENTITY_CHECKED")
    buyer = Buyer(service, 53)
    assert buyer.answer(buyer.use(denied), "denied").status_code == 201
    listed = customs(service, "list", "--denied").json["parcels"]
    assert [each["id"] for each in listed] == [f"0x{denied.parcel:064x}"]


def test_the_help_lists_the_grounds() -> None:
    for command, kind in (("hold", K.HELD), ("decide", K.DECIDED_CLEAR), ("decide", K.DECIDED_REFUSE),
                          ("recall", K.RECALLED)):  # fmt: skip
        told = "".join(clearance("customs", command, "--help").stdout.replace("│", "").split())
        assert all(each.slug in told for each in GROUNDS[kind]), told


def test_a_courier_is_no_officer(service: World) -> None:
    done = clearance("customs", "list", "--api", service.url, *COURIER)
    assert done.status == 1
    assert "api.not-found" in done.stderr
