"""Every kind against every role, state bit, writer and lane, as entries on states written into storage.

What must come of a case is computed from expected_kinds.py, by the design; matrix.py runs them.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from eth_hash.auto import keccak

from ledger.chain.batch import Entry, detail
from ledger.commitments import LedgerDomain
from ledger.domain.kinds import KindNumber as K
from tests.contract.expected_kinds import (
    CUSTOMS_TOO,
    DECISIONS,
    FILINGS,
    NAME_A_GROUND,
    OPENINGS,
    RESULTS,
    ROLE_BITS,
    ROLES,
    STATUS,
    STAYS_IN_A_CORRECTION,
    TRACED,
    Expected,
    bits,
    decided,
)
from tests.contract.world import OFFICE, T0, TestSigner

ORG: Final = 0x5A3C69
"""Handle of the org that writes: both values of a bit occur often, so that single bits can differ."""
OTHER: Final = ORG ^ 0xFFFFFF
MASTER_SHIFT, GENERATION, OPENER_SHIFT, OFFICE_SHIFT, FIRST_FILED_SHIFT = 200, 64, 72, 96, 128
PATTERNS: Final = (0x5555555555555555, 0xAAAAAAAAAAAAAAAA)
ABOVE: Final = ((1 << 72) - 1) >> 32 << 32 | ((1 << 128) - 1) >> 104 << 104
"""Findings, generation, holds, inspections and stops: what guards must not look at."""
CROSSED: Final = 12
"""State bits that each further role meets."""
GOODS: Final = 5_000 | 840 << 40 | 1 << 56 | 1 << 72
GROUND: Final = 0xFF << 56
TRANSPORT: Final = 0x5553 | 0x434E << 16 | 1 << 32 | OFFICE << 48
"""From the US, made in China, express by air, on the list."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A key with exactly these roles, of an org of its own or of `org`."""

    roles: int
    org: int = ORG
    office: int = OFFICE

    @property
    def signer(self) -> TestSigner:
        return _signer(f"probe {self.roles} {self.org} {self.office}")


_SIGNERS: dict[str, TestSigner] = {}


def _signer(name: str) -> TestSigner:
    if name not in _SIGNERS:
        _SIGNERS[name] = TestSigner(name)
    return _SIGNERS[name]


@dataclass(frozen=True, slots=True)
class Case:
    """One entry on one state, and what must come of it.

    Attributes:
        rows: kinds whose guard it exercises.
        before: word of the subject.
        code: name of the rejection, "" if it is accepted, or the reason for which the whole batch is refused.
        after: word afterwards, None where it is tested elsewhere.
        tag: what is probed: ("bit", n) a bit of the word, ("role", n), or ("plain", 0).
        passed_over: bits of the word that are not compared.
    """

    rows: tuple[int, ...]
    says: str
    probe: Probe
    lane: int
    entry: Entry
    before: int
    code: str
    after: int | None = None
    tag: tuple[str, int] = ("plain", 0)
    let: tuple[int, int] = (0, 0)
    spare: bool = False
    passed_over: int = 0

    @property
    def is_refusal(self) -> bool:
        return ": " in self.code

    def packed(self) -> bytes:
        data = bytearray(self.entry.packed())
        if self.spare:
            data[32 + 32 - 7] |= 0x80  # bit 55 of the header
        return bytes(data)


def filing_name(subject: int) -> int:
    """Return the filing digest that stands for a subject in the matrix."""
    return subject & ((1 << 160) - 1) ^ 1


@dataclass
class Cases:
    """Makes the cases of one kind."""

    row: Expected
    domain: LedgerDomain
    series: str = "kind"
    made: int = field(default=0)

    @property
    def lane(self) -> int:
        return 0 if self.row.is_stop else 1

    @property
    def right(self) -> Probe:
        return Probe(1 << ((self.row.roles & -self.row.roles).bit_length() - 1))

    def minimal(self, opener: int = ORG, office: int = OFFICE) -> int:
        if not self.row.needs:
            return 0
        filed_once = T0 << FIRST_FILED_SHIFT | 1 << GENERATION if self.row.name == "CORRECTED" else 0
        return self.row.needs | opener << OPENER_SHIFT | office << OFFICE_SHIFT | filed_once

    def entry(self, before: int, opener: int, *, names: int | None = None, kind: int | None = None) -> Entry:
        """Return a well-shaped entry on a new subject, right in everything but what the case changes."""
        self.made += 1
        row, number = self.row, self.row.number if kind is None else kind
        digest = keccak(f"{self.series} {row.number} {self.made}".encode())
        subject = int.from_bytes(keccak(b"subject" + digest), "big")
        flags, extra = 0, (1,) * row.words
        if row.name in OPENINGS or row.name == "FILED":
            subject = self.domain.subject_id(K(row.number), opener, digest)
        if row.name in FILINGS:
            extra = (TRANSPORT, GOODS)
        if row.name == "ORDER_OPENED":
            flags = detail(K.ORDER_OPENED, handed=0xABCDEF)
        elif row.name == "ORDER_REASSIGNED":
            flags = detail(K.ORDER_REASSIGNED, handed=0x123456)
        elif row.name == "FILED":
            flags = detail(K.FILED, opener=opener)
        elif row.name == "HOLD_LIFTED":
            flags = detail(K.HOLD_LIFTED, number=1 if before >> 105 & 1 else 0)
        elif row.name in DECISIONS:
            flags = detail(K(row.number), ground=1, stops=before >> 120 & 255)
        elif row.name in NAME_A_GROUND:
            flags = detail(K(row.number), ground=1)
        elif row.name == "OBSERVED":
            flags = detail(K.OBSERVED, kind=TRACED, trace=1)
        named = filing_name(subject) if row.name in RESULTS | DECISIONS else 0
        return Entry(subject, number, T0, digest, flags, named if names is None else names, extra)

    def after(self, entry: Entry, before: int) -> int | None:
        """Return the word that an accepted entry leaves, by the design."""
        row = self.row
        if row.name in OPENINGS and before:
            return None  # under an id that stands already, which only writing into storage can bring about
        if row.name == "FILED":
            return None  # its word has tests of its own
        if row.name == "MASTER_OPENED":
            return row.sets | ORG << OPENER_SHIFT | OFFICE << OFFICE_SHIFT  # and the handle, which counts up
        if row.name in OPENINGS:
            order = 0xABCDEF << 32 | T0 << 128 | T0 << 162 if row.name == "ORDER_OPENED" else 0
            return row.sets | ORG << OPENER_SHIFT | order
        if row.name == "ORDER_REASSIGNED":
            return decided(before & ~(0xFFFFFF << 32) | 0x123456 << 32)
        if row.name == "CORRECTED":
            return decided(self._corrected(before))
        return decided(self._applied(entry, before))

    def _applied(self, entry: Entry, before: int) -> int:
        """Return the word with what the kind sets, before the decision."""
        row, new = self.row, before | self.row.sets
        if row.name == "CARRIED_IN":
            new |= T0 << 162
        elif row.name == "IDENTITY_STOPPED":
            new = (new | 1 << 32 + 14) + (1 << 120 if before >> 120 & 255 != 255 else 0)
        elif row.name == "SCREENED_REFERRED":
            new |= 1 << 32 + 15
        elif row.name == "HELD":
            placed = before >> 112 & 15
            new = (new | 1 << 104 + placed) + (1 << 112)
        elif row.name == "HOLD_LIFTED":
            new &= ~(1 << 104 + (entry.detail >> 56 & 255))
            new &= ~(STATUS["HELD"] if not new >> 104 & 255 else 0)
        elif row.name == "DECIDED_CLEAR":
            new &= ~bits("STOP_OPEN REFUSED")
        elif row.name == "SWEPT":
            new |= 1 << 32 + 16
        return new

    def _corrected(self, before: int) -> int:
        status = before & bits(" ".join(STAYS_IN_A_CORRECTION)) | bits("LIST DUTY_OK")
        findings = before & ((1 << 64) - 1) >> 41 << 41  # those from facts and match are numbers 0 to 8
        if before & STATUS["CARRIED_IN"]:
            findings |= 1 << 32 + 11
        times = (1 << 34) - 1 << FIRST_FILED_SHIFT
        kept = before & (0xFFFFFF << OPENER_SHIFT | 0xFFFFFF << 104 | 0xFF << OFFICE_SHIFT | times)
        return status | findings | kept | ((before >> 64 & 255) + 1) << 64 | 1 << 224 | 0x434E << 240

    def accepted(
        self, says: str, probe: Probe, before: int, tag: tuple[str, int] = ("plain", 0), **more: object
    ) -> Case:
        entry = self.entry(before, probe.org)
        after = self.after(entry, before)
        case = Case((self.row.number,), says, probe, self.lane, entry, before, "", after, tag)
        if self.row.name == "MASTER_OPENED":
            observed = STATUS["OBSERVED"] if probe.roles & ROLES["AGENCY"] else 0
            case = replace(case, passed_over=0xFFFFFF << 32 | observed)
        return replace(case, **more)  # type: ignore[arg-type]

    def rejected(self, says: str, probe: Probe, before: int, code: str, tag: tuple[str, int] = ("plain", 0),
                 **more: object) -> Case:  # fmt: skip
        entry = self.entry(before, probe.org)
        case = Case((self.row.number,), says, probe, self.lane, entry, before, code, before, tag)
        return replace(case, **more)  # type: ignore[arg-type]

    # ------------------------------------------------------------------------------------------------- groups
    def roles(self) -> Iterator[Case]:
        """Every role alone; in lane 0 beside one that opens the lane but may not write the kind."""
        row = self.row
        for bit in range(ROLE_BITS):
            beside = 0
            if row.is_stop:
                beside = ROLES["IDENTITY" if row.roles & ROLES["CUSTOMS"] else "CUSTOMS"]
            probe = Probe(1 << bit | beside)
            before = self.prepared(self.minimal())
            if row.name == "FILED" and 1 << bit == ROLES["BROKER"]:
                yield self.rejected(f"role {bit}, in its own name", probe, before, "ROLE", ("role", bit))
            elif probe.roles & row.roles:
                yield self.accepted(f"role {bit}", probe, before, ("role", bit))
            else:
                yield self.rejected(f"role {bit}", probe, before, "ROLE", ("role", bit))

    def prepared(self, before: int) -> int:
        """Add what the kind's own code looks for: an open hold to lift."""
        if self.row.name == "HOLD_LIFTED" and not before >> 104 & 255:
            return before | 1 << 104 | 1 << 112
        return before

    def state(self) -> Iterator[Case]:
        """Every single bit of the status: a need that misses, a bar that stands, or one that must not matter."""
        yield from self._bits(self.right, range(32))
        if self.row.needs:
            yield self.rejected("nothing stands", self.right, 0, "STATE_MISSING")

    def crossed(self) -> Iterator[Case]:
        """A seeded sample of the same bits for every other role that may write the kind."""
        row, dice = self.row, random.Random(self.row.number)
        for bit in range(ROLE_BITS):
            role = 1 << bit
            own_name = row.name == "FILED" and role == ROLES["BROKER"]  # a broker files for others alone
            if row.roles & role and role != self.right.roles and not own_name:
                yield from self._bits(Probe(role), sorted(dice.sample(range(32), CROSSED)))

    def _bits(self, probe: Probe, numbers: Iterable[int]) -> Iterator[Case]:
        row = self.row
        for bit in numbers:
            one, tag = 1 << bit, ("bit", bit)
            full = self.prepared(self.minimal() or ORG << OPENER_SHIFT)
            if row.needs & one:
                yield self.rejected(f"bit {bit} missing", probe, full & ~one, "STATE_MISSING", tag)
            elif row.bars & one:
                yield self.rejected(f"bit {bit} standing", probe, full | one, "STATE_BARRED", tag)
            else:
                yield self.accepted(f"bit {bit} standing", probe, full | one, tag)

    def above(self) -> Iterator[Case]:
        """Findings, counters and the fields above them must not matter to a guard."""
        for number, pattern in enumerate(PATTERNS):
            spread = pattern | pattern << 64
            before = (self.minimal() or ORG << OPENER_SHIFT) | spread & ABOVE
            if self.row.name == "HELD":
                before &= ~(15 << 112 | 255 << 104)
                before |= (5, 2)[number] << 112
            for bit in (*range(32, 72), *range(104, 128)):
                if before >> bit & 1:
                    yield self.accepted(f"pattern {number}", self.right, before, ("bit", bit))
                    break
        yield from self._above_bits()

    def _above_bits(self) -> Iterator[Case]:
        base = self.prepared(self.minimal() or ORG << OPENER_SHIFT)
        for bit in (*range(32, 72), *range(104, 128)):
            before = base | 1 << bit
            if self.row.name == "HELD" and 104 <= bit < 116:
                if bit == 115:
                    yield self.rejected("eight holds placed", self.right, before, "LIMIT", ("bit", bit))
                    continue
                if bit < 112:
                    before |= (bit - 103) << 112  # as many placed as the number says
                    if bit == 111:
                        yield self.rejected("the eighth hold stands", self.right, before, "LIMIT", ("bit", bit))
                        continue
            if self.row.name == "HOLD_LIFTED" and 104 <= bit < 112:
                before |= 3 << 104
            yield self.accepted(f"bit {bit} standing", self.right, before, ("bit", bit))

    def writers(self) -> Iterator[Case]:
        """Opener, another org, an org that was let, the competent office, another office."""
        row, right = self.row, self.right
        if row.name in OPENINGS or row.name == "FILED":
            case = self.rejected("an id made for another org", right, 0, "BAD_ID")
            wrong = replace(case.entry, subject=case.entry.subject ^ 1)
            yield replace(case, entry=wrong)
            if row.name == "FILED":
                yield from self._in_a_couriers_name()
            return
        for bit in range(24):
            before = self.prepared(self.minimal(opener=ORG ^ 1 << bit))
            tag = ("bit", OPENER_SHIFT + bit)
            if row.own:
                yield self.rejected("another org", right, before, "NOT_YOURS", tag)
            elif row.name != "SWEPT":
                yield self.accepted("another org's parcel", right, before, tag)
        yield self._office_bits(OFFICE, Probe(right.roles, ORG, OFFICE))
        for bit in range(8):
            before = self.prepared(self.minimal(office=OFFICE ^ 1 << bit))
            tag = ("bit", OFFICE_SHIFT + bit)
            if row.office:
                yield self.rejected("another office", right, before, "NOT_YOURS", tag)
            elif row.name not in {"CARRIED_IN", "CORRECTED"}:
                yield self.accepted("another office's parcel", right, before, tag)
        if row.own:
            yield from self._let()

    def _in_a_couriers_name(self) -> Iterator[Case]:
        """Every role files for a courier that let it."""
        for bit in range(ROLE_BITS):
            probe = Probe(1 << bit, ORG ^ 0x030303)
            code = "" if 1 << bit & self.row.roles else "ROLE"
            case = self.rejected("for a courier", probe, 0, code, ("role", bit), let=(OTHER, 1 << self.row.number))
            yield replace(case, entry=self.entry(0, OTHER), after=None if not code else 0)

    def _office_bits(self, office: int, probe: Probe) -> Case:
        return self.accepted("its office", probe, self.prepared(self.minimal(office=office)))

    def _let(self) -> Iterator[Case]:
        row, before = self.row, self.prepared(self.minimal(opener=OTHER))
        for bit in (b for b in range(ROLE_BITS) if row.roles >> b & 1):
            probe = Probe(1 << bit)
            if row.name in CUSTOMS_TOO and 1 << bit == ROLES["CUSTOMS"]:
                yield self.accepted("customs for another's master", probe, before)
                continue
            let = Probe(1 << bit, ORG ^ 0x010101)
            yield self.accepted("let this kind", let, before, let=(OTHER, 1 << row.number))
            let = Probe(1 << bit, ORG ^ 0x020202)
            every = 0xFFFFFFFF ^ 1 << row.number
            yield self.rejected("let every other kind", let, before, "NOT_YOURS", let=(OTHER, every))

    def lanes(self) -> Iterator[Case]:
        """Stops in lane 0 only, all others in any other; a key with every role shows that it is the lane."""
        every = Probe(0xFFFF)
        for lane in (0, 1, (1 << 63) - 1):
            before = self.prepared(self.minimal())
            if self.row.is_stop == (lane == 0):
                yield replace(self.accepted(f"lane {lane}", every, before), lane=lane, after=None)
            else:
                yield replace(self.rejected(f"lane {lane}", every, before, "WRONG_LANE"), lane=lane)

    def times(self) -> Iterator[Case]:
        """120 seconds ahead of `t` is the most a claimed time may lie."""
        before = self.prepared(self.minimal())
        ahead = self.accepted("120 s ahead", self.right, before)
        yield replace(ahead, entry=replace(ahead.entry, claimed=T0 + 120), after=None)
        far = self.rejected("121 s ahead", self.right, before, "FUTURE")
        yield replace(far, entry=replace(far.entry, claimed=T0 + 121))

    def names(self) -> Iterator[Case]:
        """Results and decisions of another filing, decisions that missed a stop, what names no ground."""
        before = self.minimal()
        if self.row.name in NAME_A_GROUND:
            case = self.rejected("no ground", self.right, before, "GROUND_MISSING")
            yield replace(case, entry=replace(case.entry, detail=case.entry.detail & ~GROUND))
            case = self.accepted("the highest ground", self.right, before)
            yield replace(case, entry=replace(case.entry, detail=case.entry.detail | GROUND))
        if self.row.name in RESULTS:
            entry = self.entry(before, ORG, names=77)
            case = self.rejected("another filing", self.right, before, "STALE_FILING")
            yield replace(case, entry=entry)
        if self.row.name in DECISIONS:
            case = self.rejected("another filing", self.right, before, "STALE_DECISION")
            yield replace(case, entry=self.entry(before, ORG, names=77))
            case = self.rejected("a stop it did not see", self.right, before, "STALE_DECISION")
            yield replace(case, before=before | 1 << 120, after=before | 1 << 120)

    def shapes(self) -> Iterator[Case]:
        """Wrong numbers of extra words refuse the batch, in any lane."""
        row = self.row
        for lane in (0, 1):
            for count in sorted({row.words ^ 1, row.words ^ 2, row.words ^ 4, 5, 126} - {row.words}):
                if row.name in FILINGS and count == 5:
                    continue
                case = self.rejected(f"{count} words", Probe(0xFFFF), self.minimal(), "batch: shape")
                entry = replace(case.entry, extra=(1,) * count)
                yield replace(case, entry=entry, lane=lane)
                if count == 126:
                    yield replace(case, says="254 words", entry=entry, lane=lane, spare=True)
        case = self.rejected("spare bit", Probe(0xFFFF), self.minimal(), "batch: shape")
        yield replace(case, spare=True)

    def all(self) -> Iterator[Case]:
        for group in (
            self.roles,
            self.state,
            self.crossed,
            self.above,
            self.writers,
            self.lanes,
            self.times,
            self.names,
            self.shapes,
        ):
            yield from group()
