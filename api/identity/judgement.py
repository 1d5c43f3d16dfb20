"""What the authority makes of one filing: a pure function of what was declared and what the register and owner say."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from api.identity.verifier import Answer, Outcome
from ledger.domain.findings import Sentence
from ledger.store.tables.identity import PersonRow, UseRow
from ledger.unipass.identity import Reason


class Cause(StrEnum):
    """Why. On chain stands only that a use was stopped; the cause is committed in the entry's digest."""

    CHECKED = "checked"
    NO_PAYLOAD = "no_payload"
    UNREADABLE = "unreadable"
    NOT_FOUND = "not_found"
    RETIRED = "retired"
    COMPANY = "company"
    MISMATCH = "mismatch"
    FROZEN = "frozen"
    DENIED = "denied"
    CONSENT_MISSING = "consent_missing"
    UNKNOWN = "unknown"
    REFERRED = "referred"


CAUSE_TEXTS: Final[dict[Cause, Sentence]] = {
    Cause.CHECKED: Sentence("본인 확인이 끝났습니다.", "Name, telephone and number match the register."),
    Cause.NO_PAYLOAD: Sentence("신고 내용을 기다리고 있습니다.", "The declaration's private part has not come yet."),
    Cause.UNREADABLE: Sentence("신고 내용을 열 수 없습니다.", "The declaration's private part cannot be opened."),
    Cause.NOT_FOUND: Sentence("등록되지 않은 번호입니다.", "Nobody holds this number."),
    Cause.RETIRED: Sentence("재발급·정지·만료되어 쓸 수 없는 번호입니다.",
                            "The number was replaced, suspended or has expired."),
    Cause.COMPANY: Sentence("개인이 아니라 회사의 통관고유부호입니다.", "It is a company's code, not a person's."),
    Cause.MISMATCH: Sentence("이름이나 전화번호가 번호의 주인과 다릅니다.",
                             "Name or telephone are not those of the number's holder."),
    Cause.FROZEN: Sentence("번호의 주인이 사용을 정지했습니다.", "The holder has frozen the number."),
    Cause.DENIED: Sentence("번호의 주인이 자기 물건이 아니라고 했습니다.", "The holder says the parcel is not his."),
    Cause.CONSENT_MISSING: Sentence("번호 주인의 동의를 기다리고 있습니다.", "The holder has not agreed yet."),
    Cause.REFERRED: Sentence("위험 심사가 먼저 살펴봅니다.", "Screening looks at it first."),
    Cause.UNKNOWN: Sentence("확인 기관이 응답하지 않아 다시 확인합니다.", "The register did not answer yet."),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Judgement:
    """What comes of a filing: checked, stopped, or waiting to be judged again."""

    outcome: str
    cause: Cause
    receiver_differs: bool = False


CHECKED: Final = Judgement("checked", Cause.CHECKED)
GIFT: Final = Judgement("checked", Cause.CHECKED, receiver_differs=True)


@dataclass(frozen=True, slots=True)
class Verified:
    """What the register says: of the number with the consignee, and with the buyer where another receives the goods."""

    consignee: Answer
    buyer: Answer | None = None


OF_REASON: Final = {
    Reason.NOT_FOUND: Cause.NOT_FOUND,
    Reason.SUSPENDED: Cause.RETIRED,
    Reason.EXPIRED: Cause.RETIRED,
}
"""What a reason of the register comes to; every other is a mismatch."""


def judge(verified: Verified, person: PersonRow | None, use: UseRow | None, now: dt.datetime) -> Judgement:
    """Judge a filing.

    Args:
        verified: what the register says of number, name and telephone.
        person: the holder's wishes.
        use: what the holder said of this parcel already.
        now: aware UTC.
    """
    own, buyer = verified.consignee, verified.buyer or verified.consignee
    if Outcome.CHECKED not in (own.outcome, buyer.outcome):
        if Outcome.UNKNOWN in (own.outcome, buyer.outcome):
            return Judgement("waiting", Cause.UNKNOWN)
        reasons = (*own.reasons, *buyer.reasons)
        return Judgement("stopped", next((OF_REASON[each] for each in reasons if each in OF_REASON), Cause.MISMATCH))
    wished = _wished(person, use, now)
    if wished is not None:
        return wished
    return CHECKED if own.outcome is Outcome.CHECKED else GIFT


def _wished(person: PersonRow | None, use: UseRow | None, now: dt.datetime) -> Judgement | None:
    """Return what the holder's own wishes come to, None if they let the parcel through."""
    if person is None or (use is not None and use.exempt):
        return None
    if use is not None and use.answer == "denied":
        return Judgement("stopped", Cause.DENIED)
    if is_frozen(person, now):
        return Judgement("stopped", Cause.FROZEN)
    if person.consent_first and not (use is not None and use.consented):
        return Judgement("waiting", Cause.CONSENT_MISSING)
    return None


def is_frozen(person: PersonRow, now: dt.datetime) -> bool:
    """Whether a number may not be used now: frozen, or thawed until a moment that has passed."""
    over = person.state == "thawed" and (person.thawed_until is None or person.thawed_until <= now)
    return person.state == "frozen" or over
