"""Bells inside one gateway process: who has made work rings, and who waits for it wakes at once.

They only save waiting. What other processes do rings no bell here: every waiter looks by itself now and then.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field


class Bell:
    """Wakes everybody who listens."""

    def __init__(self) -> None:
        """Start with nobody listening."""
        self._listening: tuple[threading.Event, ...] = ()

    def wakes(self, event: threading.Event) -> None:
        """Set this event at every ring from now on."""
        self._listening = (*self._listening, event)

    def ring(self) -> None:
        """Wake all who listen."""
        for event in self._listening:
            event.set()


@dataclass(frozen=True, slots=True)
class Bells:
    """The bells of a gateway.

    Attributes:
        accepted: a batch was put into the outbox.
        projected: rows of final blocks stand in the read model.
        answered: the holder of a number said something.
    """

    accepted: Bell = field(default_factory=Bell)
    projected: Bell = field(default_factory=Bell)
    answered: Bell = field(default_factory=Bell)
