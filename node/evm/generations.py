"""Values by key in two generations: the older one goes whole when the younger is full."""

from __future__ import annotations

from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Generations(Generic[K, V]):
    """A bounded memory in which nothing is sorted or counted when it is full, so it is as fast then as before."""

    __slots__ = ("limit", "old", "young")

    def __init__(self, limit: int) -> None:
        """Start empty, with so many values in a generation."""
        self.limit = limit
        self.young: dict[K, V] = {}
        self.old: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        """Return a value if it is known; it counts as young again."""
        value = self.young.get(key)
        if value is None:
            value = self.old.get(key)
            if value is not None:
                self.put(key, value)
        return value

    def put(self, key: K, value: V) -> None:
        """Keep a value."""
        if len(self.young) >= self.limit:
            self.old, self.young = self.young, {}
        self.young[key] = value
