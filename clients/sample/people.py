"""Made-up people of the sample day: numbers, names, telephones, homes, and what they wish done with their numbers.

Nobody real can be meant: numbers start with P99, names say that they are samples.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, replace
from typing import Final

MOST_PARCELS: Final = 4
"""Clean parcels of one person: a few, of shops all different, are nobody's trade."""
TRIES: Final = 100


@dataclass(frozen=True, slots=True)
class Person:
    """A made-up holder of a number."""

    pccc: str
    name: str
    phone: str
    zip: str = ""
    address: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return what stands in payloads."""
        told = {"pccc": self.pccc, "name": self.name, "phone": self.phone}
        return told | ({"zip": self.zip, "address": self.address} if self.address else {})


@dataclass(frozen=True, slots=True)
class Holder:
    """An entry of the register.

    Attributes:
        former: number that was replaced (재발급), if one was.
        consent_first: nothing may be cleared that the person has not agreed to.
    """

    person: Person
    former: str = ""
    consent_first: bool = False


class People:
    """Hands out people; every draw comes from the day's generator."""

    def __init__(self, draw: random.Random, count: int) -> None:
        """Make so many people for clean parcels."""
        self._draw = draw
        self.holders: list[Holder] = []
        self._parcels: Counter[str] = Counter()
        self._shops: set[tuple[str, str]] = set()
        self._pool = [self.fresh() for _ in range(count)]

    def fresh(self, *, reissued: bool = False, consent_first: bool = False) -> Person:
        """Register somebody new."""
        number = len(self.holders) + 1
        made = Person(
            f"P99{number:010}", f"표본인 {number:05}", f"0100000{number % 10_000:04}",
            f"{10_000 + number * 7 % 50_000}", f"시험시 표본로 {number}",
        )  # fmt: skip
        former = made.pccc if reissued else ""
        if reissued:
            made = replace(made, pccc=f"P98{number:010}")
        self.holders.append(Holder(made, former, consent_first))
        return made

    def buyer_at(self, shop: str) -> Person:
        """Return somebody for a clean parcel: few parcels each, and never two of one shop."""
        for _ in range(TRIES):
            person = self._draw.choice(self._pool)
            if self._parcels[person.pccc] < MOST_PARCELS and (person.pccc, shop) not in self._shops:
                break
        else:
            person = self.fresh()
        self._parcels[person.pccc] += 1
        self._shops.add((person.pccc, shop))
        return person


def register_of(holders: list[Holder]) -> dict[str, dict[str, str]]:
    """Return name, phone and zip by number; a number that was replaced is marked `retired`."""
    found: dict[str, dict[str, str]] = {}
    for holder in holders:
        told = {"name": holder.person.name, "phone": holder.person.phone, "zip": holder.person.zip}
        found[holder.person.pccc] = told
        if holder.former:
            found[holder.former] = told | {"retired": "yes"}
    return found
