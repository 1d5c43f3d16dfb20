"""What happens, by stable dotted names: types of the events that streams and webhooks carry.

One entry makes one event for each name of its kind, and one more where it cleared or referred its parcel. Names never
change their meaning; new ones may come, so clients skip what they do not know. Traces are named by the crosswalk.
"""

from __future__ import annotations

from typing import Final

from ledger.domain.crosswalk import TRACE_BY_NUMBER
from ledger.domain.kinds import KindNumber

K = KindNumber
EVENT_TYPES: Final[dict[KindNumber, tuple[str, ...]]] = {
    K.ORDER_OPENED: ("order.opened", "order.handed"),
    K.ORDER_REASSIGNED: ("order.handed",),
    K.FILED: ("parcel.filed",),
    K.CORRECTED: ("parcel.corrected",),
    K.MASTER_OPENED: ("master.opened",),
    K.MASTER_ARRIVED: ("master.arrived",),
    K.MASTER_UNLOADED: ("master.unloaded",),
    K.CARRIED_IN: ("parcel.carried_in",),
    K.IDENTITY_CHECKED: ("parcel.identity_checked",),
    K.IDENTITY_STOPPED: ("parcel.identity_stopped",),
    K.SCREENED_PASSED: ("parcel.screened",),
    K.SCREENED_REFERRED: ("parcel.screening_referred",),
    K.HELD: ("parcel.held",),
    K.HOLD_LIFTED: ("parcel.hold_lifted",),
    K.DECIDED_CLEAR: ("parcel.cleared",),
    K.DECIDED_REFUSE: ("parcel.refused",),
    K.RECALLED: ("parcel.recalled",),
    K.RELEASED: ("parcel.released",),
    K.SWEPT: ("parcel.referred",),
    K.OBSERVED_OPENED: ("observed.opened",),
    K.OBSERVED: ("observed.recorded",),
    K.TRACED: ("trace.recorded",),
}
"""Names of the events that an accepted entry of a kind makes; a test keeps it total."""
CLEARED: Final = "parcel.cleared"
"""By rule, beside the entry that completed the clearing set, or by an officer's decision."""
REFERRED: Final = "parcel.referred"
REJECTED: Final = "entry.rejected"
"""Told to the org that wrote it, to nobody else."""
TRACE_TYPES: Final = {number: f"trace.{trace.name.lower()}" for number, trace in TRACE_BY_NUMBER.items()}
UNKNOWN_TRACE: Final = "trace.unknown"
"""A trace kind that stands in no table yet."""
ALL_TYPES: Final = tuple(
    sorted(
        {name for names in EVENT_TYPES.values() for name in names}
        | {*TRACE_TYPES.values(), CLEARED, REFERRED, REJECTED, UNKNOWN_TRACE}
    )
)


def types_of(kind: int, *, trace: bool, rejected: bool, cleared: bool, referred: bool) -> tuple[str, ...]:
    """Return the types of the events that an entry makes, in order, each once.

    Args:
        kind: number of the kind, or of the trace kind.
        trace: the entry stands in a trace lane.
        rejected: it was rejected, and nothing else happened.
        cleared: it completed the clearing set.
        referred: with it the parcel was referred.
    """
    if rejected:
        return (REJECTED,)
    if trace:
        return (TRACE_TYPES.get(kind, UNKNOWN_TRACE),)
    effects = [name for name, happened in ((CLEARED, cleared), (REFERRED, referred)) if happened]
    return tuple(dict.fromkeys([*EVENT_TYPES[KindNumber(kind)], *effects]))
