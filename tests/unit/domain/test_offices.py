"""Customs offices: three printed digits, one byte in the transport word, names where the table has them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.domain.errors import InvalidOffice
from ledger.domain.offices import MAX_OFFICE, OFFICES, CustomsOffice
from ledger.domain.words import TRANSPORT


@pytest.mark.parametrize(
    ("text", "korean"),
    [("040", "인천공항세관"), ("020", "인천세관"), ("030", "부산세관"), ("016", "평택세관"), ("140", "김해공항세관")],
)
def test_main_offices_are_named(text: str, korean: str) -> None:
    office = CustomsOffice.parse(text)
    assert (office.korean, str(office), office.known) == (korean, text, True)


def test_the_table_fits_the_word_and_names_no_office_twice() -> None:
    for number, (korean, english) in OFFICES.items():
        TRANSPORT["office"].put(CustomsOffice(number).number)
        assert re.fullmatch(r"[가-힣]+세관", korean)
        assert english.isascii()
    assert (
        len({korean for korean, _ in OFFICES.values()}) == len({name for _, name in OFFICES.values()}) == len(OFFICES)
    )
    assert TRANSPORT["office"].width == MAX_OFFICE.bit_length()


@given(number=st.integers(1, MAX_OFFICE))
def test_what_is_printed_is_read_back(number: int) -> None:
    office = CustomsOffice(number)
    assert CustomsOffice.parse(str(office)) == office
    assert office.korean
    assert office.english
    assert office.known is (number in OFFICES)


@pytest.mark.parametrize("text", ["40", "0040", "000", "256", "999", "04O", "٠٤٠", "", "-40", 40, None])
def test_others_are_refused(text: object) -> None:
    with pytest.raises(InvalidOffice) as caught:
        CustomsOffice.parse(text)  # type: ignore[arg-type]
    assert caught.value.hint


@pytest.mark.parametrize("number", [0, -1, 256, True, 40.0, "040"])
def test_numbers_out_of_range_are_refused(number: object) -> None:
    with pytest.raises(InvalidOffice):
        CustomsOffice(number)  # type: ignore[arg-type]
