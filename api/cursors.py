"""Opaque cursors of keyset lists: signed, so that nobody probes places of lists he was not given."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from api.problems import APIError

MAC_BYTES: Final = 12
MAX_LIMIT: Final = 100
Row = TypeVar("Row")


def write_cursor(secret: bytes, scope: str, place: Sequence[int | str]) -> str:
    """Return the cursor of a place in a list; `scope` binds it to one list of one caller."""
    data = json.dumps(list(place)).encode()
    return base64.urlsafe_b64encode(_mac(secret, scope, data) + data).decode().rstrip("=")


def read_cursor(secret: bytes, scope: str, cursor: str) -> list[Any]:
    """Return the place a cursor names.

    Raises:
        APIError: it was not made here for this list.
    """
    wrong = APIError("api.cursor", "The cursor was not given for this list.", hint="Start without a cursor.")
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except (binascii.Error, ValueError) as error:
        raise wrong from error
    if not hmac.compare_digest(raw[:MAC_BYTES], _mac(secret, scope, raw[MAC_BYTES:])):
        raise wrong
    found: list[Any] = json.loads(raw[MAC_BYTES:])
    return found


def _mac(secret: bytes, scope: str, data: bytes) -> bytes:
    return hmac.new(secret, scope.encode() + b"\0" + data, hashlib.sha256).digest()[:MAC_BYTES]


def page(
    rows: Sequence[Row], limit: int, shown: Callable[[Row], dict[str, Any]], cursor: Callable[[Row], str]
) -> dict[str, Any]:
    """Return a page made of up to `limit` of the `limit + 1` rows that were read."""
    kept = rows[:limit]
    more = len(rows) > limit
    return {
        "object": "list",
        "data": [shown(row) for row in kept],
        "has_more": more,
        "next_cursor": cursor(kept[-1]) if more else None,
    }
