"""Identifiers: what is one, what is none, and what an error may not repeat."""

from __future__ import annotations

import copy
import pickle
import re
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.domain import identifiers
from ledger.domain.errors import InvalidCountryCode, InvalidIdentifier, WrongS10Check
from ledger.domain.facts import country_number
from ledger.domain.identifiers import (
    COUNTRIES,
    MRN,
    PCCC,
    S10,
    CargoNumber,
    CountryCode,
    DeclarationNumber,
    HSCode,
    Identifier,
    ListNumber,
    ShedCode,
    s10_check_digit,
)

KINDS: tuple[type[Identifier], ...] = (
    PCCC, S10, MRN, CargoNumber, ListNumber, DeclarationNumber, HSCode, ShedCode, CountryCode,
)  # fmt: skip
GOOD: tuple[tuple[type[Identifier], str], ...] = (
    (PCCC, "P990000000001"),
    (S10, "RB123456785GB"),
    (S10, "EE473124829KR"),
    (MRN, "99ZZ000001I"),
    (MRN, "99ZZZZ001II"),
    (CargoNumber, "99ZZ000001I0001"),
    (CargoNumber, "99ZZ000001I00012577"),
    (ListNumber, "AE99992000001167"),
    (ListNumber, "SE99992000000123"),
    (DeclarationNumber, "9999917308012M"),
    (DeclarationNumber, "99999173080120"[:13] + "B1"),
    (HSCode, "010121"),
    (HSCode, "8517130000"),
    (ShedCode, "04002001"),
    (CountryCode, "KR"),
)
BAD: tuple[tuple[type[Identifier], str], ...] = (
    (PCCC, "P99000000001"),
    (PCCC, "P9900000000012"),
    (PCCC, "M990000000001"),
    (PCCC, ""),
    (S10, "RB123456786US"),
    (S10, "RB123456785ZZ"),
    (S10, "RB12345678GB"),
    (S10, "R1123456785GB"),
    (MRN, "99ZZ000001E"),
    (MRN, "99ZZ00001I"),
    (MRN, "9XZZ000001I"),
    (CargoNumber, "99ZZ000001I"),
    (CargoNumber, "99ZZ000001I000"),
    (CargoNumber, "99ZZ000001I000125"),
    (CargoNumber, "99ZZ000001I000125771"),
    (CargoNumber, "99ZZ000001I0001257A"),
    (ListNumber, "BE99992000001167"),
    (ListNumber, "AE9999200000116"),
    (ListNumber, "AE999920000011677"),
    (DeclarationNumber, "9999917308012"),
    (DeclarationNumber, "9999917308012X"),
    (DeclarationNumber, "9999917308012MM1"),
    (HSCode, "0101"),
    (HSCode, "01012"),
    (HSCode, "01012100"),
    (HSCode, "000121"),
    (HSCode, "770000"),
    (HSCode, "980000"),
    (ShedCode, "0400200"),
    (ShedCode, "040020011"),
    (ShedCode, "00002001"),
    (ShedCode, "25602001"),
    (CountryCode, "UK"),
    (CountryCode, "ZZ"),
    (CountryCode, "KOR"),
    (CountryCode, "K"),
)


@pytest.mark.parametrize(("kind", "text"), GOOD)
def test_good_ones_are_read(kind: type[Identifier], text: str) -> None:
    found = kind.parse(text)
    assert (found.value, type(found)) == (text, kind)
    assert kind.parse(f"  {text.lower()}\n") == found


@pytest.mark.parametrize(("kind", "text"), BAD)
def test_bad_ones_are_refused_with_the_code_of_their_kind(kind: type[Identifier], text: str) -> None:
    with pytest.raises(kind.ERROR) as caught:
        kind.parse(text)
    assert caught.value.code.startswith("identifier.")
    assert caught.value.hint
    with pytest.raises(kind.ERROR):
        kind(text)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [10121, 10121.0, None, b"KR", ["K", "R"]])
def test_only_text_is_read(kind: type[Identifier], value: object) -> None:
    for make in (kind.parse, kind):
        with pytest.raises(kind.ERROR):
            make(value)  # type: ignore[arg-type]


def test_every_kind_has_a_code_of_its_own() -> None:
    assert len({kind.ERROR.code for kind in KINDS}) == len(KINDS)


def test_kinds_with_the_same_text_differ() -> None:
    first, second = type("First", (HSCode,), {}), type("Second", (HSCode,), {})
    assert first("851713") == first("851713") != second("851713")
    assert len({kind.parse(text) for kind, text in GOOD}) == len(GOOD)


@pytest.mark.parametrize(
    "text", ["P９９００００００００００１", "P٩٩٠٠٠٠٠٠٠٠٠٠١", "Ｐ990000000001", "P99000000000\u0661"]
)
def test_digits_of_other_alphabets_are_none(text: str) -> None:
    with pytest.raises(PCCC.ERROR):
        PCCC.parse(text)


@pytest.mark.parametrize(("kind", "text"), [each for each in GOOD if each[0] is not CountryCode])
def test_digits_of_other_alphabets_are_none_in_any_kind(kind: type[Identifier], text: str) -> None:
    at = max(number for number, letter in enumerate(text) if letter.isdigit())
    for zero in ("\u0660", "\u0966", "\uff10"):
        with pytest.raises(kind.ERROR):
            kind(text[:at] + chr(ord(zero) + int(text[at])) + text[at + 1 :])


@pytest.mark.parametrize("text", ["ß", "ﬁ", "ſe", "ıt"])
def test_letters_that_become_ours_in_upper_case_are_none(text: str) -> None:
    assert text.upper() in COUNTRIES
    with pytest.raises(InvalidCountryCode):
        CountryCode.parse(text)


# ---------------------------------------------------------------------------------------------------- private
def _refusal(kind: type[Identifier], text: str) -> InvalidIdentifier | None:
    try:
        kind.parse(text)
    except InvalidIdentifier as error:
        return error
    return None


def _everything_said(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + str(getattr(error, "as_dict", dict)())


@given(digits=st.from_regex(r"[0-9]{6,14}", fullmatch=True), kind=st.sampled_from(KINDS))
def test_no_error_repeats_an_identity_number_whatever_field_it_was_typed_into(
    digits: str, kind: type[Identifier]
) -> None:
    for text in (f"P{digits}", f"p {digits}", digits, f"P{digits[:6]}-{digits[6:]}"):
        refusal = _refusal(kind, text)
        assert refusal is None or digits[:6] not in _everything_said(refusal)


def test_an_identity_number_shows_a_mask() -> None:
    number = PCCC.parse("P990000000001")
    assert number.value == "P990000000001"
    for said in (str(number), repr(number), f"{number}", f"{number!r}", f"{[number]}", "%s" % number):  # noqa: UP031
        assert "99" not in said
        assert "*" in said


# ---------------------------------------------------------------------------------------------------- S10
@pytest.mark.parametrize(
    ("serial", "check"),
    [("12345678", 5), ("47312482", 9), ("00000000", 5), ("00300000", 0), ("00000010", 2), ("10000000", 3)],
)
def test_known_check_digits(serial: str, check: int) -> None:
    assert s10_check_digit(serial) == check


@given(
    service=st.from_regex(r"[A-Z]{2}", fullmatch=True),
    serial=st.from_regex(r"[0-9]{8}", fullmatch=True),
    country=st.sampled_from(sorted(COUNTRIES)),
    at=st.integers(0, 7),
    added=st.integers(1, 9),
)
def test_one_wrong_digit_is_found(service: str, serial: str, country: str, at: int, added: int) -> None:
    check = s10_check_digit(serial)
    good = S10.parse(f"{service}{serial}{check}{country}")
    assert (good.service, good.serial, good.country) == (service, serial, country)
    wrong = serial[:at] + str((int(serial[at]) + added) % 10) + serial[at + 1 :]
    if s10_check_digit(wrong) != check:
        with pytest.raises(WrongS10Check):
            S10.parse(f"{service}{wrong}{check}{country}")
    else:  # rests 0 and 6 both give 5: the standard's one blind spot
        rests = [
            sum(int(d) * w for d, w in zip(each, identifiers.S10_WEIGHTS, strict=True)) % 11 for each in (serial, wrong)
        ]
        assert sorted(rests) == [0, 6]


# ---------------------------------------------------------------------------------------------------- parts
def test_parts_of_a_cargo_number() -> None:
    house = CargoNumber.parse("99ZZ000001I-0001-2577")
    assert house.is_house
    assert house.mrn == MRN("99ZZ000001I")
    assert house.master == CargoNumber("99ZZ000001I0001")
    assert house.master.master == house.master
    assert not house.master.is_house


def test_marks_that_people_write_are_dropped() -> None:
    assert HSCode.parse("8517.13-0000").value == "8517130000"
    assert DeclarationNumber.parse("99999-17-308012M").value == "9999917308012M"
    assert ListNumber.parse("AE9999-20-00001167").carrier == "AE9999"
    with pytest.raises(InvalidIdentifier):
        CountryCode.parse("K-R")


def test_parts_of_an_hs_code_keep_their_zeros() -> None:
    code = HSCode.parse("0101.21-1000")
    assert (code.hs6, code.chapter) == ("010121", "01")


def test_parts_of_the_others() -> None:
    assert DeclarationNumber.parse("9999917308012M").declarant == "99999"
    assert ShedCode.parse("04002001").office.number == 40


# ---------------------------------------------------------------------------------------------------- countries
def test_the_list_of_countries_is_whole() -> None:
    assert len(COUNTRIES) == 249
    assert all(re.fullmatch(r"[A-Z]{2}", letters) for letters in COUNTRIES)
    assert not {"UK", "EU", "XK", "AN", "SU", "YU", "CS", "ZZ"} & COUNTRIES


def test_the_united_kingdom_is_told_its_letters() -> None:
    with pytest.raises(InvalidCountryCode, match=r"'UK' is none\. The United Kingdom is GB"):
        CountryCode.parse("uk")


@given(letters=st.sampled_from(sorted(COUNTRIES)))
def test_a_country_and_its_number_are_one(letters: str) -> None:
    country = CountryCode(letters)
    assert country.number == country_number(letters) == ord(letters[0]) << 8 | ord(letters[1])
    assert CountryCode.of_number(country.number) == country


@given(number=st.integers(-10, 1 << 17))
def test_other_numbers_are_no_country(number: int) -> None:
    known = {CountryCode(letters).number for letters in COUNTRIES}
    if number in known:
        assert CountryCode.of_number(number).number == number
    else:
        with pytest.raises(InvalidCountryCode):
            CountryCode.of_number(number)


# ---------------------------------------------------------------------------------------------------- values
@pytest.mark.parametrize(("kind", "text"), GOOD)
def test_they_are_values(kind: type[Identifier], text: str) -> None:
    found = kind(text)
    assert copy.deepcopy(found) == found
    assert pickle.loads(pickle.dumps(found)) == found
    assert not hasattr(found, "__dict__")
    with pytest.raises(AttributeError):
        found.value = "other"  # type: ignore[misc]


@given(text=st.text(max_size=24), kind=st.sampled_from(KINDS))
def test_any_text_is_read_or_refused(text: str, kind: type[Identifier]) -> None:
    refusal = _refusal(kind, text)
    if refusal is not None:
        assert isinstance(refusal, kind.ERROR)
        return
    found = kind.parse(text)
    assert kind.parse(found.value) == found
    assert found.value.isascii()
