"""Goods classes: one code and slug each, the exclusion list covered, rows packed as the contract reads them."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.domain.classes import BY_CODE, BY_SLUG, CLASSES, SINCE_2006, UNIT_NAMES, ClassRow, GoodsClass, Unit
from ledger.domain.rules import SEED_ROWS, class_row
from ledger.domain.words import CLASS_ROW, GOODS

DAYS = st.dates(dt.date(2000, 1, 1), dt.date(2050, 12, 31))
PER_CLASS = pytest.mark.parametrize("each", CLASSES, ids=lambda each: each.slug)


def test_codes_and_slugs_name_one_class_each() -> None:
    assert len(BY_CODE) == len(BY_SLUG) == len(CLASSES) >= 30


@PER_CLASS
def test_a_class_fits_its_words_and_is_named_in_both_languages(each: GoodsClass) -> None:
    GOODS["goods_class"].put(each.code)
    GOODS["unit"].put(each.unit)
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", each.slug)
    assert re.search(r"[가-힣]", each.korean)
    assert each.english.isascii()
    assert re.fullmatch(r"(0[1-9]|[1-8][0-9]|9[0-7])[0-9]{4}", each.hs6)


@PER_CLASS
def test_rows_rise_and_agree_with_the_exclusion_list(each: GoodsClass) -> None:
    assert each.rows
    assert all(older.valid_from < newer.valid_from for older, newer in pairwise(each.rows))
    assert each.excluded is bool(each.exclusion)


def test_the_exclusion_list_is_covered() -> None:
    named = {each.exclusion for each in CLASSES} - {""}
    assert named == {f"X{number:02}" for number in (1, 2, 3, 4, 5, 6, 7, 8, 9, 13)}


@pytest.mark.parametrize(
    ("slug", "unit", "limit"),
    [
        ("health-food", Unit.BOTTLE, 6),
        ("medicine", Unit.BOTTLE, 6),
        ("ginseng", Unit.GRAM, 300),
        ("phellinus", Unit.GRAM, 300),
        ("antler", Unit.GRAM, 150),
        ("herbal", Unit.GRAM, 3_000),
        ("pine-nuts", Unit.GRAM, 1_000),
        ("honey", Unit.GRAM, 5_000),
        ("meat", Unit.GRAM, 10_000),
        ("alcohol", Unit.BOTTLE, 1),
        ("cigarettes", Unit.STICK, 200),
        ("cigars", Unit.STICK, 50),
        ("nicotine-liquid", Unit.MILLILITRE, 20),
        ("perfume", Unit.MILLILITRE, 60),
    ],
)
def test_personal_use_follows_the_notice(slug: str, unit: Unit, limit: int) -> None:
    assert (BY_SLUG[slug].unit, BY_SLUG[slug].personal_use) == (unit, limit)


@pytest.mark.parametrize("slug", ["weapons", "radio-equipment", "cites", "abusable-medicine"])
def test_what_article_226_names_needs_a_permit(slug: str) -> None:
    assert BY_SLUG[slug].permit


def test_ordinary_goods_are_free() -> None:
    ordinary = [each for each in CLASSES if each.code < 100]
    assert len(ordinary) >= 10
    assert all(not (each.excluded or each.permit or each.personal_use) for each in ordinary)


def test_a_row_packs_as_the_contract_reads_it() -> None:
    assert ClassRow(SINCE_2006, excluded=True, permit=False, personal_use=6).value() == 6 << 8 | 1
    assert ClassRow(SINCE_2006, excluded=False, permit=True, personal_use=0).value() == 2
    with pytest.raises(ValueError, match="does not fit"):
        ClassRow(SINCE_2006, excluded=False, permit=False, personal_use=1 << 24).value()


@given(excluded=st.booleans(), permit=st.booleans(), quantity=st.integers(0, (1 << 24) - 1))
def test_packed_rows_read_back(excluded: bool, permit: bool, quantity: int) -> None:
    value = ClassRow(SINCE_2006, excluded, permit, quantity).value()
    read = [CLASS_ROW[name].get(value) for name in ("excluded", "permit", "personal_use")]
    assert read == [excluded, permit, quantity]
    assert value < 1 << 40


def test_the_genesis_rows_are_those_of_the_classes() -> None:
    seeded = {(row.row, row.valid_from, row.value) for row in SEED_ROWS if row.row >> 40 == class_row(0) >> 40}
    assert seeded == {(class_row(each.code), row.valid_from, row.value()) for each in CLASSES for row in each.rows}


@given(day=DAYS)
def test_the_row_in_force_is_the_newest_not_after_the_day(day: dt.date) -> None:
    perfume = BY_SLUG["perfume"]
    raised = ClassRow(dt.date(2024, 1, 1), excluded=False, permit=False, personal_use=100)
    changed = dataclasses.replace(perfume, rows=(*perfume.rows, raised))
    found = changed.row_at(day)
    expected = None if day < SINCE_2006 else perfume.rows[0] if day < raised.valid_from else raised
    assert found == expected


def test_every_unit_has_a_name() -> None:
    assert UNIT_NAMES.keys() == set(Unit)
