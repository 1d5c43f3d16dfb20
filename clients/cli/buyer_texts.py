"""What the buyer's commands say in both languages; statuses and answers are worded as on the buyer's pages."""

from __future__ import annotations

import os
from typing import Final

from api.pages.texts import TEXTS
from ledger.domain.findings import Sentence

OWN: Final[dict[str, Sentence]] = {
    "signed_in": Sentence("로그인했습니다. 30분 동안 쓸 수 있습니다.", "You are signed in for half an hour."),
    "signed_out": Sentence("로그아웃했습니다.", "You are signed out."),
    "new_device": Sentence(
        "이 컴퓨터의 열쇠를 만듭니다. 암호를 정해 주세요.",
        "A key is made for this computer. Choose a passphrase for it.",
    ),
    "passphrase": Sentence("열쇠의 암호", "Passphrase of this computer's key"),
    "which": Sentence(
        "그대로 통관할 물건의 번호 (쉼표로, 없으면 Enter)", "Numbers to let through (commas; Enter for none)"
    ),
    "sure": Sentence("정지할까요?", "Freeze the number now?"),
    "nothing_done": Sentence("아무것도 바꾸지 않았습니다.", "Nothing was changed."),
    "kept": Sentence("접수증을 두었습니다", "The receipt is kept in"),
    "signed_by": Sentence("서명한 기관", "signed by"),
    "consent_first.is_on": Sentence("동의한 물건만 통관합니다.", "Only what you agree to is cleared."),
    "consent_first.is_off": Sentence("동의 없이도 통관합니다.", "Parcels clear without asking you."),
    "frozen": Sentence("번호를 정지했습니다.", "Your number is frozen."),
    "thawed": Sentence("번호를 정한 날까지 풀었습니다.", "Your number may be used until the day you chose."),
    "status.stopped": Sentence("통관 중지됨", "Stopped"),
}


def language(chosen: str) -> str:
    """Return ko or en: as chosen, else as the terminal's locale says."""
    if chosen in ("ko", "en"):
        return chosen
    spoken = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG", "")
    return "ko" if spoken.startswith("ko") else "en"


class Words:
    """Sentences in one language."""

    def __init__(self, chosen: str) -> None:
        """Take the language, empty for the terminal's."""
        self.language = language(chosen)

    def __call__(self, key: str) -> str:
        """Return a sentence."""
        return self.of(OWN.get(key) or TEXTS[key])

    def of(self, sentence: Sentence) -> str:
        """Return a sentence of another table."""
        return sentence.ko if self.language == "ko" else sentence.en

    def told(self, document: dict[str, str]) -> str:
        """Return what a document says in `ko` and `en`."""
        return document[self.language]

    def status(self, name: str) -> str:
        """Return a status in words."""
        key = f"status.{name}"
        return self(key) if key in OWN or key in TEXTS else name
