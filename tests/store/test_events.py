"""However the chain grows and wherever a reader breaks off: what it was told, end to end, is the whole list."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session, delete, func, select

from ledger.domain.kinds import KindNumber as K
from ledger.domain.roles import Role
from ledger.store import events
from ledger.store.access import Caller
from ledger.store.database import Database
from ledger.store.events import START, Event
from ledger.store.rows import upsert
from ledger.store.tables.chain import Cursor, EntryRow, MasterRow, OrderRow, ParcelRow

US, THEM, SHOP = 7, 8, 9
CALLER = Caller(bytes(20), US, int(Role.COURIER), 0)
OURS, THEIRS, ORDER, MASTER, NOTHING = (bytes([n]) * 32 for n in range(1, 6))
entry = st.tuples(
    st.sampled_from([OURS, THEIRS, ORDER, MASTER, NOTHING]), st.sampled_from([US, THEM]), st.booleans(),
    st.sampled_from([K.CARRIED_IN, K.SWEPT, K.RELEASED]), st.sampled_from(["", "cleared", "referred", "rejected"]),
)  # fmt: skip
block = st.lists(st.lists(entry, max_size=4), max_size=3)


def begin(session: Session) -> None:
    for model in (EntryRow, ParcelRow, OrderRow, MasterRow, Cursor):
        session.exec(delete(model))  # type: ignore[call-overload]
    parcel = {"word": bytes(32), "office": 0, "clearance": "pending", "opened_height": 0, "changed_height": 0}
    session.add(Cursor(genesis_hash=bytes(32), height=0, block_hash=bytes(32)))
    session.add(ParcelRow(id=OURS, opener=US, **parcel))
    session.add(ParcelRow(id=THEIRS, opener=THEM, **parcel))
    order = {"word": bytes(32), "payload": bytes(32), "opened_height": 0, "changed_height": 0, "opened_at": 0}
    session.add(OrderRow(id=ORDER, opener=SHOP, handed=US, **order))
    session.add(MasterRow(id=MASTER, word=bytes(32), handle=1, opener=US, changed_height=0))


def grow(database: Database, batches: list[list[Any]]) -> None:
    with database.write() as session:
        cursor = session.exec(select(Cursor)).one()
        cursor.height += 1
        session.add(cursor)
        rows = [
            {
                "height": cursor.height, "place": place, "number": number, "subject": subject, "trace": trace,
                "kind": int(kind), "org": org, "key": bytes(20), "claimed": 0, "received": 0, "digest": bytes(32),
                "detail": 0, "rejection": 1 if what == "rejected" else None, "cleared": what == "cleared",
                "referred": what == "referred",
            }
            for place, batch in enumerate(batches)
            for number, (subject, org, trace, kind, what) in enumerate(batch)
        ]  # fmt: skip
        upsert(session, EntryRow, rows)


def told(event: Event) -> tuple[Any, ...]:
    return event.place, event.type, event.first, event.entry.subject


@given(
    blocks=st.lists(block, min_size=1, max_size=6), limits=st.lists(st.integers(1, 5), min_size=1),
    cuts=st.lists(st.integers(0, 3), min_size=1),
)  # fmt: skip
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_broken_off_and_resumed_it_is_the_whole_list(
    database: Database, blocks: list[Any], limits: list[int], cuts: list[int]
) -> None:
    with pytest.MonkeyPatch.context() as small:
        small.setattr(events, "SCAN", 4)
        with database.write() as session:
            begin(session)
        heard: list[Any] = []
        place, turn, waiting = START, 0, list(blocks)
        while True:
            with database.read() as session:
                page = events.events(session, CALLER, place, limits[turn % len(limits)])
            taken = page.events[: cuts[turn % len(cuts)]] if turn % 2 else page.events
            heard += map(told, taken)
            broke_off = len(taken) < len(page.events)
            place = (taken[-1].place if taken else place) if broke_off else page.through
            turn += 1
            if waiting:
                grow(database, waiting.pop(0))
            elif not page.more and not broke_off:
                break
            elif turn > 40:
                cuts = [3]
        with database.read() as session:
            small.setattr(events, "SCAN", 10_000)
            whole = events.events(session, CALLER, START, 10_000)
            listed = events.entries(session, CALLER, START[:3], 10_000)
            count = session.exec(select(func.count()).select_from(EntryRow)).one()
        assert heard == [told(each) for each in whole.events]
        assert [events.key_of(each) for each in listed.entries] == sorted({each[0][:3] for each in heard})
        assert len(listed.entries) <= count
        for each in listed.entries:
            own = each.org == US
            assert own or (each.rejection is None and each.subject in (OURS, ORDER, MASTER))


def test_every_entry_that_is_ours_is_there_and_no_other(database: Database) -> None:
    with database.write() as session:
        begin(session)
    everything = [
        (subject, org, False, K.RELEASED, what)
        for subject in (OURS, THEIRS, ORDER, MASTER, NOTHING)
        for org in (US, THEM)
        for what in ("", "rejected")
    ]
    grow(database, [everything])
    with database.read() as session:
        found = events.entries(session, CALLER, START[:3], 100).entries
    wanted = [(s, o, w) for s, o, _, _, w in everything if o == US or (not w and s in (OURS, ORDER, MASTER))]
    assert [(e.subject, e.org, "rejected" if e.rejection else "") for e in found] == wanted


def test_firsts_of_types_that_two_kinds_make(database: Database) -> None:
    with database.write() as session:
        begin(session)
    rows = [(K.CARRIED_IN, "referred"), (K.SWEPT, ""), (K.DECIDED_CLEAR, ""), (K.DECIDED_CLEAR, "")]
    grow(database, [[(OURS, THEM, False, kind, what) for kind, what in rows]])
    with database.read() as session:
        found = events.events(session, CALLER, START, 100).events
    assert [(each.type, each.first) for each in found] == [
        ("parcel.carried_in", True), ("parcel.referred", True), ("parcel.referred", False),
        ("parcel.cleared", True), ("parcel.cleared", False),
    ]  # fmt: skip


def test_a_place_far_up_the_chain_keeps_its_order(database: Database) -> None:
    with database.write() as session:
        begin(session)
        cursor = session.exec(select(Cursor)).one()
        cursor.height = (1 << 31) - 10
        session.add(cursor)
    grow(database, [[], [], [(OURS, THEM, False, K.CARRIED_IN, "")]])
    with database.read() as session:
        found = events.events(session, CALLER, START, 100).events
    assert [(each.place, each.first) for each in found] == [(((1 << 31) - 9, 2, 0, 0), True)]
