"""Customs houses (세관) by the number that shed codes and declarations print (세관부호).

A number is printed with three digits and fits one byte of the transport word. Names are those of the offices that clear
goods; support centres are left out. Offices come and go: a number that is not here is still a number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Self

from ledger.domain.errors import InvalidOffice

MAX_OFFICE: Final = 255
"""Largest number that the transport word carries."""


@dataclass(frozen=True, slots=True, order=True)
class CustomsOffice:
    """A customs house by its number, 1 to 255."""

    number: int

    def __post_init__(self) -> None:
        """Check the range.

        Raises:
            InvalidOffice: it is no number from 1 to 255.
        """
        if isinstance(self.number, bool) or not isinstance(self.number, int) or not 1 <= self.number <= MAX_OFFICE:
            raise InvalidOffice(f"A customs office is a number from 1 to {MAX_OFFICE}.", hint="Write it like 040.")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a number as printed, for example ``040``.

        Raises:
            InvalidOffice: it is not three digits from 001 to 255.
        """
        if not isinstance(text, str) or not re.fullmatch(r"[0-9]{3}", text.strip()):
            raise InvalidOffice("A customs office is printed with three digits.", hint="Write it like 040.")
        return cls(int(text))

    @property
    def known(self) -> bool:
        """Whether the table names it."""
        return self.number in OFFICES

    @property
    def korean(self) -> str:
        """Korean name, or the number if the table has none."""
        return OFFICES[self.number][0] if self.known else str(self)

    @property
    def english(self) -> str:
        """English name, or the number if the table has none."""
        return OFFICES[self.number][1] if self.known else str(self)

    def __str__(self) -> str:
        """Return the number as printed."""
        return f"{self.number:03}"


OFFICES: Final = {
    10: ("서울세관", "Seoul"),
    12: ("성남세관", "Seongnam"),
    13: ("인천공항국제우편세관", "Incheon Airport International Mail"),
    14: ("안산세관", "Ansan"),
    16: ("평택세관", "Pyeongtaek"),
    17: ("파주세관", "Paju"),
    20: ("인천세관", "Incheon"),
    21: ("수원세관", "Suwon"),
    30: ("부산세관", "Busan"),
    33: ("양산세관", "Yangsan"),
    37: ("부산국제우편세관", "Busan International Mail"),
    39: ("북부산세관", "North Busan"),
    40: ("인천공항세관", "Incheon Airport"),
    41: ("김포공항세관", "Gimpo Airport"),
    50: ("마산세관", "Masan"),
    51: ("경남남부세관", "South Gyeongnam"),
    53: ("창원세관", "Changwon"),
    56: ("경남서부세관", "West Gyeongnam"),
    60: ("여수세관", "Yeosu"),
    62: ("광양세관", "Gwangyang"),
    70: ("목포세관", "Mokpo"),
    71: ("광주세관", "Gwangju"),
    80: ("군산세관", "Gunsan"),
    82: ("전주세관", "Jeonju"),
    90: ("제주세관", "Jeju"),
    100: ("동해세관", "Donghae"),
    101: ("속초세관", "Sokcho"),
    110: ("울산세관", "Ulsan"),
    120: ("대구세관", "Daegu"),
    121: ("구미세관", "Gumi"),
    122: ("포항세관", "Pohang"),
    131: ("안양세관", "Anyang"),
    140: ("김해공항세관", "Gimhae Airport"),
    150: ("대전세관", "Daejeon"),
    151: ("청주세관", "Cheongju"),
    152: ("천안세관", "Cheonan"),
}
"""Number to Korean and English name."""
