"""Scans to entries: what CSV and EPCIS share. Some rows may be wrong; the others go on.

A scan is said of a bill. The courier's book tells which parcel or master that is; the tables of
`clients.convert.meanings` tell which kind or trace. Nothing that was typed into a field is repeated in an answer: it
may name a person. A place in the file is a row, or a JSON Pointer (RFC 6901).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from clients.convert.book import Noted
from clients.convert.meanings import Meaning, Phase
from clients.convert.refusals import DROPPED, SCAN_TEXTS
from ledger.chain.batch import Entry
from ledger.domain.errors import LedgerError
from ledger.domain.limits import CLAIM_AHEAD

MAX_BYTES: Final = 16 << 20
"""Bytes of one file."""
MAX_SCANS: Final = 50_000
"""Scans of one file: a row, or one event for one bill."""
MAX_FIELD: Final = 200
"""Characters of one field."""
LATEST: Final = 1 << 34
"""Seconds UTC (year 2514) behind which no claimed time lies."""
_TIME: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?\s?(?P<zone>[Zz]|[+-]\d\d(?::?\d\d)?)?", re.ASCII
)


class ScanFault(LedgerError):
    """A file cannot be read as scans at all."""

    code = "scan.unreadable"


class ScansTooLarge(ScanFault):
    """A file is over the bound."""

    code = "scan.too-large"


class Refused(Exception):
    """One scan becomes no entry; `code` is one of `clients.convert.refusals`."""

    def __init__(self, code: str) -> None:
        """Keep the code."""
        super().__init__(code)
        self.code = code


class Bills(Protocol):
    """What is asked of a book of parcels."""

    def parcel(self, house_bill: str) -> Noted | None:
        """Return the parcel of a house bill."""
        ...

    def master(self, master_bill: str) -> int | None:
        """Return the id of a master bill."""
        ...

    def phase(self, place: str) -> Phase | None:
        """Return where a place stands."""
        ...


@dataclass(frozen=True, slots=True)
class Scan:
    """One accepted scan.

    Attributes:
        event: name of the event for one subject, 32 bytes: the same event read again has the same.
        place: row or JSON Pointer.
        trace: it goes into a trace lane.
    """

    event: bytes
    place: str
    entry: Entry
    trace: bool
    name: str


@dataclass(frozen=True, slots=True)
class Unused:
    """One scan that became no entry."""

    place: str
    code: str

    def as_dict(self) -> dict[str, str]:
        """Return it for machines."""
        text = SCAN_TEXTS[self.code]
        return {"place": self.place, "code": self.code, "ko": text.ko, "en": text.en, "hint": text.hint}


@dataclass(slots=True)
class Conversion:
    """What became of a file: accepted scans in the order they happened; left out without harm; wrong."""

    accepted: list[Scan] = field(default_factory=list)
    dropped: list[Unused] = field(default_factory=list)
    rejected: list[Unused] = field(default_factory=list)

    def refuse(self, place: str, code: str) -> None:
        """Note a scan that becomes no entry."""
        (self.dropped if code in DROPPED else self.rejected).append(Unused(place, code))

    def as_dict(self) -> dict[str, Any]:
        """Return it for machines."""
        return {
            "accepted": [
                {"place": each.place, "subject": f"0x{each.entry.subject:064x}", "event": each.name,
                 "trace": each.trace, "claimed_at": told(each.entry.claimed)}
                for each in self.accepted
            ],
            "dropped": [each.as_dict() for each in self.dropped],
            "rejected": [each.as_dict() for each in self.rejected],
        }  # fmt: skip


def told(seconds: int) -> str:
    """Return seconds UTC as RFC 3339."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat().replace("+00:00", "Z")


def seconds_of(text: str) -> int:
    """Read a time with its offset; return whole seconds UTC.

    Raises:
        Refused: no time, or one that does not say its zone: whose midnight it means nobody can tell.
    """
    found = _TIME.fullmatch(text.strip())
    if not found:
        raise Refused("scan.time")
    if not found["zone"]:
        raise Refused("scan.naive-time")
    try:
        seconds = int(dt.datetime.fromisoformat(text.strip().replace(",", ".").replace(" +", "+").upper()).timestamp())
    except (ValueError, OverflowError) as error:
        raise Refused("scan.time") from error
    if not 0 <= seconds < LATEST:
        raise Refused("scan.time")
    return seconds


def event_name(*parts: str) -> bytes:
    """Return the name of an event for one subject."""
    return hashlib.sha256("\0".join(parts).encode()).digest()


@dataclass(frozen=True, slots=True)
class Said:
    """What a file says, before it is known what that is on the ledger.

    Attributes:
        event_id: the event's own name, or one made of its content.
        house_bill: empty if it is said of a master.
    """

    place: str
    event_id: str
    house_bill: str
    master_bill: str
    meaning: Meaning
    claimed: int


class Converter:
    """Collects the scans of one file."""

    def __init__(self, book: Bills, now: int) -> None:
        """Take the courier's book and the ledger's time, seconds UTC."""
        self.book = book
        self._now = now
        self._said: list[Said] = []
        self._events: set[bytes] = set()
        self._result = Conversion()

    def take(self, said: Said) -> None:
        """Take one scan.

        Raises:
            ScansTooLarge: the file has too many.
        """
        check_count(len(self._said) + 1)
        self._said.append(said)

    def refuse(self, place: str, code: str) -> None:
        """Note a row or event that is no scan."""
        self._result.refuse(place, code)

    def done(self) -> Conversion:
        """Return what became of the file.

        What happened first stands first; within a second the file's order decides.
        """
        for said in sorted(self._said, key=lambda each: each.claimed):
            try:
                self._result.accepted.append(self._scan(said))
            except Refused as refusal:
                self.refuse(said.place, refusal.code)
        return self._result

    def _scan(self, said: Said) -> Scan:
        meaning = said.meaning
        if meaning.refusal:
            raise Refused(meaning.refusal)
        if said.claimed > self._now + CLAIM_AHEAD:
            raise Refused("scan.future")
        subject = self._subject(said)
        # of a whole flight every parcel's scan says the same: the first one stands for all
        event = event_name(meaning.name if meaning.of_master else said.event_id, f"{subject:064x}")
        if event in self._events:
            raise Refused("scan.same-master" if meaning.of_master else "scan.duplicate")
        self._events.add(event)
        number = meaning.kind if meaning.kind is not None else meaning.trace.number if meaning.trace else 0
        entry = Entry(subject, int(number), said.claimed)
        return Scan(event, said.place, entry, meaning.trace is not None, meaning.name)

    def _subject(self, said: Said) -> int:
        noted = self.book.parcel(said.house_bill) if said.house_bill else None
        master_bill = said.master_bill or (noted.master_bill if noted else "")
        master = self.book.master(master_bill) if master_bill else None
        if said.meaning.of_master:
            if master is None:
                raise Refused("scan.no-master")
            return master
        if noted is not None:
            return noted.parcel
        if said.house_bill:
            raise Refused("scan.unknown-parcel")
        if said.meaning.kind is not None:
            raise Refused("scan.needs-parcel")
        if master is None:
            raise Refused("scan.no-master")
        return master


def check_size(data: bytes) -> None:
    """Check that a file is no larger than is read.

    Raises:
        ScansTooLarge: it is.
    """
    if len(data) > MAX_BYTES:
        raise ScansTooLarge(f"More than {MAX_BYTES >> 20} MiB.", hint="Split the file.")


def check_count(count: int) -> None:
    """Check that there are no more scans than are read at once.

    Raises:
        ScansTooLarge: there are.
    """
    if count > MAX_SCANS:
        raise ScansTooLarge(f"More than {MAX_SCANS} scans.", hint="Split the file.")


def strings(values: Iterable[object]) -> list[str]:
    """Return the values that are texts.

    Raises:
        Refused: one is none, or too long.
    """
    found = []
    for value in values:
        if not isinstance(value, str):
            raise Refused("scan.malformed")
        if len(value) > MAX_FIELD:
            raise Refused("scan.too-long")
        found.append(value)
    return found
