"""Goods classes: what the contract's class rows are seeded from.

Codes below 100 are ordinary goods. From 100 on, hundreds follow the exclusion list (목록통관 배제대상) of the express
clearance notice (특송물품 수입통관 사무처리에 관한 고시 별표 1), items X01 to X13; personal-use quantities follow
수입통관 사무처리에 관한 고시 별표 11. What was reconstructed from carriers' pages is marked `unsure` (docs/sources.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class GoodsClass:
    """One class of goods.

    Attributes:
        code: number in goods words.
        korean: Korean name.
        english: English name.
        exclusion: item of the exclusion list, empty if the class may use the list.
        personal_use: largest quantity that counts as personal use, 0 if none is set.
        unit: unit of the quantity.
        permit: whether Customs Act art. 226 asks for a permit whatever the quantity.
        hs6: a typical HS code, for made-up data.
    """

    code: int
    korean: str
    english: str
    hs6: str
    exclusion: str = ""
    personal_use: int = 0
    unit: str = "piece"
    permit: bool = False

    @property
    def excluded(self) -> bool:
        """Whether the class may not use the list."""
        return bool(self.exclusion)


CLASSES: Final = (
    GoodsClass(1, "의류", "clothing", "620342"),
    GoodsClass(2, "신발", "footwear", "640399"),
    GoodsClass(3, "가방", "bags", "420222"),
    GoodsClass(4, "가전·전자제품", "electronics", "851713"),
    GoodsClass(5, "컴퓨터 부품", "computer parts", "847330"),
    GoodsClass(6, "완구", "toys", "950300"),
    GoodsClass(7, "도서", "books", "490199"),
    GoodsClass(8, "화장품", "cosmetics", "330499"),
    GoodsClass(9, "생활용품", "household goods", "392410"),
    GoodsClass(10, "운동용품", "sports goods", "950691"),
    GoodsClass(11, "시계·장신구", "watches and accessories", "910211"),
    GoodsClass(12, "자동차 용품", "car accessories", "870829"),
    GoodsClass(13, "공구", "tools", "820559"),
    GoodsClass(14, "침구", "bedding", "940490"),
    GoodsClass(101, "의약품", "medicines", "300490", "X01", 6, "bottle"),
    GoodsClass(102, "오남용우려 의약품", "medicines open to abuse", "300439", "X01", 0, "bottle", permit=True),
    GoodsClass(201, "의료기기", "medical devices", "901890", "X02"),
    GoodsClass(301, "인삼류", "ginseng", "121120", "X03", 300, "gram"),
    GoodsClass(302, "상황버섯", "phellinus mushroom", "121190", "X03", 300, "gram"),
    GoodsClass(303, "녹용", "deer antler", "051000", "X03", 150, "gram"),
    GoodsClass(304, "기타 한약재", "other herbal materials", "121190", "X03", 3_000, "gram"),
    GoodsClass(401, "야생동식물 관련 제품", "CITES goods", "420500", "X04", permit=True),
    GoodsClass(501, "커피", "coffee", "090121", "X05", 5_000, "gram"),
    GoodsClass(502, "견과류", "nuts", "080212", "X05", 5_000, "gram"),
    GoodsClass(503, "잣", "pine nuts", "080291", "X05", 1_000, "gram"),
    GoodsClass(504, "꿀", "honey", "040900", "X05", 5_000, "gram"),
    GoodsClass(505, "육포", "jerky", "021020", "X05", 5_000, "gram"),
    GoodsClass(506, "소·돼지고기", "beef and pork", "020130", "X05", 10_000, "gram"),
    GoodsClass(601, "건강기능식품", "health functional food", "210690", "X06", 6, "bottle"),
    GoodsClass(701, "지식재산권 침해 의심 물품", "suspected counterfeits", "420221", "X07"),
    GoodsClass(801, "식품", "food", "190590", "X08", 5_000, "gram"),
    GoodsClass(802, "주류", "alcohol", "220830", "X08", 1, "bottle"),
    GoodsClass(803, "궐련", "cigarettes", "240220", "X08", 200, "stick"),
    GoodsClass(804, "엽궐련", "cigars", "240210", "X08", 50, "stick"),
    GoodsClass(805, "전자담배 니코틴 용액", "nicotine liquid", "240412", "X08", 20, "millilitre"),
    GoodsClass(901, "기능성 화장품", "functional cosmetics", "330499", "X09"),
    GoodsClass(902, "향수", "perfume", "330300", "", 60, "millilitre"),
    GoodsClass(1301, "도검·총포류", "weapons", "930700", "X13", permit=True),
    GoodsClass(1302, "전파사용기기", "radio equipment", "852560", "X13", permit=True),
)

BY_CODE: Final = {each.code: each for each in CLASSES}
