"""Goods classes as data: names, units, and the dated figures that the contract's class rows are seeded from.

Codes below 100 are ordinary goods. From 100 on, hundreds follow the exclusion list (목록통관 배제대상) of the express
clearance notice (특송물품 수입통관 사무처리에 관한 고시 별표 1), items X01 to X13; personal-use quantities follow
수입통관 사무처리에 관한 고시 별표 11. Items X10 to X12 name faults of data or sellers, not goods, and have no class.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from ledger.domain.words import CLASS_ROW

SINCE_2006: Final = dt.date(2006, 1, 1)
"""First day (KST) of the seeded rows: six bottles of health food have stood since 2006."""


class Unit(IntEnum):
    """Unit in which quantities of a class are counted; its number is the `unit` of a goods word."""

    PIECE = 0
    BOTTLE = 1
    GRAM = 2
    MILLILITRE = 3
    STICK = 4


UNIT_NAMES: Final = {
    Unit.PIECE: ("개", "piece"),
    Unit.BOTTLE: ("병", "bottle"),
    Unit.GRAM: ("그램", "gram"),
    Unit.MILLILITRE: ("밀리리터", "millilitre"),
    Unit.STICK: ("개비", "stick"),
}
"""Korean and English name of each unit."""


@dataclass(frozen=True, slots=True)
class ClassRow:
    """What holds for a class from a day on.

    Attributes:
        valid_from: first day, KST.
        excluded: may not use the list (목록통관 배제대상).
        permit: Customs Act art. 226 asks for a permit whatever the quantity (세관장확인대상).
        personal_use: largest quantity that counts as personal use (자가사용 인정기준), 0 if none is set.
    """

    valid_from: dt.date
    excluded: bool
    permit: bool
    personal_use: int

    def value(self) -> int:
        """Return the row packed as the contract reads it: excluded bit 0, permit bit 1, quantity from bit 8.

        Raises:
            ValueError: the quantity does not fit 24 bits.
        """
        return (
            CLASS_ROW["excluded"].put(int(self.excluded))
            | CLASS_ROW["permit"].put(int(self.permit))
            | CLASS_ROW["personal_use"].put(self.personal_use)
        )


@dataclass(frozen=True, slots=True)
class GoodsClass:
    """One class of goods.

    Attributes:
        code: number in goods words, 16 bits.
        slug: stable name for files and interfaces.
        korean: Korean name.
        english: English name.
        hs6: a typical HS code, for made-up data.
        exclusion: item of the exclusion list, empty if the class may use the list.
        unit: unit of the quantity.
        rows: what holds from which day, oldest first. The newest is what the properties tell.
    """

    code: int
    slug: str
    korean: str
    english: str
    hs6: str
    exclusion: str
    unit: Unit
    rows: tuple[ClassRow, ...]

    @property
    def excluded(self) -> bool:
        """Whether the class may not use the list."""
        return self.rows[-1].excluded

    @property
    def permit(self) -> bool:
        """Whether a permit is needed whatever the quantity."""
        return self.rows[-1].permit

    @property
    def personal_use(self) -> int:
        """Largest quantity that counts as personal use, 0 if none is set."""
        return self.rows[-1].personal_use

    def row_at(self, day: dt.date) -> ClassRow | None:
        """Return the row in force on a day (KST), None before the oldest."""
        return next((row for row in reversed(self.rows) if row.valid_from <= day), None)


def _class(
    code: int,
    slug: str,
    korean: str,
    english: str,
    hs6: str,
    exclusion: str = "",
    unit: Unit = Unit.PIECE,
    personal_use: int = 0,
    *,
    permit: bool = False,
) -> GoodsClass:
    row = ClassRow(SINCE_2006, bool(exclusion), permit, personal_use)
    return GoodsClass(code, slug, korean, english, hs6, exclusion, unit, (row,))


CLASSES: Final = (
    _class(1, "clothing", "의류", "clothing", "620342"),
    _class(2, "footwear", "신발", "footwear", "640399"),
    _class(3, "bags", "가방", "bags", "420222"),
    _class(4, "electronics", "가전·전자제품", "electronics", "851713"),
    _class(5, "computer-parts", "컴퓨터 부품", "computer parts", "847330"),
    _class(6, "toys", "완구", "toys", "950300"),
    _class(7, "books", "도서", "books", "490199"),
    _class(8, "cosmetics", "화장품", "cosmetics", "330499"),
    _class(9, "household", "생활용품", "household goods", "392410"),
    _class(10, "sports", "운동용품", "sports goods", "950691"),
    _class(11, "watches", "시계·장신구", "watches and accessories", "910211"),
    _class(12, "car-accessories", "자동차 용품", "car accessories", "870829"),
    _class(13, "tools", "공구", "tools", "820559"),
    _class(14, "bedding", "침구", "bedding", "940490"),
    _class(101, "medicine", "의약품", "medicines", "300490", "X01", Unit.BOTTLE, 6),
    _class(
        102, "abusable-medicine", "오남용우려 의약품", "abusable medicines", "300439", "X01", Unit.BOTTLE, permit=True
    ),
    _class(201, "medical-device", "의료기기", "medical devices", "901890", "X02"),
    _class(301, "ginseng", "인삼류", "ginseng", "121120", "X03", Unit.GRAM, 300),
    _class(302, "phellinus", "상황버섯", "phellinus mushroom", "121190", "X03", Unit.GRAM, 300),
    _class(303, "antler", "녹용", "deer antler", "051000", "X03", Unit.GRAM, 150),
    _class(304, "herbal", "기타 한약재", "other herbal materials", "121190", "X03", Unit.GRAM, 3_000),
    _class(401, "cites", "야생동식물 관련 제품", "CITES goods", "420500", "X04", permit=True),
    _class(501, "coffee", "커피", "coffee", "090121", "X05", Unit.GRAM, 5_000),
    _class(502, "nuts", "견과류", "nuts", "080212", "X05", Unit.GRAM, 5_000),
    _class(503, "pine-nuts", "잣", "pine nuts", "080291", "X05", Unit.GRAM, 1_000),
    _class(504, "honey", "꿀", "honey", "040900", "X05", Unit.GRAM, 5_000),
    _class(505, "jerky", "육포", "jerky", "021020", "X05", Unit.GRAM, 5_000),
    _class(506, "meat", "소·돼지고기", "beef and pork", "020130", "X05", Unit.GRAM, 10_000),
    _class(601, "health-food", "건강기능식품", "health functional food", "210690", "X06", Unit.BOTTLE, 6),
    _class(701, "counterfeit-suspect", "지식재산권 침해 의심 물품", "suspected counterfeits", "420221", "X07"),
    _class(801, "food", "식품", "food", "190590", "X08", Unit.GRAM, 5_000),
    _class(802, "alcohol", "주류", "alcohol", "220830", "X08", Unit.BOTTLE, 1),
    _class(803, "cigarettes", "궐련", "cigarettes", "240220", "X08", Unit.STICK, 200),
    _class(804, "cigars", "엽궐련", "cigars", "240210", "X08", Unit.STICK, 50),
    _class(805, "nicotine-liquid", "전자담배 니코틴 용액", "nicotine liquid", "240412", "X08", Unit.MILLILITRE, 20),
    _class(901, "functional-cosmetics", "기능성 화장품", "functional cosmetics", "330499", "X09"),
    _class(902, "perfume", "향수", "perfume", "330300", "", Unit.MILLILITRE, 60),
    _class(1301, "weapons", "도검·총포류", "weapons", "930700", "X13", permit=True),
    _class(1302, "radio-equipment", "전파사용기기", "radio equipment", "852560", "X13", permit=True),
)

BY_CODE: Final = {each.code: each for each in CLASSES}
BY_SLUG: Final = {each.slug: each for each in CLASSES}
