"""Grounds are total over the kinds that must name one, and are told apart by number and by slug."""

from __future__ import annotations

import re

import pytest

from ledger.chain.batch import detail
from ledger.domain.errors import LedgerError
from ledger.domain.grounds import GROUNDS, UNLISTED, Named, ground_number, named
from ledger.domain.kinds import KINDS, Flag, KindNumber
from ledger.domain.words import DETAIL

K = KindNumber


def test_the_kinds_that_must_name_a_ground_have_a_table_and_a_field_for_it() -> None:
    flagged = {number for number, kind in KINDS.items() if Flag.GROUND in kind.flags}
    assert GROUNDS.keys() == flagged
    assert {f"{kind.name}.ground" for kind in flagged} == {name for name in DETAIL if name.endswith(".ground")}
    for kind in flagged:  # the contract looks at one place
        assert (DETAIL[f"{kind.name}.ground"].shift, DETAIL[f"{kind.name}.ground"].width) == (56, 8)


@pytest.mark.parametrize("kind", GROUNDS)
def test_grounds_are_told_apart_and_said_in_both_languages(kind: KindNumber) -> None:
    rows = GROUNDS[kind]
    assert len({row.number for row in rows}) == len({row.slug for row in rows}) == len(rows)
    for row in rows:
        assert 1 <= row.number <= 255
        assert re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", row.slug)
        assert re.search("[가-힣]", row.text.ko)
        assert row.text.en.endswith(".")
        assert row.source
        assert ground_number(kind, row.slug) == row.number
        assert named(kind, detail(kind, ground=row.number)) == Named(row.number, row.slug, row.text, None)


def test_a_number_of_a_later_table_is_said_to_be_one() -> None:
    assert named(K.RECALLED, detail(K.RECALLED, ground=200)) == Named(200, None, UNLISTED, None)
    assert named(K.CARRIED_IN, 1 << 56) is None


def test_a_hold_tells_when_customs_answers() -> None:
    held = named(K.HELD, detail(K.HELD, ground=2, answer_due=500_000))
    assert held
    assert (held.slug, held.answer_due) == ("documents-missing", 500_000 * 3600)


def test_an_unknown_slug_lists_those_there_are() -> None:
    with pytest.raises(LedgerError, match="no ground of HELD") as refusal:
        ground_number(K.HELD, "whim")
    assert "documents-missing" in refusal.value.hint
