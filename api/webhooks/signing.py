"""Secrets of webhooks and signatures with them (Standard Webhooks 1.0, symmetric scheme v1)."""

from __future__ import annotations

import base64
import datetime as dt
import os
from dataclasses import dataclass
from typing import Any, Final

from standardwebhooks import Webhook

from ledger.store.sealing import Seals

SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Secret:
    """A signing secret, `whsec_` and base64; `until` it is over, None for the current one."""

    text: str
    until: dt.datetime | None = None

    def __repr__(self) -> str:
        return f"Secret(until={self.until})"


def new_secret() -> Secret:
    """Make a secret."""
    return Secret("whsec_" + base64.b64encode(os.urandom(SECRET_BYTES)).decode())


def seal(seals: Seals, webhook: str, secrets: list[Secret]) -> bytes:
    """Seal a webhook's secrets, bound to its id."""
    listed = [{"text": each.text, "until": each.until and each.until.isoformat()} for each in secrets]
    return seals.seal({"secrets": listed}, webhook.encode())


def unseal(seals: Seals, webhook: str, sealed: bytes, now: dt.datetime) -> list[Secret]:
    """Return the secrets of a webhook that hold now, the current one first.

    Raises:
        InvalidTag: they were sealed under another key.
    """
    found = [_read(each) for each in seals.open(sealed, webhook.encode())["secrets"]]
    return [each for each in found if each.until is None or each.until > now]


def _read(told: dict[str, Any]) -> Secret:
    return Secret(told["text"], dt.datetime.fromisoformat(told["until"]) if told["until"] else None)


def rotate(secrets: list[Secret], until: dt.datetime) -> tuple[Secret, list[Secret]]:
    """Return a new secret, and the two that hold from now on: it, and the one it replaces until a time."""
    made = new_secret()
    return made, [made, *(Secret(each.text, until) for each in secrets[:1])]


def headers(secrets: list[Secret], name: str, at: dt.datetime, body: str) -> dict[str, str]:
    """Return the headers of an attempt, signed with every secret that holds."""
    return {
        "webhook-id": name,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(Webhook(each.text).sign(name, at, body) for each in secrets),
        "content-type": "application/json",
        "user-agent": "clearance-ledger/1",
    }
