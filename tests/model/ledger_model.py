"""Reference model of the ledger: what every batch must come to, said as plainly as Python can.

Written from the design, for people to read. It shares names (kinds, findings, rejections) and published hash formulas
with the product, and nothing else: no packed words, no guard table, no arithmetic on bits. Where the contract and this
model differ, one of them is wrong, and `tests/stateful` finds out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ledger.chain.batch import Entry
from ledger.commitments import LedgerDomain
from ledger.domain.kinds import KindNumber as K
from ledger.domain.rejections import Effect, Rejection
from ledger.domain.roles import Role
from ledger.domain.words import DETAIL
from tests.model import filings, guards
from tests.model.members import GOOD, Members, Writer
from tests.model.rulebook import Rulebook, Target
from tests.model.subjects import Master, Order, Parcel, Subject

F = filings.Finding
CLOCK_BEHIND = 900
CLAIM_AHEAD = 120
STOP_LANE = 0
TRACE_LANE = 2**63
MAX_HOLDS = 8
MAX_STOPS = 255

Outcome = tuple[int, Rejection | Effect, int]
"""Place of the entry, what it came to, and the number that goes with it (handle, hold)."""


@dataclass(frozen=True)
class Refused:
    """The whole batch is refused with the contract's reason; not even its sequence number counts."""

    reason: str


@dataclass(frozen=True)
class Signed:
    """A batch as the contract sees it after recovering its key."""

    key: bytes
    lane: int
    seq: int
    not_after: int
    entries: Sequence[Entry]


@dataclass
class LedgerModel:
    """Everything the contract must know."""

    domain: LedgerDomain
    members: Members
    rules: Rulebook
    subjects: dict[int, Subject] = field(default_factory=dict)
    handles: list[int] = field(default_factory=list)
    """Ids of masters; a master's handle is its place, counted from 1."""
    next_seq: dict[tuple[bytes, int], int] = field(default_factory=dict)

    # ------------------------------------------------------------------------------------------------- batches
    def submit(self, batch: Signed, t: int, block_time: int) -> list[Outcome] | Refused:
        """Take a well-shaped batch and return what its entries came to, or why it is refused."""
        writer = self._admit(batch, t, block_time)
        if isinstance(writer, Refused):
            return writer
        self.next_seq[batch.key, batch.lane] = batch.seq + 1
        if batch.lane >= TRACE_LANE:
            return []
        outcomes: list[Outcome] = []
        for index, entry in enumerate(batch.entries):
            came = self.take(entry, writer, batch.lane, t)
            outcomes += [(index, code, number) for code, number in came]
        return outcomes

    def _admit(self, batch: Signed, t: int, block_time: int) -> Writer | Refused:
        if not t <= block_time <= t + CLOCK_BEHIND:
            return Refused("batch: clock")
        if t > batch.not_after:
            return Refused("batch: expired")
        if batch.seq != self.next_seq.get((batch.key, batch.lane), 0):
            return Refused("batch: sequence")
        writer = self.members.writer(batch.key, t)
        if writer is None:
            return Refused("members: not a member")
        if batch.lane == STOP_LANE and not writer.roles & (Role.CUSTOMS_OFFICER | Role.IDENTITY_AUTHORITY):
            return Refused("batch: stop lane")
        return writer

    # ------------------------------------------------------------------------------------------------- entries
    def take(self, entry: Entry, writer: Writer, lane: int, t: int) -> list[tuple[Rejection | Effect, int]]:
        """Take one entry: return its rejection, or its effects."""
        kind = K(entry.kind)
        refused = self._guard(kind, entry, writer, lane, t)
        if refused:
            return [(refused, 0)]
        came = self._perform(kind, entry, writer, t)
        if isinstance(came, Rejection):
            return [(came, 0)]
        subject = self.subjects[entry.subject]
        if isinstance(subject, Parcel):
            decided = self._complete(subject)
            if decided:
                came.append((decided, 0))
        return came

    def _guard(self, kind: K, entry: Entry, writer: Writer, lane: int, t: int) -> Rejection | None:
        if (kind in guards.STOPS) != (lane == STOP_LANE):
            return Rejection.WRONG_LANE
        if not writer.roles & guards.ROLES[kind]:
            return Rejection.ROLE
        if entry.claimed > t + CLAIM_AHEAD:
            return Rejection.FUTURE
        subject = self.subjects.get(entry.subject)
        if guards.lacks(kind, subject):
            return Rejection.STATE_MISSING
        if guards.is_barred(kind, subject) or (kind != K.OBSERVED and guards.is_observed_only(kind, subject)):
            return Rejection.STATE_BARRED
        if subject is not None and not self._may_write(kind, subject, writer):
            return Rejection.NOT_YOURS
        return None

    def _may_write(self, kind: K, subject: Subject, writer: Writer) -> bool:
        if kind in guards.BY_OFFICE:
            return isinstance(subject, Parcel) and subject.office == writer.org.office
        if kind not in guards.BY_OPENER or subject.opener == writer.org.handle:
            return True
        if kind in guards.CUSTOMS_TOO and writer.roles & Role.CUSTOMS_OFFICER:
            return True
        return self.members.lets_write(subject.opener, writer.org.handle, kind)

    def _perform(
        self, kind: K, entry: Entry, writer: Writer, t: int
    ) -> Rejection | list[tuple[Rejection | Effect, int]]:
        if kind in (K.ORDER_OPENED, K.MASTER_OPENED, K.OBSERVED_OPENED):
            return self._open(kind, entry, writer, t)
        if kind == K.FILED:
            return filings.open_by_filing(self, entry, writer, t) or []
        if kind in guards.NAME_A_GROUND and not DETAIL[f"{kind.name}.ground"].get(entry.detail):
            return Rejection.GROUND_MISSING
        subject = self.subjects[entry.subject]
        match subject:
            case Order():
                subject.handed = DETAIL["ORDER_REASSIGNED.handed"].get(entry.detail)
                return []
            case Master():
                return self._on_master(kind, subject, entry)
            case Parcel():
                return self._on_parcel(kind, subject, entry, writer, t)

    # ------------------------------------------------------------------------------------------------- opening
    def _open(self, kind: K, entry: Entry, writer: Writer, t: int) -> Rejection | list[tuple[Rejection | Effect, int]]:
        opener = writer.org.handle
        if entry.subject != self.domain.subject_id(kind, opener, entry.digest):
            return Rejection.BAD_ID
        if kind == K.ORDER_OPENED:
            handed = DETAIL["ORDER_OPENED.handed"].get(entry.detail)
            self.subjects[entry.subject] = Order(opener, handed, entry.claimed, t)
            return []
        if kind == K.OBSERVED_OPENED:
            self.subjects[entry.subject] = Parcel(opener, observed=True)
            return []
        self.handles.append(entry.subject)
        handle = len(self.handles)
        observed = bool(writer.roles & Role.AGENCY)
        self.subjects[entry.subject] = Master(opener, writer.org.office, handle, observed)
        return [(Effect.MASTER_HANDLE, handle)]

    def master(self, handle: int) -> Master | None:
        """Return the master with a handle; 0 is none."""
        if not 1 <= handle <= len(self.handles):
            return None
        found = self.subjects[self.handles[handle - 1]]
        return found if isinstance(found, Master) else None

    # ------------------------------------------------------------------------------------------- masters, parcels
    def _on_master(self, kind: K, master: Master, entry: Entry) -> Rejection | list[tuple[Rejection | Effect, int]]:
        said = kind
        if kind == K.OBSERVED:
            found = guards.observed_kind(DETAIL["OBSERVED.kind"].get(entry.detail), master)
            if isinstance(found, Rejection):
                return found
            said = found
        if said == K.MASTER_ARRIVED:
            master.arrived = True
        elif said == K.MASTER_UNLOADED:
            master.unloaded = True
        return []

    def _on_parcel(  # noqa: C901  (one case for each kind)
        self, kind: K, parcel: Parcel, entry: Entry, writer: Writer, t: int
    ) -> Rejection | list[tuple[Rejection | Effect, int]]:
        match kind:
            case K.CORRECTED:
                return filings.correct(self, parcel, entry, t) or []
            case K.CARRIED_IN:
                self._carry_in(parcel, entry, writer, t)
            case K.IDENTITY_CHECKED | K.SCREENED_PASSED | K.SCREENED_REFERRED:
                return self._result(kind, parcel, entry) or []
            case K.IDENTITY_STOPPED:
                parcel.stop_open = True
                parcel.stops = min(parcel.stops + 1, MAX_STOPS)
                parcel.findings.add(F.IDENTITY_STOPPED)
            case K.HELD:
                return self._hold(parcel)
            case K.HOLD_LIFTED:
                number = DETAIL["HOLD_LIFTED.number"].get(entry.detail)
                if number not in parcel.holds_open:
                    return Rejection.HOLD_UNKNOWN
                parcel.holds_open.remove(number)
            case K.DECIDED_CLEAR | K.DECIDED_REFUSE:
                return self._decide(kind, parcel, entry) or []
            case K.RECALLED:
                parcel.recalled = True
            case K.RELEASED:
                parcel.released = True
            case K.SWEPT:
                if not self.rules.may_sweep(max(parcel.carried, parcel.first_filing), t):
                    return Rejection.TOO_EARLY
                parcel.referred = True
                parcel.findings.add(F.NOT_CHECKED_IN_TIME)
            case K.OBSERVED:
                return self._observe(parcel, entry, t) or []
        return []

    def _carry_in(self, parcel: Parcel, entry: Entry, writer: Writer, t: int) -> None:
        parcel.carried_in = True
        parcel.carried = t
        if writer.org.office:
            parcel.office = writer.org.office
        if self.rules.is_late(entry.claimed, t):
            parcel.findings.add(F.LATE)
        if self.is_target(parcel, t):
            parcel.findings.add(F.OFFICE_TARGET)
        flight = self.master(parcel.master)
        if flight and not (flight.arrived or flight.unloaded):
            parcel.findings.add(F.ARRIVAL_UNREPORTED)

    def is_target(self, parcel: Parcel, t: int) -> bool:
        """Whether the parcel's office aims at its class, origin or courier."""
        aims = (
            (Target.GOODS_CLASS, parcel.goods_class),
            (Target.ORIGIN, parcel.origin),
            (Target.COURIER, parcel.opener),
        )
        return any(self.rules.targets(parcel.office, target, what, t) for target, what in aims)

    def _result(self, kind: K, parcel: Parcel, entry: Entry) -> Rejection | None:
        if entry.names != parcel.filing:
            return Rejection.STALE_FILING
        if kind == K.IDENTITY_CHECKED:
            parcel.identity_ok = True
        else:
            parcel.screened = True
        if kind == K.SCREENED_REFERRED:
            parcel.findings.add(F.SCREENING_REFERRED)
        return None

    def _hold(self, parcel: Parcel) -> Rejection | list[tuple[Rejection | Effect, int]]:
        if parcel.holds_placed == MAX_HOLDS:
            return Rejection.LIMIT
        number = parcel.holds_placed
        parcel.holds_placed += 1
        parcel.holds_open.add(number)
        return [(Effect.HOLD_NUMBER, number)]

    def _decide(self, kind: K, parcel: Parcel, entry: Entry) -> Rejection | None:
        judged = DETAIL[f"{kind.name}.stops"].get(entry.detail)
        if entry.names != parcel.filing or judged != parcel.stops:
            return Rejection.STALE_DECISION
        parcel.decided = True
        if kind == K.DECIDED_REFUSE:
            parcel.refused = True
        else:
            parcel.cleared = True
            parcel.refused = parcel.stop_open = False
        return None

    def _observe(self, parcel: Parcel, entry: Entry, t: int) -> Rejection | None:
        said = guards.observed_kind(DETAIL["OBSERVED.kind"].get(entry.detail), parcel)
        match said:
            case Rejection():
                return said
            case K.FILED:
                parcel.filed = True
                parcel.first_filing = t
            case K.CARRIED_IN:
                parcel.carried_in = True
                parcel.carried = t
            case K.DECIDED_CLEAR:
                parcel.cleared = parcel.decided = True
            case K.RELEASED:
                parcel.released = True
        return None

    # ------------------------------------------------------------------------------------------------ decision
    def _complete(self, parcel: Parcel) -> Effect | None:
        """Clear or refer by rule, whichever entry came last."""
        if parcel.holds_its_clearing_set():
            if self.members.orgs[parcel.opener].standing == GOOD:
                parcel.cleared = parcel.by_rule = True
                return Effect.CLEARED
            parcel.findings.add(F.WATCHED_PARTY)
        settled = parcel.referred or parcel.cleared or parcel.decided or parcel.observed
        if parcel.carried_in and parcel.findings and not settled:
            parcel.referred = True
            return Effect.REFERRED
        return None
