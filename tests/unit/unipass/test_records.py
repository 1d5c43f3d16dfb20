"""Bounds of the XML reader: what is hostile, oversize or broken costs one clear refusal."""

from __future__ import annotations

from xml.parsers import expat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.unipass.errors import ProgressFault, ProgressForbidden, ProgressTooLarge
from ledger.unipass.records import MAX_BYTES, MAX_FIELDS, MAX_RECORDS, MAX_TEXT, Records, read_records

NAMES = st.from_regex(r"[a-z][a-zA-Z]{0,8}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=("C", "Z"), exclude_characters="<>&"), min_size=1, max_size=12)
FIELDS = st.dictionaries(NAMES, TEXTS, min_size=1, max_size=5)


def wrapped(inside: str, root: str = "root") -> bytes:
    return f"<{root}>{inside}</{root}>".encode()


def fields(of: dict[str, str]) -> str:
    return "".join(f"<{name}>{text}</{name}>" for name, text in of.items())


@given(top=FIELDS, groups=st.lists(st.tuples(st.sampled_from(["Row", "Head"]), FIELDS), max_size=6), gap=st.booleans())
def test_what_is_written_is_read(top: dict[str, str], groups: list[tuple[str, dict[str, str]]], gap: bool) -> None:
    space = "\n  " if gap else ""
    body = [fields({name: text}) for name, text in top.items()] + [f"<{tag}>{fields(f)}</{tag}>" for tag, f in groups]
    read = read_records(wrapped(space + space.join(body)), "root")
    expected = Records(top)
    for tag, record in groups:
        expected.groups.setdefault(tag, []).append(record)
    assert read == expected


def test_empty_fields_and_space_around_texts() -> None:
    read = read_records(wrapped("<a/><b></b><c>  x y \n</c>"), "root")
    assert read.fields == {"a": "", "b": "", "c": "x y"}


@pytest.mark.parametrize(
    "declaration",
    [
        '<!DOCTYPE root [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;">]>',
        '<!DOCTYPE root [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE root [<!ENTITY % a SYSTEM "http://127.0.0.1/a.dtd"> %a;]>',
        '<!DOCTYPE root SYSTEM "root.dtd">',
        "<!DOCTYPE root>",
    ],
)
def test_document_types_and_entities_are_forbidden(declaration: str) -> None:
    with pytest.raises(ProgressForbidden):
        read_records(declaration.encode() + wrapped("<x>&a;&c;</x>"), "root")


@pytest.mark.parametrize(
    "data",
    [
        b"", b"   ", b"\0", b"no xml", b"{}", b"<root>", b"<root></other>", b"<root/><root/>", b"<root>&nbsp;</root>",
        b"<root>\xff\xfe</root>", b'<?xml version="1.0" encoding="EUC-KR"?><root/>',
        b'<?xml version="1.0" encoding="no-such"?><root/>', b"<html><body/></html>", b"<root><a><b><c/></b></a></root>",
        b"<root><a>1</a><a>2</a></root>", b"<root><r><a>1</a><a>2</a></r></root>",
    ],
)  # fmt: skip
def test_what_is_no_answer_is_a_fault(data: bytes) -> None:
    with pytest.raises(ProgressFault) as caught:
        read_records(data, "root")
    assert caught.value.hint


def test_other_encodings_that_the_document_declares_are_read() -> None:
    document = '<?xml version="1.0" encoding="UTF-16"?><root><a>반입신고</a></root>'
    assert read_records(document.encode("utf-16"), "root").fields == {"a": "반입신고"}


def test_the_largest_allowed_is_read_and_one_more_is_not() -> None:
    cases = (
        (MAX_RECORDS, lambda n: "<r><a/></r>" * n),
        (MAX_TEXT, lambda n: f"<a>{'x' * n}</a>"),
        (MAX_FIELDS, lambda n: "<r>" + "".join(f"<a{i}/>" for i in range(n)) + "</r>"),
        (MAX_FIELDS, lambda n: "".join(f"<a{i}/>" for i in range(n))),
    )
    for limit, body in cases:
        read_records(wrapped(body(limit)), "root")
        with pytest.raises(ProgressTooLarge):
            read_records(wrapped(body(limit + 1)), "root")


def test_bytes_are_bounded_before_anything_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    def parse(*_: object) -> None:
        raise AssertionError("parsed")

    monkeypatch.setattr(expat, "ParserCreate", parse)
    with pytest.raises(ProgressTooLarge):
        read_records(b" " * (MAX_BYTES + 1), "root")


def test_deep_nesting_stops_at_the_fourth_element() -> None:
    with pytest.raises(ProgressFault, match="deeper"):
        read_records(b"<root>" + b"<a>" * 1_000_000, "root")


def test_text_split_by_a_million_references_is_refused_early() -> None:
    with pytest.raises(ProgressTooLarge):
        read_records(wrapped("<a>" + "&amp;" * 1_000_000 + "</a>"), "root")


@given(data=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        read_records(data, "root")
    except ProgressFault:
        return
    assert b"root" in data.replace(b"\0", b"")
