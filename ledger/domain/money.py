"""Money as integers in minor units (ISO 4217). There are no floats here, and none get in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Self

from ledger.domain.errors import InvalidMoney, UnknownCurrency

MAX_MINOR: Final = (1 << 40) - 1
"""Largest amount that a goods word carries."""
_AMOUNT: Final = re.compile(r"([0-9]{1,15})(?:\.([0-9]{1,6}))?")


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency: letters, number, digits after the point."""

    letters: str
    number: int
    exponent: int


_ROWS: Final = """AED 784 2,AUD 36 2,BHD 48 3,BRL 986 2,CAD 124 2,CHF 756 2,CLP 152 0,CNY 156 2,CZK 203 2,DKK 208 2,
EUR 978 2,GBP 826 2,HKD 344 2,HUF 348 2,IDR 360 2,ILS 376 2,INR 356 2,ISK 352 0,JOD 400 3,JPY 392 0,KRW 410 0,KWD 414 3,
KZT 398 2,LKR 144 2,MOP 446 2,MXN 484 2,MYR 458 2,NOK 578 2,NZD 554 2,OMR 512 3,PHP 608 2,PKR 586 2,PLN 985 2,QAR 634 2,
RON 946 2,RUB 643 2,SAR 682 2,SEK 752 2,SGD 702 2,THB 764 2,TRY 949 2,TWD 901 2,USD 840 2,UZS 860 2,VND 704 0,
ZAR 710 2"""
CURRENCIES: Final = {
    letters: Currency(letters, int(number), int(exponent))
    for letters, number, exponent in (row.split() for row in _ROWS.split(","))
}
BY_NUMBER: Final = {currency.number: currency for currency in CURRENCIES.values()}


@dataclass(frozen=True, slots=True)
class Money:
    """An amount from 0 to 2**40 - 1 minor units."""

    minor: int
    currency: Currency

    def __post_init__(self) -> None:
        """Check type and range.

        Raises:
            InvalidMoney: no integer, negative, or too large.
        """
        if isinstance(self.minor, bool) or not isinstance(self.minor, int) or not 0 <= self.minor <= MAX_MINOR:
            raise InvalidMoney(
                f"An amount is a whole number of minor units up to {MAX_MINOR}.", hint="Check the price."
            )

    @classmethod
    def parse(cls, text: str, letters: str) -> Self:
        """Read a decimal text exactly, for example ``("49.99", "USD")``.

        Raises:
            UnknownCurrency: the letters name none in the table.
            InvalidMoney: no text, no decimal number, more digits than the currency has, or too large.
        """
        currency = CURRENCIES.get(letters.strip().upper()) if isinstance(letters, str) else None
        if currency is None:
            raise UnknownCurrency("The currency is not in the table.", hint="Use the letters of ISO 4217, like USD.")
        if not isinstance(text, str):
            raise InvalidMoney("An amount is read from text only.", hint="Quote it: a float has lost cents already.")
        found = _AMOUNT.fullmatch(text.strip())
        if found is None:
            raise InvalidMoney("This is no decimal amount.", hint="Write it like 49.99, without signs or separators.")
        fraction = (found[2] or "").rstrip("0")
        if len(fraction) > currency.exponent:
            raise InvalidMoney(
                f"An amount in {currency.letters} has at most {currency.exponent} digits after the point.",
                hint="Give the exact price; nothing is rounded here.",
            )
        return cls(int(found[1] + fraction.ljust(currency.exponent, "0")), currency)

    def decimal(self) -> str:
        """Return the amount as decimal text, all digits of the currency shown."""
        if self.currency.exponent == 0:
            return str(self.minor)
        digits = str(self.minor).rjust(self.currency.exponent + 1, "0")
        return f"{digits[: -self.currency.exponent]}.{digits[-self.currency.exponent :]}"

    def __str__(self) -> str:
        """Return amount and letters."""
        return f"{self.decimal()} {self.currency.letters}"
