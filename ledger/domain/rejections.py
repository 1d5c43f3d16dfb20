"""Codes the contract puts into the outcomes of a batch: why an entry was rejected, and what an accepted one did.

An outcome word is ``value << 32 | index << 8 | code``; codes from 128 on are effects of accepted entries.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final


class Rejection(IntEnum):
    """Why one entry was rejected while the rest of its batch went on."""

    ROLE = 1
    WRONG_LANE = 2
    FUTURE = 3
    NOT_YOURS = 4
    STATE_MISSING = 5
    STATE_BARRED = 6
    BAD_ID = 7
    STALE_FILING = 8
    STALE_DECISION = 9
    TOO_EARLY = 10
    LIMIT = 11
    HOLD_UNKNOWN = 12
    MASTER_UNKNOWN = 13
    ORDER_NOT_OPEN = 14
    ORDER_NOT_HANDED = 15
    ORDER_SAME_GROUP = 16
    ORDER_DROPPED = 17
    ORDERS_UNSORTED = 18
    NOT_OBSERVABLE = 19
    GROUND_MISSING = 20


class Effect(IntEnum):
    """What an accepted entry did beyond being recorded."""

    CLEARED = 128
    REFERRED = 129
    MASTER_HANDLE = 130
    """The outcome's value is the handle the master got."""
    HOLD_NUMBER = 131
    """The outcome's value is the number of the hold."""


VALUED: Final = frozenset({Effect.MASTER_HANDLE, Effect.HOLD_NUMBER})
"""Effects whose outcome has a value."""


@dataclass(frozen=True, slots=True)
class RejectionText:
    """Slug of the stable code, the sentence in two languages, and what to do."""

    slug: str
    ko: str
    en: str
    hint: str


REJECTION_TEXTS: Final[dict[Rejection, RejectionText]] = {
    Rejection.ROLE: RejectionText(
        "entry.role",
        "이 기록을 쓸 권한이 없는 열쇠입니다.",
        "The key has no role that may write this kind.",
        "Sign with a key of an organisation that holds the role.",
    ),
    Rejection.WRONG_LANE: RejectionText(
        "entry.wrong-lane",
        "정지 기록은 0번 줄에만, 다른 기록은 다른 줄에만 쓸 수 있습니다.",
        "Stops go into lane 0 and nothing else does.",
        "Send stops in lane 0, everything else in another lane.",
    ),
    Rejection.FUTURE: RejectionText(
        "entry.future",
        "주장한 시각이 아직 오지 않았습니다.",
        "The claimed time lies in the future.",
        "Check the clock of the scanner or system that set the time.",
    ),
    Rejection.NOT_YOURS: RejectionText(
        "entry.not-yours",
        "다른 업체 또는 다른 세관의 건입니다.",
        "The subject belongs to another organisation or office.",
        "Let its opener write this, or ask it to let your organisation.",
    ),
    Rejection.STATE_MISSING: RejectionText(
        "entry.state-missing",
        "먼저 있어야 할 단계가 아직 없습니다.",
        "A step that must come first is not there yet.",
        "Look at the needs of this kind in docs/protocol.md and record that step first.",
    ),
    Rejection.STATE_BARRED: RejectionText(
        "entry.state-barred",
        "지금 상태에서는 쓸 수 없습니다.",
        "The state the subject is in bars this kind.",
        "Read the subject's status: the step is done already or no longer possible.",
    ),
    Rejection.BAD_ID: RejectionText(
        "entry.bad-id",
        "식별자가 여는 업체와 다이제스트에서 나온 값이 아닙니다.",
        "The id is not the one its opener and digest give.",
        "Compute the id again from organisation, kind and digest.",
    ),
    Rejection.STALE_FILING: RejectionText(
        "entry.stale-filing",
        "다른 신고 내용에 대한 결과입니다.",
        "The result names another filing than the newest.",
        "Read the newest filing and judge that one.",
    ),
    Rejection.STALE_DECISION: RejectionText(
        "entry.stale-decision",
        "결정이 최신 신고나 정지를 보지 못했습니다.",
        "The decision did not see the newest filing or stop.",
        "Read the parcel again and decide on what stands now.",
    ),
    Rejection.TOO_EARLY: RejectionText(
        "entry.too-early",
        "아직 기다리는 시간이 지나지 않았습니다.",
        "The time to wait has not passed.",
        "Sweep again once the sweep time after carry-in and filing has passed.",
    ),
    Rejection.LIMIT: RejectionText(
        "entry.limit",
        "한도를 넘었습니다.",
        "A counter of the subject is full.",
        "Ask an officer of the competent office to decide.",
    ),
    Rejection.HOLD_UNKNOWN: RejectionText(
        "entry.hold-unknown",
        "그 번호의 보류가 없습니다.",
        "No open hold has this number.",
        "Read the open holds of the parcel and lift one of those.",
    ),
    Rejection.MASTER_UNKNOWN: RejectionText(
        "entry.master-unknown",
        "그 번호의 마스터가 없습니다.",
        "No master has this handle.",
        "Open the master first and use the handle it was given.",
    ),
    Rejection.ORDER_NOT_OPEN: RejectionText(
        "entry.order-not-open",
        "열려 있는 주문이 아닙니다.",
        "A named order does not exist or is used by another parcel.",
        "Name open orders only; ask the seller whether it recorded the order.",
    ),
    Rejection.ORDER_NOT_HANDED: RejectionText(
        "entry.order-not-handed",
        "다른 운송업체에 넘겨진 주문입니다.",
        "A named order was handed to another courier.",
        "Ask the seller to reassign the order to you.",
    ),
    Rejection.ORDER_SAME_GROUP: RejectionText(
        "entry.order-same-group",
        "같은 계열의 판매자와 운송업체입니다.",
        "Seller and courier of a named order belong to one group.",
        "File without the order, or through an independent courier.",
    ),
    Rejection.ORDER_DROPPED: RejectionText(
        "entry.order-dropped",
        "이미 묶인 주문이 정정에서 빠졌습니다.",
        "A correction must present every order bound before.",
        "Present all bound orders again; more may be added.",
    ),
    Rejection.ORDERS_UNSORTED: RejectionText(
        "entry.orders-unsorted",
        "주문은 식별자 순서로, 한 번씩만 적습니다.",
        "Orders must be presented in rising order of id, each once.",
        "Sort the orders by id and name each once.",
    ),
    Rejection.NOT_OBSERVABLE: RejectionText(
        "entry.not-observable",
        "관찰 기록으로 쓸 수 없는 단계입니다.",
        "This kind cannot be recorded as observed.",
        "Record it as a trace of the observed parcel.",
    ),
    Rejection.GROUND_MISSING: RejectionText(
        "entry.ground-missing",
        "결정, 보류, 반입명령에는 사유를 적어야 합니다.",
        "A decision, hold or recall must name its ground.",
        "Choose a ground of this kind from docs/protocol.md and write the entry again.",
    ),
}
