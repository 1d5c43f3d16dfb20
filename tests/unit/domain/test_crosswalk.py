"""The crosswalk is total: every kind, trace, EMSEVT code and stage has its place, and no stage has two."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.domain.crosswalk import (
    CROSSWALK,
    OBSERVED_KINDS,
    STAGE_KINDS,
    STAGE_TRACES,
    TRACE_BY_NUMBER,
    TRACES,
    UNKNOWN_STAGE,
    Names,
    Trace,
    meaning_of,
)
from ledger.domain.kinds import KINDS, Flag, KindNumber
from ledger.domain.roles import Role
from ledger.domain.vocabularies import BIZ_STEPS, DISPOSITIONS, EMSEVT, OWN_STEP, TRACKING
from ledger.domain.words import DETAIL

K = KindNumber
ALL_NAMES = [*CROSSWALK.values(), *(trace.names for trace in TRACES.values())]

SEEN = {
    "입항보고 제출": "ARRIVAL_REPORTED",
    "입항적하목록 제출": "MANIFEST_SUBMITTED",
    "입항적하목록 심사완료": "MANIFEST_REVIEWED",
    "통관목록접수": K.FILED,
    "수입신고": K.FILED,
    "수입(사용소비) 심사진행": "REVIEW_STARTED",
    "수입(사용소비) 결재통보": "APPROVAL_NOTIFIED",
    "하기신고 수리": K.MASTER_UNLOADED,
    "하선신고 수리": K.MASTER_UNLOADED,
    "입항보고 수리": K.MASTER_ARRIVED,
    "입항적하목록 운항정보 정정": "MANIFEST_CORRECTED",
    "하선장소 반입기간연장 승인신청": "PERIOD_EXTENSION_ASKED",
    "하선장소 반입기간연장 승인": "PERIOD_EXTENDED",
    "반입신고": K.CARRIED_IN,
    "통관목록심사완료": K.DECIDED_CLEAR,
    "수입신고수리": K.DECIDED_CLEAR,
    "반출신고": K.RELEASED,
}
"""Stages of real traces, and what a row of each reports."""
NOT_SEEN = {
    "검사대상 지정", "개장검사", "통관보류", "통관보류 해제", "목록통관 배제", "정정", "취하", "각하", "반송신고",
    "반송신고 수리", "폐기", "압류", "유치", "보세운송 신고 수리", "수입신고수리전반출", "반입명령",
}  # fmt: skip
"""Stages that the law knows and no real trace at hand has shown."""


@pytest.mark.parametrize(("stage", "meaning"), SEEN.items())
def test_every_stage_that_was_seen_has_its_meaning(stage: str, meaning: KindNumber | str) -> None:
    kind, trace = meaning_of(stage)
    if isinstance(meaning, KindNumber):
        assert (kind, trace) == (meaning, None)
    else:
        assert (kind, trace) == (K.TRACED, TRACES[meaning])


@pytest.mark.parametrize("stage", sorted(NOT_SEEN))
def test_stages_that_change_no_observed_state_are_traces(stage: str) -> None:
    kind, trace = meaning_of(stage)
    assert kind is K.TRACED
    assert trace not in (None, UNKNOWN_STAGE)


@pytest.mark.parametrize(
    "stage",
    ["하선신고 수리", "하기신고 수리", "입항보고 수리", "반송신고 수리", "보세운송 신고 수리", "수입신고수리전반출"],
)
def test_an_acceptance_of_something_else_is_no_clearance(stage: str) -> None:
    kind, _ = meaning_of(stage)
    assert kind is not K.DECIDED_CLEAR


def test_only_release_releases() -> None:
    assert [stage for stage, kind in STAGE_KINDS.items() if kind is K.RELEASED] == ["반출신고"]
    assert [stage for stage, kind in STAGE_KINDS.items() if kind is K.DECIDED_CLEAR] == [
        "통관목록심사완료",
        "수입신고수리",
    ]


@given(stage=st.sampled_from(sorted(SEEN)), before=st.text(max_size=3), after=st.text(max_size=3))
def test_stages_are_matched_whole(stage: str, before: str, after: str) -> None:
    name = f"{before}{stage}{after}"
    if name not in STAGE_KINDS and name not in STAGE_TRACES:
        assert meaning_of(name) == (K.TRACED, UNKNOWN_STAGE)


def test_no_stage_reports_two_things() -> None:
    assert not STAGE_KINDS.keys() & STAGE_TRACES.keys()
    stages = [stage for trace in TRACES.values() for stage in trace.names.unipass]
    assert len(stages) == len(set(stages)) == len(STAGE_TRACES)
    for stage in (*STAGE_KINDS, *STAGE_TRACES):
        assert stage == unicodedata.normalize("NFC", stage).strip()


def test_only_observable_kinds_are_observed() -> None:
    observable = {number for number, kind in KINDS.items() if Flag.OBSERVABLE in kind.flags}
    assert set(OBSERVED_KINDS) | {K.TRACED} == observable


def test_every_stage_of_a_kind_that_cannot_be_observed_is_a_trace_too() -> None:
    for kind, names in CROSSWALK.items():
        if kind not in OBSERVED_KINDS:
            assert all(stage in STAGE_TRACES for stage in names.unipass), kind


def test_every_kind_and_every_emsevt_code_has_its_place() -> None:
    assert set(CROSSWALK) == set(KindNumber)
    used = {code for names in ALL_NAMES for code in names.emsevt}
    assert used == EMSEVT.keys()
    assert len(EMSEVT) == 25


@pytest.mark.parametrize("names", ALL_NAMES)
def test_words_of_others_stand_in_their_vocabularies(names: Names) -> None:
    assert names.step in BIZ_STEPS or names.step.startswith(OWN_STEP)
    assert names.step
    assert not names.disposition or names.disposition in DISPOSITIONS
    assert not names.tracking or names.tracking in TRACKING


def test_vocabularies_have_the_size_of_the_standards() -> None:
    assert (len(BIZ_STEPS), len(DISPOSITIONS)) == (41, 33)


def test_tracking_words_are_those_of_the_services() -> None:
    used = {names.tracking for names in ALL_NAMES} - {""}
    assert used == TRACKING.keys()
    mains = {
        "NotFound", "InfoReceived", "InTransit", "Expired", "AvailableForPickup", "OutForDelivery", "DeliveryFailure",
        "Delivered", "Exception",
    }  # fmt: skip
    tags = {
        "Pending", "InfoReceived", "InTransit", "OutForDelivery", "AttemptFail", "Delivered", "AvailableForPickup",
        "Exception", "Expired",
    }  # fmt: skip
    easypost = {
        "unknown", "pre_transit", "in_transit", "out_for_delivery", "delivered", "available_for_pickup",
        "return_to_sender", "failure", "cancelled", "error",
    }  # fmt: skip
    shippo = {"UNKNOWN", "PRE_TRANSIT", "TRANSIT", "DELIVERED", "RETURNED", "FAILURE"}
    for name, words in TRACKING.items():
        assert words.seventeen_track.partition("_")[0] in mains, name
        assert words.aftership in tags, name
        assert words.easypost in easypost, name
        assert words.shippo in shippo, name


def test_what_only_the_ledger_sees_is_not_shown_to_tracking_pages() -> None:
    inner = {K.IDENTITY_CHECKED, K.SCREENED_PASSED, K.OBSERVED, K.OBSERVED_OPENED, K.TRACED}
    assert all(not CROSSWALK[kind].tracking for kind in inner)
    assert CROSSWALK[K.DECIDED_CLEAR].tracking == CROSSWALK[K.RELEASED].tracking == "customs_released"


def test_a_refused_parcel_is_not_told_as_released() -> None:
    for kind in (K.DECIDED_REFUSE, K.HELD, K.RECALLED, K.IDENTITY_STOPPED):
        assert TRACKING[CROSSWALK[kind].tracking].action_required


@pytest.mark.parametrize("trace", TRACES.values(), ids=lambda trace: trace.name)
def test_a_trace_fits_its_field_and_has_names_and_writers(trace: Trace) -> None:
    DETAIL["OBSERVED.trace"].put(trace.number)
    assert TRACE_BY_NUMBER[trace.number] is trace
    assert re.fullmatch(r"[A-Z]+(_[A-Z]+)*", trace.name)
    assert re.search(r"[가-힣]", trace.korean)
    assert trace.english
    may = Role.SELLER | Role.COURIER | Role.BROKER | Role.WAREHOUSE | Role.CUSTOMS_OFFICER | Role.AGENCY
    assert trace.roles
    assert not trace.roles & ~may


def test_numbers_and_names_of_traces_are_unique() -> None:
    assert len(TRACES) == len(TRACE_BY_NUMBER) >= 30


def test_numbers_that_stand_on_chains_stay() -> None:
    order = """
        PAID PACKED PICKED_UP EXPORT_PRESENTED EXPORT_HELD EXPORT_RETURNED EXPORT_CANCELLED EXPORT_OFFICE
        EXPORT_DEPARTED TRANSIT_ARRIVED TRANSIT_DEPARTED MANIFEST_SUBMITTED MANIFEST_REVIEWED MANIFEST_CORRECTED
        ARRIVAL_REPORTED REVIEW_STARTED APPROVAL_NOTIFIED PERIOD_EXTENSION_ASKED PERIOD_EXTENDED SORTED
        DELIVERY_OFFICE DELIVERY_HELD OUT_FOR_DELIVERY DELIVERY_FAILED AT_COLLECTION_POINT DELIVERED RETURNED
        DESTROYED BONDED_TRANSPORT RELEASED_BEFORE_CLEARANCE LIST_REFUSED INSPECTION_CHOSEN XRAYED OPENED HOLD_TOLD
        HOLD_LIFT_TOLD CORRECTION_TOLD WITHDRAWN REFUSAL_TOLD RECALL_TOLD SEIZED
    """
    assert {name: trace.number for name, trace in TRACES.items()} == {
        **{name: number for number, name in enumerate(order.split())},
        "OTHER_STAGE": 63,
    }


def test_customs_writes_no_delivery() -> None:
    for name in ("PICKED_UP", "OUT_FOR_DELIVERY", "DELIVERED", "PAID"):
        assert not TRACES[name].roles & Role.CUSTOMS_OFFICER
    assert TRACES["PAID"].roles == Role.SELLER
