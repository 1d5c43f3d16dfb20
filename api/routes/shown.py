"""How rows look in answers: ids as 0x hex, times as RFC 3339 UTC, codes with their sentences."""

from __future__ import annotations

import datetime as dt
from typing import Any

from ledger.chain.state import Parcel
from ledger.domain.crosswalk import TRACE_BY_NUMBER
from ledger.domain.findings import FINDING_TEXTS
from ledger.domain.grounds import named
from ledger.domain.kinds import KINDS, KindNumber
from ledger.domain.rejections import REJECTION_TEXTS, Rejection
from ledger.domain.words import HEADER, ORDER, PARCEL
from ledger.store.tables.chain import EntryRow, OrderRow, ParcelRow


def hexed(data: bytes | None) -> str | None:
    """Return bytes as 0x hex."""
    return None if data is None else "0x" + data.hex()


def time(seconds: int | None) -> str | None:
    """Return seconds UTC as RFC 3339."""
    return None if seconds is None else dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat().replace("+00:00", "Z")


def instant(moment: dt.datetime) -> str:
    """Return an aware time as RFC 3339 UTC."""
    return moment.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")


def parcel(row: ParcelRow) -> dict[str, Any]:
    """Show a parcel to a member."""
    word = Parcel(int.from_bytes(row.word, "big"))
    return {
        "object": "parcel",
        "id": hexed(row.id),
        "clearance": row.clearance,
        "status": [status.name for status in word.status],
        "findings": [
            {"code": finding.name, "ko": FINDING_TEXTS[finding].ko, "en": FINDING_TEXTS[finding].en}
            for finding in word.findings
        ],
        "absences": [status.name for status in word.absences] if row.clearance == "pending" else [],
        "opener": row.opener,
        "office": row.office,
        "generation": PARCEL["generation"].get(word.word),
        "stops": PARCEL["stops"].get(word.word),
        "open_holds": [number for number in range(8) if PARCEL["holds_open"].get(word.word) >> number & 1],
        "filing": hexed(row.filing),
        "payload": hexed(row.payload),
        "filed_at": time(row.filed_at),
        "carried_in_at": time(PARCEL["carried"].get(word.word) or None),
        "decided_at": time(row.decided_at),
        "released_at": time(row.released_at),
    }


def order(row: OrderRow, payload: bytes | None = None) -> dict[str, Any]:
    """Show an order to a member; `payload` is what it was reassigned with last, None: it never was."""
    word = int.from_bytes(row.word, "big")
    return {
        "object": "order",
        "id": hexed(row.id),
        "state": "bound" if row.parcel else "open",
        "seller": row.opener,
        "handed_to": ORDER["handed"].get(word) if row.parcel is None else row.handed,
        "parcel": hexed(row.parcel),
        "payload": hexed(payload or row.payload),
        "opened_at": time(row.opened_at),
    }


def entry(row: EntryRow) -> dict[str, Any]:
    """Show an entry as it stands on chain."""
    text = None if row.rejection is None else REJECTION_TEXTS[Rejection(row.rejection)]
    return {
        "object": "entry",
        "block": row.height,
        "place": row.place,
        "number": row.number,
        "subject": hexed(row.subject),
        "kind": kind_name(row),
        "trace": row.trace,
        "org": row.org,
        "key": hexed(row.key),
        "claimed_at": time(row.claimed),
        "received_at": time(row.received),
        "outcome": "recorded" if text is None else "rejected",
        "rejection": None if text is None else {"code": text.slug, "ko": text.ko, "en": text.en, "hint": text.hint},
        "cleared": row.cleared,
        "referred": row.referred,
        "value": row.value,
        "ground": _ground(row),
    }


def _ground(row: EntryRow) -> dict[str, Any] | None:
    """Return what a decision, hold or recall rests on; the digest commits to the officer's evidence."""
    said = None if row.trace else named(KindNumber(row.kind), HEADER["detail"].put(row.detail))
    if said is None:
        return None
    return {
        "code": said.slug or str(said.number),
        "ko": said.text.ko,
        "en": said.text.en,
        "evidence": hexed(row.digest) if any(row.digest) else None,
        "answer_due": time(said.answer_due),
    }


def kind_name(row: EntryRow) -> str:
    """Return the name of an entry's kind or trace; a number where it has none."""
    if row.trace:
        known = TRACE_BY_NUMBER.get(row.kind)
        return known.name if known else str(row.kind)
    return KINDS[KindNumber(row.kind)].name
