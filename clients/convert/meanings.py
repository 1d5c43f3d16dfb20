"""What the words of couriers' systems mean on the ledger, as data made from the crosswalk.

A scan can say four kinds (arrival and unloading of a master, carry-in, release) and every trace a courier may write.
All other words are known too, and refused for a reason: a filing needs facts, a decision is customs' own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ledger.domain.crosswalk import CROSSWALK, STAGE_KINDS, STAGE_TRACES, TRACES, Trace
from ledger.domain.kinds import KindNumber
from ledger.domain.roles import Role
from ledger.domain.vocabularies import BIZ_STEPS, EMSEVT, OWN_STEP

K = KindNumber

SCANNED_KINDS: Final = (K.MASTER_ARRIVED, K.MASTER_UNLOADED, K.CARRIED_IN, K.RELEASED)
MASTER_KINDS: Final = (K.MASTER_ARRIVED, K.MASTER_UNLOADED)
FACT_KINDS: Final = (K.ORDER_OPENED, K.ORDER_REASSIGNED, K.FILED, K.CORRECTED, K.MASTER_OPENED)
"""Kinds that open or change something: a scan does not hold what they need."""


class Phase(StrEnum):
    """Where a place stands on a parcel's way; the courier's book says it of its own places."""

    EXPORT = "export"
    TRANSIT = "transit"
    IMPORT = "import"
    DELIVERY = "delivery"


@dataclass(frozen=True, slots=True)
class Meaning:
    """A kind, a trace, or the code of why it is neither."""

    kind: KindNumber | None = None
    trace: Trace | None = None
    refusal: str = ""

    @property
    def of_master(self) -> bool:
        """Whether it is said of a whole flight or voyage."""
        return self.kind in MASTER_KINDS

    @property
    def name(self) -> str:
        """Name of the kind or trace, or the code of the refusal."""
        if self.kind is not None:
            return self.kind.name
        return self.trace.name if self.trace else self.refusal


def _kind(kind: KindNumber) -> Meaning:
    if kind in SCANNED_KINDS:
        return Meaning(kind=kind)
    return Meaning(refusal="scan.needs-facts" if kind in FACT_KINDS else "scan.another-party")


def _trace(trace: Trace) -> Meaning:
    return Meaning(trace=trace) if trace.roles & Role.COURIER else Meaning(refusal="scan.another-party")


AMBIGUOUS: Final = Meaning(refusal="scan.ambiguous")
UNKNOWN: Final = Meaning(refusal="scan.unknown-event")

_CHOSEN: Final = {
    "EME": _trace(TRACES["HOLD_TOLD"]),  # held by import customs: the courier tells what customs decided
    "EDC": Meaning(refusal="scan.another-party"),  # returned from customs: whether it was cleared, customs says
    "EDX": AMBIGUOUS,  # returned, destroyed or seized
}
"""EMSEVT codes that stand at several rows of the crosswalk, or at customs' own."""


def _emsevt(code: str) -> Meaning:
    if code in _CHOSEN:
        return _CHOSEN[code]
    kinds = [_kind(kind) for kind, names in CROSSWALK.items() if code in names.emsevt]
    traces = [_trace(trace) for trace in TRACES.values() if code in trace.names.emsevt]
    (only,) = kinds + traces
    return only


SCAN_WORDS: Final[dict[str, Meaning]] = {
    **{kind.name: _kind(kind) for kind in CROSSWALK},
    **{trace.name: _trace(trace) for trace in TRACES.values()},
    **{stage: _trace(trace) for stage, trace in STAGE_TRACES.items()},
    **{stage: _kind(kind) for stage, kind in STAGE_KINDS.items()},
    **{code: _emsevt(code) for code in EMSEVT},
}
"""Every word an event column may hold: names of kinds and traces, UNI-PASS stages, EMSEVT codes."""

_PHASES: Final[dict[str, Phase]] = {
    **dict.fromkeys(
        ("PACKED", "PICKED_UP", "EXPORT_PRESENTED", "EXPORT_HELD", "EXPORT_RETURNED", "EXPORT_CANCELLED",
         "EXPORT_OFFICE", "EXPORT_DEPARTED"), Phase.EXPORT,
    ),
    **dict.fromkeys(("TRANSIT_ARRIVED", "TRANSIT_DEPARTED"), Phase.TRANSIT),
    **dict.fromkeys(
        ("MASTER_ARRIVED", "MASTER_UNLOADED", "CARRIED_IN", "RELEASED", "INSPECTION_CHOSEN", "XRAYED", "OPENED",
         "HOLD_TOLD", "RECALL_TOLD", "SEIZED", "BONDED_TRANSPORT", "RELEASED_BEFORE_CLEARANCE", "RETURNED",
         "DESTROYED"), Phase.IMPORT,
    ),
    **dict.fromkeys(
        ("SORTED", "DELIVERY_OFFICE", "DELIVERY_HELD", "OUT_FOR_DELIVERY", "DELIVERY_FAILED", "AT_COLLECTION_POINT",
         "DELIVERED"), Phase.DELIVERY,
    ),
}  # fmt: skip
"""Where things happen to goods. What has no place here (papers filed, approvals) an EPCIS step alone does not say."""


NEUTRAL: Final = ("", "in_transit", "in_progress")
"""Dispositions that say no more than that things go on."""


@dataclass(frozen=True, slots=True)
class StepMeaning:
    """One thing a business step may mean."""

    meaning: Meaning
    disposition: str
    phase: Phase | None


def _steps() -> Iterator[tuple[str, StepMeaning]]:
    for kind, names in CROSSWALK.items():
        if kind in SCANNED_KINDS or names.step.startswith(OWN_STEP):
            yield names.step, StepMeaning(_kind(kind), names.disposition, _PHASES.get(kind.name))
    for trace in TRACES.values():
        if trace.name in _PHASES and trace.names.step != "other":
            yield trace.names.step, StepMeaning(_trace(trace), trace.names.disposition, _PHASES[trace.name])


STEPS: Final[dict[str, tuple[StepMeaning, ...]]] = {
    step: tuple(each for name, each in _steps() if name == step)
    for step in sorted(BIZ_STEPS | {name for name, _ in _steps()})
}
"""Business steps of CBV 2.0 and the ledger's own to what they may mean."""


def meaning_of_word(word: str) -> Meaning:
    """Return what a word of an event column means; names of kinds and traces and codes in any case."""
    text = " ".join(word.split())
    return SCAN_WORDS.get(text) or SCAN_WORDS.get(text.upper().replace(" ", "_").replace("-", "_"), UNKNOWN)


def meaning_of_step(step: str, disposition: str, phase: Phase | None, *, master: bool) -> Meaning:
    """Return what a business step means where it is plain, else why it is not.

    Args:
        step: bizStep as the bare word of CBV, or the ledger's own `clearance:...`.
        disposition: bare word, empty if there is none.
        phase: where the place stands, None if the book does not say.
        master: said of a flight or voyage: then a kind of masters goes before all else.
    """
    if step not in STEPS:
        return UNKNOWN
    found = STEPS[step]
    if not found:
        return Meaning(trace=TRACES["OTHER_STAGE"])
    if len(found) > 1:
        found = tuple(each for each in found if phase in (None, each.phase) and _fits(each.disposition, disposition))
    if master and phase is Phase.IMPORT:
        found = tuple(each for each in found if each.meaning.of_master) or found
    meanings = list(dict.fromkeys(each.meaning for each in found))
    return meanings[0] if len(meanings) == 1 else AMBIGUOUS


def _fits(told: str, given: str) -> bool:
    """Return whether a disposition goes with what a row of the crosswalk says; none given fits what says little."""
    return told == given or (not given and told in NEUTRAL)
