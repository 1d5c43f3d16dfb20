"""Sets the gauges of a gateway: how far the read model is behind, and what waits in the outbox."""

from __future__ import annotations

from api.gateway import Gateway
from api.metrics import HEIGHT, LAG, WAITING
from ledger.store import submissions
from ledger.store.projector import cursor_height


class Gauges:
    """A background job: its pause is how old a gauge can be."""

    def __init__(self, gateway: Gateway) -> None:
        """Take the gateway."""
        self._gateway = gateway

    def step(self) -> int:
        """Look once and set them; return 0, so that the next look comes after the pause.

        Raises:
            LedgerError: database or node do not answer; the gauges keep what they said last.
        """
        with self._gateway.database.read() as session:
            height = cursor_height(session)
            waiting = submissions.waiting(session)
        HEIGHT.set(height)
        WAITING.set(waiting)
        LAG.set(max(0, int(self._gateway.node.status()["final"]) - height))
        return 0
