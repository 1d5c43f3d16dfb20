"""Identifiers of the trade, each with its check. A value that exists is a valid one.

No message repeats a PCCC, not even one typed into the wrong field: it names a person.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Final, NoReturn, Self

from ledger.domain.errors import (
    InvalidCargoNumber,
    InvalidCountryCode,
    InvalidDeclarationNumber,
    InvalidHSCode,
    InvalidIdentifier,
    InvalidListNumber,
    InvalidMRN,
    InvalidPCCC,
    InvalidS10,
    InvalidShedCode,
    WrongS10Check,
)
from ledger.domain.facts import country_number
from ledger.domain.offices import CustomsOffice


@dataclass(frozen=True, slots=True, order=True, repr=False)
class Identifier:
    """A checked text. Subclasses say shape and check."""

    value: str

    SHAPE: ClassVar[re.Pattern[str]]
    SAYS: ClassVar[str]
    ERROR: ClassVar[type[InvalidIdentifier]] = InvalidIdentifier
    MARKS: ClassVar[str] = ""
    """Marks that people write between the parts, dropped by :meth:`parse`."""
    SHOWN: ClassVar[int] = 0
    """Longest text that an error repeats. What was typed into the wrong field may name a person."""

    def __post_init__(self) -> None:
        """Check the shape and what :meth:`_check` adds.

        Raises:
            InvalidIdentifier: it is not of this kind.
        """
        if not isinstance(self.value, str) or not self.SHAPE.fullmatch(self.value):
            self._refuse()
        self._check()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Normalise (upper case, no spaces, no marks between the parts) and check a text.

        Raises:
            InvalidIdentifier: it is none, or no text: numbers have lost their leading zeros.
        """
        if not isinstance(text, str):
            raise cls.ERROR(f"{cls.SAYS}, as text.", hint="Quote it: a number loses its leading zeros.")
        bare = "".join(letter for letter in "".join(text.split()) if letter not in cls.MARKS)
        if not bare.isascii():  # other alphabets have digits too, and letters that turn into ours in upper case
            raise cls.ERROR(f"{cls.SAYS}.", hint="Use the letters A to Z and the digits 0 to 9.")
        return cls(bare.upper())

    def _check(self) -> None:
        """Check beyond the shape."""

    def _refuse(self, error: type[InvalidIdentifier] | None = None, hint: str = "") -> NoReturn:
        shown = f" {self.value!r} is none." if isinstance(self.value, str) and len(self.value) <= self.SHOWN else ""
        raise (error or self.ERROR)(f"{self.SAYS}.{shown}", hint=hint or "Check it for a misread or missing character.")

    def __str__(self) -> str:
        """Return the text."""
        return self.value

    def __repr__(self) -> str:
        """Return type and text."""
        return f"{type(self).__name__}({str(self)!r})"


class PCCC(Identifier):
    """Identity number for customs (개인통관고유부호): P and 12 digits.

    The shape proves nothing, only the register does.

    `str` and `repr` are masked, so that no log line holds one by accident; `value` is the number.
    """

    __slots__ = ()
    SHAPE = re.compile(r"P[0-9]{12}")
    SAYS = "An identity number for customs is P and 12 digits"
    ERROR = InvalidPCCC

    def __str__(self) -> str:
        """Return a mask."""
        return "P" + "*" * 12


S10_WEIGHTS: Final = (8, 6, 4, 2, 3, 5, 9, 7)


def s10_check_digit(serial: str) -> int:
    """Return the check digit of an S10 serial of eight digits (UPU standard S10)."""
    rest = sum(int(digit) * weight for digit, weight in zip(serial, S10_WEIGHTS, strict=True)) % 11
    return {0: 5, 1: 0}.get(rest, 11 - rest)


class S10(Identifier):
    """Postal item identifier (UPU S10): service indicator, serial, check digit, country of the issuing operator."""

    __slots__ = ()
    SHAPE = re.compile(r"[A-Z]{2}[0-9]{9}[A-Z]{2}")
    SAYS = "A postal item identifier is two letters, eight digits, a check digit and a country"
    ERROR = InvalidS10

    def _check(self) -> None:
        if self.value[11:] not in COUNTRIES:
            self._refuse()
        if s10_check_digit(self.serial) != int(self.value[10]):
            self._refuse(WrongS10Check, "A digit was misread: scan it again.")

    @property
    def service(self) -> str:
        """Service indicator: E for EMS, C parcel, R registered, L express letter, U untracked, V insured."""
        return self.value[:2]

    @property
    def serial(self) -> str:
        """Serial of eight digits."""
        return self.value[2:10]

    @property
    def country(self) -> str:
        """Country of the issuing operator."""
        return self.value[11:]


class MRN(Identifier):
    """Manifest reference number (적하목록관리번호): year 2, carrier and voyage 8, I for import."""

    __slots__ = ()
    SHAPE = re.compile(r"[0-9]{2}[A-Z0-9]{8}I")
    SAYS = "A manifest reference number is the year, eight characters for carrier and voyage, and I"
    ERROR = InvalidMRN


class CargoNumber(Identifier):
    """Cargo control number (화물관리번호): MRN 11, master serial (MSN) 4, for a house bill house serial (HSN) 4."""

    __slots__ = ()
    SHAPE = re.compile(r"[0-9]{2}[A-Z0-9]{8}I([0-9]{4}){1,2}")
    SAYS = "A cargo number is an MRN of 11 characters and 4 digits (master) or 8 digits (house)"
    ERROR = InvalidCargoNumber
    MARKS = "-"

    @property
    def mrn(self) -> MRN:
        """The manifest it belongs to."""
        return MRN(self.value[:11])

    @property
    def master(self) -> CargoNumber:
        """The master bill it belongs to, or itself."""
        return CargoNumber(self.value[:15])

    @property
    def is_house(self) -> bool:
        """Whether it names one house bill."""
        return len(self.value) == 19


class ListNumber(Identifier):
    """Number of a clearance list (통관목록번호): express carrier 6 (AE by air, SE by sea), year 2, serial 8."""

    __slots__ = ()
    SHAPE = re.compile(r"[AS]E[0-9]{14}")
    SAYS = "A list number is AE or SE, four digits of the carrier, the year and eight digits"
    ERROR = InvalidListNumber
    MARKS = "-"

    @property
    def carrier(self) -> str:
        """Code of the express carrier (특송업체부호)."""
        return self.value[:6]


class DeclarationNumber(Identifier):
    """Number of an import declaration (수입신고번호): declarant 5, year 2, serial 6, form; 15th for a partial hold."""

    __slots__ = ()
    SHAPE = re.compile(r"[0-9A-Z]{5}[0-9]{8}[MBSFU][0-9A-Z]?")
    SAYS = "A declaration number is five characters of the declarant, eight digits and a letter for the form"
    ERROR = InvalidDeclarationNumber
    MARKS = "-"

    @property
    def declarant(self) -> str:
        """Code of the declarant (신고인부호)."""
        return self.value[:5]


class HSCode(Identifier):
    """Code of the Harmonized System: 6 digits, 10 in Korea (HSK). Leading zeros count."""

    __slots__ = ()
    SHAPE = re.compile(r"[0-9]{6}([0-9]{4})?")
    SAYS = "An HS code is 6 or 10 digits of a chapter from 01 to 97"
    ERROR = InvalidHSCode
    MARKS = ".-"

    def _check(self) -> None:
        if not 1 <= int(self.chapter) <= 97 or self.chapter == "77":  # 77 is kept free by the WCO
            self._refuse()

    @property
    def hs6(self) -> str:
        """The international part."""
        return self.value[:6]

    @property
    def chapter(self) -> str:
        """The chapter, two digits."""
        return self.value[:2]


class ShedCode(Identifier):
    """Code of a bonded area (장치장부호): customs office 3 digits and 5 more."""

    __slots__ = ()
    SHAPE = re.compile(r"[0-9]{3}[0-9A-Z]{5}")
    SAYS = "A shed code is 8 characters that begin with the customs office"
    ERROR = InvalidShedCode

    def _check(self) -> None:
        if not 1 <= int(self.value[:3]) <= 255:
            self._refuse()

    @property
    def office(self) -> CustomsOffice:
        """The customs office it belongs to."""
        return CustomsOffice(int(self.value[:3]))


_ASSIGNED: Final = """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA
    CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB
    GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG
    KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV
    MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB
    SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US
    UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
"""
COUNTRIES: Final = frozenset(_ASSIGNED.split())
"""ISO 3166-1 alpha-2, officially assigned."""


class CountryCode(Identifier):
    """Country code (ISO 3166-1 alpha-2)."""

    __slots__ = ()
    SHAPE = re.compile(r"[A-Z]{2}")
    SAYS = "A country code is two letters of ISO 3166-1"
    SHOWN = 3
    ERROR = InvalidCountryCode

    def _check(self) -> None:
        if self.value not in COUNTRIES:
            self._refuse(hint="The United Kingdom is GB." if self.value == "UK" else "Use the letters of ISO 3166-1.")

    @property
    def number(self) -> int:
        """The two letters as the 16-bit number that packed words carry, first letter high."""
        return country_number(self.value)

    @classmethod
    def of_number(cls, number: int) -> Self:
        """Read the number of a packed word.

        Raises:
            InvalidCountryCode: it is no country.
        """
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < 1 << 16:
            raise cls.ERROR("The number of a country has 16 bits.", hint="Take it from a packed word.")
        return cls(number.to_bytes(2, "big").decode("latin-1"))
