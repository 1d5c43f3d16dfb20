"""Guards of observed rows, from the table of kinds: a plain reading of what the contract does with OBSERVED entries."""

from __future__ import annotations

from ledger.domain.kinds import KINDS, KindNumber, Status
from ledger.unipass.progress import Cargo, Row

VOYAGE = (KindNumber.MASTER_ARRIVED, KindNumber.MASTER_UNLOADED)
"""Rows that tell of the whole flight or voyage: they go to the master."""


def first_refused(cargo: Cargo) -> Row | None:
    """Return the first row whose guard does not pass, None if all do."""
    parcel = Status.PARCEL | Status.OBSERVED
    master = Status.MASTER | Status.OBSERVED
    for row in cargo.rows:
        guard = KINDS[row.kind]
        status = master if row.kind in VOYAGE else parcel
        if guard.needs & ~status or status & guard.bars & ~Status.OBSERVED:
            return row
        if row.kind in VOYAGE:
            master |= guard.sets
        else:
            parcel |= guard.sets
    return None
