"""The gateway's API as a gate for a spool."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Self, TypeVar

from clients.gate import Fate, Outcome, State
from clients.sdk.client import Client
from clients.sdk.models import Entry
from clients.sdk.problems import Problem
from ledger.chain.batch import Batch

Found = TypeVar("Found")


class ApiGate:
    """A gateway, for programs that go step by step. Use it in `with`, from one thread."""

    def __init__(self, client: Client) -> None:
        """Take the client; it is closed with this."""
        self.client = client
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        """Return the gate."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the client."""
        self.close()

    def close(self) -> None:
        """Close the client and its loop."""
        self._runner.run(self.client.close())
        self._runner.close()

    def call(self, wanted: Coroutine[Any, Any, Found]) -> Found:
        """Run one call of the client to its end."""
        return self._runner.run(wanted)

    def send(self, batch: Batch) -> dict[str, Any]:
        """Post a batch; return the submission."""
        return dict(self.call(self.client.submit(batch)).document)

    def status(self, name: bytes) -> Fate:
        """Say how far a batch came."""
        try:
            found = self.call(self.client.submission(name))
        except Problem as problem:
            if problem.code == "api.not-found":
                return Fate(State.UNKNOWN)
            raise
        return Fate(State(found.state), found.code, found.reason, tuple(map(_outcome, found.entries)))

    def next_seq(self, key: bytes, lane: int) -> int:
        """Return the next number of the client's own key in a lane.

        Raises:
            ValueError: another key's.
        """
        if key != self.client.signer.address:
            raise ValueError("a gateway tells a key its own numbers only")
        return self.call(self.client.next_seq(lane))

    def time(self) -> int:
        """Return the chain's time."""
        return self.call(self.client.chain()).time


def _outcome(entry: Entry) -> Outcome:
    effects = [name for name, happened in (("CLEARED", entry.cleared), ("REFERRED", entry.referred)) if happened]
    return Outcome(entry.number, entry.rejection.code if entry.rejection else "", tuple(effects), entry.value)
