"""How the ledger's kinds and traces are called elsewhere: UNI-PASS stages, UPU EMSEVT V3, GS1 EPCIS, tracking services.

Tables are data; tests check that they are total. Stage names are matched whole, never by a part: 하선신고 수리 is no
clearance, and 수입신고수리전반출 is none either. The words of others stand in `ledger.domain.vocabularies`.
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
        tracking: status in `vocabularies.TRACKING`; empty if buyers' tracking pages show nothing of it.
    """

    unipass: tuple[str, ...] = ()
    emsevt: tuple[str, ...] = ()
    step: str = ""
    disposition: str = ""
    tracking: str = ""


CROSSWALK: Final[dict[KindNumber, Names]] = {
    K.ORDER_OPENED: Names(step="accepting", tracking="registered"),
    K.ORDER_REASSIGNED: Names(step="consigning"),
    K.FILED: Names(("통관목록접수", "수입신고"), ("EDB",), "clearance:filed", "in_progress", "customs_processing"),
    K.CORRECTED: Names(step="clearance:corrected", disposition="in_progress", tracking="customs_processing"),
    K.MASTER_OPENED: Names(("입항적하목록 제출",), (), "consigning", "in_transit"),
    K.MASTER_ARRIVED: Names(("입항보고 수리",), ("EMD",), "arriving", "in_transit", "arrived"),
    K.MASTER_UNLOADED: Names(("하기신고 수리", "하선신고 수리"), (), "unloading", "in_progress", "arrived"),
    K.CARRIED_IN: Names(("반입신고",), ("EDA",), "storing", "in_progress", "customs_processing"),
    K.IDENTITY_CHECKED: Names(step="clearance:identity_checked"),
    K.IDENTITY_STOPPED: Names(step="holding", disposition="unavailable", tracking="customs_question"),
    K.SCREENED_PASSED: Names(step="inspecting", disposition="conformant"),
    K.SCREENED_REFERRED: Names(("검사대상 지정",), ("EME",), "holding", "non_conformant", "customs_processing"),
    K.HELD: Names(("통관보류",), ("EME",), "holding", "unavailable", "customs_held"),
    K.HOLD_LIFTED: Names(("통관보류 해제",), ("EDC",), "clearance:hold_lifted", "in_progress", "customs_processing"),
    K.DECIDED_CLEAR: Names(
        ("통관목록심사완료", "수입신고수리"), ("EDC",), "clearance:cleared", "available", "customs_released"
    ),
    K.DECIDED_REFUSE: Names(("각하",), ("EDX",), "clearance:refused", "unavailable", "customs_held"),
    K.RECALLED: Names(("반입명령",), (), "holding", "recalled", "customs_held"),
    K.RELEASED: Names(("반출신고",), ("EMF",), "departing", "in_transit", "customs_released"),
    K.SWEPT: Names(step="clearance:swept", tracking="customs_processing"),
    K.OBSERVED_OPENED: Names(step="clearance:observed"),
    K.OBSERVED: Names(step="clearance:observed"),
    K.TRACED: Names(step="other"),
}
"""What a row of UNI-PASS becomes is read from STAGE_KINDS and STAGE_TRACES: only some kinds may be observed."""


@dataclass(frozen=True, slots=True)
class Trace:
    """A trace kind: it goes into a trace lane and touches no decision.

    Attributes:
        number: kind number in trace lanes, 0 to 255.
        name: stable name.
        korean: Korean name.
        roles: who may write it, by the rule of the decoder.
        names: its names elsewhere.
    """

    number: int
    name: str
    korean: str
    roles: Role
    names: Names

    @property
    def english(self) -> str:
        """English name."""
        return self.name.replace("_", " ").capitalize()


_C = Role.COURIER | Role.BROKER | Role.WAREHOUSE | Role.AGENCY
_S = Role.SELLER
_ALL = _C | Role.CUSTOMS_OFFICER


def _moved(emsevt: tuple[str, ...], step: str, tracking: str, disposition: str = "in_transit") -> Names:
    return Names((), emsevt, step, disposition, tracking)


def _customs(stages: tuple[str, ...], step: str, tracking: str = "customs_processing", disposition: str = "") -> Names:
    return Names(stages, (), step, disposition, tracking)


_TRACES: Final = (
    Trace(0, "PAID", "결제", _S, Names(step="accepting", tracking="registered")),
    Trace(1, "PACKED", "포장", _S | _C, _moved((), "packing", "registered", "in_progress")),
    Trace(2, "PICKED_UP", "집하", _C, _moved(("EMA",), "receiving", "picked_up", "in_progress")),
    Trace(3, "EXPORT_PRESENTED", "수출세관 제시", _C, _moved(("EXA",), "inspecting", "customs_processing", "")),
    Trace(4, "EXPORT_HELD", "수출세관 보류", _C, _moved(("EXB", "EXD"), "holding", "customs_held", "")),
    Trace(5, "EXPORT_RETURNED", "수출세관 반환", _C, _moved(("EXC",), "shipping", "moving", "")),
    Trace(6, "EXPORT_CANCELLED", "수출 취소", _C, _moved(("EXX",), "void_shipping", "cancelled", "")),
    Trace(7, "EXPORT_OFFICE", "발송교환국 도착", _C, _moved(("EMB",), "arriving", "arrived")),
    Trace(8, "EXPORT_DEPARTED", "발송교환국 발송", _C, _moved(("EMC",), "departing", "departed")),
    Trace(9, "TRANSIT_ARRIVED", "경유지 도착", _C, _moved(("EMJ",), "arriving", "arrived")),
    Trace(10, "TRANSIT_DEPARTED", "경유지 출발", _C, _moved(("EMK",), "departing", "departed")),
    Trace(11, "MANIFEST_SUBMITTED", "적하목록 제출", _ALL, _customs(("입항적하목록 제출",), "consigning", "moving")),
    Trace(12, "MANIFEST_REVIEWED", "적하목록 심사완료", _ALL,
          _customs(("입항적하목록 심사완료",), "consigning", "moving")),
    Trace(13, "MANIFEST_CORRECTED", "적하목록 정정", _ALL, _customs(("입항적하목록 운항정보 정정",), "consigning", "")),
    Trace(14, "ARRIVAL_REPORTED", "입항보고 제출", _ALL, _customs(("입항보고 제출",), "arriving", "moving")),
    Trace(15, "REVIEW_STARTED", "심사진행", _ALL, _customs(("수입(사용소비) 심사진행",), "inspecting")),
    Trace(16, "APPROVAL_NOTIFIED", "결재통보", _ALL, _customs(("수입(사용소비) 결재통보",), "inspecting")),
    Trace(17, "PERIOD_EXTENSION_ASKED", "반입기간연장 신청", _ALL,
          _customs(("하선장소 반입기간연장 승인신청", "하선장소 반입기간연장승인 신청"), "storing", "")),
    Trace(18, "PERIOD_EXTENDED", "반입기간연장 승인", _ALL, _customs(("하선장소 반입기간연장 승인",), "storing", "")),
    Trace(19, "SORTED", "분류", _C, _moved(("EDD", "EDE"), "staging_outbound", "moving", "in_progress")),
    Trace(20, "DELIVERY_OFFICE", "배달국 도착", _C, _moved(("EMG",), "arriving", "arrived")),
    Trace(21, "DELIVERY_HELD", "배달국 보관", _C, _moved(("EDF",), "holding", "moving", "")),
    Trace(22, "OUT_FOR_DELIVERY", "배달 출발", _C, _moved(("EDG",), "departing", "out_for_delivery")),
    Trace(23, "DELIVERY_FAILED", "미배달", _C, _moved(("EMH",), "other", "delivery_failed", "")),
    Trace(24, "AT_COLLECTION_POINT", "수취점 보관", _C, _moved(("EDH",), "stocking", "for_pickup", "")),
    Trace(25, "DELIVERED", "배달완료", _C, _moved(("EMI",), "receiving", "delivered", "retail_sold")),
    Trace(26, "RETURNED", "반송", _ALL,
          Names(("반송신고", "반송신고 수리"), ("EDX",), "shipping", "returned", "returned")),
    Trace(27, "DESTROYED", "폐기", _ALL, Names(("폐기",), ("EDX",), "destroying", "destroyed", "destroyed")),
    Trace(28, "BONDED_TRANSPORT", "보세운송", _ALL,
          _customs(("보세운송 신고 수리",), "transporting", "moving", "in_transit")),
    Trace(29, "RELEASED_BEFORE_CLEARANCE", "수리전반출", _ALL,
          _customs(("수입신고수리전반출",), "departing", "customs_processing")),
    # stages that the machine needs and no real trace here has shown yet; as observed rows they change no state
    Trace(30, "LIST_REFUSED", "목록통관 배제", _ALL, _customs(("목록통관 배제",), "inspecting")),
    Trace(31, "INSPECTION_CHOSEN", "검사대상 지정", _ALL, _customs(("검사대상 지정",), "holding")),
    Trace(32, "XRAYED", "X-ray 검사", _ALL, _customs(("X-ray 검사",), "inspecting")),
    Trace(33, "OPENED", "개장검사", _ALL, _customs(("개장검사",), "inspecting")),
    Trace(34, "HOLD_TOLD", "통관보류", _ALL, _customs(("통관보류",), "holding", "customs_held", "unavailable")),
    Trace(35, "HOLD_LIFT_TOLD", "통관보류 해제", _ALL, _customs(("통관보류 해제",), "other")),
    Trace(36, "CORRECTION_TOLD", "정정", _ALL, _customs(("정정",), "other")),
    Trace(37, "WITHDRAWN", "취하", _ALL, _customs(("취하",), "other")),
    Trace(38, "REFUSAL_TOLD", "각하", _ALL, _customs(("각하",), "other", "customs_held", "unavailable")),
    Trace(39, "RECALL_TOLD", "반입명령", _ALL, _customs(("반입명령",), "holding", "customs_held", "recalled")),
    Trace(40, "SEIZED", "압류·유치", _ALL, Names(("압류", "유치"), ("EDX",), "holding", "unavailable", "customs_held")),
    Trace(63, "OTHER_STAGE", "그 밖의 단계", _ALL, Names(step="other")),
)  # fmt: skip

TRACES: Final = {trace.name: trace for trace in _TRACES}
TRACE_BY_NUMBER: Final = {trace.number: trace for trace in _TRACES}
DAY_COMMITTED, DAY_REVEALED = 240, 241
"""Traces of screening about its day keys (`ledger.chain.sampling`); those of goods end far below."""
TRACE_WRITERS: Final = {number: trace.roles for number, trace in TRACE_BY_NUMBER.items()} | {
    DAY_COMMITTED: Role.SCREENING,
    DAY_REVEALED: Role.SCREENING,
}
"""Who may write which trace: the contract does not look inside of traces, `ledger.chain.included` does."""
UNKNOWN_STAGE: Final = TRACES["OTHER_STAGE"]
"""What a stage that stands in no table becomes: an unknown name is never an error."""

OBSERVED_KINDS: Final = (
    K.FILED, K.MASTER_ARRIVED, K.MASTER_UNLOADED, K.CARRIED_IN, K.DECIDED_CLEAR, K.RELEASED,
)  # fmt: skip
"""Kinds that a UNI-PASS row may report; every other stage is a trace."""

STAGE_KINDS: Final = {stage: kind for kind in OBSERVED_KINDS for stage in CROSSWALK[kind].unipass}
STAGE_TRACES: Final = {stage: trace for trace in _TRACES for stage in trace.names.unipass}
"""Stage name to what an observed row of it reports; no name stands in both."""


def meaning_of(stage: str) -> tuple[KindNumber, Trace | None]:
    """Return what a UNI-PASS stage reports: a kind that may be observed, or TRACED and the trace kind.

    Args:
        stage: the whole name as printed, NFC.
    """
    kind = STAGE_KINDS.get(stage)
    if kind is not None:
        return kind, None
    return K.TRACED, STAGE_TRACES.get(stage, UNKNOWN_STAGE)
