"""Every kind and trace has an event type, and types are stable dotted names."""

from __future__ import annotations

import re

import pytest

from ledger.domain.crosswalk import TRACE_BY_NUMBER
from ledger.domain.event_types import ALL_TYPES, EVENT_TYPES, types_of
from ledger.domain.kinds import KindNumber


def test_every_kind_and_every_trace_has_a_type() -> None:
    assert EVENT_TYPES.keys() == set(KindNumber)
    plain = {"rejected": False, "cleared": False, "referred": False}
    for kind in KindNumber:
        assert set(types_of(kind, trace=False, **plain)) <= set(ALL_TYPES)
    for number in [*TRACE_BY_NUMBER, 200]:
        assert set(types_of(number, trace=True, **plain)) <= set(ALL_TYPES)


def test_types_are_dotted_names_each_once() -> None:
    assert len(set(ALL_TYPES)) == len(ALL_TYPES)
    for name in ALL_TYPES:
        assert re.fullmatch(r"(order|parcel|master|entry|trace|observed)\.[a-z]+(_[a-z]+)*", name), name
        assert len(name) <= 40


@pytest.mark.parametrize(
    ("kind", "flags", "types"),
    [
        (KindNumber.CARRIED_IN, "cleared", ("parcel.carried_in", "parcel.cleared")),
        (KindNumber.CARRIED_IN, "referred", ("parcel.carried_in", "parcel.referred")),
        (KindNumber.CARRIED_IN, "rejected", ("entry.rejected",)),
        (KindNumber.SWEPT, "referred", ("parcel.referred",)),
        (KindNumber.DECIDED_CLEAR, "", ("parcel.cleared",)),
        (25, "trace", ("trace.delivered",)),
    ],
)
def test_what_an_entry_makes(kind: int, flags: str, types: tuple[str, ...]) -> None:
    given = {name: name == flags for name in ("trace", "rejected", "cleared", "referred")}
    assert types_of(kind, **given) == types
