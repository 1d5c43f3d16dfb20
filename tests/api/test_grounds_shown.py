"""Whoever may see a parcel is told why customs decided or holds it; the buyer in words, in both languages."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest

from ledger.chain.batch import Entry, detail
from ledger.domain.grounds import GROUNDS
from ledger.domain.kinds import KindNumber as K
from tests.api.journey import Journey
from tests.api.test_buyer import Buyer, filed, signed_in_page
from tests.api.world import World

EVIDENCE = bytes([9]) * 32


def decided(journey: Journey, ground: int) -> dict[str, Any]:
    """Let the office clear a parcel on all that stands; return what its entry came to."""
    office = journey.world.party("office-040")
    stops = office.parcel(journey.parcel)["stops"]
    fields = detail(K.DECIDED_CLEAR, ground=ground, stops=stops)
    entry = Entry(journey.parcel, K.DECIDED_CLEAR, office.now(), EVIDENCE, fields, journey.filing())
    (came,) = office.write(entry)["entries"]
    return came


@pytest.mark.parametrize("language", ["ko", "en"])
def test_an_officer_who_clears_a_stopped_parcel_names_a_ground_and_the_buyer_is_told(
    service: World, language: str
) -> None:
    number = 60 + (language == "en")
    journey = filed(service, f"ground-{language}", number).checked()
    buyer = Buyer(service, number)
    use = buyer.use(journey)
    said = {"exempt": []} | buyer.said("frozen", "number", {"exempt": []})
    answer = buyer.http.post("/v1/buyer/number/freeze", json=said)
    assert answer.status_code == 201, answer.text
    journey.settled("IDENTITY_STOPPED").carried_in()
    assert buyer.use(journey)["status"] == "referred"

    refused = decided(journey, 0)
    assert refused["outcome"] == "rejected"
    assert refused["rejection"]["code"] == "entry.ground-missing"
    assert buyer.use(journey)["status"] == "referred"
    ground = GROUNDS[K.DECIDED_CLEAR][4]
    assert decided(journey, ground.number)["outcome"] == "recorded"

    *_, last = buyer.http.get(f"/v1/buyer/uses/{use['id']}").json()["timeline"]
    assert (last["kind"], last["ground"]) == ("DECIDED_CLEAR", {"ko": ground.text.ko, "en": ground.text.en})
    *_, entry = journey.seen_by("courier-1")["entries"]  # type: ignore[misc]
    assert entry["ground"] == {
        "code": ground.slug, "ko": ground.text.ko, "en": ground.text.en, "evidence": "0x" + EVIDENCE.hex(),
        "answer_due": None,
    }  # fmt: skip
    http, _ = signed_in_page(service, number, language)
    shown = re.sub(r"\s+", " ", http.get(f"/uses/{use['id']}").text)
    sentence = ground.text.ko if language == "ko" else ground.text.en.replace("'", "&#39;")
    assert f"{'사유' if language == 'ko' else 'Ground'}</strong>: {sentence}" in shown


def test_a_hold_tells_its_ground_and_when_customs_answers(service: World) -> None:
    journey = filed(service, "ground-held", 62).checked()
    office = service.party("office-040")
    due = office.now() // 3600 + 720
    held = Entry(journey.parcel, K.HELD, office.now(), detail=detail(K.HELD, ground=2, answer_due=due))
    office.send(office.batch([held], lane=0))
    answers_by = dt.datetime.fromtimestamp(due * 3600, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    *_, entry = journey.seen_by("courier-1")["entries"]  # type: ignore[misc]
    assert (entry["ground"]["code"], entry["ground"]["answer_due"]) == ("documents-missing", answers_by)
    buyer = Buyer(service, 62)
    use = buyer.use(journey)
    *_, last = buyer.http.get(f"/v1/buyer/uses/{use['id']}").json()["timeline"]
    assert last["answer_due"] == answers_by
    assert last["ground"]["en"] == "Documents are missing."
    http, _ = signed_in_page(service, 62, "en")
    assert "Customs answers by" in http.get(f"/uses/{use['id']}").text
