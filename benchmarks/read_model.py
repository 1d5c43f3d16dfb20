"""A read model of many parcels, made by writing its tables: what buyers ask of a gateway after a year or two.

Every parcel has its row and the use of a number, every person ten uses; only the parcels of the people who will ask
have entries, judgements and sayings, so that the whole fits on a small disk.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import insert
from sqlmodel import Session, SQLModel

from clients.sample.members import COURIERS, HANDLES, OFFICES
from ledger.domain.kinds import KindNumber, Status
from ledger.domain.words import PARCEL
from ledger.store import buyers, uses
from ledger.store.database import Database
from ledger.store.rows import table_of
from ledger.store.sealing import Seals
from ledger.store.tables.chain import EntryRow, ParcelRow
from ledger.store.tables.identity import AuthorityCursor, JudgedRow, PersonRow, SayingRow, UseRow
from ledger.store.tables.screening import ScreeningCursor

K = KindNumber
USES_EACH: Final = 10
CHUNK: Final = 5_000
LONG_AGO: Final = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
CLEARED: Final = (
    Status.PARCEL | Status.FILED | Status.IDENTITY_OK | Status.SCREENED | Status.CARRIED_IN | Status.CLEARED
    | Status.LIST | Status.AUTO
)  # fmt: skip
HISTORY: Final = (
    (K.FILED, "courier", False), (K.IDENTITY_CHECKED, "identity", False), (K.SCREENED_PASSED, "screening", False),
    (K.CARRIED_IN, "yard", False), (K.RELEASED, "yard", False), *((trace, "courier", True) for trace in range(1, 7)),
)  # fmt: skip
"""Kind or trace, who wrote it, whether it is a trace."""
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Holder:
    """Somebody who asks: his session's token and his uses."""

    token: str
    uses: tuple[str, ...]


def name(what: str, number: int, size: int) -> bytes:
    """Return bytes that look random and are the same every time."""
    return hashlib.shake_128(f"{what} {number}".encode()).digest(size)


def fill(database: Database, seals: Seals, parcels: int, asking: int, progress: Callable[[int], None]) -> list[Holder]:
    """Write so many parcels; return `asking` people with open sessions."""
    people = parcels // USES_EACH
    with database.write() as session:
        _put(session, PersonRow, (_person(seals, number) for number in range(people)))
    for at in range(0, parcels, 20 * CHUNK):
        numbers = range(at, min(parcels, at + 20 * CHUNK))
        with database.write() as session:
            _put(session, ParcelRow, map(_parcel, numbers))
            _put(session, UseRow, (_use(seals, number) for number in numbers))
        progress(numbers.stop)
    step = max(1, people // asking)
    chosen = range(0, people, step)[:asking]
    mine = [number for person in chosen for number in range(person * USES_EACH, (person + 1) * USES_EACH)]
    with database.write() as session:
        _put(session, EntryRow, (entry for number in mine for entry in _entries(number)))
        _put(session, JudgedRow, map(_judged, mine))
        _put(session, SayingRow, map(_saying, mine))
        for cursor in (AuthorityCursor, ScreeningCursor):  # authority and screening have seen all of it
            session.merge(cursor(id=1, height=0, parcel=b"\xff" * 32))
        now = dt.datetime.now(dt.UTC)
        return [
            Holder(
                buyers.open_session(session, name("person", person, 16), None, now),
                tuple(f"use_{number:024x}" for number in range(person * USES_EACH, (person + 1) * USES_EACH)),
            )
            for person in chosen
        ]  # fmt: skip


def _put(session: Session, model: type[SQLModel], rows: Iterator[Mapping[str, Any]]) -> None:
    statement = insert(table_of(model))
    while part := list(itertools.islice(rows, CHUNK)):
        session.connection().execute(statement, [dict(row) for row in part])


def _person(seals: Seals, number: int) -> Row:
    person = name("person", number, 16)
    told = {"name": f"표본인 {number:05}", "phone": f"0100000{number % 10_000:04}", "zip": ""}
    return {"id": person, "sealed": seals.seal(told, person, person), "state": "active", "consent_first": False}


def _parcel(number: int) -> Row:
    courier, office, height = HANDLES[COURIERS[number % len(COURIERS)]], OFFICES[number % 3], 1 + number // 500
    word = int(CLEARED) | (PARCEL["opener"].put(courier) | PARCEL["office"].put(office))
    return {
        "id": name("parcel", number, 32), "word": word.to_bytes(32, "big"), "opener": courier, "office": office,
        "clearance": "cleared", "filing": name("filing", number, 20), "payload": name("payload", number, 32),
        "opened_height": height, "changed_height": 0, "filed_at": _moment(number), "decided_at": _moment(number),
        "released_at": None,
    }  # fmt: skip


def _use(seals: Seals, number: int) -> Row:
    person, use, link = name("person", number // USES_EACH, 16), f"use_{number:024x}", f"link {number}"
    told = {
        "shop": f"shop-{number % 20:02}", "goods": "a made-up thing", "courier": HANDLES[COURIERS[number % 4]],
        "link": link,
    }  # fmt: skip
    return {
        "id": use, "person": person, "parcel": name("parcel", number, 32),
        "sealed": seals.seal(told, use.encode(), person),
        "declared_at": LONG_AGO + dt.timedelta(seconds=number), "receiver_differs": False, "answer": None,
        "consented": False, "exempt": False, "link": uses.link_hash(link),
    }  # fmt: skip


def _entries(number: int) -> Iterator[Row]:
    courier, yard = COURIERS[number % len(COURIERS)], f"yard-{OFFICES[number % 3]:03}"
    orgs = {"courier": courier, "yard": yard, "identity": "identity", "screening": "screening"}
    for place, (kind, who, trace) in enumerate(HISTORY):
        yield {
            "height": 1 + number // 500, "place": place, "number": number % 500, "subject": name("parcel", number, 32),
            "trace": trace, "kind": int(kind), "org": HANDLES[orgs[who]], "key": name(orgs[who], 0, 20),
            "claimed": _moment(number), "received": _moment(number), "digest": name(f"digest {place}", number, 32),
            "detail": 0, "rejection": None, "cleared": kind is K.CARRIED_IN and not trace, "referred": False,
            "value": None,
        }  # fmt: skip


def _judged(number: int) -> Row:
    filing, parcel = name("filing", number, 20), name("parcel", number, 32)
    return {"filing": filing, "parcel": parcel, "outcome": "checked", "cause": "checked", "retries": 0}


def _saying(number: int) -> Row:
    filing = name("filing", number, 20)
    return {
        "parcel": name("parcel", number, 32), "kind": int(K.IDENTITY_CHECKED), "about": filing.hex(), "names": filing,
        "cause": "checked", "salt": bytes(32), "not_before": LONG_AGO, "batch": name("batch", number, 32),
    }  # fmt: skip


def _moment(number: int) -> int:
    return int(LONG_AGO.timestamp()) + number
