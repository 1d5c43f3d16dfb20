"""What can be done to the ledger, done to contract, model and read model at once; tests turn these actions into rules.

Every action sends real signed batches to the real contract on an EVM, tells the model the same, and compares what came
of every entry and every field of every subject that the batch touched, on the contract and in the rows made from it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import ClassVar

from coincurve import PublicKey
from eth_hash.auto import keccak
from hypothesis import note

from ledger.chain.batch import Batch, Entry
from ledger.chain.calls import call_data
from ledger.domain.kinds import KindNumber as K
from ledger.domain.rejections import Rejection
from ledger.domain.roles import Role
from ledger.genesis import Genesis, Org
from tests.contract.world import COLD, HANDLES, SIGNERS, Result, World, genesis
from tests.model import members as parties
from tests.model.ledger_model import LedgerModel, Outcome, Refused, Signed
from tests.model.rulebook import Target
from tests.model.subjects import Order, Parcel
from tests.model.words import fields_of, in_words, layout_of, read_word
from tests.stateful.read_model import ReadModel
from tests.stateful.rules import genesis_rates, genesis_rows, rulebook

NAMES = {handle: name for name, handle in HANDLES.items()}
GOVERNANCE_DELAY = 86_400


def started_genesis(changes: dict[str, Org]) -> Genesis:
    """Return the members of the contract tests, some of them changed, under the rules of these tests."""
    plain = genesis()
    rules = rulebook()
    orgs = tuple(changes.get(org.name, org) for org in plain.orgs)
    keys = tuple(replace(key, roles=changes[NAMES[key.org]].roles) if NAMES[key.org] in changes else key
                 for key in plain.keys)  # fmt: skip
    return replace(plain, orgs=orgs, keys=keys, rows=genesis_rows(rules), rates=genesis_rates(rules))


def model_of(started: Genesis) -> LedgerModel:
    """Return the model of a ledger that starts from a genesis."""
    known = parties.Members()
    for org in started.orgs:
        known.orgs[org.handle] = parties.Org(org.handle, org.group, Role(org.roles), org.office, org.standing)
    for key in started.keys:
        address = bytes.fromhex(key.address[2:])
        known.keys[address] = parties.Key(key.org, Role(key.roles), key.valid_from, key.valid_to)
    return LedgerModel(started.domain, known, rulebook())


def recovered(batch: Batch, digest: bytes) -> bytes:
    """Return the address behind a signature, as anyone computes it."""
    point = PublicKey.from_signature_and_message(
        batch.signature[:64] + bytes([batch.signature[64] - 27]), digest, hasher=None
    )
    return keccak(point.format(compressed=False)[1:])[-20:]


class LedgerActions:
    """Contract and model, side by side."""

    seen: ClassVar[Counter[str]] = Counter()
    """Every code, finding and status that came up in any run: shows that the tests reach them."""

    def start(self, changes: dict[str, Org]) -> None:
        """Deploy the contract and set the model up with the same members and rules."""
        self.world = World(genesis=started_genesis(changes))
        self.model = model_of(self.world.genesis)
        self.orgs = {org.name: org for org in self.world.genesis.orgs}
        self.rows = ReadModel(self.world)

    # -------------------------------------------------------------------------------------------------- batches
    def send(self, who: str, entries: Sequence[Entry], lane: int = 1, age: int = 0, **changes: int) -> bool:
        """Sign entries and relay them as wrapped `age` seconds ago; return whether the batch was taken."""
        seq = self.model.next_seq.get((SIGNERS[who].address, lane), 0)
        batch = self.world.batch(who, list(entries), lane, **({"seq": seq} | changes))
        return self.relay(batch, self.world.now - age, entries)

    def relay(self, batch: Batch, t: int, entries: Sequence[Entry]) -> bool:
        """Hand a signed batch to both and compare; return whether it was taken."""
        key = recovered(batch, batch.digest(self.world.domain))
        signed = Signed(key, batch.lane, batch.seq, batch.not_after, entries)
        expected = self.model.submit(signed, t, self.world.now)
        result = self.world.submit(batch, t=t)
        note(f"batch of {len(entries)} in lane {batch.lane}: {expected}")
        if isinstance(expected, Refused):
            assert result.revert == expected.reason
            self.seen[expected.reason] += 1
            return False
        self._compare_outcomes(result, expected, entries)
        assert self.world.view("nexts", batch.lane << 160 | int.from_bytes(key, "big")) == batch.seq + 1
        touched = {entry.subject for entry in entries}
        touched |= {word for entry in entries if entry.kind in (K.FILED, K.CORRECTED) for word in entry.extra[1::4]}
        self.compare_subjects(touched)
        assert result.recorded is not None
        self.rows.compare(self.rows.take(batch, result.recorded, t), expected, touched, self.model)
        return True

    def _compare_outcomes(self, result: Result, expected: list[Outcome], entries: Sequence[Entry]) -> None:
        assert result.revert is None, f"reverted: {result.revert!r}"
        assert result.recorded is not None
        came = [(outcome.index, outcome.code, outcome.value) for outcome in result.recorded.outcomes]
        assert came == expected, f"contract {came}, model {expected}"
        rejected = set()
        for index, code, _ in expected:
            self.seen[code.name] += 1
            if isinstance(code, Rejection):
                rejected.add(index)
        self.seen.update(K(entry.kind).name for index, entry in enumerate(entries) if index not in rejected)

    def compare_subjects(self, ids: Iterable[int]) -> None:
        """Compare every field of the words of subjects, and the digest of the newest filing."""
        for identifier in sorted(ids):
            word = self.world.word(identifier)
            subject = self.model.subjects.get(identifier)
            if subject is None:
                assert word == 0, f"the contract knows {identifier:#x}: {word:#x}"
                continue
            layout, fields = layout_of(subject), fields_of(subject)
            found = read_word(word, layout)
            assert found == fields, f"\ncontract {in_words(subject, found)}\nmodel    {in_words(subject, fields)}"
            whole = sum(layout[name].put(int(value)) for name, value in fields.items())
            assert word == whole, f"bits outside the fields: {word ^ whole:#x}"
            if isinstance(subject, Parcel):
                assert self.world.view("filings", identifier) == subject.filing
                self.seen.update(finding.name for finding in subject.findings)

    # -------------------------------------------------------------------------------------------------- members
    def call(self, sender: bytes, function: str, *arguments: int | bytes) -> None:
        """Call a function that members call with their own transactions."""
        result = self.world.call(call_data(function, self.world.now, *arguments), sender)
        assert result.revert is None, f"{function}: {result.revert!r}"

    def let(self, owner: str, writer: str, kinds: frozenset[K]) -> None:
        """Let an org write kinds for another."""
        note(f"{owner} lets {writer} write {sorted(kind.name for kind in kinds)}")
        self.call(COLD[owner].address, "let", HANDLES[owner], HANDLES[writer], sum(2**kind for kind in kinds))
        self.model.members.lets[HANDLES[owner], HANDLES[writer]] = kinds

    def suspend_org(self, name: str) -> None:
        """Suspend an org by its cold key."""
        note(f"{name} suspended")
        self.call(COLD[name].address, "suspend_org", HANDLES[name])
        self.model.members.orgs[HANDLES[name]].standing = parties.SUSPENDED

    def suspend_key(self, name: str) -> None:
        """Suspend a member's key by a governor."""
        note(f"key of {name} suspended")
        self.call(SIGNERS["governor"].address, "suspend_key", SIGNERS[name].address)
        self.model.members.keys[SIGNERS[name].address].suspended = True

    def govern(self, name: str, standing: int, group: str) -> None:
        """Two governors change standing and group of an org; it takes a day."""
        note(f"{name}: standing {standing}, in the group of {group}")
        org = replace(self.orgs[name], standing=standing, group=HANDLES[group])
        until = self.world.now + 2 * GOVERNANCE_DELAY
        for voter in ("governor", "governor2"):
            self.call(SIGNERS[voter].address, "govern", until, 1, org.handle, org.word())
        self.world.now += GOVERNANCE_DELAY
        self.call(SIGNERS["governor"].address, "govern", until, 1, org.handle, org.word())
        changed = self.model.members.orgs[org.handle]
        changed.standing, changed.group = standing, org.group

    def overlay(self, target: Target, what: int, seconds: int) -> None:
        """Two officers of one office aim at something for a time."""
        note(f"the office aims at {target.name} {what} for {seconds} s")
        until = self.world.now + seconds
        for officer in ("officer", "officer2"):
            self.call(SIGNERS[officer].address, "overlay", target, what, until)
        self.model.rules.overlays[self.orgs["officer"].office, target, what] = until

    # ---------------------------------------------------------------------------------------------- what stands
    def with_role(self, role: Role) -> list[str]:
        """Return the members whose org holds a role, in order."""
        return [name for name, org in self.orgs.items() if org.roles & role]

    def orders(self, *, open_only: bool = False) -> list[int]:
        """Return ids of orders, oldest first."""
        found = [(i, s) for i, s in self.model.subjects.items() if isinstance(s, Order)]
        return [i for i, order in found if order.parcel is None or not open_only]

    def parcels(self, *, observed: bool = False) -> list[int]:
        """Return ids of parcels, oldest first."""
        return [i for i, s in self.model.subjects.items() if isinstance(s, Parcel) and s.observed == observed]
