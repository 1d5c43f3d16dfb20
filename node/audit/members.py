"""`audit roles`: who could do what at a block, from the genesis file and every change since."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ledger.chain.calls import CHANGED
from ledger.domain.roles import Role
from ledger.domain.words import KEY, ORG
from ledger.genesis import FOREVER, Genesis
from node.blocks import ExecutedBlock, Log

ORG_SET, KEY_SET, QUORUM, RULE, RATE, OVERLAY, KEY_SUSPENDED, ORG_SUSPENDED, ENROLLED, RETIRED, LET = range(1, 12)
"""`what` of the contract's Changed log (contracts/src/members.vy)."""
STANDINGS = {0: "none", 1: "good", 2: "watched", 3: "suspended"}


@dataclass(frozen=True, slots=True)
class Change:
    """One change of members or rules."""

    height: int
    what: int
    by: bytes
    a: int
    b: int


@dataclass(slots=True)
class MemberHistory:
    """Keys, orgs and masks as they stand after the blocks seen so far, and every change that led there."""

    genesis: Genesis
    keys: dict[bytes, int] = field(default_factory=dict)
    orgs: dict[int, int] = field(default_factory=dict)
    masks: dict[int, int] = field(default_factory=dict)
    rows: dict[int, list[int]] = field(default_factory=dict)
    rates: dict[int, int] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Start from the genesis file."""
        self.keys = {bytes.fromhex(key.address[2:]): key.word() for key in self.genesis.keys}
        self.orgs = {org.handle: org.word() for org in self.genesis.orgs}
        self.rates = dict(self.genesis.rates)
        for row, pair in self.genesis.rows:
            self.rows.setdefault(row, []).append(pair)

    def add(self, executed: ExecutedBlock) -> None:
        """Take the changes of an executed block."""
        for receipt in executed.receipts:
            for log in receipt.logs:
                if log.topics and log.topics[0] == CHANGED:
                    self._apply(executed.block.height, log)

    def _apply(self, height: int, log: Log) -> None:
        what = int.from_bytes(log.topics[1], "big")
        a, b = int.from_bytes(log.data[:32], "big"), int.from_bytes(log.data[32:], "big")
        self.changes.append(Change(height, what, log.topics[2][12:], a, b))
        address = (a & ((1 << 160) - 1)).to_bytes(20, "big")
        if what == ORG_SET:
            self.orgs[a] = b
        elif what in (KEY_SET, ENROLLED):
            self.keys[address] = b
        elif what == KEY_SUSPENDED:
            self.keys[address] |= KEY["suspended"].mask
        elif what == ORG_SUSPENDED:
            self.orgs[a] = (self.orgs[a] & ~ORG["standing"].mask) | ORG["standing"].put(3)
        elif what == RETIRED:
            self.keys[address] = (self.keys[address] & ~KEY["valid_to"].mask) | KEY["valid_to"].put(b)
        elif what == LET:
            self.masks[a] = b
        elif what == RULE:
            self.rows.setdefault(a, []).append(b)
        elif what == RATE:
            self.rates[a] = b

    def name(self, org: int) -> str:
        """Return the name the genesis file gives an org, or its handle."""
        return next((each.name for each in self.genesis.orgs if each.handle == org), f"org {org}")

    def describe(self) -> Iterator[dict[str, Any]]:
        """Yield every key with its org, roles, validity and standing."""
        for address, word in sorted(self.keys.items(), key=lambda item: (KEY["org"].get(item[1]), item[0])):
            org = KEY["org"].get(word)
            roles = Role(KEY["roles"].get(word) & ORG["roles"].get(self.orgs.get(org, 0)))
            until = KEY["valid_to"].get(word)
            yield {
                "key": "0x" + address.hex(),
                "org": org,
                "name": self.name(org),
                "roles": [str(role.name) for role in roles],
                "valid_from": KEY["valid_from"].get(word),
                "valid_to": None if until == FOREVER else until,
                "key_suspended": bool(KEY["suspended"].get(word)),
                "standing": STANDINGS.get(ORG["standing"].get(self.orgs.get(org, 0)), "none"),
            }

    def key_state(self, address: bytes, t: int) -> str:
        """Say whether a key was valid at a time, in one word."""
        word = self.keys.get(address)
        if word is None:
            return "unknown"
        if KEY["suspended"].get(word):
            return "suspended"
        return "valid" if KEY["valid_from"].get(word) <= t <= KEY["valid_to"].get(word) else "expired"
