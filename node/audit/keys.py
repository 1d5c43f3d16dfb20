"""`audit key ADDRESS --since`: everything a key signed from a moment on, for the day it turns out to be stolen."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from ledger.chain.calls import Change, What
from ledger.chain.included import IncludedBatch, IncludedEntry
from ledger.domain.crosswalk import TRACE_BY_NUMBER
from ledger.domain.kinds import KINDS, Flag
from node.audit.members import MemberHistory
from node.blocks import ExecutedBlock

OF_KEYS: Final = {
    What.KEY: "set by vote",
    What.KEY_SUSPENDED: "suspended",
    What.KEY_ENROLLED: "enrolled",
    What.KEY_RETIRED: "retired",
}


@dataclass(slots=True)
class KeyHistory:
    """What one key did from a moment on (block time, seconds UTC), and what was done to it at any time.

    Attributes:
        members: as they stand where the history is; it is moved on from here, transaction by transaction.
        said: entries it signed.
        subjects: how each subject it touched was touched: kinds, in order.
        changes: changes of members and rules that it made.
        own: what happened to the key itself.
    """

    key: bytes
    since: int
    members: MemberHistory
    said: list[dict[str, Any]] = field(default_factory=list)
    subjects: dict[int, list[str]] = field(default_factory=dict)
    changes: list[dict[str, Any]] = field(default_factory=list)
    own: list[dict[str, Any]] = field(default_factory=list)

    def add(self, executed: ExecutedBlock) -> None:
        """Take an executed block."""
        moment, before = executed.block.header.timestamp, len(self.members.changes)
        for batch in self.members.walk(executed):
            if moment >= self.since and batch.key == self.key:
                self._said(batch, moment)
        for height, change in self.members.changes[before:]:
            self._changed(height, change, moment)

    def _changed(self, height: int, change: Change, moment: int) -> None:
        told = {"block": height, "time": _time(moment)}
        if change.what in OF_KEYS and change.key == self.key:
            self.own.append(told | {"what": OF_KEYS[change.what], "by": "0x" + change.by.hex()})
        if change.by == self.key and moment >= self.since:
            self.changes.append(told | {"what": change.what.words, "a": hex(change.a), "b": hex(change.b)})

    def _said(self, batch: IncludedBatch, moment: int) -> None:
        name = "0x" + batch.hash(self.members.genesis.domain).hex()
        for each in batch.entries(self.members.now.roles(batch.key)):
            kind = _kind(batch, each)
            if each.rejection is None:
                for subject in _touched(batch, each):
                    self.subjects.setdefault(subject, []).append(kind)
            self.said.append(
                {
                    "block": batch.height,
                    "time": _time(moment),
                    "batch": name,
                    "kind": kind,
                    "subject": f"0x{each.entry.subject:064x}",
                    "claimed": _time(each.entry.claimed),
                    "outcome": each.rejection.name if each.rejection is not None else "recorded",
                    "effects": [effect.code.name for effect in each.effects],
                }
            )

    def summary(self) -> dict[str, Any]:
        """Return the counts: entries by kind and outcome, subjects touched, parcels it cleared or referred."""
        effects = Counter(effect for each in self.said for effect in each["effects"])
        return {
            "key": "0x" + self.key.hex(),
            "since": _time(self.since),
            "entries": len(self.said),
            "kinds": dict(sorted(Counter(each["kind"] for each in self.said).items())),
            "rejected": sum(each["outcome"] != "recorded" for each in self.said),
            "effects": dict(sorted(effects.items())),
            "subjects": len(self.subjects),
            "changes": len(self.changes),
        }

    def whole(self) -> dict[str, Any]:
        """Return everything, for machines."""
        touched = {f"0x{subject:064x}": kinds for subject, kinds in sorted(self.subjects.items())}
        return self.summary() | {
            "touched": touched, "said": self.said, "changed": self.changes, "history": self.own,
        }  # fmt: skip


def _kind(batch: IncludedBatch, each: IncludedEntry) -> str:
    if not batch.batch.is_trace:
        return each.kind.name
    known = TRACE_BY_NUMBER.get(each.entry.kind)
    return known.name if known else "TRACED"


def _touched(batch: IncludedBatch, each: IncludedEntry) -> tuple[int, ...]:
    """Return the subject of an entry, and the orders that a filing used up."""
    words = each.entry.extra
    filing = not batch.batch.is_trace and Flag.FILING in KINDS[each.kind].flags and len(words) > 2
    return (each.entry.subject, *(words[1::4] if filing else ()))


def _time(seconds: int) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat()
