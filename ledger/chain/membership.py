"""Who may do what, as the genesis file and every change since tell it: what readers of blocks judge writers by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, Self

from ledger.chain.calls import CHANGED
from ledger.domain.words import KEY, ORG
from ledger.genesis import SUSPENDED, Genesis

ADDRESS: Final = (1 << 160) - 1


class What(IntEnum):
    """`what` of the contract's Changed log (contracts/src/members.vy)."""

    ORG = 1
    KEY = 2
    QUORUM = 3
    RULE = 4
    RATE = 5
    OFFICE_TARGET = 6
    KEY_SUSPENDED = 7
    ORG_SUSPENDED = 8
    KEY_ENROLLED = 9
    KEY_RETIRED = 10
    ORG_LET = 11

    @property
    def words(self) -> str:
        """What it is, for people."""
        return self.name.lower().replace("_", " ")


@dataclass(frozen=True, slots=True)
class Change:
    """One change of members or rules; `a` and `b` as the contract logs them."""

    what: What
    by: bytes
    a: int
    b: int

    @property
    def key(self) -> bytes:
        """Address of the key that a change of keys is about."""
        return (self.a & ADDRESS).to_bytes(20, "big")


def read_changed(topics: Sequence[bytes], data: bytes) -> Change | None:
    """Return the change that a log tells of, or None if it is another log."""
    if not topics or topics[0] != CHANGED:
        return None
    what, by = What(int.from_bytes(topics[1], "big")), topics[2][12:]
    return Change(what, by, int.from_bytes(data[:32], "big"), int.from_bytes(data[32:], "big"))


@dataclass(slots=True)
class Membership:
    """Words of keys (by address) and orgs (by handle) after the changes taken so far."""

    keys: dict[bytes, int] = field(default_factory=dict)
    orgs: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, genesis: Genesis) -> Self:
        """Start from the genesis file."""
        return cls(
            {bytes.fromhex(key.address[2:]): key.word() for key in genesis.keys},
            {org.handle: org.word() for org in genesis.orgs},
        )

    def take(self, change: Change) -> None:
        """Take a change; those of rules change nothing here."""
        key, a, b = change.key, change.a, change.b
        match change.what:
            case What.ORG:
                self.orgs[a] = b
            case What.KEY | What.KEY_ENROLLED:
                self.keys[key] = b
            case What.KEY_SUSPENDED:
                self.keys[key] |= KEY["suspended"].mask
            case What.ORG_SUSPENDED:
                self.orgs[a] = (self.orgs[a] & ~ORG["standing"].mask) | ORG["standing"].put(SUSPENDED)
            case What.KEY_RETIRED:
                self.keys[key] = (self.keys[key] & ~KEY["valid_to"].mask) | KEY["valid_to"].put(b)

    def roles(self, key: bytes) -> int:
        """Return the roles a key acts in: its own, cut to those of its org; 0 for a stranger."""
        word = self.keys.get(key, 0)
        return KEY["roles"].get(word) & ORG["roles"].get(self.orgs.get(KEY["org"].get(word), 0))
