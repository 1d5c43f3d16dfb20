"""What people read: every sentence in both languages, every key that is asked for, and none that nobody asks for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from api.identity.answers import ANSWERS
from api.identity.judgement import CAUSE_TEXTS, Cause
from api.pages import rendering
from api.pages.texts import TEXTS
from api.routes.parcels import CLEARANCES
from clients.cli import buyer
from clients.cli.buyer_texts import OWN
from ledger.domain.findings import Sentence
from ledger.domain.kind_texts import KIND_TEXTS
from ledger.domain.kinds import ABSENCES, KindNumber

HANGUL = re.compile("[가-힣]")
ASKED = re.compile(r"\bt\(([^)]*)\)")
LITERAL = re.compile(r'"([a-z_.]+)"( ~)?')
FAMILIES = {
    "absent.": {str(each.name) for each in ABSENCES},
    "answer.": set(ANSWERS),
    "number.": {"active", "frozen", "thawed", "consent_first"},
    "status.": {*CLEARANCES, "released"},
}
"""Keys that templates put together: what may follow."""
OTHER_LANGUAGE = {"other_language"}
"""Says in each language the name of the other one."""


def asked_for() -> set[str]:
    """Return every key that a template may ask for."""
    found: set[str] = set()
    for template in (Path(rendering.__file__).parent / "templates").glob("*.html"):
        for inside in ASKED.findall(template.read_text()):
            for literal, joined in LITERAL.findall(inside):
                found |= {literal + each for each in FAMILIES[literal]} if joined else {literal}
    return found


def test_every_key_of_the_pages_has_its_sentence_and_every_sentence_is_asked_for() -> None:
    asked = asked_for()
    assert len(asked) > 60
    assert asked - TEXTS.keys() == set()
    of_commands = set(re.findall(r'"([a-z_.]+)"', "".join(
        path.read_text() for path in Path(buyer.__file__).parent.glob("buyer*.py")
    )))  # fmt: skip
    assert TEXTS.keys() - asked - of_commands == set()


def test_every_kind_and_every_cause_has_its_sentence() -> None:
    assert KIND_TEXTS.keys() == set(KindNumber)
    assert CAUSE_TEXTS.keys() == set(Cause)


@pytest.mark.parametrize("table", [TEXTS, OWN, KIND_TEXTS, CAUSE_TEXTS], ids=["pages", "commands", "kinds", "causes"])
def test_every_sentence_is_in_both_languages(table: dict[object, Sentence]) -> None:
    for key, each in table.items():
        korean, english = (each.en, each.ko) if key in OTHER_LANGUAGE else (each.ko, each.en)
        assert HANGUL.search(korean), key
        assert english, key
        assert not HANGUL.search(english), key
