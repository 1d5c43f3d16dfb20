"""Reader of UNI-PASS cargo progress answers (API001 retrieveCargCsclPrgsInfo), XML as the service prints it.

Times are KST in two formats. `prcsDttm` is when a row was processed and the time we take; `rlbrDttm` is when goods
moved and can lie after clearance. Rows come newest first; list parcels are cleared and released in the same second,
so rows are ordered by time, then by stage rank.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree.ElementTree import Element
from xml.parsers import expat

from ledger.domain.crosswalk import STAGE_KINDS, STAGE_TRACES, TRACES
from ledger.domain.errors import LedgerError
from ledger.domain.kinds import KindNumber
from ledger.domain.rules import KST

MAX_BYTES: Final = 16 << 20
MAX_ROWS: Final = 10_000
ROOT: Final = "cargCsclPrgsInfoQryRtnVo"
HEADER: Final = "cargCsclPrgsInfoQryVo"
ROW: Final = "cargCsclPrgsInfoDtlQryVo"
MULTIPLE: Final = "[N00]"
"""Start of the notice that says the answer names several cargos."""
RANK: Final = {KindNumber.CARRIED_IN: 1, KindNumber.DECIDED_CLEAR: 2, KindNumber.RELEASED: 3}


class ProgressFault(LedgerError):
    """The answer cannot be read."""

    code = "unipass.unreadable"


class ProgressRefused(LedgerError):
    """The service answered with an error; the sentence is its own."""

    code = "unipass.refused"


@dataclass(frozen=True, slots=True)
class Row:
    """One stage of a cargo.

    Attributes:
        stage: name as printed.
        at: when it was processed, UTC.
        kind: the ledger's kind, or TRACED.
        trace: number of the trace kind, if TRACED.
    """

    stage: str
    at: dt.datetime
    kind: KindNumber
    trace: int
    declaration: str
    shed: str


@dataclass(frozen=True, slots=True)
class Cargo:
    """One cargo: its numbers, status, and rows in the order they happened."""

    number: str
    master_bill: str
    house_bill: str
    status: str
    rows: tuple[Row, ...]


def read_time(text: str) -> dt.datetime:
    """Read a KST time in either format and return it in UTC.

    Raises:
        ProgressFault: it is in neither.
    """
    for shape in ("%Y%m%d%H%M%S", "%Y-%m-%d %H:%M:%S", "%Y%m%d"):
        try:
            return dt.datetime.strptime(text, shape).replace(tzinfo=KST).astimezone(dt.UTC)
        except ValueError:
            continue
    raise ProgressFault(f"{text[:32]!r} is no time of UNI-PASS.", hint="Give the answer as the service sent it.")


def _parse(data: bytes) -> Element:
    """Parse without entities or document types: they are how XML is made to explode."""
    if len(data) > MAX_BYTES:
        raise ProgressFault(f"More than {MAX_BYTES} bytes.", hint="Ask for fewer cargos at once.")
    root: list[Element] = []
    stack: list[Element] = []
    parser = expat.ParserCreate()

    def forbid(*_: object) -> None:
        raise ProgressFault("The answer declares entities or a document type.", hint="Take it from the service itself.")

    def start(name: str, attributes: dict[str, str]) -> None:
        element = Element(name, attributes)
        (stack[-1].append if stack else root.append)(element)
        stack.append(element)

    def text(characters: str) -> None:
        if stack:
            stack[-1].text = (stack[-1].text or "") + characters

    parser.StartDoctypeDeclHandler = forbid
    parser.EntityDeclHandler = forbid
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: stack.pop()
    parser.CharacterDataHandler = text
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, UnicodeDecodeError, LookupError) as error:
        raise ProgressFault(f"No XML: {error}.", hint="Give the answer as the service sent it.") from error
    if root[0].tag != ROOT:
        raise ProgressFault(f"No cargo progress answer: <{root[0].tag[:40]}>.", hint="Only API001 is read.")
    return root[0]


def _field(element: Element, name: str) -> str:
    return (element.findtext(name) or "").strip()


def _row(element: Element) -> Row:
    stage = _field(element, "cargTrcnRelaBsopTpcd")
    kind = STAGE_KINDS.get(stage, KindNumber.TRACED)
    trace = STAGE_TRACES.get(stage, TRACES["OTHER_STAGE"]).number if kind is KindNumber.TRACED else 0
    at = read_time(_field(element, "prcsDttm"))
    return Row(stage, at, kind, trace, _field(element, "dclrNo"), _field(element, "shedSgn"))


def _cargo(header: Element, rows: list[Element]) -> Cargo:
    listed = sorted((_row(row) for row in reversed(rows)), key=lambda row: (row.at, RANK.get(row.kind, 0)))
    return Cargo(
        _field(header, "cargMtNo"), _field(header, "mblNo"), _field(header, "hblNo"), _field(header, "csclPrgsStts"),
        tuple(listed),
    )  # fmt: skip


def read_progress(data: bytes) -> tuple[Cargo, ...]:
    """Return the cargos of an answer: one with its rows, several without, or none.

    Raises:
        ProgressRefused: the service answered with an error.
        ProgressFault: it is no such answer.
    """
    root = _parse(data)
    notice, count = _field(root, "ntceInfo"), _field(root, "tCnt")
    headers, rows = root.findall(HEADER), root.findall(ROW)
    if len(headers) + len(rows) > MAX_ROWS:
        raise ProgressFault(f"More than {MAX_ROWS} rows.", hint="Ask for fewer cargos at once.")
    if count == "-1" or (notice and not notice.startswith(MULTIPLE)):
        raise ProgressRefused(notice or "UNI-PASS reports a fault.", hint="Mend the request and ask again.")
    if notice.startswith(MULTIPLE):
        return tuple(_cargo(header, []) for header in headers)
    return (_cargo(headers[0], rows),) if headers else ()


def read_files(paths: list[Path]) -> Iterator[tuple[Path, tuple[Cargo, ...]]]:
    """Yield the cargos of each file.

    Raises:
        ProgressFault, ProgressRefused: naming the file.
    """
    for path in paths:
        try:
            yield path, read_progress(path.read_bytes())
        except OSError as error:
            raise ProgressFault(f"{path}: {error.strerror}.", hint="Check the path.") from error
        except (ProgressFault, ProgressRefused) as error:
            raise type(error)(f"{path.name}: {error.detail}", hint=error.hint) from error
