"""How the ledger's kinds and traces are called elsewhere: UNI-PASS stages, UPU EMSEVT V3, GS1 EPCIS 2.0.

Tables are data; tests check that they are total. Stage names are matched whole, never by a part: 하선신고 수리 is no
clearance, and 수입신고수리전반출 is none either.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ledger.domain.kinds import KindNumber
from ledger.domain.roles import Role

K = KindNumber


@dataclass(frozen=True, slots=True)
class Names:
    """Names of a kind in other vocabularies; empty where there is none.

    Attributes:
        unipass: stage names as UNI-PASS prints them (cargTrcnRelaBsopTpcd).
        emsevt: UPU EMSEVT V3 codes.
        step: EPCIS bizStep (CBV 2.0), or an own URI's last part.
        disposition: EPCIS disposition.
    """

    unipass: tuple[str, ...] = ()
    emsevt: tuple[str, ...] = ()
    step: str = ""
    disposition: str = ""


CROSSWALK: Final[dict[KindNumber, Names]] = {
    K.ORDER_OPENED: Names(step="accepting"),
    K.ORDER_REASSIGNED: Names(step="consigning"),
    K.FILED: Names(("통관목록접수", "수입신고"), ("EDB",), "clearance:filed", "in_progress"),
    K.CORRECTED: Names(step="clearance:corrected", disposition="in_progress"),
    K.MASTER_OPENED: Names(("입항적하목록 제출",), (), "consigning", "in_transit"),
    K.MASTER_ARRIVED: Names(("입항보고 수리",), ("EMD",), "arriving", "in_transit"),
    K.MASTER_UNLOADED: Names(("하기신고 수리", "하선신고 수리"), (), "unloading", "in_progress"),
    K.CARRIED_IN: Names(("반입신고",), ("EDA",), "storing", "in_progress"),
    K.IDENTITY_CHECKED: Names(step="clearance:identity_checked"),
    K.IDENTITY_STOPPED: Names(step="holding", disposition="unavailable"),
    K.SCREENED_PASSED: Names(step="inspecting", disposition="conformant"),
    K.SCREENED_REFERRED: Names(("검사대상 지정",), ("EME",), "holding", "non_conformant"),
    K.HELD: Names(("통관보류",), ("EME",), "holding", "unavailable"),
    K.HOLD_LIFTED: Names(("통관보류 해제",), ("EDC",), "clearance:hold_lifted", "in_progress"),
    K.DECIDED_CLEAR: Names(("통관목록심사완료", "수입신고수리"), ("EDC",), "clearance:cleared", "available"),
    K.DECIDED_REFUSE: Names(("각하",), ("EDX",), "clearance:refused", "unavailable"),
    K.RECALLED: Names(("반입명령",), (), "holding", "recalled"),
    K.RELEASED: Names(("반출신고",), ("EMF",), "departing", "in_transit"),
    K.SWEPT: Names(step="clearance:swept"),
    K.OBSERVED_OPENED: Names(step="clearance:observed"),
    K.OBSERVED: Names(step="clearance:observed"),
    K.TRACED: Names(step="other"),
}


@dataclass(frozen=True, slots=True)
class Trace:
    """A trace kind: it goes into a trace lane and touches no decision.

    Attributes:
        number: kind number in trace lanes.
        korean: Korean name.
        roles: who may write it, by the rule of the decoder.
    """

    number: int
    name: str
    korean: str
    roles: Role
    names: Names


_C = Role.COURIER | Role.BROKER | Role.WAREHOUSE | Role.AGENCY
_S = Role.SELLER
_ALL = _C | Role.CUSTOMS_OFFICER

_TRACES: Final = (
    Trace(0, "PAID", "결제", _S, Names(step="accepting")),
    Trace(1, "PACKED", "포장", _S | _C, Names(step="packing", disposition="in_progress")),
    Trace(2, "PICKED_UP", "집하", _C, Names(emsevt=("EMA",), step="receiving", disposition="in_progress")),
    Trace(3, "EXPORT_PRESENTED", "수출세관 제시", _C, Names(emsevt=("EXA",), step="inspecting")),
    Trace(4, "EXPORT_HELD", "수출세관 보류", _C, Names(emsevt=("EXB", "EXD"), step="holding")),
    Trace(5, "EXPORT_RETURNED", "수출세관 반환", _C, Names(emsevt=("EXC",), step="shipping")),
    Trace(6, "EXPORT_CANCELLED", "수출 취소", _C, Names(emsevt=("EXX",), step="void_shipping")),
    Trace(7, "EXPORT_OFFICE", "발송교환국 도착", _C, Names(emsevt=("EMB",), step="arriving", disposition="in_transit")),
    Trace(8, "EXPORT_DEPARTED", "발송교환국 발송", _C,
          Names(emsevt=("EMC",), step="departing", disposition="in_transit")),
    Trace(9, "TRANSIT_ARRIVED", "경유지 도착", _C, Names(emsevt=("EMJ",), step="arriving", disposition="in_transit")),
    Trace(10, "TRANSIT_DEPARTED", "경유지 출발", _C,
          Names(emsevt=("EMK",), step="departing", disposition="in_transit")),
    Trace(11, "MANIFEST_SUBMITTED", "적하목록 제출", _ALL, Names(("입항적하목록 제출",), (), "consigning")),
    Trace(12, "MANIFEST_REVIEWED", "적하목록 심사완료", _ALL, Names(("입항적하목록 심사완료",), (), "consigning")),
    Trace(13, "MANIFEST_CORRECTED", "적하목록 정정", _ALL, Names(("입항적하목록 운항정보 정정",), (), "consigning")),
    Trace(14, "ARRIVAL_REPORTED", "입항보고 제출", _ALL, Names(("입항보고 제출",), (), "arriving")),
    Trace(15, "REVIEW_STARTED", "심사진행", _ALL, Names(("수입(사용소비) 심사진행",), (), "inspecting")),
    Trace(16, "APPROVAL_NOTIFIED", "결재통보", _ALL, Names(("수입(사용소비) 결재통보",), (), "inspecting")),
    Trace(17, "PERIOD_EXTENSION_ASKED", "반입기간연장 신청", _ALL,
          Names(("하선장소 반입기간연장 승인신청", "하선장소 반입기간연장승인 신청"), (), "storing")),
    Trace(18, "PERIOD_EXTENDED", "반입기간연장 승인", _ALL, Names(("하선장소 반입기간연장 승인",), (), "storing")),
    Trace(19, "SORTED", "분류", _C, Names(emsevt=("EDD", "EDE"), step="staging_outbound", disposition="in_progress")),
    Trace(20, "DELIVERY_OFFICE", "배달국 도착", _C, Names(emsevt=("EMG",), step="arriving", disposition="in_transit")),
    Trace(21, "DELIVERY_HELD", "배달국 보관", _C, Names(emsevt=("EDF",), step="holding")),
    Trace(22, "OUT_FOR_DELIVERY", "배달 출발", _C, Names(emsevt=("EDG",), step="departing", disposition="in_transit")),
    Trace(23, "DELIVERY_FAILED", "미배달", _C, Names(emsevt=("EMH",), step="other")),
    Trace(24, "AT_COLLECTION_POINT", "수취점 보관", _C, Names(emsevt=("EDH",), step="stocking")),
    Trace(25, "DELIVERED", "배달완료", _C, Names(emsevt=("EMI",), step="receiving", disposition="retail_sold")),
    Trace(26, "RETURNED", "반송", _ALL, Names(("반송신고", "반송신고 수리"), (), "shipping", "returned")),
    Trace(27, "DESTROYED", "폐기", _ALL, Names(("폐기",), (), "destroying", "destroyed")),
    Trace(28, "BONDED_TRANSPORT", "보세운송", _ALL, Names(("보세운송 신고 수리",), (), "transporting", "in_transit")),
    Trace(29, "RELEASED_BEFORE_CLEARANCE", "수리전반출", _ALL, Names(("수입신고수리전반출",), (), "departing")),
    Trace(63, "OTHER_STAGE", "그 밖의 단계", _ALL, Names(step="other")),
)  # fmt: skip

TRACES: Final = {trace.name: trace for trace in _TRACES}
TRACE_BY_NUMBER: Final = {trace.number: trace for trace in _TRACES}

OBSERVED_KINDS: Final = (
    K.FILED, K.MASTER_ARRIVED, K.MASTER_UNLOADED, K.CARRIED_IN, K.DECIDED_CLEAR, K.RELEASED,
)  # fmt: skip
"""Kinds that a UNI-PASS row may report; every other stage is a trace."""

STAGE_KINDS: Final = {stage: kind for kind in OBSERVED_KINDS for stage in CROSSWALK[kind].unipass}
STAGE_TRACES: Final = {stage: trace for trace in _TRACES for stage in trace.names.unipass}
