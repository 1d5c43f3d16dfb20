"""Who the members are, in the model: organisations, keys, and what one lets another write."""

from __future__ import annotations

from dataclasses import dataclass, field

from ledger.domain.kinds import KindNumber
from ledger.domain.roles import Role

GOOD, WATCHED, SUSPENDED = 1, 2, 3


@dataclass
class Org:
    """An organisation."""

    handle: int
    group: int
    roles: Role
    office: int = 0
    standing: int = GOOD


@dataclass
class Key:
    """A key that acts for an organisation."""

    org: int
    roles: Role
    valid_from: int
    valid_to: int
    suspended: bool = False


@dataclass(frozen=True)
class Writer:
    """The member behind a batch: its org, and the roles that key and org both hold."""

    org: Org
    roles: Role


@dataclass
class Members:
    """All organisations and keys."""

    orgs: dict[int, Org] = field(default_factory=dict)
    keys: dict[bytes, Key] = field(default_factory=dict)
    lets: dict[tuple[int, int], frozenset[KindNumber]] = field(default_factory=dict)
    """(owner, writer) -> kinds the writer may write for the owner."""

    def writer(self, address: bytes, t: int) -> Writer | None:
        """Return the member behind a key at a time, or None."""
        key = self.keys.get(address)
        if key is None or key.suspended or not key.valid_from <= t <= key.valid_to:
            return None
        org = self.orgs[key.org]
        if org.standing not in (GOOD, WATCHED):
            return None
        return Writer(org, key.roles & org.roles)

    def lets_write(self, owner: int, writer: int, kind: KindNumber) -> bool:
        """Whether an org let another write a kind for it."""
        return kind in self.lets.get((owner, writer), frozenset())
