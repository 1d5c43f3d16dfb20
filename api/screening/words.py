"""Words of descriptions that say more than the declared class, and words that say nothing: data, Korean and English.

Examples that carriers publish for the exclusion list of the express clearance notice (특송물품 수입통관 사무처리에 관한
고시 별표 1) stand under the class they belong to; a whole word must match, so that "tea" is not found in "team".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from ledger.domain.classes import BY_SLUG

RESTRICTED: Final[dict[str, tuple[str, ...]]] = {
    "medicine": ("aspirin", "antibiotic", "antibiotics", "painkiller", "tablet drug", "medicine", "medicines",
                 "아스피린", "항생제", "진통제", "소화제", "감기약", "의약품"),
    "abusable-medicine": ("sildenafil", "steroid", "melatonin", "실데나필", "스테로이드", "멜라토닌"),
    "medical-device": ("contact lens", "contact lenses", "pregnancy test", "syringe", "thermometer",
                       "콘택트렌즈", "임신진단", "주사기", "체온계", "혈압계"),
    "ginseng": ("ginseng", "인삼", "홍삼"),
    "phellinus": ("phellinus", "상황버섯"),
    "antler": ("antler", "녹용"),
    "cites": ("ivory", "crocodile", "python skin", "상아", "악어가죽"),
    "coffee": ("coffee", "커피"),
    "nuts": ("nuts", "almonds", "seeds", "견과", "아몬드", "씨앗"),
    "honey": ("honey", "벌꿀"),
    "jerky": ("jerky", "육포"),
    "meat": ("ham", "sausage", "beef", "pork", "소시지", "쇠고기", "돼지고기"),
    "health-food": ("vitamin", "vitamins", "omega-3", "supplement", "supplements", "health functional food",
                    "비타민", "오메가3", "건강기능식품", "영양제"),
    "counterfeit-suspect": ("replica", "mirror quality", "레플리카", "이미테이션"),
    "alcohol": ("wine", "whisky", "whiskey", "beer", "와인", "위스키", "맥주"),
    "cigarettes": ("cigarette", "cigarettes", "담배"),
    "nicotine-liquid": ("e-liquid", "nicotine", "vape juice", "니코틴", "전자담배 액상"),
    "weapons": ("gun", "pistol", "stun gun", "crossbow", "권총", "전기충격기", "석궁"),
    "radio-equipment": ("jammer", "walkie-talkie", "전파차단기", "무전기"),
}  # fmt: skip
"""Words by goods class. Classes that may use the list are not here."""

VAGUE: Final = frozenset(
    ("gift", "gifts", "sample", "samples", "goods", "item", "items", "misc", "other", "others", "parts", "product",
     "stuff", "present", "선물", "샘플", "상품", "물품", "기타", "잡화", "부품")
)  # fmt: skip
"""A description of nothing but these is inaccurate in the sense of X11 (품명 부정확)."""

_WORD: Final = re.compile(r"[0-9a-z가-힣-]+")
_RESTRICTED: Final = tuple(
    (BY_SLUG[slug].code, re.compile(rf"(?<![0-9a-z가-힣]){re.escape(word)}(?![0-9a-z])"))
    for slug, words in RESTRICTED.items()
    for word in words
)


def restricted_classes(texts: Iterable[str]) -> frozenset[int]:
    """Return the classes off the list that descriptions name."""
    plain = " \n ".join(texts).lower()
    return frozenset(code for code, pattern in _RESTRICTED if pattern.search(plain))


def is_vague(text: str) -> bool:
    """Whether a description says nothing of what the goods are."""
    words = _WORD.findall(text.lower())
    return not words or all(word in VAGUE or word.isdigit() for word in words)
