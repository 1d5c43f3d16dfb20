"""The result of a sample day: counts, and what each parcel came to, from the chain alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ledger.chain.included import IncludedBatch
from ledger.chain.state import LedgerState
from ledger.domain.kinds import Status


def outcomes(
    house_parcels: Mapping[str, int],
    batches: Iterable[IncludedBatch],
    state: LedgerState,
    picked: Collection[int] = frozenset(),
) -> tuple[dict[str, dict[str, Any]], dict[str, int]]:
    """Return what each house bill came to, and counts of entries.

    `picked` are the parcels that were referred by the random sample alone, as the audit found from revealed keys.
    """
    rejections: dict[int, list[str]] = {}
    counts = {"entries": 0, "traces": 0, "rejected_entries": 0, "batches": 0}
    for batch in batches:
        counts["batches"] += 1
        for each in batch.entries():
            counts["entries"] += 1
            counts["traces"] += batch.batch.is_trace
            if each.rejection is not None:
                counts["rejected_entries"] += 1
                rejections.setdefault(each.entry.subject, []).append(each.rejection.name)
    found = {}
    for house, number in sorted(house_parcels.items()):
        parcel = state.parcel(number)
        found[house] = {
            "id": f"0x{number:064x}",
            "status": parcel.clearance,
            "by_rule": Status.AUTO in parcel.status,
            "referred": Status.REFERRED in parcel.status,
            "findings": [finding.name for finding in parcel.findings],
            "absent": [status.name for status in parcel.absences],
            "rejections": sorted(set(rejections.get(number, []))),
            "picked_by_sample": number in picked,
        }
    return found, counts
