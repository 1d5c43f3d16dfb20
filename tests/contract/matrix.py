"""The matrix: every case of every kind with its state written into storage, run on any world.

Each case has a subject of its own, so that hundreds of them ride in one batch. A world whose code is replaced (see
test_mutation.py) must make at least one case fail.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from ledger.chain.batch import Batch, Entry, detail
from ledger.commitments import LedgerDomain, word
from ledger.domain.kinds import KindNumber as K
from tests.contract.expected_kinds import CAN_BE_OBSERVED, EXPECTED, STATUS, TRACED, Expected
from tests.contract.kind_cases import OFFICE_SHIFT, OPENER_SHIFT, ORG, OTHER, Case, Cases, Probe, filing_name
from tests.contract.world import OFFICE, T0, World


def observed_cases(domain: LedgerDomain) -> Iterator[Case]:
    """OBSERVED entries that report each kind, on each state bit."""
    maker = Cases(EXPECTED[K.OBSERVED], domain, "observed")
    for inner in (*range(32), 32, 255):
        row = EXPECTED.get(inner, Expected(inner, "TRACED" if inner == TRACED else "unassigned", 0, 0, 0, 0))
        needs = row.needs | STATUS["OBSERVED"]
        base = needs | ORG << OPENER_SHIFT | OFFICE << OFFICE_SHIFT
        flags = detail(K.OBSERVED, kind=inner)
        rows = (int(K.OBSERVED), min(inner, 31))
        states = [("plain", base, "", ("plain", 0))]
        if row.name in CAN_BE_OBSERVED:
            states += list(_observed_states(row, base))
        for says, before, code, tag in states:
            entry = replace(maker.entry(before, ORG), detail=flags)
            after = before | row.sets
            after |= {int(K.CARRIED_IN): T0 << 162, int(K.FILED): T0 << 128}.get(inner, 0)
            if row.name not in CAN_BE_OBSERVED:
                code = "NOT_OBSERVABLE"
            yield Case(rows, f"observed {inner} {says}", maker.right, 1, entry, before, code,
                       before if code else after, tag)  # fmt: skip


def _observed_states(row: Expected, base: int) -> Iterator[tuple[str, int, str, tuple[str, int]]]:
    for bit in (*range(15), *range(16, 32)):  # bit 15 says that it is observed
        one, tag = 1 << bit, ("bit", bit)
        if row.needs & one:
            yield f"bit {bit} missing", base & ~one, "STATE_MISSING", tag
        elif row.bars & one:
            yield f"bit {bit} standing", base | one, "STATE_BARRED", tag
        else:
            yield f"bit {bit} standing", base | one, "", tag


def unassigned_cases(domain: LedgerDomain) -> Iterator[Case]:
    """Kinds that are not assigned refuse the batch: no header can name the words they would need."""
    for kind in (*range(21, 32), 32, 255):
        for lane in (0, 1):
            for words, spare in ((0, False), (5, False), (126, False), (126, True)):
                fits = spare or kind > 31
                entry = Entry(kind, kind, T0, extra=(1,) * words)
                yield Case((kind,), f"{words} words", Probe(0xFFFF), lane, entry, 0,
                           "batch: kind" if fits else "batch: shape", spare=spare)  # fmt: skip


def all_cases(domain: LedgerDomain) -> tuple[Case, ...]:
    """Return every case of the matrix."""
    made = [case for row in EXPECTED.values() for case in Cases(row, domain).all()]
    return (*made, *observed_cases(domain), *unassigned_cases(domain))


@dataclass
class Matrix:
    """The cases with their states written into one world."""

    world: World = field(default_factory=World)

    def __post_init__(self) -> None:
        self.cases = all_cases(self.world.domain)
        values: dict[tuple[str, int | bytes], int] = {}
        values["orgs", OTHER] = 1 | 1 << 32 | 0xFFFF << 40
        for probe in {case.probe for case in self.cases}:
            values["keys", probe.signer.address] = probe.org | probe.roles << 24 | ((1 << 40) - 1) << 80
            values["orgs", probe.org] = 1 | probe.office << 24 | 1 << 32 | 0xFFFF << 40
        for case in self.cases:
            if not case.is_refusal:
                values["words", case.entry.subject] = case.before
                values["filings", case.entry.subject] = filing_name(case.entry.subject)
            owner, kinds = case.let
            if kinds:
                place = ("masks", owner << 24 | case.probe.org)
                values[place] = values.get(place, 0xFFFFFFFF if kinds.bit_count() > 1 else 0)
                values[place] = values[place] & kinds if kinds.bit_count() > 1 else values[place] | kinds
        self.world.poke(values)
        self.accepted_after: dict[int, list[int]] = defaultdict(list)

    def with_code(self, code: bytes) -> World:
        """Return the same state under other code."""
        world = self.world.fork()
        world.code = code
        return world

    def failures(self, cases: Iterable[Case], world: World | None = None, *, first: bool = False) -> list[str]:
        """Run cases; return what was not as expected, at most one if `first`."""
        world = world or self.world
        groups: dict[tuple[Probe, int, int], list[Case]] = defaultdict(list)
        for number, case in enumerate(cases):
            groups[case.probe, case.lane, number + 1 if case.is_refusal else 0].append(case)
        found: list[str] = []
        for (probe, lane, _), group in groups.items():
            for start in range(0, len(group), 200):
                found += self._run(world, probe, lane, group[start : start + 200])
                if first and found:
                    return found[:1]
        return found

    def _run(self, world: World, probe: Probe, lane: int, group: list[Case]) -> list[str]:
        data = word(len(group)) + b"".join(case.packed() for case in group)
        digest = world.domain.batch_digest(lane, 0, T0 + 7200, data)
        batch = Batch(lane, 0, T0 + 7200, data, probe.signer.sign_digest(digest))
        result, words = world.trial(batch, [case.entry.subject for case in group])
        wanted = group[0].code if group[0].is_refusal else None
        if result.revert != wanted or wanted:
            ok = result.revert == wanted
            return [] if ok else [f"{group[0].rows} {group[0].says}: batch {result.revert!r}, not {wanted!r}"]
        rejected = result.recorded.rejected if result.recorded else {}
        found = []
        for index, case in enumerate(group):
            code = rejected[index].name if index in rejected else ""
            after = words[case.entry.subject]
            label = f"{case.rows} {case.says} lane {lane} roles {probe.roles:#x}"
            if code != case.code:
                found.append(f"{label}: {code or 'accepted'}, not {case.code or 'accepted'}")
            elif case.after is not None and (after ^ case.after) & ~case.passed_over:
                found.append(f"{label}: word {after:#x}, not {case.after:#x}")
            elif not code and len(case.rows) == 1 and world is self.world:
                self.accepted_after[case.rows[0]].append(after)
        return found
