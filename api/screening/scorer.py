"""Scorers: what turns indicators into a score between 0 and 1 with its reasons.

The rule scorer adds points. A trained one takes its place behind the same seam; nothing but :class:`TrainedScorer`
opens a model file. Whichever scores, an indicator that refers by itself refers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, Self

from api.screening.indicators import BY_CODE_OF_INDICATOR, MAX_POINTS, REFERS, Indicator, found, points
from api.screening.signals import Signals
from ledger.domain.errors import LedgerError

FORMAT: Final = "clearance-scorer/v1"


class UnusableModel(LedgerError):
    """A model file cannot be used."""

    code = "screening.model"


@dataclass(frozen=True, slots=True)
class Score:
    """How strongly a filing asks for a closer look.

    Attributes:
        value: 0 to 1.
        reasons: codes of indicators, those that weigh most first.
        refers: whether an officer looks.
    """

    value: float
    reasons: tuple[str, ...]
    refers: bool


class Scorer(Protocol):
    """Scores filings. It must give the same score for the same signals."""

    @property
    def name(self) -> str:
        """Name and version, noted with every score."""
        ...

    def score(self, seen: Signals) -> Score:
        """Score a filing."""
        ...


class RuleScorer:
    """Adds the points of the indicators that a filing shows."""

    name = "rules/1"

    def score(self, seen: Signals) -> Score:
        """Score a filing."""
        shown = found(seen)
        total = points(shown)
        return Score(total / MAX_POINTS, _codes(shown), total >= REFERS or _decisive(shown))


@dataclass(frozen=True, slots=True)
class TrainedScorer:
    """A logistic regression over the indicators: weights that were learned, in a small file that people can read.

    Attributes:
        weights: by indicator code; an indicator without one does not count.
        threshold: score from which an officer looks.
    """

    name: str
    bias: float
    weights: Mapping[str, float]
    threshold: float

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a model file.

        Raises:
            UnusableModel: no such file, another format, an indicator that does not exist, a number that is none.
        """
        try:
            told = json.loads(path.read_text())
            weights = {str(code): float(weight) for code, weight in told["weights"].items()}
            made = cls(str(told["name"]), float(told["bias"]), weights, float(told["threshold"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UnusableModel(f"{path} is no model: {error}", hint="Give a file of this format: " + FORMAT) from error
        numbers = (made.bias, made.threshold, *made.weights.values())
        if told.get("format") != FORMAT or not all(map(math.isfinite, numbers)) or not 0 < made.threshold <= 1:
            raise UnusableModel(f"{path} is no model of format {FORMAT}.", hint="Export the model again.")
        unknown = made.weights.keys() - BY_CODE_OF_INDICATOR.keys()
        if unknown:
            raise UnusableModel(
                f"The model knows indicators that do not exist: {', '.join(sorted(unknown))}.",
                hint="Train it with the indicators of this version.",
            )
        return made

    def score(self, seen: Signals) -> Score:
        """Score a filing."""
        shown = sorted(found(seen), key=lambda each: -self.weights.get(each.code, 0.0))
        reasons = [each for each in shown if self.weights.get(each.code, 0.0) > 0 or each.refers]
        value = _logistic(self.bias + sum(self.weights.get(each.code, 0.0) for each in shown))
        return Score(value, _codes(reasons), value >= self.threshold or _decisive(shown))


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else 1 - 1 / (1 + math.exp(x))


def _decisive(shown: Sequence[Indicator]) -> bool:
    return any(each.refers for each in shown)


def _codes(shown: Sequence[Indicator]) -> tuple[str, ...]:
    return tuple(each.code for each in shown)
