"""Indicators and scores: each is found when it must be, scores are bounded and rise with what is found."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.screening.indicators import BY_CODE_OF_INDICATOR, INDICATORS, MAX_POINTS, REFERS, found, points
from api.screening.scorer import RuleScorer, Scorer, TrainedScorer, UnusableModel
from api.screening.signals import Before, Record, Signals, declared
from api.screening.words import RESTRICTED, is_vague, restricted_classes
from ledger.domain.classes import BY_SLUG
from ledger.domain.facts import Goods, Mode, Track, Transport, country_number

US, CN = country_number("US"), country_number("CN")
SHIRT = Goods(price=3_000, currency=840, goods_class=1, quantity=1)
PLAIN = Signals(Transport(US, US, Mode.EXPRESS_AIR, 40), (SHIRT,), (3_000,), ("a cotton shirt",), has_order=True)
VITAMINS = BY_SLUG["health-food"].code

SHOWS: dict[str, dict[str, Any]] = {
    "order-withheld": {"shop_is_member": True, "has_order": False},
    "house-bill-twice": {"bill_elsewhere": True},
    "unreadable": {"readable": False},
    "many-numbers-at-one-contact": {"numbers_at_contact": 5},
    "denied-at-address": {"deniers_at_address": 1},
    "several-denied-at-address": {"deniers_at_address": 2},
    "restricted-words": {"descriptions": ("Vitamin C, 90 tablets",)},
    "watched-route": {"watched_countries": frozenset({US})},
    "price-lowered": {"before": Before(4_000, 840, same_consignee=True)},
    "quantity-like-trade": {"goods": (replace(SHIRT, quantity=30),)},
    "unit-price-low": {"goods": (replace(SHIRT, quantity=31 - 1),), "cents": (2_999,)},
    "consignee-changed": {"before": Before(3_000, 840, same_consignee=False)},
    "shop-record": {"shop": Record(decided=40, refused=12)},
    "vague-name": {"descriptions": ("a cotton shirt", "GIFT")},
    "corrected-often": {"generation": 4},
    "detour": {"transport": Transport(US, CN, Mode.EXPRESS_AIR, 40)},
    "courier-record": {"courier": Record(decided=40, refused=12)},
}
HIDES: dict[str, dict[str, Any]] = {
    "order-withheld": {"shop_is_member": False, "has_order": False},
    "many-numbers-at-one-contact": {"numbers_at_contact": 4},
    "denied-at-address": {"deniers_at_address": 0},
    "several-denied-at-address": {"deniers_at_address": 1},
    "restricted-words": {"descriptions": ("Vitamin C",), "goods": (replace(SHIRT, goods_class=VITAMINS),)},
    "price-lowered": {"before": Before(3_700, 840, same_consignee=True)},
    "quantity-like-trade": {"goods": (Goods(100_000, 840, BY_SLUG["coffee"].code, 500, 2),)},
    "unit-price-low": {"cents": (None,)},
    "shop-record": {"shop": Record(decided=1, refused=1)},
    "corrected-often": {"generation": 3},
    "detour": {"transport": Transport(US, 0, Mode.EXPRESS_AIR, 40)},
}

records = st.builds(
    lambda decided, share: Record(decided, decided * share // 100), st.integers(0, 500), st.integers(0, 100)
)
goods = st.builds(
    Goods, st.integers(0, 10**9), st.sampled_from([840, 392]), st.sampled_from([1, 4, 501, 601, 65_535]),
    st.integers(0, 10**6),
)  # fmt: skip
signals = st.lists(goods, min_size=1, max_size=8).flatmap(
    lambda made: st.builds(
        Signals,
        st.builds(
            Transport, st.sampled_from([US, CN]), st.sampled_from([US, CN, 0]), st.sampled_from(Mode), st.just(40),
            st.sampled_from(Track),
        ),
        st.just(tuple(made)),
        st.just(tuple(each.price for each in made)),
        st.lists(st.sampled_from(["gift", "", "vitamins", "a shirt", "비타민", "기타"]), max_size=3).map(tuple),
        st.booleans(), st.booleans(), st.booleans(), st.booleans(), st.integers(0, 50), st.integers(0, 3),
        records, records, st.none() | st.builds(Before, st.integers(0, 10**9), st.just(840), st.booleans()),
        st.integers(1, 255), st.sampled_from([frozenset(), frozenset({CN})]),
    )
)  # fmt: skip


def codes(seen: Signals) -> set[str]:
    return {each.code for each in found(seen)}


def model(**changes: Any) -> dict[str, Any]:
    weights = {each.code: each.points / 10 for each in INDICATORS}
    return {
        "format": "clearance-scorer/v1", "name": "made up", "bias": -4.0, "weights": weights, "threshold": 0.6
    } | changes  # fmt: skip


def saved(folder: Path, document: object) -> Path:
    path = folder / "model.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def test_a_plain_filing_shows_nothing() -> None:
    assert codes(PLAIN) == set()
    assert RuleScorer().score(PLAIN).value == 0


def test_every_indicator_has_its_case() -> None:
    assert SHOWS.keys() == BY_CODE_OF_INDICATOR.keys()


@pytest.mark.parametrize("code", SHOWS)
def test_each_indicator_is_found_where_it_must_be(code: str) -> None:
    assert code in codes(replace(PLAIN, **SHOWS[code]))


@pytest.mark.parametrize("code", HIDES)
def test_and_not_where_it_must_not(code: str) -> None:
    assert code not in codes(replace(PLAIN, **HIDES[code]))


def test_what_no_other_rule_finds_refers_by_itself() -> None:
    for code in ("order-withheld", "house-bill-twice", "unreadable", "many-numbers-at-one-contact", "restricted-words"):
        assert RuleScorer().score(replace(PLAIN, **SHOWS[code])).refers, code


def test_one_denial_at_an_address_refers_with_something_else_only_two_by_themselves() -> None:
    one, two = (replace(PLAIN, deniers_at_address=number) for number in (1, 2))
    assert not RuleScorer().score(one).refers, "a mail room is one address"
    assert RuleScorer().score(replace(one, **SHOWS["unit-price-low"])).refers
    assert RuleScorer().score(two).refers


def test_a_record_and_a_low_price_do_not_refer_by_themselves() -> None:
    weak: dict[str, Any] = {"shop": Record(99, 99), "courier": Record(99, 99), "cents": (1,)}
    assert codes(seen := replace(PLAIN, **weak)) == {"shop-record", "courier-record", "unit-price-low"}
    assert not RuleScorer().score(seen).refers


@given(signals)
def test_a_score_is_bounded_and_explained_by_its_reasons(seen: Signals) -> None:
    score = RuleScorer().score(seen)
    assert 0 <= score.value <= 1
    assert round(score.value * MAX_POINTS) == points(BY_CODE_OF_INDICATOR[code] for code in score.reasons)
    assert bool(score.reasons) == (score.value > 0)
    decisive = any(BY_CODE_OF_INDICATOR[code].refers for code in score.reasons)
    assert score.refers == (score.value * MAX_POINTS >= REFERS or decisive)


@given(st.sets(st.sampled_from(INDICATORS)), st.sampled_from(INDICATORS))
def test_one_more_indicator_never_lowers_the_score(some: set[Any], more: Any) -> None:
    assert points(some) <= points(some | {more}) <= MAX_POINTS


@given(signals, st.sampled_from(sorted(set(SHOWS) - {"unreadable"})))
def test_more_to_see_never_lowers_the_score(seen: Signals, code: str) -> None:
    changed = replace(seen, **SHOWS[code])
    if codes(seen) <= codes(changed):  # a change of goods may also take an indicator away
        assert RuleScorer().score(seen).value <= RuleScorer().score(changed).value


@given(signals)
def test_a_trained_score_is_bounded_and_keeps_what_refers_by_itself(seen: Signals) -> None:
    trained: Scorer = TrainedScorer("made up", -4.0, model()["weights"], 0.6)
    score = trained.score(seen)
    assert 0 <= score.value <= 1
    assert set(score.reasons) == codes(seen)
    if any(BY_CODE_OF_INDICATOR[code].refers for code in codes(seen)):
        assert score.refers


def test_a_model_file_is_read(tmp_path: Path) -> None:
    trained = TrainedScorer.load(saved(tmp_path, model()))
    assert trained.name == "made up"
    assert not trained.score(PLAIN).refers
    assert trained.score(replace(PLAIN, **SHOWS["restricted-words"])).refers


@pytest.mark.parametrize(
    "wrong",
    ["no JSON", [], model(format="other"), model(bias="nan"), model(threshold=0), model(weights={"no-such": 1.0}),
     model(weights={"detour": "x"}), {"format": "clearance-scorer/v1"}],
)  # fmt: skip
def test_a_model_that_cannot_be_used_is_refused(tmp_path: Path, wrong: object) -> None:
    with pytest.raises(UnusableModel):
        TrainedScorer.load(saved(tmp_path, wrong))
    with pytest.raises(UnusableModel):
        TrainedScorer.load(tmp_path / "missing.json")


def test_words_match_whole() -> None:
    assert restricted_classes(["Green team shirt, hamster toy"]) == frozenset()
    assert restricted_classes(["smoked ham"]) == {BY_SLUG["meat"].code}
    assert restricted_classes(["종합비타민 90정"]) == frozenset()  # another word of which it is a part
    assert restricted_classes(["비타민제"]) == {VITAMINS}
    assert all(BY_SLUG[slug].excluded for slug in RESTRICTED)


@pytest.mark.parametrize(
    ("text", "vague"), [("", True), ("기타 상품 2", True), ("gift items", True), ("gift card", False)]
)
def test_vague_names(text: str, *, vague: bool) -> None:
    assert is_vague(text) == vague


def test_the_words_of_a_filing_are_read() -> None:
    transport = Transport(US, US, Mode.EXPRESS_AIR, 40)
    two = (transport.word(), 1, SHIRT.word(), 2, 3, 4, replace(SHIRT, price=9).word(), 5, 6)
    assert declared(two) == (transport, (SHIRT, replace(SHIRT, price=9)))
    assert declared((transport.word(), SHIRT.word())) == (transport, (SHIRT,))
    assert declared((transport.word() | 0xFF << 32, SHIRT.word()))[0].mode is Mode.POSTAL
