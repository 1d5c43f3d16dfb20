"""Every sentence of the buyer's pages in both languages. A test keeps the table total and every key in use."""

from __future__ import annotations

from typing import Final

from ledger.domain.findings import Sentence

TEXTS: Final[dict[str, Sentence]] = {
    "title": Sentence("내 번호가 쓰인 곳", "Uses of your number"),
    "service": Sentence("통관 장부", "Clearance Ledger"),
    "demo": Sentence(
        "시연용입니다. 사람과 번호는 모두 지어낸 것입니다.", "This is a demo. All people and numbers are made up."
    ),
    "skip": Sentence("본문으로 가기", "Skip to the content"),
    "other_language": Sentence("English", "한국어"),
    "sign_in": Sentence("로그인", "Sign in"),
    "sign_in.lead": Sentence(
        "개인통관고유부호와 등록된 휴대전화로 받은 번호로 로그인합니다.",
        "Sign in with your identity number for customs and a code sent to the phone registered for it.",
    ),
    "sign_in.pccc": Sentence("개인통관고유부호", "Identity number (PCCC)"),
    "sign_in.pccc.hint": Sentence("P와 숫자 12자리", "P and 12 digits"),
    "sign_in.phone": Sentence("휴대전화 번호", "Mobile number"),
    "sign_in.send": Sentence("인증번호 받기", "Send me a code"),
    "sign_in.sent": Sentence(
        "입력하신 번호가 등록된 것과 같으면 인증번호를 보냈습니다. 3분 안에 입력해 주세요.",
        "If what you entered matches the register, a code is on its way. Enter it within 3 minutes.",
    ),
    "sign_in.code": Sentence("인증번호", "Code"),
    "sign_in.enter": Sentence("들어가기", "Sign in"),
    "sign_in.wrong": Sentence(
        "번호나 인증번호가 맞지 않거나 시간이 지났습니다. 다시 시도해 주세요.",
        "The number or the code is wrong or too old. Please try again.",
    ),
    "sign_out": Sentence("로그아웃", "Sign out"),
    "uses.none": Sentence("이 번호가 쓰인 기록이 없습니다.", "Your number was not used."),
    "uses.lead": Sentence(
        "회원님 번호로 신고된 물건입니다. 모르는 물건이 있으면 바로 알려 주세요.",
        "These parcels were declared with your number. Tell us at once about any you do not know.",
    ),
    "uses.more": Sentence("더 보기", "More"),
    "use.question": Sentence("본인 물건이 맞나요?", "Is this yours?"),
    "use.yes": Sentence("네, 제 것입니다", "Yes, it is mine"),
    "use.gift": Sentence("네, 선물입니다", "Yes, it is a gift"),
    "use.no": Sentence("아니요, 제 것이 아닙니다", "No, it is not mine"),
    "use.consent": Sentence("통관에 동의합니다", "I agree to its clearance"),
    "use.consent.hint": Sentence(
        "이 기기의 열쇠로 서명합니다. 동의하기 전에는 통관되지 않습니다.",
        "You sign with this device's key. Without it the parcel is not cleared.",
    ),
    "use.shop": Sentence("쇼핑몰", "Shop"),
    "use.goods": Sentence("물건", "Goods"),
    "use.courier": Sentence("운송업체", "Courier"),
    "use.declared_at": Sentence("신고한 때", "Declared"),
    "use.receiver_differs": Sentence("받는 사람이 다릅니다", "Another person receives it"),
    "use.why": Sentence("이유", "Why"),
    "use.waits": Sentence("기다리는 것", "Still missing"),
    "use.timeline": Sentence("지금까지 있었던 일", "What happened so far"),
    "use.proof": Sentence("통관 증명 받기", "Download the proof"),
    "use.proof.hint": Sentence(
        "누구나 clearance verify 명령으로 이 서비스 없이 확인할 수 있습니다. 이름과 번호는 들어 있지 않습니다.",
        "Anybody can check it without this service, with clearance verify. It names nobody.",
    ),
    "event.ground": Sentence("사유", "Ground"),
    "event.answer_due": Sentence("세관이 답하는 기한", "Customs answers by"),
    "use.link": Sentence("이 물건만 보여 주는 비밀 링크", "Secret link that shows this parcel's status only"),
    "answer.confirmed": Sentence("본인 것이라고 답했습니다", "You said it is yours"),
    "answer.gift": Sentence("선물이라고 답했습니다", "You said it is a gift"),
    "answer.denied": Sentence("본인 것이 아니라고 답했습니다", "You said it is not yours"),
    "answer.consented": Sentence("통관에 동의했습니다", "You agreed to its clearance"),
    "answer.thanks": Sentence("답을 받았습니다", "Your answer is recorded"),
    "answer.denied.next": Sentence(
        "이 물건은 자동으로 통관되지 않습니다. 세관이 확인하고, 통관한다면 그 이유를 알려 드립니다.",
        "The parcel will not clear by itself. Customs looks into it, and if it clears it you are told the ground.",
    ),
    "answer.denied.released": Sentence(
        "이 물건은 이미 반출되었습니다. 세관이 신고를 조사합니다.",
        "The parcel has left the yard already. Customs looks into who declared it.",
    ),
    "answer.unsigned": Sentence(
        "기기 서명 없이 인증번호로 받은 답입니다.", "Taken on your one-time code, without a signature of your device."
    ),
    "receipt": Sentence("접수증", "Receipt"),
    "receipt.keep": Sentence(
        "세관이 서명했습니다. 보관하시면 누구에게나 보여 줄 수 있습니다.",
        "Signed by customs. Keep it: with it you can show anybody what you said and when.",
    ),
    "receipt.download": Sentence("접수증 받기", "Download the receipt"),
    "number": Sentence("내 번호", "Your number"),
    "number.active": Sentence("사용 중", "Active"),
    "number.frozen": Sentence("사용 정지", "Frozen"),
    "number.thawed": Sentence("잠시 사용 허용", "Thawed for a time"),
    "number.consent_first": Sentence("동의한 물건만 통관", "Only what you agree to is cleared"),
    "number.until": Sentence("까지", "until"),
    "freeze": Sentence("번호 정지", "Freeze the number"),
    "freeze.lead": Sentence(
        "정지하면 이 번호로 새로 신고되는 물건은 통관되지 않습니다. 오고 있는 물건은 아래에서 고르세요.",
        "While it is frozen nothing newly declared with it clears. Choose below what is already on its way.",
    ),
    "freeze.under_way": Sentence("오고 있는 물건", "Already on their way"),
    "freeze.none": Sentence("오고 있는 물건이 없습니다.", "Nothing is on its way."),
    "freeze.exempt": Sentence("이 물건은 그대로 통관", "Let this one through"),
    "freeze.confirm": Sentence("정지하기", "Freeze now"),
    "thaw": Sentence("잠시 풀기", "Thaw for a time"),
    "thaw.lead": Sentence(
        "정한 날까지만 풀립니다. 이 기기의 열쇠로 서명해야 합니다.",
        "It ends on the day you choose. You sign with this device's key.",
    ),
    "thaw.until": Sentence("언제까지", "Until"),
    "thaw.confirm": Sentence("풀기", "Thaw"),
    "consent_first.on": Sentence("동의한 물건만 통관하기", "Clear only what I agree to"),
    "consent_first.off": Sentence("동의 없이도 통관하기", "Clear without asking me"),
    "needs_device": Sentence(
        "이 일은 기기의 서명이 필요합니다. JavaScript를 켜거나 clearance buyer 명령을 쓰세요.",
        "This needs a signature of your device. Turn JavaScript on, or use the clearance buyer command.",
    ),
    "status.unfiled": Sentence("아직 신고되지 않음", "Not declared yet"),
    "status.pending": Sentence("통관 진행 중", "In progress"),
    "status.referred": Sentence("세관이 확인하는 중", "Customs is looking into it"),
    "status.cleared": Sentence("통관됨", "Cleared"),
    "status.released": Sentence("통관되어 반출됨", "Cleared and released"),
    "status.refused": Sentence("통관이 거부됨", "Refused"),
    "status.recalled": Sentence("반입명령", "Recalled"),
    "status.observed": Sentence("관찰 기록", "Observed"),
    "absent.FILED": Sentence("신고", "declaration"),
    "absent.IDENTITY_OK": Sentence("본인 확인", "identity check"),
    "absent.SCREENED": Sentence("위험 심사", "screening"),
    "absent.CARRIED_IN": Sentence("보세구역 반입", "arrival at the customs yard"),
    "absent.DUTY_OK": Sentence("세금 납부", "payment of duty"),
    "error": Sentence("할 수 없습니다", "That did not work"),
    "error.back": Sentence("돌아가기", "Go back"),
    "link.title": Sentence("이 물건의 상태", "Status of this parcel"),
    "kst": Sentence("한국 시각", "Korean time"),
}
"""Sentences by key. Findings and kinds have their own in `ledger.domain`."""
