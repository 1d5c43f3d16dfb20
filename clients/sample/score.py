"""Compares a result with the truth: what was planted, what was caught, with which finding."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from clients.sample.cases import EXPECTED, PLANTED, Case
from ledger.domain.findings import Finding

FOUND_LAST: Final = frozenset({Finding.NOT_CHECKED_IN_TIME, Finding.WATCHED_PARTY})
"""Findings that the contract looks for only where nothing else stands against a parcel, so not in what is sampled."""


@dataclass(frozen=True, slots=True)
class KindScore:
    """How one kind of planted case fared."""

    case: str
    planted: int
    caught: int

    @property
    def share(self) -> float:
        """Share caught, 1.0 if none was planted."""
        return self.caught / self.planted if self.planted else 1.0


@dataclass(frozen=True, slots=True)
class Score:
    """The whole comparison."""

    kinds: tuple[KindScore, ...]
    clean: int
    clean_referred: int

    @property
    def ok(self) -> bool:
        """Whether every kind was planted and caught whole, and no clean parcel was referred but at random."""
        return self.clean_referred == 0 and all(kind.planted and kind.caught == kind.planted for kind in self.kinds)

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "ok": self.ok,
            "kinds": {kind.case: {"planted": kind.planted, "caught": kind.caught} for kind in self.kinds},
            "clean": self.clean,
            "clean_referred": self.clean_referred,
        }


def is_caught(case: Case, outcome: Mapping[str, Any]) -> bool:
    """Whether a planted case shows its own finding or rejection and was not cleared by rule."""
    expected = EXPECTED[case]
    if outcome["by_rule"]:
        return False
    if expected.rejection is not None:
        return expected.rejection.name in outcome["rejections"]
    if expected.finding in FOUND_LAST and is_random(outcome):
        return bool(outcome["referred"])
    return expected.finding is not None and expected.finding.name in outcome["findings"] and outcome["referred"]


def is_random(outcome: Mapping[str, Any]) -> bool:
    """Whether a parcel was referred by the random sample alone."""
    return bool(outcome.get("picked_by_sample")) and outcome["findings"] == [Finding.SCREENING_REFERRED.name]


def score(outcomes: Mapping[str, Mapping[str, Any]], truth: Mapping[str, str], permute: int | None = None) -> Score:
    """Compare; with `permute` the labels are dealt anew among the parcels, and the score must fall to chance.

    Raises:
        KeyError: the truth names a parcel that the result does not have.
    """
    houses = sorted(truth)
    labels = [truth[house] for house in houses]
    if permute is not None:
        random.Random(permute).shuffle(labels)
    planted: Counter[str] = Counter()
    caught: Counter[str] = Counter()
    referred = 0
    for house, label in zip(houses, labels, strict=True):
        planted[label] += 1
        if label == Case.CLEAN:
            referred += outcomes[house]["referred"] and not is_random(outcomes[house])
        elif is_caught(Case(label), outcomes[house]):
            caught[label] += 1
    kinds = tuple(KindScore(case.value, planted[case], caught[case]) for case in PLANTED)
    return Score(kinds, planted[Case.CLEAN], referred)
