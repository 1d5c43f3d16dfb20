"""The genesis file: who the members are, which rules hold on the first day, whose keys seal and follow.

It is a JSON file that people review; everything on chain at height 0 follows from it (`node.genesis` runs the
contract's constructor on it). The genesis hash binds every node to one file. The file carries the contract it was made
with, so that its chain runs and is audited under later releases too, which bring another one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from eth_hash.auto import keccak

from contracts.artifact import load_artifact
from ledger.commitments import LedgerDomain
from ledger.domain.errors import LedgerError
from ledger.domain.roles import Role
from ledger.domain.words import KEY, ORG

CONTRACT: Final = bytes.fromhex("00000000000000000000000000000000c1ea0001")
"""Address of the contract in every genesis."""
FOREVER: Final = (1 << 40) - 1
GOOD, WATCHED, SUSPENDED = 1, 2, 3
"""Standings of an organisation."""


class InvalidGenesis(LedgerError):
    """The genesis file cannot be used."""

    code = "genesis.invalid"


@dataclass(frozen=True, slots=True)
class Code:
    """The contract of a chain as its release compiled it.

    Attributes:
        compiler: name and version.
        creation: creation code without constructor arguments, hex without 0x.
        slots: storage slot of every state variable, by name.
    """

    compiler: str
    creation: str
    slots: Mapping[str, int]

    @property
    def hash(self) -> str:
        """Keccak-256 of the creation code, 0x hex: what reviewers compare with a release."""
        return "0x" + keccak(bytes.fromhex(self.creation)).hex()


@cache
def installed_code() -> Code:
    """Return the contract of this release: what new chains are made with."""
    artifact = load_artifact()
    return Code(artifact.compiler, artifact.bytecode.hex(), artifact.slots)


@dataclass(frozen=True, slots=True)
class Org:
    """A member organisation. `name` stays off chain; everything else is in its word."""

    handle: int
    name: str
    roles: int
    group: int
    cold: str
    office: int = 0
    standing: int = GOOD
    seat: int = 0

    def word(self) -> int:
        """Return the org's word."""
        return (
            ORG["group"].put(self.group)
            | ORG["office"].put(self.office)
            | ORG["standing"].put(self.standing)
            | ORG["roles"].put(self.roles)
            | ORG["seat"].put(self.seat)
            | ORG["cold"].put(int(self.cold, 16))
        )


@dataclass(frozen=True, slots=True)
class MemberKey:
    """A key that acts for an org within roles, from and to a time (seconds UTC)."""

    address: str
    org: int
    roles: int
    valid_from: int = 0
    valid_to: int = FOREVER

    def word(self) -> int:
        """Return the key's word."""
        return (
            KEY["org"].put(self.org)
            | KEY["roles"].put(self.roles)
            | KEY["valid_from"].put(self.valid_from)
            | KEY["valid_to"].put(self.valid_to)
        )


class BenchGenesis(InvalidGenesis):
    """The genesis file is a benchmark's."""

    code = "genesis.bench"


@dataclass(frozen=True, slots=True)
class Bench:
    """A state that was written, not executed: nobody ever signed what stands in it.

    Attributes:
        parcels: how many were written.
        storage_root: root of the contract's storage with them, hex.
    """

    parcels: int
    storage_root: str


@dataclass(frozen=True, slots=True)
class Genesis:
    """What the genesis file says.

    Attributes:
        chain_id: EIP-155 chain id.
        timestamp: time of block 0, seconds UTC.
        demo: made from a seed; commands for real use refuse it.
        quorum: votes that a proposal needs.
        sealer: address whose seals and receipts count.
        followers: addresses whose countersigned heads make a block final.
        orgs: members.
        keys: their keys.
        rows: rule rows (row id, pair), pairs of one row in rising order.
        rates: exchange rates (currency << 16 | week, millionths of a won for one minor unit).
        encryption: X25519 public keys of parties that open payloads, hex, by org handle.
        code: the contract; a file of before it was carried means this release's.
        bench: made for a benchmark, with parcels that nobody signed; commands for real use refuse it.
    """

    chain_id: int
    timestamp: int
    demo: bool
    quorum: int
    sealer: str
    followers: tuple[str, ...]
    orgs: tuple[Org, ...]
    keys: tuple[MemberKey, ...]
    rows: tuple[tuple[int, int], ...]
    rates: tuple[tuple[int, int], ...]
    encryption: Mapping[int, str] = field(default_factory=dict)
    code: Code = field(default_factory=installed_code)
    bench: Bench | None = None

    @property
    def domain(self) -> LedgerDomain:
        """Chain and contract that ids and signatures are bound to."""
        return LedgerDomain(self.chain_id, CONTRACT)

    def orgs_with(self, role: Role) -> tuple[Org, ...]:
        """Return the orgs that hold a role."""
        return tuple(org for org in self.orgs if org.roles & role)

    @property
    def payload_readers(self) -> tuple[int, ...]:
        """Handles of the orgs that every payload is sealed to: identity authority and screening."""
        roles = (Role.IDENTITY_AUTHORITY, Role.SCREENING)
        found = {org.handle for role in roles for org in self.orgs_with(role)}
        return tuple(sorted(found & self.encryption.keys()))

    def constructor(self) -> tuple[int, list[tuple[int, int]], list[tuple[int, int]], list[Any], list[Any]]:
        """Return the arguments of the contract's constructor."""
        return (
            self.quorum,
            [(org.handle, org.word()) for org in self.orgs],
            [(int(key.address, 16), key.word()) for key in self.keys],
            [list(row) for row in self.rows],
            [list(rate) for rate in self.rates],
        )

    def dumps(self) -> str:
        """Return the file's text."""
        document = asdict(self)
        document["code"]["hash"] = self.code.hash
        document["encryption"] = {str(handle): key for handle, key in sorted(self.encryption.items())}
        if self.bench is None:
            del document["bench"]
        return json.dumps(document, indent=1, sort_keys=True) + "\n"

    def check(self) -> None:
        """Check what the contract cannot.

        Raises:
            InvalidGenesis: handles or addresses twice, a key with roles its org has not, no sealer, no quorum.
        """
        handles = {org.handle: org for org in self.orgs}
        if len(handles) != len(self.orgs) or 0 in handles:
            raise InvalidGenesis("org handles must be different and not 0", hint="Number the organisations from 1.")
        if len({key.address.lower() for key in self.keys}) != len(self.keys):
            raise InvalidGenesis("an address stands twice among the keys", hint="Give every key one entry.")
        for key in self.keys:
            if key.org not in handles or key.roles & ~handles[key.org].roles:
                raise InvalidGenesis(f"key {key.address} has no such org or role", hint="Give its org the role first.")
        governors = [org for org in self.orgs if org.roles & Role.GOVERNOR]
        if not 1 <= self.quorum <= len(governors) or len({org.seat for org in governors}) != len(governors):
            raise InvalidGenesis(
                f"quorum {self.quorum} of {len(governors)} governors, each with a seat of its own",
                hint="Choose a quorum from 1 to the number of governors and different seats.",
            )


def loads(text: str) -> Genesis:
    """Read a genesis file's text.

    Raises:
        InvalidGenesis: it is no JSON object of the right fields, or fails :meth:`Genesis.check`.
    """
    try:
        document = json.loads(text)
        genesis = Genesis(
            **document
            | {
                "code": _code(document.get("code")),
                "followers": tuple(document["followers"]),
                "orgs": tuple(Org(**org) for org in document["orgs"]),
                "keys": tuple(MemberKey(**key) for key in document["keys"]),
                "rows": tuple((row, pair) for row, pair in document["rows"]),
                "rates": tuple((rate, value) for rate, value in document["rates"]),
                "encryption": {int(handle): key for handle, key in document["encryption"].items()},
                "bench": Bench(**document["bench"]) if "bench" in document else None,
            }
        )
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidGenesis(f"not a genesis file: {error}", hint="Make one with `clearance node genesis`.") from error
    genesis.check()
    return genesis


def _code(document: dict[str, Any] | None) -> Code:
    """Return the contract a file carries; its hash, which people compare, must be that of the code beside it."""
    if document is None:
        return installed_code()
    code = Code(document["compiler"], document["creation"], {str(k): int(v) for k, v in document["slots"].items()})
    if code.hash != document["hash"]:
        raise InvalidGenesis(
            f"its contract is {code.hash}, not {document['hash']} as it says", hint="Take the file as it was reviewed."
        )
    return code


def load(path: Path, *, bench: bool = False) -> Genesis:
    """Read a genesis file; a benchmark's only if `bench` says so.

    Raises:
        InvalidGenesis: see :func:`loads`; or the file cannot be read.
        BenchGenesis: it is a benchmark's.
    """
    try:
        genesis = loads(path.read_text())
    except OSError as error:
        raise InvalidGenesis(f"cannot read {path}: {error.strerror}", hint="Check the path.") from error
    if genesis.bench and not bench:
        raise BenchGenesis(
            f"{path} is a benchmark's: {genesis.bench.parcels} parcels in it were signed by nobody.",
            hint="Use the genesis file of a real chain or of a demo.",
        )
    return genesis
