"""Money: read exactly or not at all."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.domain.errors import InvalidMoney, UnknownCurrency
from ledger.domain.money import BY_NUMBER, CURRENCIES, MAX_MINOR, Currency, Money
from ledger.domain.rules import BASE_RATES
from ledger.domain.words import GOODS

ANY_CURRENCY = st.sampled_from(sorted(CURRENCIES.values(), key=lambda each: each.letters))
AMOUNTS = st.builds(Money, st.integers(0, MAX_MINOR), ANY_CURRENCY)


@pytest.mark.parametrize(
    ("letters", "number", "exponent"),
    [
        ("KRW", 410, 0), ("USD", 840, 2), ("JPY", 392, 0), ("CNY", 156, 2), ("EUR", 978, 2), ("GBP", 826, 2),
        ("HKD", 344, 2), ("AUD", 36, 2), ("CAD", 124, 2), ("VND", 704, 0), ("KWD", 414, 3), ("BHD", 48, 3),
        ("TWD", 901, 2), ("SGD", 702, 2), ("CHF", 756, 2), ("CLP", 152, 0), ("ISK", 352, 0), ("JOD", 400, 3),
    ],
)  # fmt: skip
def test_currencies_are_those_of_iso_4217(letters: str, number: int, exponent: int) -> None:
    assert CURRENCIES[letters] == BY_NUMBER[number] == Currency(letters, number, exponent)


def test_the_table_is_large_enough_and_fits_the_goods_word() -> None:
    assert len(CURRENCIES) == len(BY_NUMBER) >= 40
    assert CURRENCIES.keys() >= {"KRW", "USD", "JPY", "CNY", "EUR", "GBP", "HKD", "AUD", "CAD", "VND", "KWD"}
    for letters, currency in CURRENCIES.items():
        assert re.fullmatch(r"[A-Z]{3}", letters)
        assert currency.exponent in (0, 2, 3)
        GOODS["currency"].put(currency.number)
    GOODS["price"].put(MAX_MINOR)
    assert GOODS["price"].width == MAX_MINOR.bit_length()
    assert BY_NUMBER.keys() >= BASE_RATES.keys()


@pytest.mark.parametrize(
    ("text", "letters", "minor"),
    [
        ("49.99", "USD", 4_999), ("49.9", "USD", 4_990), ("49", "usd", 4_900), ("0", "USD", 0), ("0.01", "USD", 1),
        ("00049.99", "USD", 4_999), (" 49.99 ", " usd ", 4_999), ("49.990000", "USD", 4_999), ("1500", "JPY", 1_500),
        ("1500.00", "JPY", 1_500), ("1.234", "KWD", 1_234), ("10995116277.75", "USD", MAX_MINOR),
    ],
)  # fmt: skip
def test_amounts_are_read_exactly(text: str, letters: str, minor: int) -> None:
    assert Money.parse(text, letters) == Money(minor, CURRENCIES[letters.strip().upper()])


@pytest.mark.parametrize(
    "text",
    [
        "", ".", "1.", ".5", "-1", "+1", "1,50", "1,000.00", "1 000", "1e3", "0x10", "NaN", "inf", "49.999", "٤٩.٩٩",
        "４９", "1_000", "1" * 16, "10995116277.76", "1.2.3", "USD 1", "1.0000001",
    ],
)  # fmt: skip
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(InvalidMoney) as caught:
        Money.parse(text, "USD")
    assert caught.value.hint


def test_nothing_is_rounded() -> None:
    for text, letters in (("0.5", "KRW"), ("0.001", "USD"), ("1.2345", "KWD")):
        with pytest.raises(InvalidMoney, match="digits after the point"):
            Money.parse(text, letters)


@pytest.mark.parametrize("value", [49.99, 4_999, Decimal("49.99"), None, b"49.99", True])
def test_only_text_is_read(value: object) -> None:
    with pytest.raises(InvalidMoney):
        Money.parse(value, "USD")  # type: ignore[arg-type]


@pytest.mark.parametrize("letters", ["", "XXX", "US", "DOLLAR", "840", None, 840])
def test_unknown_currencies_have_a_code_of_their_own(letters: object) -> None:
    with pytest.raises(UnknownCurrency):
        Money.parse("1", letters)  # type: ignore[arg-type]


@pytest.mark.parametrize("minor", [-1, MAX_MINOR + 1, 1.0, True, "1", None, Decimal(1)])
def test_an_amount_is_a_whole_number_in_range(minor: object) -> None:
    with pytest.raises(InvalidMoney):
        Money(minor, CURRENCIES["USD"])  # type: ignore[arg-type]


@given(amount=AMOUNTS)
def test_what_is_written_is_read_back(amount: Money) -> None:
    assert Money.parse(amount.decimal(), amount.currency.letters) == amount
    text, letters = str(amount).split(" ")
    assert Money.parse(text, letters) == amount
    assert Decimal(amount.decimal()).scaleb(amount.currency.exponent) == amount.minor


@given(
    whole=st.integers(0, 10**9),
    fraction=st.from_regex(r"[0-9]{0,6}", fullmatch=True),
    currency=ANY_CURRENCY,
)
def test_reading_agrees_with_decimal_arithmetic(whole: int, fraction: str, currency: Currency) -> None:
    text = f"{whole}.{fraction}" if fraction else str(whole)
    exact = Decimal(text).scaleb(currency.exponent)
    if exact == exact.to_integral_value() and exact <= MAX_MINOR:
        assert Money.parse(text, currency.letters).minor == int(exact)
    else:
        with pytest.raises(InvalidMoney):
            Money.parse(text, currency.letters)


@given(text=st.text(max_size=12))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = Money.parse(text, "EUR")
    except InvalidMoney:
        return
    assert Decimal(text.strip()).scaleb(2) == found.minor
