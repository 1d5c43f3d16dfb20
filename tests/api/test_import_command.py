"""`clearance import unipass` with an agency's own key, through a real gateway and straight at a node."""

from __future__ import annotations

from pathlib import Path

import pytest

from clients.sample.members import HANDLES
from ledger.domain.kinds import Status
from tests.api.world import World
from tests.commands import Done, clearance
from tests.e2e.test_import_unipass import SAMPLES, early
from tests.node.days import SEED
from tests.node.serving import TOKEN

AGENCY = ("--demo-seed", str(SEED), "--as", "agency")


def imported(service: World, file: Path, *, node: bool) -> Done:
    where = ("--node", service.sealer.url, "--token", TOKEN) if node else ("--api", service.url)
    return clearance("import", "unipass", str(file), *where, *AGENCY, "--json")


@pytest.mark.parametrize("node", [False, True], ids=["api", "node"])
def test_every_row_is_recorded_on_a_parcel_that_is_only_observed(service: World, node: bool) -> None:
    before = len(observed(service))
    done = imported(service, SAMPLES / "list-us-air.xml", node=node)
    assert done.status == 0, done
    assert done.json == {
        "files": 1, "rows": 10, "accepted": 10, "rejected": 0, "reasons": {}, "parcels": 1, "masters": 1,
        "audit": "not made",
    }  # fmt: skip
    assert len(observed(service)) == before + 1


def observed(service: World) -> set[int]:
    """Return the parcels an agency opened that bear the mark of an observed one in the node's state."""
    opened = {
        each.entry.subject
        for batch in service.sealer.included(1) if batch.org == HANDLES["agency"]
        for each in batch.entries() if each.kind.name == "OBSERVED_OPENED"
    }  # fmt: skip
    state = service.sealer.state()
    return {number for number in opened if Status.OBSERVED in state.parcel(number).status}


def test_the_guards_hold_and_say_why(service: World, tmp_path: Path) -> None:
    done = imported(service, early(tmp_path), node=True)
    assert (done.json["accepted"], done.json["rejected"], done.json["reasons"]) == (1, 2, {"STATE_MISSING": 2})


def test_it_needs_an_agencys_key(service: World) -> None:
    file, at = str(SAMPLES / "list-us-air.xml"), ("--node", service.sealer.url, "--token", TOKEN)
    assert "Give --key" in clearance("import", "unipass", file, *at).stderr
    shop = clearance("import", "unipass", file, *at, "--demo-seed", str(SEED), "--as", "shop-01", "--json")
    assert (shop.json["accepted"], shop.json["rejected"]) == (0, 10), "a shop may observe nothing"
