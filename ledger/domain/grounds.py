"""Grounds (사유) of decisions, holds and recalls: numbers in the entry, slugs for officers, sentences for the buyer.

Numbers are never used again for something else. The contract asks only that there is one: a ground that the law adds
is a row here, not another contract.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ledger.domain.errors import LedgerError
from ledger.domain.findings import Sentence
from ledger.domain.kinds import KindNumber
from ledger.domain.words import DETAIL


@dataclass(frozen=True, slots=True)
class Ground:
    """One ground of one kind.

    Attributes:
        number: what stands in the low byte of the entry's detail, 1 to 255.
        slug: stable name, which commands and answers use.
        source: article of the Customs Act (관세법) unless it says otherwise.
    """

    number: int
    slug: str
    text: Sentence
    source: str


def _ground(number: int, slug: str, ko: str, en: str, source: str) -> Ground:
    return Ground(number, slug, Sentence(ko, en), source)


_HOLD: Final = (
    _ground(
        1, "declaration-incomplete", "신고서를 보완해야 합니다.", "The declaration must be completed.", "237 (1) 1"
    ),
    _ground(2, "documents-missing", "제출 서류를 보완해야 합니다.", "Documents are missing.", "237 (1) 2"),
    _ground(
        3,
        "breach",
        "의무를 어겼거나 국민보건을 해칠 우려가 있습니다.",
        "A duty was breached, or public health may be at risk.",
        "237 (1) 3",
    ),
    _ground(4, "safety-test", "안전성 검사가 필요합니다.", "A safety test is needed.", "237 (1) 4"),
    _ground(
        5,
        "tax-arrears",
        "체납자가 수입하는 물품입니다.",
        "Its importer is in arrears with taxes.",
        "237 (1) 5",
    ),
    _ground(6, "decree", "시행령이 정한 사유입니다.", "A reason that the decree names.", "237 (1) 6"),
    _ground(
        7,
        "safety-test-failed",
        "안전성 검사에서 부적합으로 나왔습니다.",
        "It failed the safety test.",
        "237 (1) 4-2",
    ),
)
_CLEAR: Final = (
    _ground(
        1,
        "examined",
        "담당자가 확인했고 신고가 적법합니다.",
        "An officer examined it and found it in order.",
        "248 (1)",
    ),
    _ground(2, "explained", "제출된 소명 자료를 받아들였습니다.", "Proof was given and accepted.", "237 (4)"),
    _ground(3, "completed", "신고가 보완되었습니다.", "The declaration was completed.", "249"),
    _ground(
        4,
        "holder-agreed",
        "번호의 주인이 본인 물건이라고 확인했습니다.",
        "The number's holder told customs it is his.",
        "ours",
    ),
    _ground(
        5,
        "owner-established",
        "번호의 주인이 아닌 실제 주인이 확인되었습니다.",
        "Its true owner, who is not the number's holder, was established.",
        "ours",
    ),
    _ground(6, "permit-shown", "필요한 허가나 승인을 확인했습니다.", "The permit it needs was shown.", "226"),
    _ground(
        7,
        "personal-use",
        "자가사용 물품으로 인정했습니다.",
        "It counts as goods for personal use.",
        "94",
    ),
)
_REFUSE: Final = (
    _ground(
        1,
        "declaration-incomplete",
        "신고가 보완되지 않았습니다.",
        "The declaration was not completed.",
        "249, 250 (3)",
    ),
    _ground(
        2,
        "false-declaration",
        "거짓이나 부정한 방법으로 신고했습니다.",
        "The declaration is false.",
        "250 (3)",
    ),
    _ground(
        3,
        "breach",
        "의무를 어겼거나 국민보건을 해칠 우려가 있습니다.",
        "A duty was breached, or public health may be at risk.",
        "237 (1) 3",
    ),
    _ground(
        4,
        "number-misused",
        "번호의 주인이 동의하지 않은 사용입니다.",
        "Its holder did not agree to the use of the number.",
        "ours",
    ),
    _ground(5, "permit-missing", "필요한 허가나 승인이 없습니다.", "The permit it needs is missing.", "226"),
    _ground(
        6,
        "intellectual-property",
        "지식재산권을 침해했습니다.",
        "It infringes intellectual property.",
        "235",
    ),
)
_RECALL: Final = (
    _ground(
        1,
        "duty-breached",
        "수입할 때의 의무를 지키지 않았습니다.",
        "A duty that its import carried was not met.",
        "238, 227",
    ),
    _ground(
        2,
        "public-health",
        "국민보건을 해칠 우려가 있습니다.",
        "Public health may be at risk.",
        "238 (1)",
    ),
    _ground(
        3,
        "origin-marking",
        "원산지 표시가 적법하지 않습니다.",
        "Its marking of origin is not lawful.",
        "238, 230",
    ),
    _ground(
        4,
        "intellectual-property",
        "지식재산권을 침해했습니다.",
        "It infringes intellectual property.",
        "238, 235",
    ),
)

GROUNDS: Final[dict[KindNumber, tuple[Ground, ...]]] = {
    KindNumber.HELD: _HOLD,
    KindNumber.DECIDED_CLEAR: _CLEAR,
    KindNumber.DECIDED_REFUSE: _REFUSE,
    KindNumber.RECALLED: _RECALL,
}
"""Grounds by kind: those of the flag GROUND, which a test proves."""
UNLISTED: Final = Sentence("이 표에 없는 사유입니다.", "A ground that is not in this table.")
"""Said of a number that only a later table names."""


@dataclass(frozen=True, slots=True)
class Named:
    """What an entry says of its ground.

    Attributes:
        slug: None where this table does not have the number.
        answer_due: seconds UTC by which customs answers; holds only.
    """

    number: int
    slug: str | None
    text: Sentence
    answer_due: int | None


def named(kind: KindNumber, detail: int) -> Named | None:
    """Return the ground that an accepted entry names, or None for kinds that name none.

    `detail` are the kind's own fields in their place in the header.
    """
    if kind not in GROUNDS:
        return None
    number = DETAIL[f"{kind.name}.ground"].get(detail)
    row = next((each for each in GROUNDS[kind] if each.number == number), None)
    due = DETAIL["HELD.answer_due"].get(detail) * 3600 if kind is KindNumber.HELD else 0
    return Named(number, row.slug if row else None, row.text if row else UNLISTED, due or None)


def ground_number(kind: KindNumber, slug: str) -> int:
    """Return the number of a ground by its slug.

    Raises:
        LedgerError: the kind has no such ground.
    """
    for each in GROUNDS[kind]:
        if each.slug == slug:
            return each.number
    known = ", ".join(each.slug for each in GROUNDS[kind])
    raise LedgerError(f"{slug[:40]} is no ground of {kind.name}.", hint=f"Name one of {known}.")
