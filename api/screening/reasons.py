"""Why a parcel was referred, as codes with sentences; on chain stands a commitment, in the database a sealed note."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Final

import rfc8785
from eth_hash.auto import keccak

from api.screening.indicators import INDICATORS
from ledger.domain.findings import Sentence

REASONS_TAG: Final = keccak(b"clearance.screening-reasons/v1")
SAMPLE: Final = "picked-by-sample"
BILL_TWICE: Final = "house-bill-twice"

REASON_TEXTS: Final[dict[str, Sentence]] = {
    **{each.code: each.text for each in INDICATORS},
    SAMPLE: Sentence("무작위 표본으로 선정되었습니다.", "The random sample picked it."),
    "split_orders": Sentence("같은 사람이 나누어 산 것으로 보입니다.", "Orders of one person were split."),
    "commercial": Sentence("자가사용이 아니라 판매용으로 보입니다.", "It looks like goods for sale, not for own use."),
}
"""Sentences by code: indicators, the sample, and what only the identity authority can find."""


def noted(reasons: Sequence[str], *, score: float | None = None, scorer: str = "") -> dict[str, Any]:
    """Return what is sealed of a result: reasons, score in thousandths, scorer, and the salt of the digest."""
    note: dict[str, Any] = {"salt": os.urandom(32).hex(), "reasons": list(reasons)}
    return note if score is None else note | {"score": round(1_000 * score), "scorer": scorer}


def committed(note: dict[str, Any]) -> bytes:
    """Return the digest that commits to a note: keccak(tag, salt, the rest by RFC 8785)."""
    told = {name: value for name, value in note.items() if name != "salt"}
    return keccak(REASONS_TAG + bytes.fromhex(note["salt"]) + rfc8785.dumps(told))
