"""The model's subjects as the fields of the contract's words: where the two are compared."""

from __future__ import annotations

from collections.abc import Mapping

from ledger.domain.findings import findings_of
from ledger.domain.kinds import Status
from ledger.domain.words import MASTER, ORDER, PARCEL, Field
from tests.model.subjects import Master, Order, Parcel, Subject

S = Status


def layout_of(subject: Subject) -> Mapping[str, Field]:
    """Return the layout of a subject's word; of the fields that share bits, those that are in use."""
    match subject:
        case Order(parcel=None):
            return {name: place for name, place in ORDER.items() if name != "parcel"}
        case Order():
            return {name: place for name, place in ORDER.items() if name not in ("claimed", "recorded")}
        case Master():
            return MASTER
    return PARCEL


def fields_of(subject: Subject) -> dict[str, int]:
    """Return the field values that the contract's word must have."""
    match subject:
        case Order():
            fields = {"handed": subject.handed, "opener": subject.opener}
            if subject.parcel is None:
                return fields | {"status": S.ORDER, "claimed": subject.claimed, "recorded": subject.recorded}
            return fields | {"status": S.ORDER | S.CONSUMED, "parcel": subject.parcel % 2**160}
        case Master():
            return {
                "status": _status({S.MASTER: True, S.ARRIVED: subject.arrived, S.UNLOADED: subject.unloaded,
                                   S.OBSERVED: subject.observed}),
                "handle": subject.handle, "opener": subject.opener, "office": subject.office,
            }  # fmt: skip
        case Parcel():
            return _parcel(subject)


def _status(bits: Mapping[S, bool]) -> int:
    return sum(int(bit) for bit, stands in bits.items() if stands)


def _parcel(parcel: Parcel) -> dict[str, int]:
    status = {
        S.PARCEL: True, S.FILED: parcel.filed, S.IDENTITY_OK: parcel.identity_ok, S.SCREENED: parcel.screened,
        S.CARRIED_IN: parcel.carried_in, S.DUTY_OK: parcel.duty_ok, S.CLEARED: parcel.cleared,
        S.REFERRED: parcel.referred, S.DECIDED: parcel.decided, S.REFUSED: parcel.refused, S.RECALLED: parcel.recalled,
        S.STOP_OPEN: parcel.stop_open, S.HELD: bool(parcel.holds_open), S.RELEASED: parcel.released,
        S.OBSERVED: parcel.observed, S.LIST: parcel.on_list, S.GENERAL: parcel.general, S.AUTO: parcel.by_rule,
    }  # fmt: skip
    return {
        "status": _status(status),
        "findings": sum(2**finding for finding in parcel.findings),
        "generation": parcel.generation, "opener": parcel.opener, "office": parcel.office,
        "holds_open": sum(2**number for number in parcel.holds_open), "holds_placed": parcel.holds_placed,
        "inspections": 0, "stops": parcel.stops, "first_filing": parcel.first_filing, "carried": parcel.carried,
        "orders": len(parcel.orders), "master": parcel.master, "goods_class": parcel.goods_class,
        "origin": parcel.origin,
    }  # fmt: skip


def read_word(word: int, layout: Mapping[str, Field]) -> dict[str, int]:
    """Return the fields of a contract's word."""
    return {name: place.get(word) for name, place in layout.items()}


def in_words(subject: Subject, fields: Mapping[str, int]) -> str:
    """Return fields for people to compare."""
    named: dict[str, object] = dict(fields) | {"status": str(S(fields["status"]))}
    if isinstance(subject, Parcel):
        named["findings"] = [finding.name for finding in findings_of(fields["findings"] << 32)]
    return ", ".join(f"{name}={value}" for name, value in sorted(named.items()))
