"""What each kind must do, read from the design by hand: nothing here is made from the table of kinds.

Roles, state and writer follow the design's sections on ids (who writes what), on the decision and on holds, and
domain.md 3.4 for the partial order of the stages. The numbers are those of docs/protocol.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

STATUS: Final = {
    name: 1 << bit
    for bit, name in enumerate(
        [
            "PARCEL",
            "FILED",
            "IDENTITY_OK",
            "SCREENED",
            "CARRIED_IN",
            "DUTY_OK",
            "CLEARED",
            "REFERRED",
            "DECIDED",
            "REFUSED",
            "RECALLED",
            "STOP_OPEN",
            "HELD",
            "INSPECTING",
            "RELEASED",
            "OBSERVED",
            "LIST",
            "GENERAL",
            "AUTO",
            "ORDER",
            "CONSUMED",
            "MASTER",
            "ARRIVED",
            "UNLOADED",
        ]
    )
}
ROLES: Final = {
    name: 1 << bit
    for bit, name in enumerate(
        [
            "SELLER",
            "COURIER",
            "BROKER",
            "WAREHOUSE",
            "CUSTOMS",
            "SCREENING",
            "IDENTITY",
            "AGENCY",
            "OVERSIGHT",
            "RELAYER",
            "GOVERNOR",
            "RULES",
        ]
    )
} | {"EVERY": 0xFFFF}
ROLE_BITS: Final = 16

TEXT: Final = """
 0 ORDER_OPENED      | SELLER                | -                  | ORDER                             | ORDER
 1 ORDER_REASSIGNED  | SELLER                | ORDER              | CONSUMED                          | -
 2 FILED             | COURIER BROKER        | -                  | FILED OBSERVED ORDER MASTER       | PARCEL FILED
 3 CORRECTED         | COURIER BROKER        | FILED              | CLEARED REFUSED RELEASED OBSERVED | -
 4 MASTER_OPENED     | COURIER CUSTOMS AGENCY| -                  | MASTER                            | MASTER
 5 MASTER_ARRIVED    | COURIER CUSTOMS       | MASTER             | OBSERVED                          | ARRIVED
 6 MASTER_UNLOADED   | COURIER CUSTOMS       | MASTER             | OBSERVED                          | UNLOADED
 7 CARRIED_IN        | WAREHOUSE COURIER     | PARCEL             | CARRIED_IN OBSERVED               | CARRIED_IN
 8 IDENTITY_CHECKED  | IDENTITY              | FILED              | IDENTITY_OK OBSERVED              | IDENTITY_OK
 9 IDENTITY_STOPPED  | IDENTITY              | PARCEL             | OBSERVED                          | STOP_OPEN
10 SCREENED_PASSED   | SCREENING             | FILED              | SCREENED OBSERVED                 | SCREENED
11 SCREENED_REFERRED | SCREENING             | FILED              | CLEARED DECIDED OBSERVED          | SCREENED
12 HELD              | CUSTOMS               | PARCEL             | RELEASED OBSERVED                 | HELD
13 HOLD_LIFTED       | CUSTOMS               | PARCEL HELD        | OBSERVED                          | -
14 DECIDED_CLEAR     | CUSTOMS               | FILED CARRIED_IN   | RELEASED RECALLED HELD INSPECTING OBSERVED | CLEARED DECIDED
15 DECIDED_REFUSE    | CUSTOMS               | FILED              | RELEASED OBSERVED                 | REFUSED DECIDED
16 RECALLED          | CUSTOMS               | PARCEL             | OBSERVED                          | RECALLED
17 RELEASED          | WAREHOUSE COURIER     | CLEARED CARRIED_IN | RELEASED STOP_OPEN RECALLED HELD INSPECTING REFUSED OBSERVED | RELEASED
18 SWEPT             | EVERY                 | FILED CARRIED_IN DUTY_OK | CLEARED DECIDED REFERRED REFUSED RECALLED HELD INSPECTING OBSERVED | REFERRED
19 OBSERVED_OPENED   | AGENCY                | -                  | PARCEL                            | PARCEL OBSERVED
20 OBSERVED          | AGENCY                | OBSERVED           | -                                 | -
"""  # noqa: E501

ONLY_ITS_OPENER: Final = {
    "ORDER_REASSIGNED", "CORRECTED", "MASTER_ARRIVED", "MASTER_UNLOADED", "CARRIED_IN", "RELEASED", "OBSERVED",
}  # fmt: skip
CUSTOMS_TOO: Final = {"MASTER_ARRIVED", "MASTER_UNLOADED"}
ONLY_ITS_OFFICE: Final = {"HELD", "HOLD_LIFTED", "DECIDED_CLEAR", "DECIDED_REFUSE", "RECALLED"}
STOPS: Final = {"IDENTITY_STOPPED", "HELD", "RECALLED"}
"""Lane 0 takes these only, and no other lane takes them."""
RESULTS: Final = {"IDENTITY_CHECKED", "SCREENED_PASSED", "SCREENED_REFERRED"}
NAME_A_GROUND: Final = {"HELD", "DECIDED_CLEAR", "DECIDED_REFUSE", "RECALLED"}
DECISIONS: Final = {"DECIDED_CLEAR", "DECIDED_REFUSE"}
OPENINGS: Final = {"ORDER_OPENED", "MASTER_OPENED", "OBSERVED_OPENED"}
FILINGS: Final = {"FILED", "CORRECTED"}
CAN_BE_OBSERVED: Final = {
    "FILED", "MASTER_ARRIVED", "MASTER_UNLOADED", "CARRIED_IN", "DECIDED_CLEAR", "RELEASED", "TRACED",
}  # fmt: skip
TRACED: Final = 30
STAYS_IN_A_CORRECTION: Final = (
    "PARCEL", "FILED", "CARRIED_IN", "RECALLED", "STOP_OPEN", "HELD", "INSPECTING", "REFERRED", "DECIDED",
)  # fmt: skip


def bits(names: str) -> int:
    """Return the union of named status bits."""
    return sum(STATUS[name] for name in names.split() if name != "-")


@dataclass(frozen=True, slots=True)
class Expected:
    """One line of the text above."""

    number: int
    name: str
    roles: int
    needs: int
    bars: int
    sets: int

    @property
    def own(self) -> bool:
        return self.name in ONLY_ITS_OPENER

    @property
    def office(self) -> bool:
        return self.name in ONLY_ITS_OFFICE

    @property
    def is_stop(self) -> bool:
        return self.name in STOPS

    @property
    def words(self) -> int:
        """Extra words of a well-shaped entry (of a filing without order)."""
        return {"ORDER_OPENED": 1, "FILED": 2, "CORRECTED": 2}.get(self.name, 0)


def _line(text: str) -> Expected:
    head, roles, needs, bars, sets = text.split("|")
    number, name = head.split()
    return Expected(int(number), name, sum(ROLES[r] for r in roles.split()), bits(needs), bits(bars), bits(sets))


EXPECTED: Final = {row.number: row for row in map(_line, TEXT.strip().splitlines())}
CLEARING_SET: Final = bits("PARCEL FILED IDENTITY_OK SCREENED CARRIED_IN DUTY_OK")
NEVER_CLEARED_AFTER: Final = bits(
    "CLEARED REFERRED DECIDED REFUSED RECALLED STOP_OPEN HELD INSPECTING RELEASED OBSERVED"
)
FINDINGS: Final = 0xFFFFFFFF << 32


def decided(word: int) -> int:
    """Return what becomes of a parcel's word after an accepted entry, its opener in good standing."""
    if not word & STATUS["CARRIED_IN"] or word & (STATUS["OBSERVED"] | STATUS["CLEARED"]):
        return word
    if word & CLEARING_SET == CLEARING_SET and not word & (NEVER_CLEARED_AFTER | FINDINGS):
        return word | STATUS["CLEARED"] | STATUS["AUTO"]
    if word & FINDINGS and not word & bits("REFERRED DECIDED"):
        return word | STATUS["REFERRED"]
    return word
