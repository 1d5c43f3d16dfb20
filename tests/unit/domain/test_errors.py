"""Every stable code has a title in both languages, and an error says what it is told and no more."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from ledger.domain.error_texts import ERROR_TEXTS
from ledger.domain.errors import LedgerError
from ledger.domain.rejections import REJECTION_TEXTS

ROOT = Path(__file__).parents[3]
PACKAGES = ("contracts", "ledger", "node", "api", "clients")
CODES_BY_PLACE = ("BatchRefused",)
"""Errors whose code is their first argument."""
CODE_TABLES = ("REASONS",)
"""Tables that end in codes."""


def _text(node: ast.expr | None) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


def _codes_in(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for line in node.body:
                if isinstance(line, ast.Assign) and any(
                    isinstance(t, ast.Name) and t.id == "code" for t in line.targets
                ):
                    yield from _text(line.value)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CODES_BY_PLACE:
            yield from _text(node.args[0] if node.args else None)
        elif (
            isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and node.target.id in CODE_TABLES
            and isinstance(node.value, ast.Dict)
        ):
            for value in node.value.values:
                yield from _text(value)


def _codes_of_the_sources() -> dict[str, str]:
    return {
        code: str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        for code in _codes_in(ast.parse(path.read_text()))
    }


def test_every_code_has_a_title() -> None:
    codes = _codes_of_the_sources()
    assert len(codes) > 30
    assert {code: where for code, where in codes.items() if code not in ERROR_TEXTS} == {}


def test_codes_are_slugs_and_titles_are_korean_and_english() -> None:
    for code, text in ERROR_TEXTS.items():
        assert re.fullmatch(r"[a-z]+(\.[a-z0-9]+(-[a-z0-9]+)*)+", code), code
        assert re.search(r"[가-힣]", text.ko), code
        assert text.en.isascii(), code
        assert text.ko.endswith("."), code
        assert text.en.endswith("."), code


def test_codes_of_rejected_entries_are_others() -> None:
    assert not {text.slug for text in REJECTION_TEXTS.values()} & ERROR_TEXTS.keys()


def test_an_error_is_one_line_and_a_document() -> None:
    class OutOfStock(LedgerError):
        code = "stock.out"

    error = OutOfStock("Nothing is left.", hint="Order more.")
    assert str(error) == "stock.out: Nothing is left. Order more."
    assert str(OutOfStock("Nothing is left.")) == "stock.out: Nothing is left."
    assert error.as_dict() == {"code": "stock.out", "detail": "Nothing is left.", "hint": "Order more."}
