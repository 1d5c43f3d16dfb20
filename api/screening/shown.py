"""What officers of a parcel's office are shown of screening: every result with its reasons in plain words."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from api.screening.reasons import REASON_TEXTS
from ledger.domain.kinds import KINDS, KindNumber
from ledger.store import screenings
from ledger.store.database import Session
from ledger.store.sealing import Seals
from ledger.store.tables.screening import ResultRow


def results(session: Session, seals: Seals, parcels: Collection[bytes]) -> Mapping[bytes, list[dict[str, Any]]]:
    """Return what screening said of parcels, oldest first, reasons opened."""
    found: dict[bytes, list[dict[str, Any]]] = {parcel: [] for parcel in parcels}
    for row in screenings.results_of(session, parcels):
        found[row.subject].append(_result(seals, row))
    return found


def _result(seals: Seals, row: ResultRow) -> dict[str, Any]:
    note = seals.open(row.sealed, row.subject) if row.sealed else {"reasons": []}
    return {
        "object": "screening_result",
        "kind": KINDS[KindNumber(row.kind)].name,
        "filing": None if row.names is None else "0x" + row.names.hex(),
        "score": note.get("score"),
        "scorer": note.get("scorer"),
        "reasons": [_reason(code) for code in note["reasons"]],
        "digest": "0x" + row.digest.hex(),
        "salt": "0x" + note["salt"] if "salt" in note else None,
    }


def _reason(code: str) -> dict[str, str | None]:
    """Return a reason; one that another part of customs found in more detail has no sentence of its own."""
    text = REASON_TEXTS.get(code)
    return {"code": code, "ko": text.ko if text else None, "en": text.en if text else None}
