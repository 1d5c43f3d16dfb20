"""The whole path on a real node: a file of scans, signed, spooled, sent, and every entry explained."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from clients.convert.book import Book
from clients.convert.csv_scans import read_csv
from clients.convert.scans import Conversion
from clients.sender import Sender
from clients.spool import SCAN_LANE, SCAN_TRACE_LANE, Item
from tests.clients.worlds import Network


def at(seconds: int) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.timezone(dt.timedelta(hours=9))).isoformat()


def items(conversion: Conversion) -> list[Item]:
    return [
        Item(scan.entry, SCAN_TRACE_LANE if scan.trace else SCAN_LANE, scan.event, scan.place, scan.name)
        for scan in conversion.accepted
    ]


def scans(net: Network, book: Book, count: int) -> Conversion:
    lines = ["event_id,house_bill,event,occurred_at"]
    for number in range(count):
        for step, event in enumerate(("EMD", "EDA", "EDD", "EMF")):
            lines.append(f"e-{number}-{step},HB{number:05},{event},{at(net.now() - 600 + step)}")
    return read_csv("\n".join(lines).encode(), book, net.now())


def test_a_file_of_scans_is_sent_and_every_entry_explained(net: Network, tmp_path: Path) -> None:
    book = Book(tmp_path / "book.db")
    net.file_parcels(tmp_path, book, 30)
    found = scans(net, book, 30)
    assert len(found.accepted) == 91
    assert [each.code for each in found.dropped] == ["scan.same-master"] * 29
    spool = net.spool(tmp_path / "spool.db")
    added = spool.add(items(found), "scans.csv")
    assert added.new == 91
    seen: list[tuple[int, int]] = []
    counts = Sender(spool, net.gate()).run(ticket=added.ticket, timeout=30, progress=lambda *told: seen.append(told))
    assert counts == {"open": 0, "recorded": 61, "rejected": 30, "refused": 0}
    assert seen[-1] == (91, 91)
    rows = spool.rows(added.ticket)
    assert {row.code for row in rows if row.name == "RELEASED"} == {"entry.state-missing"}
    assert {row.code for row in rows if row.name != "RELEASED"} == {""}
    on_chain = {
        (entry.entry.subject, entry.entry.kind, entry.entry.claimed)
        for batch in net.node.included(1) if batch.batch.lane in (SCAN_LANE, SCAN_TRACE_LANE)
        for entry in batch.entries()
    }  # fmt: skip
    assert on_chain == {(s.entry.subject, s.entry.kind, s.entry.claimed) for s in found.accepted}
    again = spool.add(items(found))
    assert again.new == 30  # what was rejected may be tried again, what stands is known
    assert len(again.known) == 61
    book.close()
    spool.close()


@pytest.mark.parametrize("life", [1_000])
def test_a_batch_that_expired_is_signed_again_under_its_number(net: Network, tmp_path: Path, life: int) -> None:
    book = Book(tmp_path / "book.db")
    net.file_parcels(tmp_path, book, 3)
    spool = net.spool(tmp_path / "spool.db")
    spool.add(items(scans(net, book, 3)))
    first = spool.sign(SCAN_LANE, 0, net.now() + life)
    assert first
    spool.note_tried(first)  # it may have left, and nobody answered
    net.clock.move_to(net.now() + life + 1)
    Sender(spool, net.gate()).run(timeout=30)
    assert len(spool.forms(first)) == 2
    assert spool.batch(first.id).batch.seq == 0
    assert spool.batch(first.id).batch.entries == first.batch.entries
    assert spool.batch(first.id).state == "visible"
    book.close()
    spool.close()
