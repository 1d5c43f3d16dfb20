"""What can go wrong between a client and the gateway, as errors of the ledger with the gateway's own codes."""

from __future__ import annotations

from typing import Any, Final

import httpx

from ledger.domain.errors import LedgerError

MAX_TEXT: Final = 500
"""Characters taken over of a sentence that somebody else wrote."""


class Unreachable(LedgerError):
    """The gateway does not answer."""

    code = "api.unreachable"


class Unexpected(LedgerError):
    """An answer has not the shape this client reads."""

    code = "api.unexpected"


class ForeignChain(LedgerError):
    """The gateway serves another chain than the one the caller named."""

    code = "api.foreign-chain"


class Problem(LedgerError):
    """The gateway answered with a problem (RFC 9457); `code` is the one it gave.

    Attributes:
        status: of HTTP.
        retry_after: seconds to wait before it is tried again, None if the gateway did not say.
        request_id: names the request in the gateway's log.
        errors: what is wrong with single fields, each with a JSON Pointer.
    """

    def __init__(self, answer: httpx.Response) -> None:
        """Take an answer whose body was read."""
        told = _document(answer)
        super().__init__(_text(told, "detail") or f"HTTP {answer.status_code}.", hint=_text(told, "hint"))
        self.code = _text(told, "code") or ("api.internal" if answer.status_code >= 500 else "api.malformed")
        self.status = answer.status_code
        self.retry_after = seconds(answer.headers.get("Retry-After"))
        self.request_id = _text(told, "request_id")
        errors = told.get("errors")
        self.errors: list[dict[str, Any]] = errors[:20] if isinstance(errors, list) else []


def _document(answer: httpx.Response) -> dict[str, Any]:
    """Return the problem document; what stands between may answer in a shape of its own."""
    try:
        told = answer.json()
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _text(told: dict[str, Any], name: str) -> str:
    found = told.get(name)
    return found[:MAX_TEXT] if isinstance(found, str) else ""


def seconds(text: str | None) -> float | None:
    """Read a `Retry-After` in seconds (RFC 9110, 10.2.3); a date or nonsense says nothing."""
    if text is None or not text.isdecimal() or len(text) > 6:
        return None
    return float(text)
