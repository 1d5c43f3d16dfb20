"""Why a scan became no entry: a stable code, the sentence in two languages, and what to do.

Codes of the first table are told beside a scan that was left out and needs nobody; those of the second ask for a
correction of the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class ScanText:
    """The sentence in two languages, and what to do."""

    ko: str
    en: str
    hint: str


DROPPED: Final[dict[str, ScanText]] = {
    "scan.duplicate": ScanText(
        "같은 스캔이 이미 있습니다.", "The same event was given before.", "Nothing is to be done."
    ),
    "scan.same-master": ScanText(
        "같은 마스터의 기록이 이미 있습니다.",
        "Another scan of this file says the same of the whole flight or voyage.",
        "Nothing is to be done.",
    ),
    "scan.another-party": ScanText(
        "다른 기관이 직접 기록하는 단계입니다.",
        "The party that decides this records it itself.",
        "Nothing is to be done; leave it out if you like.",
    ),
}
"""Left out, and nothing is lost by it."""

REJECTED: Final[dict[str, ScanText]] = {
    "scan.malformed": ScanText(
        "읽을 수 없는 줄입니다.",
        "The row or event does not have the shape it must have.",
        "Compare it with the samples in docs.",
    ),
    "scan.missing": ScanText("필요한 칸이 비어 있습니다.", "A field that is needed is empty.", "Fill it in."),
    "scan.too-long": ScanText("칸이 너무 깁니다.", "A field is longer than any of its kind.", "Shorten it."),
    "scan.naive-time": ScanText(
        "시각에 시간대가 없습니다.",
        "The time does not say which zone it is in.",
        "Write the offset, for example +09:00 or Z.",
    ),
    "scan.time": ScanText(
        "시각을 읽을 수 없습니다.",
        "The time cannot be read, or lies before 1970 or in the far future.",
        "Write ISO 8601 with an offset, for example 2026-11-23T09:30:00+09:00.",
    ),
    "scan.future": ScanText(
        "아직 오지 않은 시각입니다.", "The time has not come yet.", "Check the clock of the scanner."
    ),
    "scan.unknown-event": ScanText(
        "알 수 없는 단계입니다.",
        "The event stands in no table.",
        "Use a kind or trace of docs/protocol.md, a code of UPU EMSEVT, or a stage as UNI-PASS prints it.",
    ),
    "scan.ambiguous": ScanText(
        "여러 단계로 읽힐 수 있습니다.",
        "It could be one of several events.",
        "Say which: a kind or trace by name (EPCIS: clearance:event), or tell the book where the place stands.",
    ),
    "scan.needs-facts": ScanText(
        "신고 내용이 있어야 하는 단계입니다.",
        "A scan cannot say this: it needs the facts of the filing or the bill.",
        "Use `clearance courier file`, or open the master first.",
    ),
    "scan.unknown-parcel": ScanText(
        "장부에 없는 화물입니다.",
        "The book of parcels knows no such bill.",
        "File the parcel first, or note its id in the book, and send the scan again.",
    ),
    "scan.no-master": ScanText(
        "마스터를 알 수 없습니다.",
        "The event is of a whole flight or voyage, and the book knows no master for it.",
        "Give the master bill, or note it in the book.",
    ),
    "scan.needs-parcel": ScanText(
        "화물 하나에 대한 단계입니다.", "The event is of one parcel, not of a flight or voyage.", "Give the house bill."
    ),
    "scan.error-declaration": ScanText(
        "기록을 취소할 수 없습니다.",
        "What stands on the ledger stays: an event cannot be taken back.",
        "Record what is right as a new event, or correct the filing.",
    ),
    "scan.unsupported-type": ScanText(
        "받지 않는 종류의 이벤트입니다.",
        "Only ObjectEvent and AggregationEvent are read.",
        "Send what happened to the parcels as ObjectEvent.",
    ),
}
"""Rejected: somebody has to correct the file, the scanner or the book."""

SCAN_TEXTS: Final = DROPPED | REJECTED
