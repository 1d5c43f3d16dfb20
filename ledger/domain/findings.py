"""Findings: reasons found against a parcel, stored as named bits of its status word (bits 32 to 63).

Absences (identity not checked yet, not screened yet, duty not settled) are derived, never stored: see
:data:`ABSENCES`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

FINDINGS_SHIFT: Final = 32


class Finding(IntEnum):
    """Number of the finding; its bit in the status word is ``32 + number``."""

    VALUE_OVER_LIMIT = 0
    CLASS_EXCLUDED = 1
    PERMIT_MISSING = 2
    QUANTITY_OVER_PERSONAL_USE = 3
    COMMERCIAL_USE = 4
    FACTS_MISMATCH = 5
    ORDER_MISSING = 6
    RULE_UNKNOWN = 7
    MANY_ORDERS = 8
    LATE_ORDER = 9
    LATE = 10
    CORRECTED_AFTER_ARRIVAL = 11
    WATCHED_PARTY = 12
    OFFICE_TARGET = 13
    IDENTITY_STOPPED = 14
    SCREENING_REFERRED = 15
    NOT_CHECKED_IN_TIME = 16
    ARRIVAL_UNREPORTED = 17

    @property
    def bit(self) -> int:
        """The finding's bit in the status word."""
        return 1 << (FINDINGS_SHIFT + self)


FROM_FACTS: Final = (
    Finding.VALUE_OVER_LIMIT,
    Finding.CLASS_EXCLUDED,
    Finding.PERMIT_MISSING,
    Finding.QUANTITY_OVER_PERSONAL_USE,
    Finding.COMMERCIAL_USE,
    Finding.FACTS_MISMATCH,
    Finding.ORDER_MISSING,
    Finding.RULE_UNKNOWN,
    Finding.MANY_ORDERS,
)
"""Findings that every filing and correction computes anew; all others stay once found."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One text in the two languages of the service."""

    ko: str
    en: str


FINDING_TEXTS: Final[dict[Finding, Sentence]] = {
    Finding.VALUE_OVER_LIMIT: Sentence(
        "목록통관 기준금액을 넘었습니다.", "The goods are worth more than the list limit for this country and mode."
    ),
    Finding.CLASS_EXCLUDED: Sentence(
        "목록통관 배제대상 물품입니다.", "Goods of this class may not use the list and need a declaration."
    ),
    Finding.PERMIT_MISSING: Sentence(
        "세관장확인대상 물품으로 허가·승인이 필요합니다.", "Goods of this class need a permit (Customs Act art. 226)."
    ),
    Finding.QUANTITY_OVER_PERSONAL_USE: Sentence(
        "자가사용 인정기준 수량을 넘었습니다.", "The quantity is above what counts as personal use."
    ),
    Finding.COMMERCIAL_USE: Sentence(
        "회사용 물품은 목록통관을 할 수 없습니다.", "Goods for a company may not use the list."
    ),
    Finding.FACTS_MISMATCH: Sentence(
        "신고 내용이 주문 내용과 다릅니다.", "What was filed differs from what the seller recorded."
    ),
    Finding.ORDER_MISSING: Sentence(
        "이 국가에서 온 물품은 주문 기록이 있어야 합니다.", "Parcels from this country need a recorded order."
    ),
    Finding.RULE_UNKNOWN: Sentence(
        "적용할 규칙이나 환율이 없습니다.", "No rule or exchange rate was in force for this filing."
    ),
    Finding.MANY_ORDERS: Sentence(
        "한 상자에 주문이 여덟 건을 넘습니다.", "The box holds more orders than one filing can name."
    ),
    Finding.LATE_ORDER: Sentence(
        "주문이 신고 뒤에 기록되었습니다.", "An order was recorded too late to count as made before the filing."
    ),
    Finding.LATE: Sentence("제출이 늦었습니다.", "It was recorded later after the event than the rule allows."),
    Finding.CORRECTED_AFTER_ARRIVAL: Sentence(
        "도착한 뒤에 신고 내용을 정정했습니다.", "The filing was corrected after the goods had arrived."
    ),
    Finding.WATCHED_PARTY: Sentence(
        "관련 업체가 주의 또는 정지 상태입니다.", "An organisation in this filing is watched or suspended."
    ),
    Finding.OFFICE_TARGET: Sentence(
        "관할 세관이 지정한 검사 대상입니다.", "The customs office picked goods of this kind for a closer look."
    ),
    Finding.IDENTITY_STOPPED: Sentence(
        "개인통관고유부호 확인 과정에서 멈췄습니다.",
        "The use of the identity number was stopped; its holder can see why.",
    ),
    Finding.SCREENING_REFERRED: Sentence(
        "위험 심사에서 담당자 확인 대상이 되었습니다.", "Screening picked the parcel for an officer."
    ),
    Finding.NOT_CHECKED_IN_TIME: Sentence(
        "정해진 시간 안에 확인이 끝나지 않았습니다.", "A check was not done in time, so an officer decides."
    ),
    Finding.ARRIVAL_UNREPORTED: Sentence(
        "항공편이나 배편의 도착이 보고되기 전에 반입되었습니다.",
        "It was carried in before anyone reported that its flight or voyage had arrived.",
    ),
}


def findings_of(word: int) -> tuple[Finding, ...]:
    """Return the findings whose bits are set in a parcel's status word."""
    return tuple(f for f in Finding if word & f.bit)
