"""What each kind of entry means to the person whose parcel it is, in the two languages of the service."""

from __future__ import annotations

from typing import Final

from ledger.domain.findings import Sentence
from ledger.domain.kinds import KindNumber

K = KindNumber
KIND_TEXTS: Final[dict[KindNumber, Sentence]] = {
    K.ORDER_OPENED: Sentence("판매자가 주문을 기록했습니다.", "The seller recorded the order."),
    K.ORDER_REASSIGNED: Sentence("판매자가 운송업체를 바꾸었습니다.", "The seller chose another courier."),
    K.FILED: Sentence("운송업체가 통관목록이나 수입신고를 냈습니다.", "The courier filed the parcel with customs."),
    K.CORRECTED: Sentence("운송업체가 신고를 고쳤습니다.", "The courier corrected the filing."),
    K.MASTER_OPENED: Sentence("항공편이나 배편이 기록되었습니다.", "The flight or voyage was recorded."),
    K.MASTER_ARRIVED: Sentence("항공편이나 배편이 도착했습니다.", "The flight or voyage arrived."),
    K.MASTER_UNLOADED: Sentence("화물을 내렸습니다.", "The cargo was unloaded."),
    K.CARRIED_IN: Sentence("보세구역에 들어왔습니다.", "The parcel was carried into the customs yard."),
    K.IDENTITY_CHECKED: Sentence("번호와 이름, 전화번호를 확인했습니다.", "Number, name and telephone were checked."),
    K.IDENTITY_STOPPED: Sentence("번호의 사용이 정지되었습니다.", "The use of the number was stopped."),
    K.SCREENED_PASSED: Sentence("위험 심사를 통과했습니다.", "Risk screening passed it."),
    K.SCREENED_REFERRED: Sentence("위험 심사에서 담당자에게 넘겼습니다.", "Risk screening passed it to an officer."),
    K.HELD: Sentence("세관이 통관을 보류했습니다.", "Customs holds the parcel."),
    K.HOLD_LIFTED: Sentence("통관 보류가 풀렸습니다.", "Customs lifted the hold."),
    K.DECIDED_CLEAR: Sentence("담당자가 통관을 허락했습니다.", "An officer cleared the parcel."),
    K.DECIDED_REFUSE: Sentence("담당자가 통관을 거부했습니다.", "An officer refused the parcel."),
    K.RECALLED: Sentence("세관이 반입명령을 내렸습니다.", "Customs recalled the parcel."),
    K.RELEASED: Sentence("보세구역에서 나왔습니다.", "The parcel left the customs yard."),
    K.SWEPT: Sentence("기한이 지나 담당자에게 넘어갔습니다.", "A check was not done in time; an officer decides."),
    K.OBSERVED_OPENED: Sentence("다른 기관의 화물 기록이 시작되었습니다.", "Another agency's record was begun."),
    K.OBSERVED: Sentence("다른 기관의 기록입니다.", "A row of another agency's record."),
    K.TRACED: Sentence("이동 기록입니다.", "A step of its way."),
}
"""One sentence for each kind; a test keeps it total."""
CLEARED_BY_RULE: Final = Sentence("규칙에 따라 자동으로 통관되었습니다.", "The parcel was cleared by rule.")
"""Said beside the entry that completed the clearing set."""
