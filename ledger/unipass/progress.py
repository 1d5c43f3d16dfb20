"""Reader of UNI-PASS cargo progress answers (API001 retrieveCargCsclPrgsInfo), XML as the service prints it.

Times are KST in two formats. `prcsDttm` is when a row was processed and the time we take; `rlbrDttm` is when goods
moved and can lie after clearance. Rows come newest first; list parcels are cleared and released in the same second, so
rows are ordered by time, then by stage rank. Names of brokers and forwarders (`rlbrBssNo`) are left where they are.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

from ledger.domain.crosswalk import UNKNOWN_STAGE, meaning_of
from ledger.domain.errors import InvalidIdentifier
from ledger.domain.identifiers import CargoNumber
from ledger.domain.kinds import KindNumber
from ledger.domain.rules import KST
from ledger.unipass.errors import ProgressFault, ProgressIncomplete, ProgressRefused
from ledger.unipass.records import MAX_BYTES, RESEND, read_records

ROOT: Final = "cargCsclPrgsInfoQryRtnVo"
HEADER: Final = "cargCsclPrgsInfoQryVo"
ROW: Final = "cargCsclPrgsInfoDtlQryVo"
MULTIPLE: Final = "[N00]"
"""Start of the notice that says the answer names several cargos."""
RANK: Final = {KindNumber.CARRIED_IN: 1, KindNumber.DECIDED_CLEAR: 2, KindNumber.RELEASED: 3}
"""Order of what shares a second; everything else stands before, newest last as in the file."""
YEARS: Final = range(1990, 2200)
_PROCESSED: Final = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})")
_MOVED: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2}) ([0-9]{2}):([0-9]{2}):([0-9]{2})")
_DAY: Final = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
_COUNT: Final = re.compile(r"-1|[0-9]{1,6}")
_DECIMAL: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?")


@dataclass(frozen=True, slots=True)
class Row:
    """One stage of a cargo.

    Attributes:
        stage: name as printed.
        at: when it was processed (prcsDttm), UTC.
        kind: the ledger's kind, or TRACED.
        trace: number of the trace kind, if TRACED.
        declaration: number of the list, declaration or report (dclrNo), as printed.
        shed: code of the bonded area (shedSgn), without the bay.
        bay: place inside it, behind the slash.
        moved_at: when goods were carried in or out (rlbrDttm), UTC.
        detail: what kind of carrying in or out (rlbrCn).
    """

    stage: str
    at: dt.datetime
    kind: KindNumber
    trace: int
    declaration: str
    shed: str
    bay: str = ""
    moved_at: dt.datetime | None = None
    detail: str = ""

    @property
    def known(self) -> bool:
        """Whether the stage stands in the crosswalk."""
        return self.kind is not KindNumber.TRACED or self.trace != UNKNOWN_STAGE.number


@dataclass(frozen=True, slots=True)
class Cargo:
    """One cargo: its numbers, status, and rows in the order they happened.

    Attributes:
        number: cargo number (cargMtNo), 19 characters, or 15 for a master.
        master_bill: number of the master bill (mblNo).
        house_bill: number of the house bill (hblNo).
        status: clearance status (csclPrgsStts). It stays once cleared.
        rows: what happened, oldest first; none when the answer names several cargos.
        progress: cargo status (prgsStts). It goes on after clearance.
        progress_code: its code (prgsStCd).
        goods: goods name, free text (prnm).
        bill_type: type of the bill (blPt); X is express.
        arrived_on: day of arrival, KST (etprDt).
        loading_country: ISO 3166-1 (lodCntyCd).
        loading_port: UN/LOCODE by sea, IATA by air (ldprCd).
        discharge_port: the same for discharge (dsprCd).
        carrier: code of the airline or shipping line (shcoFlcoSgn).
        forwarder: code of the express carrier (frwrSgn).
        packages: number of packages (pckGcnt).
        grams: gross weight (ttwg), if it is given in KG.
    """

    number: str
    master_bill: str
    house_bill: str
    status: str
    rows: tuple[Row, ...]
    progress: str = ""
    progress_code: str = ""
    goods: str = ""
    bill_type: str = ""
    arrived_on: dt.date | None = None
    loading_country: str = ""
    loading_port: str = ""
    discharge_port: str = ""
    carrier: str = ""
    forwarder: str = ""
    packages: int | None = None
    grams: int | None = None

    @property
    def master(self) -> str:
        """Cargo number of the master bill it belongs to, 15 characters, or nothing."""
        return self.number[:15]


def _moment(text: str, shape: re.Pattern[str]) -> dt.datetime:
    found = shape.fullmatch(text)
    try:
        if found and int(found[1]) in YEARS:
            return dt.datetime(*(int(part) for part in found.groups()), tzinfo=KST)  # type: ignore[arg-type,misc]
    except ValueError:
        pass  # no such day or hour: refused below, like any other text
    raise ProgressFault(f"{text[:32]!r} is no time of UNI-PASS.", hint=RESEND)


def read_processed(text: str) -> dt.datetime:
    """Read a `prcsDttm` (YYYYMMDDhhmmss, KST) and return it in UTC.

    Raises:
        ProgressFault: it is none.
    """
    return _moment(text, _PROCESSED).astimezone(dt.UTC)


def read_moved(text: str) -> dt.datetime | None:
    """Read an `rlbrDttm` (YYYY-MM-DD hh:mm:ss, KST) and return it in UTC, None if it is empty.

    Raises:
        ProgressFault: it is none.
    """
    return _moment(text, _MOVED).astimezone(dt.UTC) if text else None


def _row(fields: Mapping[str, str]) -> Row:
    stage = unicodedata.normalize("NFC", fields.get("cargTrcnRelaBsopTpcd", ""))
    if not stage:
        raise ProgressFault("A row names no stage.", hint=RESEND)
    kind, trace = meaning_of(stage)
    shed, _, bay = fields.get("shedSgn", "").partition("/")
    return Row(
        stage=stage,
        at=read_processed(fields.get("prcsDttm", "")),
        kind=kind,
        trace=trace.number if trace else 0,
        declaration=fields.get("dclrNo", ""),
        shed=shed,
        bay=bay,
        moved_at=read_moved(fields.get("rlbrDttm", "")),
        detail=fields.get("rlbrCn", ""),
    )


def _grams(fields: Mapping[str, str]) -> int | None:
    weight = fields.get("ttwg", "")
    if fields.get("wghtUt") != "KG" or not _DECIMAL.fullmatch(weight):
        return None
    return int(Decimal(weight) * 1000)


def _cargo(fields: Mapping[str, str], rows: Iterable[Mapping[str, str]] = ()) -> Cargo:
    def told(name: str) -> str:
        return fields.get(name, "")

    number = told("cargMtNo")
    try:
        CargoNumber(number)
    except InvalidIdentifier as error:
        raise ProgressFault(f"A cargo has no valid number (cargMtNo). {error.detail}", hint=RESEND) from error
    newest_last = [_row(row) for row in rows][::-1]
    return Cargo(
        number=number,
        master_bill=told("mblNo"),
        house_bill=told("hblNo"),
        status=told("csclPrgsStts"),
        rows=tuple(sorted(newest_last, key=lambda row: (row.at, RANK.get(row.kind, 0)))),
        progress=told("prgsStts"),
        progress_code=told("prgsStCd"),
        goods=told("prnm"),
        bill_type=told("blPt"),
        arrived_on=_moment(told("etprDt"), _DAY).date() if told("etprDt") else None,
        loading_country=told("lodCntyCd"),
        loading_port=told("ldprCd"),
        discharge_port=told("dsprCd"),
        carrier=told("shcoFlcoSgn"),
        forwarder=told("frwrSgn"),
        packages=int(told("pckGcnt")) if re.fullmatch(r"[0-9]{1,9}", told("pckGcnt")) else None,
        grams=_grams(fields),
    )


def read_progress(data: bytes) -> tuple[Cargo, ...]:
    """Return the cargos of an answer: one with its rows, several without, or none.

    What `tCnt` counts: -1 an error; several cargos (notice `[N00]`) the cargos; one cargo its rows.

    Raises:
        ProgressRefused: the service answered with an error.
        ProgressIncomplete: other rows or cargos arrived than it counts.
        ProgressFault: it is no such answer.
    """
    read = read_records(data, ROOT)
    headers, rows = read.groups.get(HEADER, []), read.groups.get(ROW, [])
    notice = unicodedata.normalize("NFC", read.fields.get("ntceInfo", ""))
    count = read.fields.get("tCnt", "")
    if not _COUNT.fullmatch(count):
        raise ProgressFault("The answer does not say how many rows it has (tCnt).", hint=RESEND)
    several = notice.startswith(MULTIPLE)
    if int(count) < 0 or (notice and not several and not headers):
        raise ProgressRefused(notice[:500] or "UNI-PASS reports a fault.", hint="Mend the request and ask again.")
    expected = (int(count), 0) if several else (min(int(count), 1), int(count))
    if (len(headers), len(rows)) != expected:
        raise ProgressIncomplete(
            f"It counts {count} but holds {len(headers)} cargos and {len(rows)} rows.", hint="Ask the service again."
        )
    if several:
        return tuple(_cargo(header) for header in headers)
    return tuple(_cargo(header, rows) for header in headers)


def read_file(path: Path) -> tuple[Cargo, ...]:
    """Return the cargos of an answer in a file; see :func:`read_progress`.

    Raises:
        ProgressRefused, ProgressFault: naming the file.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)  # a device or a growing file has no size to ask for
    except OSError as error:
        raise ProgressFault(f"{path}: {error.strerror}.", hint="Check the path.") from error
    try:
        return read_progress(data)
    except (ProgressFault, ProgressRefused) as error:
        raise type(error)(f"{path.name}: {error.detail}", hint=error.hint) from error


def read_files(paths: Iterable[Path]) -> Iterator[tuple[Path, tuple[Cargo, ...]]]:
    """Yield each file and its cargos.

    Raises:
        ProgressRefused, ProgressFault: naming the file.
    """
    for path in paths:
        yield path, read_file(path)
