"""Identifiers of the trade, each with its check. A value that exists is a valid one.

No message repeats a PCCC: it names a person.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from ledger.domain.errors import LedgerError


class InvalidIdentifier(LedgerError):
    """A text is no identifier of its kind."""

    code = "identifier.invalid"


@dataclass(frozen=True, slots=True)
class Identifier:
    """A checked text. Subclasses say shape and check."""

    value: str

    SHAPE: ClassVar[re.Pattern[str]] = re.compile("")
    NAME: ClassVar[str] = ""
    SAYS: ClassVar[str] = ""
    PRIVATE: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Check the shape and what :meth:`_check` adds."""
        if not self.SHAPE.fullmatch(self.value):
            self._refuse()
        self._check()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Normalise (NFC, trim, upper case, no inner spaces) and check a text.

        Raises:
            InvalidIdentifier: it is none.
        """
        return cls("".join(unicodedata.normalize("NFC", text).split()).upper())

    def _check(self) -> None:
        """Check beyond the shape."""

    def _refuse(self) -> None:
        shown = "" if self.PRIVATE else f" {self.value[:40]!r} is not one."
        raise InvalidIdentifier(f"A {self.NAME} is {self.SAYS}.{shown}", hint=f"Check the {self.NAME}.")

    def __str__(self) -> str:
        """Return the text; masked if it names a person."""
        return "P***********" if self.PRIVATE else self.value

    def __repr__(self) -> str:
        """Return type and text; masked if it names a person."""
        return f"{type(self).__name__}({str(self)!r})"


class PCCC(Identifier):
    """Identity number for customs (개인통관고유부호): P and 12 digits. Only the register proves one."""

    SHAPE = re.compile(r"P\d{12}")
    NAME = "PCCC"
    SAYS = "P and 12 digits"
    PRIVATE = True


S10_WEIGHTS: Final = (8, 6, 4, 2, 3, 5, 9, 7)


def s10_check_digit(serial: str) -> int:
    """Return the check digit of an S10 serial of eight digits (UPU standard S10-12)."""
    rest = sum(int(digit) * weight for digit, weight in zip(serial, S10_WEIGHTS, strict=True)) % 11
    return {0: 5, 1: 0}.get(rest, 11 - rest)


class S10(Identifier):
    """Postal item identifier (UPU S10): two letters, eight digits, check digit, country."""

    SHAPE = re.compile(r"[A-Z]{2}\d{9}[A-Z]{2}")
    NAME = "S10 identifier"
    SAYS = "two letters, nine digits of which the last checks the others, and a country code"

    def _check(self) -> None:
        if s10_check_digit(self.value[2:10]) != int(self.value[10]) or self.country not in COUNTRIES:
            self._refuse()

    @property
    def country(self) -> str:
        """Country of the issuing operator."""
        return self.value[11:]


class MRN(Identifier):
    """Manifest reference number (적하목록관리번호): year, carrier, voyage, I for import."""

    SHAPE = re.compile(r"\d{2}[A-Z0-9]{8}[A-Z]")
    NAME = "manifest reference number"
    SAYS = "11 characters: year, carrier and voyage, and a letter"


class CargoNumber(Identifier):
    """Cargo control number (화물관리번호): MRN 11, master serial 4 and, for a house bill, house serial 4."""

    SHAPE = re.compile(r"\d{2}[A-Z0-9]{8}[A-Z](\d{4}){1,2}")
    NAME = "cargo number"
    SAYS = "an MRN of 11 characters and 4 digits (master) or 8 digits (house)"

    @property
    def mrn(self) -> MRN:
        """The manifest it belongs to."""
        return MRN(self.value[:11])

    @property
    def is_house(self) -> bool:
        """Whether it names one house bill."""
        return len(self.value) == 19


class ListNumber(Identifier):
    """Number of a clearance list (통관목록번호): express code 6, year 2, serial 8."""

    SHAPE = re.compile(r"(AE|SE)\d{4}\d{2}\d{8}")
    NAME = "list number"
    SAYS = "AE or SE, four digits, the year and eight digits"


class DeclarationNumber(Identifier):
    """Number of an import declaration (수입신고번호): declarant 5, year 2, serial 6, form M, B, S or F."""

    SHAPE = re.compile(r"[0-9A-Z]{5}\d{2}\d{6}[MBSFU][0-9A-Z]?")
    NAME = "declaration number"
    SAYS = "five characters, eight digits and a letter for the form"


class HSCode(Identifier):
    """Code of the Harmonized System: 6 digits, 10 in Korea (HSK). Leading zeros count."""

    SHAPE = re.compile(r"\d{6}(\d{4})?")
    NAME = "HS code"
    SAYS = "6 or 10 digits"

    @property
    def hs6(self) -> str:
        """The international part."""
        return self.value[:6]


class ShedCode(Identifier):
    """Code of a bonded area (장치장부호): customs house 3 digits and 5 more."""

    SHAPE = re.compile(r"\d{8}")
    NAME = "shed code"
    SAYS = "8 digits"

    @property
    def office(self) -> int:
        """The customs house it belongs to."""
        return int(self.value[:3])


_CODES: Final = """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA
    CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB
    GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG
    KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV
    MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB
    SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US
    UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW"""
COUNTRIES: Final = frozenset(_CODES.split())
"""ISO 3166-1 alpha-2."""


class CountryCode(Identifier):
    """Country code (ISO 3166-1 alpha-2)."""

    SHAPE = re.compile(r"[A-Z]{2}")
    NAME = "country code"
    SAYS = "two letters of ISO 3166-1"

    def _check(self) -> None:
        if self.value not in COUNTRIES:
            self._refuse()


@dataclass(frozen=True, slots=True)
class CustomsOffice:
    """A customs house (세관): its number as printed in shed codes."""

    number: int
    korean: str
    english: str


OFFICES: Final = {
    office.number: office
    for office in (
        CustomsOffice(10, "서울세관", "Seoul"),
        CustomsOffice(13, "인천공항국제우편세관", "Incheon Airport International Post"),
        CustomsOffice(16, "평택세관", "Pyeongtaek"),
        CustomsOffice(20, "인천세관", "Incheon"),
        CustomsOffice(30, "부산세관", "Busan"),
        CustomsOffice(31, "김해공항세관", "Gimhae Airport"),
        CustomsOffice(40, "인천공항세관", "Incheon Airport"),
        CustomsOffice(50, "대구세관", "Daegu"),
        CustomsOffice(60, "광주세관", "Gwangju"),
    )
}
