"""What the authority makes of one filing: a pure function of what was declared and what the register and owner say."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from ledger.domain.findings import Sentence
from ledger.store.people import Registered
from ledger.store.tables.identity import PersonRow, UseRow


class Cause(StrEnum):
    """Why. On chain stands only that a use was stopped; the cause is committed in the entry's digest."""

    CHECKED = "checked"
    NO_PAYLOAD = "no_payload"
    UNREADABLE = "unreadable"
    NOT_FOUND = "not_found"
    RETIRED = "retired"
    MISMATCH = "mismatch"
    FROZEN = "frozen"
    DENIED = "denied"
    CONSENT_MISSING = "consent_missing"
    UNKNOWN = "unknown"


CAUSE_TEXTS: Final[dict[Cause, Sentence]] = {
    Cause.CHECKED: Sentence("본인 확인이 끝났습니다.", "Name, telephone and number match the register."),
    Cause.NO_PAYLOAD: Sentence("신고 내용을 기다리고 있습니다.", "The declaration's private part has not come yet."),
    Cause.UNREADABLE: Sentence("신고 내용을 열 수 없습니다.", "The declaration's private part cannot be opened."),
    Cause.NOT_FOUND: Sentence("등록되지 않은 번호입니다.", "Nobody holds this number."),
    Cause.RETIRED: Sentence("재발급되어 더는 쓸 수 없는 번호입니다.", "The number was replaced by a new one."),
    Cause.MISMATCH: Sentence("이름이나 전화번호가 번호의 주인과 다릅니다.",
                             "Name or telephone are not those of the number's holder."),
    Cause.FROZEN: Sentence("번호의 주인이 사용을 정지했습니다.", "The holder has frozen the number."),
    Cause.DENIED: Sentence("번호의 주인이 자기 물건이 아니라고 했습니다.", "The holder says the parcel is not his."),
    Cause.CONSENT_MISSING: Sentence("번호 주인의 동의를 기다리고 있습니다.", "The holder has not agreed yet."),
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


def judge(
    content: Mapping[str, Any], holder: Registered | None, person: PersonRow | None, use: UseRow | None,
    now: dt.datetime,
) -> Judgement:  # fmt: skip
    """Judge a filing.

    Args:
        content: the opened payload: consignee, and the buyer where another person receives the goods.
        holder: who holds the declared number, None if nobody does.
        person: the holder's wishes.
        use: what the holder said of this parcel already.
        now: aware UTC.
    """
    if holder is None:
        return Judgement("stopped", Cause.NOT_FOUND)
    consignee, buyer = content.get("consignee", {}), content.get("buyer", {})
    own = holder.matches(consignee)
    if not own and not holder.matches(buyer):
        return Judgement("stopped", Cause.MISMATCH)
    if holder.retired:
        return Judgement("stopped", Cause.RETIRED)
    wished = _wished(person, use, now)
    if wished is not None:
        return wished
    return CHECKED if own else GIFT


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
