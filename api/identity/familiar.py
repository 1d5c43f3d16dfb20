"""How often a one-time code may be asked for, so that strangers neither guess codes nor keep a holder from his.

A stranger's asking counts by number and by address, never by number alone: else anybody could use up a holder's codes.
Whoever signed in before holds a proof of it and has an allowance of his own, also behind an address that others spend.
Where many ask about one number, its codes get longer instead: guessing stays hopeless, nobody is turned away. All of
it counts what is typed, before anything is looked up: it says nothing of whether a number exists.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import Final

from fastapi import Request

from api.limits import RateLimits, source_of
from ledger.domain.errors import InvalidPCCC
from ledger.domain.identifiers import PCCC

DIGITS: Final = 6
MANY_DIGITS: Final = 10
"""Digits of a code once more than `plain-code` were asked for in an hour: 5 tries each in ten thousand million."""


def normal(number: str) -> str:
    """Return a number as it is counted: however it is written, once."""
    try:
        return PCCC.parse(number).value
    except InvalidPCCC:
        return number.strip().upper()


def tag(secret: bytes, number: str) -> str:
    """Return what a ticket carries of the number it was asked for: nobody can read it, or move it elsewhere."""
    return _text(_mac(secret, "asked for", normal(number)))


def proof(secret: bytes, ticket: str) -> str:
    """Return the proof of a sign-in by a ticket."""
    body = f"{secrets.token_urlsafe(12)}.{ticket.rpartition('.')[2]}"
    return f"{body}.{_text(_mac(secret, 'signed in', body))}"


def is_proof(secret: bytes, number: str, shown: str) -> bool:
    """Whether this proves an earlier sign-in with a number."""
    body, _, seal = shown.rpartition(".")
    right = hmac.compare_digest(seal.encode(), _text(_mac(secret, "signed in", body)).encode())
    return right & hmac.compare_digest(body.rpartition(".")[2].encode(), tag(secret, number).encode())


def spend_code(request: Request, secret: bytes, number: str, shown: str) -> int:
    """Count a wish for a code; return how many digits it gets.

    Raises:
        APIError: too many from this address, or by this proof.
    """
    limits: RateLimits = request.app.state.limits
    if shown and is_proof(secret, number, shown):
        limits.spend("code", "proof " + shown)
        return DIGITS
    source = source_of(request)
    limits.spend("code-address", source)
    limits.spend("code", f"{source} {_text(_mac(secret, 'counted', normal(number)))}")
    return DIGITS if limits.is_within("plain-code", _text(_mac(secret, "counted", normal(number)))) else MANY_DIGITS


def _mac(secret: bytes, what: str, text: str) -> bytes:
    return hmac.digest(secret, f"{what}\0{text}".encode(), hashlib.sha256)[:16]


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
