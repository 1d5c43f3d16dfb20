"""From a file of scans to the spool: what both the command and the courier's own endpoint do with one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from clients.convert.csv_scans import read_csv
from clients.convert.epcis import read_epcis
from clients.convert.refusals import SCAN_TEXTS
from clients.convert.scans import Bills, Conversion, Scan, Unused
from clients.spool import SCAN_LANE, SCAN_TRACE_LANE, Item, Spool
from clients.spool_file import Row
from ledger.domain.error_texts import ERROR_TEXTS
from ledger.domain.rejections import REJECTION_TEXTS

_OF_ENTRIES: Final = {text.slug: text for text in REJECTION_TEXTS.values()}


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a file: on disk under a ticket, left out, rejected.

    Attributes:
        ticket: number under which its entries are asked for, those that were known already too.
        new: entries the spool did not know.
    """

    ticket: int
    new: int
    conversion: Conversion

    def as_dict(self) -> dict[str, Any]:
        """Return it for machines."""
        return self.conversion.as_dict() | {"object": "ticket", "ticket": self.ticket, "new": self.new}


def convert(data: bytes, book: Bills, now: int, *, as_json: bool) -> Conversion:
    """Convert CSV or EPCIS JSON.

    Raises:
        ScanFault: it is neither.
        ScansTooLarge: it is over the bound.
    """
    return (read_epcis if as_json else read_csv)(data, book, now)


def take(spool: Spool, conversion: Conversion, source: str) -> Taken:
    """Keep what was accepted; what the spool knows already is left out as a duplicate.

    Raises:
        SpoolFull: too much waits.
        SpoolDiskFull: the disk has no room.
    """
    added = spool.add(map(_item, conversion.accepted), source)
    known = set(added.known)
    conversion.dropped += [Unused(scan.place, "scan.duplicate") for scan in conversion.accepted if scan.place in known]
    conversion.accepted = [scan for scan in conversion.accepted if scan.place not in known]
    return Taken(added.ticket, added.new, conversion)


def _item(scan: Scan) -> Item:
    return Item(scan.entry, SCAN_TRACE_LANE if scan.trace else SCAN_LANE, scan.event, scan.place, scan.name)


def explained(code: str) -> dict[str, str]:
    """Return code, sentence in two languages and hint of anything that can become of a scan or its batch."""
    if code in _OF_ENTRIES:
        text = _OF_ENTRIES[code]
        return {"code": code, "ko": text.ko, "en": text.en, "hint": text.hint}
    if code in SCAN_TEXTS:
        scan = SCAN_TEXTS[code]
        return {"code": code, "ko": scan.ko, "en": scan.en, "hint": scan.hint}
    title = ERROR_TEXTS.get(code, ERROR_TEXTS["batch.refused"])
    return {"code": code, "ko": title.ko, "en": title.en, "hint": "See the error's page, or `clearance courier spool`."}


def shown(row: Row) -> dict[str, Any]:
    """Return an entry of the spool with what became of it, explained."""
    return {
        "place": row.place,
        "event": row.name,
        "subject": f"0x{row.subject:064x}",
        "state": row.state,
        "outcome": row.outcome or "open",
        "effects": list(row.effects),
        "reason": explained(row.code) if row.code else None,
    }
