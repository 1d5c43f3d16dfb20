"""The one table of entry kinds: who may write them, what must and must not stand, what they set.

Contract constants (`contracts/src/table.vy`), `docs/protocol.md` and the tests are made from this table. Guards are a
partial order, not a chain: real rows keep arriving after release.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Final

from ledger.domain.findings import FINDINGS_SHIFT
from ledger.domain.roles import ANY_ROLE, Role


class Status(IntFlag):
    """Status bits of a subject's word (bits 0 to 31)."""

    PARCEL = 1 << 0
    FILED = 1 << 1
    IDENTITY_OK = 1 << 2
    SCREENED = 1 << 3
    CARRIED_IN = 1 << 4
    DUTY_OK = 1 << 5
    CLEARED = 1 << 6
    REFERRED = 1 << 7
    DECIDED = 1 << 8
    REFUSED = 1 << 9
    RECALLED = 1 << 10
    STOP_OPEN = 1 << 11
    HELD = 1 << 12
    INSPECTING = 1 << 13
    RELEASED = 1 << 14
    OBSERVED = 1 << 15
    LIST = 1 << 16
    GENERAL = 1 << 17
    AUTO = 1 << 18
    ORDER = 1 << 19
    CONSUMED = 1 << 20
    MASTER = 1 << 21
    ARRIVED = 1 << 22
    UNLOADED = 1 << 23


class KindNumber(IntEnum):
    """Number of the kind in the low byte of an entry's header word."""

    ORDER_OPENED = 0
    ORDER_REASSIGNED = 1
    FILED = 2
    CORRECTED = 3
    MASTER_OPENED = 4
    MASTER_ARRIVED = 5
    MASTER_UNLOADED = 6
    CARRIED_IN = 7
    IDENTITY_CHECKED = 8
    IDENTITY_STOPPED = 9
    SCREENED_PASSED = 10
    SCREENED_REFERRED = 11
    HELD = 12
    HOLD_LIFTED = 13
    DECIDED_CLEAR = 14
    DECIDED_REFUSE = 15
    RECALLED = 16
    RELEASED = 17
    SWEPT = 18
    OBSERVED_OPENED = 19
    OBSERVED = 20
    TRACED = 30
    """Only inside OBSERVED, and in trace lanes: it changes no state."""


class Writer(IntEnum):
    """Whose entry it must be, beyond the role."""

    ANY = 0
    OPENER = 1
    """The org that opened the subject, or one it let write this kind."""
    OPENER_OR_CUSTOMS = 2
    OFFICE = 3
    """The competent office (관할 세관)."""


class Flag(IntFlag):
    """Flags of a guard row (top byte of the guard word)."""

    CUSTOMS_TOO = 1 << 0
    STOP = 1 << 1
    """Only in lane 0."""
    NAMES = 1 << 2
    """Names the filing it judged by the low 160 bits of the filing digest."""
    OPENING = 1 << 3
    """Opens a subject under an id made from opener and digest."""
    SPECIAL = 1 << 4
    """Has code of its own in the contract."""
    OBSERVABLE = 1 << 5
    """May stand inside an OBSERVED entry."""
    FILING = 1 << 6
    """Carries the words of a filing: transport word and goods word, or transport word and four for each order."""
    GROUND = 1 << 7
    """Must name a ground (low byte of the detail): one of the kind's rows in `ledger/domain/grounds.py`."""


NO_FLAGS: Final = Flag(0)
FILING_WORDS: Final = 2
"""Extra words of a filing without order; with orders it has 1 + 4 for each (flag FILING)."""
NO_WORDS_FIT: Final = 254
"""Marks unassigned rows: no header can name so many extra words, so they are a fault of shape."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One row of the guard table."""

    number: KindNumber
    korean: str
    roles: int
    needs: Status
    bars: Status
    sets: Status
    writer: Writer = Writer.ANY
    flags: Flag = NO_FLAGS
    extra: int = 0
    """Extra words after the three of the header; with the flag FILING there may be more."""

    @property
    def name(self) -> str:
        """Upper-case name of the kind."""
        return self.number.name


_NO = Status(0)
_OPEN = Flag.OPENING
_END = Status.CLEARED | Status.DECIDED
_FILERS = Role.COURIER | Role.BROKER
_YARD = Role.WAREHOUSE | Role.COURIER
_CUSTOMS = Role.CUSTOMS_OFFICER
_S = Status
_N = KindNumber

_ROWS: Final = (
    Kind(_N.ORDER_OPENED, "주문 기록", Role.SELLER, _NO, _S.ORDER, _S.ORDER, flags=_OPEN, extra=1),
    Kind(
        _N.ORDER_REASSIGNED,
        "주문 인계 변경",
        Role.SELLER,
        _S.ORDER,
        _S.CONSUMED,
        _NO,
        Writer.OPENER,
        Flag.SPECIAL,
    ),
    Kind(
        _N.FILED,
        "통관목록 제출 · 수입신고",
        _FILERS,
        _NO,
        _S.FILED | _S.OBSERVED | _S.ORDER | _S.MASTER,
        _S.PARCEL | _S.FILED,
        flags=Flag.SPECIAL | Flag.OBSERVABLE | Flag.FILING,
        extra=FILING_WORDS,
    ),
    Kind(
        _N.CORRECTED,
        "정정",
        _FILERS,
        _S.FILED,
        _S.CLEARED | _S.REFUSED | _S.RELEASED | _S.OBSERVED,
        _NO,
        Writer.OPENER,
        Flag.SPECIAL | Flag.FILING,
        FILING_WORDS,
    ),
    Kind(
        _N.MASTER_OPENED,
        "마스터 B/L 기록",
        Role.COURIER | _CUSTOMS | Role.AGENCY,
        _NO,
        _S.MASTER,
        _S.MASTER,
        flags=_OPEN,
    ),
    Kind(
        _N.MASTER_ARRIVED,
        "입항보고 수리",
        Role.COURIER | _CUSTOMS,
        _S.MASTER,
        _S.OBSERVED,
        _S.ARRIVED,
        Writer.OPENER_OR_CUSTOMS,
        Flag.OBSERVABLE,
    ),
    Kind(
        _N.MASTER_UNLOADED,
        "하기·하선신고 수리",
        Role.COURIER | _CUSTOMS,
        _S.MASTER,
        _S.OBSERVED,
        _S.UNLOADED,
        Writer.OPENER_OR_CUSTOMS,
        Flag.OBSERVABLE,
    ),
    Kind(
        _N.CARRIED_IN,
        "반입신고",
        _YARD,
        _S.PARCEL,
        _S.CARRIED_IN | _S.OBSERVED,
        _S.CARRIED_IN,
        Writer.OPENER,
        Flag.SPECIAL | Flag.OBSERVABLE,
    ),
    Kind(
        _N.IDENTITY_CHECKED,
        "개인통관고유부호 확인",
        Role.IDENTITY_AUTHORITY,
        _S.FILED,
        _S.IDENTITY_OK | _S.OBSERVED,
        _S.IDENTITY_OK,
        flags=Flag.NAMES,
    ),
    Kind(
        _N.IDENTITY_STOPPED,
        "개인통관고유부호 사용 정지",
        Role.IDENTITY_AUTHORITY,
        _S.PARCEL,
        _S.OBSERVED,
        _S.STOP_OPEN,
        flags=Flag.STOP | Flag.SPECIAL,
    ),
    Kind(
        _N.SCREENED_PASSED,
        "위험 심사 통과",
        Role.SCREENING,
        _S.FILED,
        _S.SCREENED | _S.OBSERVED,
        _S.SCREENED,
        flags=Flag.NAMES,
    ),
    Kind(
        _N.SCREENED_REFERRED,
        "위험 심사 회부",
        Role.SCREENING,
        _S.FILED,
        _END | _S.OBSERVED,
        _S.SCREENED,
        flags=Flag.NAMES,
    ),
    Kind(
        _N.HELD,
        "통관보류",
        _CUSTOMS,
        _S.PARCEL,
        _S.RELEASED | _S.OBSERVED,
        _S.HELD,
        Writer.OFFICE,
        Flag.STOP | Flag.SPECIAL | Flag.GROUND,
    ),
    Kind(
        _N.HOLD_LIFTED,
        "통관보류 해제",
        _CUSTOMS,
        _S.PARCEL | _S.HELD,
        _S.OBSERVED,
        _NO,
        Writer.OFFICE,
        Flag.SPECIAL,
    ),
    Kind(
        _N.DECIDED_CLEAR,
        "통관 결정 (수리)",
        _CUSTOMS,
        _S.FILED | _S.CARRIED_IN,
        _S.RELEASED | _S.RECALLED | _S.HELD | _S.INSPECTING | _S.OBSERVED,
        _S.CLEARED | _S.DECIDED,
        Writer.OFFICE,
        Flag.SPECIAL | Flag.OBSERVABLE | Flag.GROUND,
    ),
    Kind(
        _N.DECIDED_REFUSE,
        "통관 결정 (거부)",
        _CUSTOMS,
        _S.FILED,
        _S.RELEASED | _S.OBSERVED,
        _S.REFUSED | _S.DECIDED,
        Writer.OFFICE,
        Flag.SPECIAL | Flag.GROUND,
    ),
    Kind(
        _N.RECALLED,
        "보세구역 반입명령",
        _CUSTOMS,
        _S.PARCEL,
        _S.OBSERVED,
        _S.RECALLED,
        Writer.OFFICE,
        Flag.STOP | Flag.SPECIAL | Flag.GROUND,
    ),
    Kind(
        _N.RELEASED,
        "반출신고",
        _YARD,
        _S.CLEARED | _S.CARRIED_IN,
        _S.RELEASED | _S.STOP_OPEN | _S.RECALLED | _S.HELD | _S.INSPECTING | _S.REFUSED | _S.OBSERVED,
        _S.RELEASED,
        Writer.OPENER,
        Flag.OBSERVABLE,
    ),
    Kind(
        _N.SWEPT,
        "기한 경과 회부",
        ANY_ROLE,
        _S.FILED | _S.CARRIED_IN | _S.DUTY_OK,
        _END | _S.REFERRED | _S.REFUSED | _S.RECALLED | _S.HELD | _S.INSPECTING | _S.OBSERVED,
        _S.REFERRED,
        flags=Flag.SPECIAL,
    ),
    Kind(
        _N.OBSERVED_OPENED,
        "관찰 화물 기록",
        Role.AGENCY,
        _NO,
        _S.PARCEL,
        _S.PARCEL | _S.OBSERVED,
        flags=_OPEN,
    ),
    Kind(_N.OBSERVED, "관찰 기록", Role.AGENCY, _S.OBSERVED, _NO, _NO, Writer.OPENER, Flag.SPECIAL),
    Kind(_N.TRACED, "이동 기록", 0, _NO, _NO, _NO, flags=Flag.OBSERVABLE, extra=NO_WORDS_FIT),
)

KINDS: Final[dict[KindNumber, Kind]] = {row.number: row for row in _ROWS}

CLEAR_NEEDS: Final = (
    Status.PARCEL | Status.FILED | Status.IDENTITY_OK | Status.SCREENED | Status.CARRIED_IN | Status.DUTY_OK
)
"""The clearing set: all must stand, with no finding, and none of CLEAR_BARS."""
CLEAR_BARS: Final = (
    Status.CLEARED
    | Status.REFERRED
    | Status.DECIDED
    | Status.REFUSED
    | Status.RECALLED
    | Status.STOP_OPEN
    | Status.HELD
    | Status.INSPECTING
    | Status.RELEASED
    | Status.OBSERVED
)
ALL_FINDINGS: Final = 0xFFFFFFFF << FINDINGS_SHIFT

ABSENCES: Final = (Status.FILED, Status.IDENTITY_OK, Status.SCREENED, Status.CARRIED_IN, Status.DUTY_OK)
"""What a pending parcel may lack: derived from the word, never stored."""

KEPT_BY_CORRECTION: Final = (
    Status.PARCEL
    | Status.FILED
    | Status.CARRIED_IN
    | Status.RECALLED
    | Status.STOP_OPEN
    | Status.HELD
    | Status.INSPECTING
    | Status.REFERRED
    | Status.DECIDED
)
"""Status bits that a correction leaves; it unsets the results of identity check and screening."""
