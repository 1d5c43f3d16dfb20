"""Who may do what, as the genesis file and every change since tell it: what readers of blocks judge writers by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Self

from ledger.chain.calls import Change, What
from ledger.chain.included import IncludedBatch
from ledger.domain.words import KEY, ORG
from ledger.genesis import SUSPENDED, Genesis


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


def walked(
    batches: Iterable[IncludedBatch], changes: Iterable[tuple[int, Change]], take: Callable[[Change], None]
) -> Iterator[IncludedBatch]:
    """Yield the batches of a block in order, each when the changes of the transactions before it were taken.

    Writers are judged by the members at the place of their transaction (docs/protocol.md), so every reader that asks
    for roles walks blocks this way. Whoever leaves off before the end takes only what stands before.

    Args:
        batches: of one block, in order.
        changes: of the same block, each with the place of its transaction, in order.
        take: hears each change, those behind the last batch too.
    """
    ahead = iter(changes)
    following = next(ahead, None)
    for batch in batches:
        while following and following[0] < batch.index:
            take(following[1])
            following = next(ahead, None)
        yield batch
    while following:
        take(following[1])
        following = next(ahead, None)
