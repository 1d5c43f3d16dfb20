"""CSV of scans (RFC 4180) to entries: one row says that something happened to one bill at a time.

Columns, by any of their names: event_id (made of the row's content where there is none), house_bill, master_bill,
event, occurred_at. All other columns are left alone: they may be personal. Row 1 is the header, as spreadsheets count.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Final

from clients.convert.meanings import meaning_of_word
from clients.convert.scans import (
    MAX_FIELD,
    Bills,
    Conversion,
    Converter,
    Refused,
    Said,
    ScanFault,
    check_count,
    check_size,
    seconds_of,
)

COLUMNS: Final = {
    "event_id": ("event_id", "eventid", "id"),
    "house_bill": ("house_bill", "hbl", "hawb", "house_bl", "tracking_number", "운송장번호", "송장번호"),
    "master_bill": ("master_bill", "mbl", "mawb", "master_bl", "마스터번호"),
    "event": ("event", "event_code", "code", "status", "이벤트", "상태"),
    "occurred_at": ("occurred_at", "event_time", "time", "timestamp", "발생시각", "처리일시"),
}
"""Names of each column; case, blanks and hyphens do not matter."""
ENCODINGS: Final = ("utf-8-sig", "cp949")
"""Spreadsheets in Korea still write the second."""
DELIMITERS: Final = (",", "\t", ";")
MAX_COLUMNS: Final = 200


def read_csv(data: bytes, book: Bills, now: int) -> Conversion:
    """Convert a CSV file.

    Args:
        data: the file.
        book: the courier's book of parcels.
        now: the ledger's time, seconds UTC.

    Raises:
        ScanFault: it is no CSV, or lacks a column.
        ScansTooLarge: it is over the bound.
    """
    check_size(data)
    converter = Converter(book, now)
    rows = _rows(_text(data))
    first = next(rows, None)
    if first is None:
        raise ScanFault("The file is empty.", hint="Give a CSV file with a header.")
    columns = _columns(first[1])
    for count, (number, row) in enumerate(rows, 1):
        check_count(count)
        place = f"row {number}"
        if not any(cell.strip() for cell in row):
            continue
        try:
            converter.take(_said(place, row, columns, len(first[1])))
        except Refused as refusal:
            converter.refuse(place, refusal.code)
    return converter.done()


def _text(data: bytes) -> str:
    for encoding in ENCODINGS:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            break
        return text
    raise ScanFault("The file is no text in UTF-8 or CP949.", hint="Save it as CSV in UTF-8.")


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield rows with their numbers; a row that no reader can take ends the file with an error."""
    header = text.split("\n", 1)[0]
    delimiter = max(DELIMITERS, key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    number = 0
    try:
        for row in reader:
            number += 1
            yield number, row
    except csv.Error as error:
        raise ScanFault(f"Row {number + 1} is no CSV.", hint="Check its quotes.") from error


def _columns(header: list[str]) -> dict[str, int]:
    if len(header) > MAX_COLUMNS:
        raise ScanFault(f"More than {MAX_COLUMNS} columns.", hint="Leave out what is not needed.")
    spelled = [cell.strip().lower().replace(" ", "_").replace("-", "_") for cell in header]
    found: dict[str, int] = {}
    for column, names in COLUMNS.items():
        places = [place for place, name in enumerate(spelled) if name in names]
        if len(places) > 1:
            raise ScanFault(f"The header names {column} twice.", hint="Keep one of the columns.")
        if places:
            found[column] = places[0]
    lacking = [column for column in ("event", "occurred_at") if column not in found]
    if lacking or not {"house_bill", "master_bill"} & found.keys():
        wanted = lacking or ["house_bill or master_bill"]
        raise ScanFault(f"The header lacks {', '.join(wanted)}.", hint="Name the columns in the first row.")
    return found


def _said(place: str, row: list[str], columns: dict[str, int], width: int) -> Said:
    if len(row) > width:
        raise Refused("scan.malformed")
    told = {name: row[at].strip() if at < len(row) else "" for name, at in columns.items()}
    if any(len(cell) > MAX_FIELD for cell in told.values()):
        raise Refused("scan.too-long")
    house_bill, master_bill = told.get("house_bill", ""), told.get("master_bill", "")
    if not told["event"] or not told["occurred_at"] or not (house_bill or master_bill):
        raise Refused("scan.missing")
    claimed = seconds_of(told["occurred_at"])
    meaning = meaning_of_word(told["event"])
    name = told.get("event_id") or f"{meaning.name} {claimed}"
    return Said(place, name, house_bill, master_bill, meaning, claimed)
