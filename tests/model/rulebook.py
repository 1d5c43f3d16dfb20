"""The dated rules, in the model: plain lists of (from when, what)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TypeVar


@dataclass(frozen=True)
class DispatchRule:
    """Limits of a dispatch country and mode, US cents."""

    list_limit: int
    exempt_limit: int
    order_required: bool = False


@dataclass(frozen=True)
class ClassRule:
    """What holds for a goods class; `personal_use` 0: no quantity is set."""

    excluded: bool = False
    permit: bool = False
    personal_use: int = 0


@dataclass(frozen=True)
class LatenessRule:
    """Seconds after which a filing or carry-in is late, and after which anyone may sweep."""

    late: int
    sweep: int


class Target(IntEnum):
    """What an office overlay aims at."""

    GOODS_CLASS = 1
    ORIGIN = 2
    SELLER = 3
    COURIER = 4


T = TypeVar("T")


def in_force(dated: Sequence[tuple[int, T]], t: int) -> T | None:
    """Return the newest rule whose first second is not after `t`, None before the oldest."""
    found = None
    for since, rule in sorted(dated, key=lambda pair: pair[0]):
        if since <= t:
            found = rule
    return found


@dataclass
class Rulebook:
    """All rules; the lists hold (first second, rule)."""

    dispatch: dict[tuple[int, int], list[tuple[int, DispatchRule]]] = field(default_factory=dict)
    """By dispatch country (0: any other) and mode."""
    classes: dict[int, list[tuple[int, ClassRule]]] = field(default_factory=dict)
    simplified: list[tuple[int, int]] = field(default_factory=list)
    """Highest value of the simplified track, US cents."""
    lateness: list[tuple[int, LatenessRule]] = field(default_factory=list)
    rates: dict[tuple[int, int], int] = field(default_factory=dict)
    """(currency, customs week) -> millionths of a won for one minor unit."""
    overlays: dict[tuple[int, Target, int], int] = field(default_factory=dict)
    """(office, target, what) -> until when."""

    def dispatch_at(self, country: int, mode: int, t: int) -> DispatchRule | None:
        """Return the limits for a country: its own row, if one holds, else that of the rest."""
        return in_force(self.dispatch.get((country, mode), []), t) or in_force(self.dispatch.get((0, mode), []), t)

    def class_at(self, code: int, t: int) -> ClassRule | None:
        """Return the rule of a goods class."""
        return in_force(self.classes.get(code, []), t)

    def rate_at(self, currency: int, t: int) -> int | None:
        """Return the rate of the customs week: Sunday 00:00 to Saturday, Korean time."""
        first_sunday = 3 * 86_400 - 9 * 3_600
        return self.rates.get((currency, (t - first_sunday) // (7 * 86_400)))

    def is_late(self, claimed: int, t: int) -> bool:
        """Whether something that happened at `claimed` is recorded late at `t`."""
        rule = in_force(self.lateness, t)
        return rule is None or t - claimed > rule.late

    def may_sweep(self, since: int, t: int) -> bool:
        """Whether the waiting time after `since` is over."""
        rule = in_force(self.lateness, t)
        return rule is not None and t - since >= rule.sweep

    def targets(self, office: int, target: Target, what: int, t: int) -> bool:
        """Whether an office aims at something at a time."""
        return self.overlays.get((office, target, what), -1) >= t
