"""Who is shown why screening referred a parcel: officers of the office it is at, and nobody else."""

from __future__ import annotations

from typing import Any

import pytest

from api.screening.reasons import REASON_TEXTS, committed
from clients.courier import Shipment
from ledger.domain.facts import Goods, Mode, Transport, country_number
from node.service import wait_until
from tests.api.journey import Journey
from tests.api.world import World

US = country_number("US")


@pytest.fixture(scope="module")
def withheld(service: World) -> Journey:
    """A parcel of a member shop, filed at office 40 without its order."""
    journey = Journey(service, "withheld")
    goods = Goods(price=3_000, currency=840, goods_class=1, quantity=1)
    shipment = Shipment(
        "withheld", (), Transport(US, US, Mode.EXPRESS_AIR, 40), journey.now, "shop-01", goods,
        consignee=journey.consignee,
    )  # fmt: skip
    journey.parcel = journey.courier.file(shipment)
    journey.courier.writer.flush(journey.now)
    return journey.settled("SCREENED_REFERRED")


def as_officer(service: World, name: str, journey: Journey) -> Any:
    return service.party(name).http.get(f"/v1/customs/parcels/0x{journey.parcel:064x}")


def test_an_officer_of_its_office_sees_why(service: World, withheld: Journey) -> None:
    whole = as_officer(service, "office-040", withheld).json()
    (result,) = whole["screening"]
    assert (result["kind"], result["score"], result["scorer"]) == ("SCREENED_REFERRED", 1_000, "rules/1")
    (reason,) = result["reasons"]
    text = REASON_TEXTS["order-withheld"]
    assert reason == {"code": "order-withheld", "ko": text.ko, "en": text.en}
    assert {each["kind"] for each in whole["entries"]} >= {"FILED", "SCREENED_REFERRED"}
    listed = service.party("office-040").http.get("/v1/customs/parcels", params={"clearance": "pending"}).json()["data"]
    assert next(each for each in listed if each["id"] == whole["id"])["screening"] == whole["screening"]


def test_he_can_check_the_reasons_against_the_chain(service: World, withheld: Journey) -> None:
    (result,) = as_officer(service, "office-040", withheld).json()["screening"]
    note = {
        "reasons": [each["code"] for each in result["reasons"]], "score": result["score"], "scorer": result["scorer"],
        "salt": result["salt"][2:],
    }  # fmt: skip
    entries = [
        each.entry.digest for batch in service.sealer.included(1) if not batch.batch.is_trace
        for each in batch.entries() if each.entry.subject == withheld.parcel
    ]  # fmt: skip
    assert committed(note) in entries
    assert result["digest"] == "0x" + committed(note).hex()


def test_an_officer_of_another_office_is_told_nothing_of_it(service: World, withheld: Journey) -> None:
    for name in ("office-020", "courier-1", "shop-01", "screening", "identity", "oversight"):
        assert as_officer(service, name, withheld).status_code == 404, name
    listed = service.party("office-020").http.get("/v1/customs/parcels", params={"clearance": "pending"}).json()
    assert listed["data"] == []


def test_nobody_else_sees_reasons_at_his_own_routes(service: World, withheld: Journey) -> None:
    for name in ("courier-1", "screening", "identity", "oversight", "office-040"):
        whole = service.party(name).http.get(f"/v1/parcels/0x{withheld.parcel:064x}")
        assert whole.status_code == 200
        assert "order-withheld" not in whole.text, name


def test_what_is_at_rest_is_told_as_ready(service: World, withheld: Journey) -> None:
    assert withheld.parcel
    assert wait_until(lambda: not service.client().get("/readyz").json()["judging"], 15)
