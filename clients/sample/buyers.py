"""Holders of numbers at a demo's gateway: they sign in by one-time code, look at their uses, and answer.

A demo sends no messages: codes are read where its gateway writes them, in its log.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from clients.sample.gateway import Refused
from clients.sample.people import Person
from ledger.domain.errors import LedgerError

CODE: Final = re.compile(r"DEMO: .* ending in (\d{4}) is (\d{6})")
PATIENCE: Final = 30.0
POLL: Final = 0.05


class GatewayBuyers:
    """Acts for people of the sample day, each in a session of his own."""

    def __init__(self, url: str, log: Path) -> None:
        """Take the gateway's address and the log where a demo's codes stand."""
        self._url, self._log = url, log

    def freeze(self, person: Person, _now: int, /) -> None:
        """Freeze a number; nothing under way is let through."""
        with self._signed_in(person) as session:
            _told(session.post("/v1/buyer/number/freeze", json={"exempt": []}))

    def deny(self, person: Person, _parcel: int, _now: int, /) -> None:
        """Say of every use that it is not the person's, who bought nothing this day.

        Raises:
            LedgerError: there is none.
        """
        with self._signed_in(person) as session:
            uses = _told(session.get("/v1/buyer/uses"))["data"]
            if not uses:
                raise LedgerError("A parcel is not among its holder's uses.", hint="See the gateway's log.")
            for each in uses:
                _told(session.post(f"/v1/buyer/uses/{each['id']}/answers", json={"answer": "denied"}))

    @contextmanager
    def _signed_in(self, person: Person) -> Iterator[httpx.Client]:
        with httpx.Client(base_url=self._url, trust_env=False, timeout=60) as session:
            seen = self._log.stat().st_size
            asked = {"pccc": person.pccc, "phone": person.phone}
            ticket = _told(session.post("/v1/buyer/codes", json=asked))["ticket"]
            body = {"ticket": ticket, "code": self._code(person.phone[-4:], seen)}
            token = _told(session.post("/v1/buyer/sessions", json=body))["access_token"]
            session.headers["Authorization"] = f"Bearer {token}"
            yield session

    def _code(self, ending: str, seen: int) -> str:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            with self._log.open("rb") as log:
                log.seek(seen)
                for line in log.read().decode(errors="replace").splitlines():
                    found = CODE.search(line)
                    if found and found[1] == ending:
                        return found[2]
            time.sleep(POLL)
        raise LedgerError("The demo's gateway wrote no code.", hint="See its log.")


def _told(answer: httpx.Response) -> dict[str, Any]:
    if answer.status_code >= 400:
        raise Refused(answer)
    found: dict[str, Any] = answer.json()
    return found
