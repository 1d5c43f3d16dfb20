"""Reads the contract's state straight from its storage slots, and decodes the words.

A call of a getter would start an EVM; a slot is one look-up. Slots come from the compiler (`contracts/build`); a map's
slot is keccak(slot, key) for each key, outermost first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from eth_hash.auto import keccak

from contracts.artifact import load_artifact
from ledger.commitments import word
from ledger.domain.findings import Finding, findings_of
from ledger.domain.kinds import ABSENCES, Status
from ledger.domain.words import KEY, ORG, PARCEL

ReadSlot = Callable[[int], int]
"""Reads a storage word of the ledger's contract."""


def map_slot(name: str, key: int | bytes, slots: Mapping[str, int] | None = None) -> int:
    """Return the slot of a map's entry; an address is given as its 20 bytes.

    `slots` are those of the chain's contract, this release's unless told.
    """
    raw = word(key) if isinstance(key, int) else key.rjust(32, b"\0")
    return int.from_bytes(keccak(word((slots or load_artifact().slots)[name]) + raw), "big")


@dataclass(frozen=True, slots=True)
class Member:
    """Key and org behind an address."""

    org: int
    roles: int
    office: int
    standing: int
    valid_from: int
    valid_to: int
    suspended: bool
    seat: int

    def is_member_at(self, t: int) -> bool:
        """Whether the contract takes batches of the key at time `t` (seconds UTC)."""
        return not self.suspended and self.valid_from <= t <= self.valid_to and self.standing in (1, 2)


@dataclass(frozen=True, slots=True)
class Parcel:
    """Status word of a parcel, decoded."""

    word: int

    @property
    def status(self) -> Status:
        """Status bits."""
        return Status(PARCEL["status"].get(self.word))

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Findings, stored."""
        return findings_of(self.word)

    @property
    def absences(self) -> tuple[Status, ...]:
        """What it still lacks, derived."""
        return tuple(status for status in ABSENCES if status not in self.status)

    @property
    def clearance(self) -> str:
        """Clearance status as one word: where the decision stands."""
        for status, name in (
            (Status.RECALLED, "recalled"),
            (Status.REFUSED, "refused"),
            (Status.CLEARED, "cleared"),
            (Status.REFERRED, "referred"),
            (Status.OBSERVED, "observed"),
            (Status.FILED, "pending"),
        ):
            if status in self.status:
                return name
        return "unfiled"

    def field(self, name: str) -> int:
        """Read a field of the word (see `ledger.domain.words.PARCEL`)."""
        return PARCEL[name].get(self.word)


@dataclass(frozen=True, slots=True)
class LedgerState:
    """The contract's state at one block; `slots` are those of the chain's contract."""

    read: ReadSlot
    slots: Mapping[str, int]

    def _of(self, name: str, key: int | bytes) -> int:
        return self.read(map_slot(name, key, self.slots))

    def word(self, subject: int) -> int:
        """Return the packed word of an order, parcel or master."""
        return self._of("words", subject)

    def parcel(self, subject: int) -> Parcel:
        """Return the decoded word of a parcel."""
        return Parcel(self.word(subject))

    def filing(self, parcel: int) -> int:
        """Return the low 160 bits of the newest filing's digest."""
        return self._of("filings", parcel)

    def next_seq(self, key: bytes, lane: int) -> int:
        """Return the next sequence number of a key in a lane."""
        return self._of("nexts", lane << 160 | int.from_bytes(key, "big"))

    def member(self, key: bytes) -> Member | None:
        """Return the member behind a key, or None."""
        own = self._of("keys", key)
        if own == 0:
            return None
        handle = KEY["org"].get(own)
        org = self._of("orgs", handle)
        return Member(
            org=handle,
            roles=KEY["roles"].get(own) & ORG["roles"].get(org),
            office=ORG["office"].get(org),
            standing=ORG["standing"].get(org),
            valid_from=KEY["valid_from"].get(own),
            valid_to=KEY["valid_to"].get(own),
            suspended=bool(KEY["suspended"].get(own)),
            seat=ORG["seat"].get(org),
        )
