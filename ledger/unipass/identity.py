"""Answers of UNI-PASS on an identity number (API028 retrievePersEcm), XML as the service prints it: read and written.

`tCnt` is 1 for a match, 0 for a mismatch and -1 for a fault of the system, which says nothing about the number.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from xml.sax.saxutils import escape

from ledger.unipass.errors import ProgressFault, ProgressRefused
from ledger.unipass.records import RESEND, read_records

PATH: Final = "/ext/rest/persEcmQry/retrievePersEcm"
ROOT: Final = "persEcmQryRtnVo"
ERRORS: Final = "persEcmQryRtnErrInfoVo"
KEY, NUMBER, NAME, PHONE, POSTCODE = "crkyCn", "persEcm", "pltxNm", "cralTelno", "custPsno"
"""Fields of the request: key of the API, number, name, mobile telephone (digits only), postcode (may be left out)."""
MATCH, MISMATCH, FAULT = "1", "0", "-1"


class Reason(StrEnum):
    """Why a number, name and telephone do not belong together."""

    NAME = "name"
    PHONE = "phone"
    POSTCODE = "postcode"
    NOT_FOUND = "not_found"
    EXPIRED = "expired"
    SUSPENDED = "suspended"
    MISSING = "missing"
    OTHER = "other"


REASON_TEXTS: Final = {
    Reason.MISSING: ("필수입력", "납세의무자 성명은(는) 필수입력입니다."),
    Reason.PHONE: ("휴대전화번호", "납세의무자 휴대전화번호가 일치하지 않습니다."),
    Reason.POSTCODE: ("우편번호", "납세의무자 우편번호가 일치하지 않습니다."),
    Reason.EXPIRED: ("유효기간", "개인통관고유부호의 유효기간이 지났습니다."),
    Reason.SUSPENDED: ("사용중이 아닌", "사용중이 아닌 개인통관고유부호입니다."),
    Reason.NOT_FOUND: ("존재하지 않", "입력하신 개인통관고유부호는 존재하지 않습니다."),
    Reason.NAME: ("성명과 일치하지", "개인통관고유부호의 성명과 일치하지 않습니다."),
}
"""What in a sentence of the service tells its reason, and such a sentence; the first that fits counts."""


@dataclass(frozen=True, slots=True)
class NumberAnswer:
    """What the service said: whether number, name and telephone match, and if not, why."""

    matches: bool
    reasons: tuple[Reason, ...] = ()


def reason_of(text: str) -> Reason:
    """Return the reason that a sentence of the service means."""
    plain = unicodedata.normalize("NFC", text)
    return next((reason for reason, (sign, _) in REASON_TEXTS.items() if sign in plain), Reason.OTHER)


def read_number_answer(data: bytes) -> NumberAnswer:
    """Read an answer.

    Raises:
        ProgressRefused: the service reports a fault of its own, or of the request; it says nothing of the number.
        ProgressFault: it is no such answer.
    """
    read = read_records(data, ROOT)
    count = read.fields.get("tCnt", "")
    if count == MATCH:
        return NumberAnswer(matches=True)
    if count == MISMATCH:
        told = [row["errMsgCn"] for row in read.groups.get(ERRORS, []) if row.get("errMsgCn")]
        return NumberAnswer(matches=False, reasons=tuple(dict.fromkeys(map(reason_of, told))))
    if count == FAULT:  # its notice may repeat what was asked: it is not passed on
        raise ProgressRefused("UNI-PASS reports a fault.", hint="Ask again later.")
    raise ProgressFault("The answer does not say whether the number matches (tCnt).", hint=RESEND)


def number_answer_xml(count: str, reasons: Iterable[Reason] = (), notice: str = "") -> bytes:
    """Return an answer as the service prints it."""
    errors = "".join(
        f"<{ERRORS}><errMsgCn>{escape(REASON_TEXTS[reason][1])}</errMsgCn></{ERRORS}>" for reason in reasons
    )
    told = f"<ntceInfo>{escape(notice)}</ntceInfo>" if notice else "<ntceInfo/>"
    return f"<{ROOT}>{errors}{told}<tCnt>{count}</tCnt></{ROOT}>".encode()
