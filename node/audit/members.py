"""`audit roles`: who could do what at a block, from the genesis file and every change since."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from ledger.chain.calls import Change, What
from ledger.chain.included import IncludedBatch
from ledger.chain.membership import Membership, walked
from ledger.domain.kinds import KINDS
from ledger.domain.roles import Role
from ledger.domain.words import KEY, ORG
from ledger.genesis import FOREVER, GOOD, SUSPENDED, WATCHED, Genesis, MemberKey, Org, installed_code
from node.audit.batches import batches_of, changes_of
from node.blocks import ExecutedBlock

STANDINGS: Final = {GOOD: "good", WATCHED: "watched", SUSPENDED: "suspended"}
HANDLE: Final = (1 << 24) - 1
OFFICE_SHIFT: Final = 40
"""In the id of an office target: office << 40 | target << 32 | id (contracts/src/rulebook.vy)."""
IN_USE: Final = "in use"


@dataclass(slots=True)
class MemberHistory:
    """Members and rules as they stand after what was seen so far, and every change (with its height) that led there.

    Attributes:
        time: of the last block seen, seconds UTC.
        masks: kinds that one org lets another write, owner << 24 | writer.
        overlays: until when an office refers a target; office << 40: its latest.
        retired: keys whose validity their org ended.
        held: roles that each key acts in or once acted in.
    """

    genesis: Genesis
    time: int = 0
    now: Membership = field(default_factory=Membership)
    quorum: int = 0
    masks: dict[int, int] = field(default_factory=dict)
    rows: dict[int, list[int]] = field(default_factory=dict)
    rates: dict[int, int] = field(default_factory=dict)
    overlays: dict[int, int] = field(default_factory=dict)
    retired: set[bytes] = field(default_factory=set)
    held: dict[bytes, int] = field(default_factory=dict)
    changes: list[tuple[int, Change]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Start from the genesis file."""
        self.time = self.genesis.timestamp
        self.now = Membership.of(self.genesis)
        self.held = {key: self.now.roles(key) for key in self.now.keys}
        self.quorum = self.genesis.quorum
        self.rates = dict(self.genesis.rates)
        for row, pair in self.genesis.rows:
            self.rows.setdefault(row, []).append(pair)

    @property
    def keys(self) -> dict[bytes, int]:
        """Words of keys, by address."""
        return self.now.keys

    @property
    def orgs(self) -> dict[int, int]:
        """Words of orgs, by handle."""
        return self.now.orgs

    def add(self, executed: ExecutedBlock) -> None:
        """Take the changes of an executed block."""
        self.time = executed.block.header.timestamp
        for _, change in changes_of(executed):
            self._take(executed.block.height, change)

    def walk(self, executed: ExecutedBlock) -> Iterator[IncludedBatch]:
        """Yield the batches of an executed block, each with members and rules as they stand at its place.

        It takes the block's changes as :meth:`add` does: a history is moved on by the one or by the other.
        """
        self.time, height = executed.block.header.timestamp, executed.block.height
        return walked(batches_of(executed), changes_of(executed), lambda change: self._take(height, change))

    def _take(self, height: int, change: Change) -> None:
        self.changes.append((height, change))
        self.now.take(change)
        self._apply(change)
        for key in self._moved(change):
            self.held[key] = self.held.get(key, 0) | self.now.roles(key)

    def _moved(self, change: Change) -> Iterable[bytes]:
        """Return the keys that may act in other roles after a change."""
        match change.what:
            case What.KEY | What.KEY_ENROLLED:
                return (change.key,)
            case What.ORG:
                return [key for key, word in self.keys.items() if KEY["org"].get(word) == change.a]
        return ()

    def _apply(self, change: Change) -> None:
        a, b = change.a, change.b
        match change.what:
            case What.QUORUM:
                self.quorum = a
            case What.ORG_LET:
                self.masks[a] = b
            case What.RULE:
                self.rows.setdefault(a, []).append(b)
            case What.RATE:
                self.rates[a] = b
            case What.OFFICE_TARGET:
                office = a >> OFFICE_SHIFT << OFFICE_SHIFT
                self.overlays[a] = b
                self.overlays[office] = max(self.overlays.get(office, 0), b)
            case What.KEY_RETIRED:
                self.retired.add(change.key)
            case What.KEY | What.KEY_ENROLLED:
                self.retired.discard(change.key)

    # ----------------------------------------------------------------------------------------------------- asking
    def name(self, org: int) -> str:
        """Return the name the genesis file gives an org, or its handle."""
        return next((each.name for each in self.genesis.orgs if each.handle == org), f"org {org}")

    def key_state(self, address: bytes, t: int) -> str:
        """Say in a few words whether the contract took a key's batches at a time (seconds UTC), and if not, why."""
        word = self.keys.get(address)
        if word is None:
            return "unknown"
        if word >> KEY["suspended"].shift:
            return "suspended"
        if t < KEY["valid_from"].get(word):
            return "not valid yet"
        if t > KEY["valid_to"].get(word):
            return "retired" if address in self.retired else "expired"
        standing = ORG["standing"].get(self.orgs.get(KEY["org"].get(word), 0))
        return IN_USE if standing in (GOOD, WATCHED) else "org suspended"

    def describe(self) -> dict[str, Any]:
        """Return every org, key and standing permission, and whether each key can be used at the last block's time."""
        return {
            "quorum": self.quorum,
            "orgs": [self._org(handle) for handle in sorted(self.orgs)],
            "keys": [self._key(address) for address in self._by_org()],
            "let": list(self._lets()),
        }

    def _org(self, handle: int) -> dict[str, Any]:
        org = self._as_org(handle)
        standing = STANDINGS.get(org.standing, "none")
        return asdict(org) | {"roles": _names(org.roles), "standing": standing}

    def _by_org(self) -> list[bytes]:
        return sorted(self.keys, key=lambda address: (KEY["org"].get(self.keys[address]), address))

    def _key(self, address: bytes) -> dict[str, Any]:
        word = self.keys[address]
        org, until = KEY["org"].get(word), KEY["valid_to"].get(word)
        return {
            "key": "0x" + address.hex(),
            "org": org,
            "name": self.name(org),
            "roles": _names(self.now.roles(address)),
            "valid_from": KEY["valid_from"].get(word),
            "valid_to": None if until == FOREVER else until,
            "state": self.key_state(address, self.time),
        }

    def _lets(self) -> Iterator[dict[str, Any]]:
        for pair, mask in sorted(self.masks.items()):
            kinds = [kind.name for number, kind in KINDS.items() if mask >> number & 1]
            if kinds:
                yield {"org": pair >> 24, "writer": pair & HANDLE, "kinds": kinds}

    # ------------------------------------------------------------------------------------------- for a new contract
    def successor(self) -> Genesis:
        """Return the genesis file of a chain that goes on from the last block, with the contract of this release.

        Keys that can never be used again from then on stay behind; so do permissions, which cold keys give anew, and
        office targets, which end by themselves. The chain id is the next, so that no signature fits both chains.
        """
        return replace(
            self.genesis,
            chain_id=self.genesis.chain_id + 1,
            timestamp=self.time,
            quorum=self.quorum,
            orgs=tuple(self._as_org(handle) for handle, word in sorted(self.orgs.items()) if word),
            keys=tuple(self._keys_left()),
            rows=tuple((row, pair) for row, pairs in sorted(self.rows.items()) for pair in pairs),
            rates=tuple(sorted(self.rates.items())),
            code=installed_code(),
        )

    def _as_org(self, handle: int) -> Org:
        word = self.orgs[handle]
        told = {name: place.get(word) for name, place in ORG.items() if name != "cold"}
        return Org(handle=handle, name=self.name(handle), cold=f"0x{ORG['cold'].get(word):040x}", **told)

    def _keys_left(self) -> Iterator[MemberKey]:
        for address in self._by_org():
            word = self.keys[address]
            until = KEY["valid_to"].get(word)
            if word and not word >> KEY["suspended"].shift and until >= self.time and KEY["org"].get(word) in self.orgs:
                valid_from = KEY["valid_from"].get(word)
                yield MemberKey(
                    "0x" + address.hex(), KEY["org"].get(word), self.now.roles(address), valid_from, until
                )  # fmt: skip


def _names(roles: int) -> list[str]:
    return [str(role.name) for role in Role if roles & role]
