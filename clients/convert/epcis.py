"""EPCIS 2.0 JSON (GS1 EPCIS 2.0, CBV 2.0) to entries: documents, query documents, lists of events, single events.

An ObjectEvent says what happened to each bill of its `epcList`; an AggregationEvent says it of its children, and of its
parent where that is a master. Bills are the last part of an identifier, or all of it, as the courier's book has them.
What a business step leaves open is told by the extension `clearance:event`, or by where the read point stands.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from clients.convert.meanings import Meaning, meaning_of_step, meaning_of_word
from clients.convert.scans import (
    Bills,
    Conversion,
    Converter,
    Refused,
    Said,
    ScanFault,
    check_count,
    check_size,
    seconds_of,
    strings,
)
from ledger.domain.vocabularies import OWN_STEP

EVENT: Final = "clearance:event"
"""Extension that names the event: what a CSV's event column holds."""
STEP_PREFIXES: Final = ("https://ref.gs1.org/cbv/bizstep-", "urn:epcglobal:cbv:bizstep:", "cbv:bizstep-")
DISPOSITION_PREFIXES: Final = ("https://ref.gs1.org/cbv/disp-", "urn:epcglobal:cbv:disp:", "cbv:disp-")
TYPES: Final = ("ObjectEvent", "AggregationEvent")
ACTIONS: Final = ("ADD", "OBSERVE", "DELETE")
UNNAMED: Final = ("recordTime", "eventID")
"""Fields that make no other event of it."""


def read_epcis(data: bytes, book: Bills, now: int) -> Conversion:
    """Convert an EPCIS document.

    Args:
        data: JSON.
        book: the courier's book of parcels.
        now: the ledger's time, seconds UTC.

    Raises:
        ScanFault: no EPCIS document.
        ScansTooLarge: it is over the bound.
    """
    check_size(data)
    converter = Converter(book, now)
    for count, (place, event) in enumerate(_events(_json(data)), 1):
        check_count(count)
        try:
            _take(converter, book, place, event)
        except Refused as refusal:
            converter.refuse(place, refusal.code)
    return converter.done()


def _json(data: bytes) -> Any:
    try:
        return json.loads(data.decode("utf-8-sig"), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:  # a hostile depth ends here too
        raise ScanFault("The file is no JSON.", hint="Give EPCIS 2.0 in JSON, UTF-8.") from error


def _no_number(_: str) -> NoReturn:
    raise ValueError("no number of JSON")


def _events(document: Any) -> Iterator[tuple[str, Any]]:
    """Yield events with their JSON Pointers.

    Raises:
        ScanFault: it is none of the documents that hold events.
    """
    wrong = ScanFault("The file holds no EPCIS events.", hint="Give an EPCISDocument or EPCISQueryDocument, version 2.")
    if isinstance(document, list):
        yield from _listed("", document)
        return
    if not isinstance(document, dict):
        raise wrong
    body = document.get("epcisBody")
    if isinstance(body, dict) and isinstance(body.get("eventList"), list):
        yield from _listed("/epcisBody/eventList", body["eventList"])
        return
    results = body.get("queryResults") if isinstance(body, dict) else None
    inner = results.get("resultsBody") if isinstance(results, dict) else None
    if isinstance(inner, dict) and isinstance(inner.get("eventList"), list):
        yield from _listed("/epcisBody/queryResults/resultsBody/eventList", inner["eventList"])
        return
    if isinstance(document.get("type"), str) and str(document["type"]).endswith("Event"):
        yield "", document
        return
    raise wrong


def _listed(pointer: str, events: list[Any]) -> Iterator[tuple[str, Any]]:
    for number, event in enumerate(events):
        yield f"{pointer}/{number}", event


@dataclass(frozen=True, slots=True)
class _Thing:
    """A bill an event tells of, by its place in the event."""

    place: str
    house_bill: str
    master_bill: str


def _take(converter: Converter, book: Bills, place: str, event: Any) -> None:
    if not isinstance(event, dict):
        raise Refused("scan.malformed")
    if event.get("type") not in TYPES:
        raise Refused("scan.unsupported-type")
    if event.get("errorDeclaration") is not None:
        raise Refused("scan.error-declaration")
    if event.get("action") not in ACTIONS:
        raise Refused("scan.malformed")
    claimed = _claimed(event)
    name = _name(event)
    for thing in _things(event, book, place):
        meaning = _meaning(event, book, thing)
        converter.take(Said(thing.place, name, thing.house_bill, thing.master_bill, meaning, claimed))


def _claimed(event: dict[str, Any]) -> int:
    if event.get("eventTime") is None:
        raise Refused("scan.missing")
    (text,) = strings([event["eventTime"]])
    return seconds_of(text)


def _name(event: dict[str, Any]) -> str:
    """Return the event's own id, or one made of what it says."""
    (given,) = strings([event.get("eventID", "")])
    if given:
        return given
    told = {key: value for key, value in event.items() if key not in UNNAMED}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _things(event: dict[str, Any], book: Bills, place: str) -> list[_Thing]:
    key = "epcList" if event["type"] == "ObjectEvent" else "childEPCs"
    listed = event.get(key, [])
    if not isinstance(listed, list):
        raise Refused("scan.malformed")
    found = [_thing(book, f"{place}/{key}/{number}", text) for number, text in enumerate(strings(listed))]
    if event.get("parentID") is not None and event["type"] == "AggregationEvent":
        (parent,) = strings([event["parentID"]])
        thing = _thing(book, f"{place}/parentID", parent)
        if thing.master_bill or not found:  # a bag or pallet is no parcel: only what is in it counts
            found.append(thing)
    if not found:
        raise Refused("scan.missing")
    return found


def _thing(book: Bills, place: str, text: str) -> _Thing:
    """Tell parcel from master; the whole identifier goes before its last part."""
    spellings = [text, text.rstrip("/").replace("/", ":").rsplit(":", 1)[-1]]
    for bill in spellings:
        if book.parcel(bill) is not None:
            return _Thing(place, bill, "")
        if book.master(bill) is not None:
            return _Thing(place, "", bill)
    return _Thing(place, text, "")


def _meaning(event: dict[str, Any], book: Bills, thing: _Thing) -> Meaning:
    word, step, disposition = (
        _word(event.get(key), prefixes)
        for key, prefixes in ((EVENT, ()), ("bizStep", STEP_PREFIXES), ("disposition", DISPOSITION_PREFIXES))
    )
    if word:
        return meaning_of_word(word)
    if not step:
        raise Refused("scan.missing")
    phases = {phase for place in _places(event) if (phase := book.phase(place))}
    phase = phases.pop() if len(phases) == 1 else None
    step = step if step.startswith(OWN_STEP) else step.lower()
    return meaning_of_step(step, disposition.lower(), phase, master=bool(thing.master_bill))


def _word(value: object, prefixes: tuple[str, ...]) -> str:
    if value is None:
        return ""
    (text,) = strings([value])
    for prefix in prefixes:
        if text.lower().startswith(prefix):
            return text[len(prefix) :]
    return text


def _places(event: dict[str, Any]) -> Iterator[str]:
    for key in ("readPoint", "bizLocation"):
        place = event.get(key)
        if isinstance(place, dict) and isinstance(place.get("id"), str) and place["id"]:
            yield from strings([place["id"]])
