"""What the holder of a number is shown of its uses: nothing of anybody else, and every reason in plain words."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from api.identity.judgement import CAUSE_TEXTS, Cause
from ledger.answers import parcel_text
from ledger.chain.state import Parcel
from ledger.domain.crosswalk import TRACE_BY_NUMBER
from ledger.domain.findings import FINDING_TEXTS, Finding, Sentence
from ledger.domain.grounds import named
from ledger.domain.kind_texts import CLEARED_BY_RULE, KIND_TEXTS
from ledger.domain.kinds import KindNumber, Status
from ledger.domain.words import HEADER
from ledger.genesis import Org
from ledger.store import parcels, uses
from ledger.store.database import Session
from ledger.store.sealing import Seals
from ledger.store.tables.chain import EntryRow, ParcelRow
from ledger.store.tables.identity import UseRow

OPEN_STATES: Final = frozenset({"unfiled", "pending", "referred"})


@dataclass(frozen=True, slots=True)
class ShownUse:
    """One use of the holder's number.

    Attributes:
        status: clearance status, or released once the parcel has left the yard.
        absent: what is still missing, while it is pending.
        may_answer: whether he may still say whose it is.
    """

    id: str
    parcel: bytes
    status: str
    shop: str
    goods: str
    courier: str
    declared_at: dt.datetime
    receiver_differs: bool
    reasons: tuple[Sentence, ...]
    absent: tuple[str, ...]
    answer: str | None
    may_answer: bool
    needs_consent: bool
    link: str


@dataclass(frozen=True, slots=True)
class ShownEvent:
    """One thing that happened to a parcel.

    Attributes:
        ground: why customs decided, held or recalled it.
        answer_due: when customs answers at the latest, once it holds it.
    """

    at: dt.datetime
    kind: str
    text: Sentence
    ground: Sentence | None = None
    answer_due: dt.datetime | None = None


def status_of(row: ParcelRow | None) -> str:
    """Return the status people are told."""
    if row is None:
        return "unfiled"
    released = int.from_bytes(row.word, "big") & Status.RELEASED
    return "released" if released and row.clearance == "cleared" else row.clearance


def shown_uses(
    session: Session, seals: Seals, orgs: Mapping[int, Org], found: Sequence[tuple[UseRow, ParcelRow | None]]
) -> list[ShownUse]:
    """Return uses as their holder sees them; `orgs` are the members by handle."""
    named = [use.parcel for use, _ in found]
    causes, waiting = uses.causes_of(session, named), uses.without_consent(session, named)
    readers = {person: seals.reader(person) for person in {use.person for use, _ in found}}
    return [
        _shown(readers[use.person](use.sealed, use.id.encode()), orgs, use, row, causes.get(use.parcel, []),
               waits=use.parcel in waiting)
        for use, row in found
    ]  # fmt: skip


def _shown(
    told: Mapping[str, Any], orgs: Mapping[int, Org], use: UseRow, row: ParcelRow | None, said: Sequence[str], *,
    waits: bool,
) -> ShownUse:  # fmt: skip
    word = Parcel(int.from_bytes(row.word, "big")) if row else Parcel(0)
    status = status_of(row)
    causes = [Cause(each) for each in said]
    reasons = [FINDING_TEXTS[each] for each in word.findings if each is not Finding.IDENTITY_STOPPED or not causes]
    reasons += [CAUSE_TEXTS[each] for each in dict.fromkeys(causes)]
    return ShownUse(
        id=use.id,
        parcel=use.parcel,
        status=status,
        shop=told["shop"],
        goods=told["goods"],
        courier=orgs[told["courier"]].name if told["courier"] in orgs else "",
        declared_at=use.declared_at,
        receiver_differs=use.receiver_differs,
        reasons=tuple(reasons),
        absent=tuple(each.name or "" for each in word.absences) if status == "pending" else (),
        answer=use.answer,
        may_answer=use.answer in (None, "consented"),
        needs_consent=waits and not use.consented,
        link=told["link"],
    )


def time_line(session: Session, parcel: bytes) -> list[ShownEvent]:
    """Return what happened to a parcel, in the order it is on chain; traces that were rejected are not among it."""
    found: list[ShownEvent] = []
    for row in parcels.time_line(session, parcel):
        at = dt.datetime.fromtimestamp(row.claimed, dt.UTC)
        said = None if row.trace else named(KindNumber(row.kind), HEADER["detail"].put(row.detail))
        due = dt.datetime.fromtimestamp(said.answer_due, dt.UTC) if said and said.answer_due else None
        found.append(ShownEvent(at, *_told(row), said.text if said else None, due))
        if row.cleared:
            found.append(ShownEvent(dt.datetime.fromtimestamp(row.received, dt.UTC), "CLEARED", CLEARED_BY_RULE))
    return found


def _told(row: EntryRow) -> tuple[str, Sentence]:
    if row.trace:
        trace = TRACE_BY_NUMBER.get(row.kind)
        plain = KIND_TEXTS[KindNumber.TRACED]
        return (trace.name, Sentence(trace.korean, trace.english)) if trace else ("TRACED", plain)
    kind = KindNumber(row.kind)
    return kind.name, KIND_TEXTS[kind]


def as_dict(use: ShownUse) -> dict[str, Any]:
    """Return a use for JSON."""
    return {
        "object": "use",
        "id": use.id,
        "parcel": parcel_text(use.parcel),
        "status": use.status,
        "shop": use.shop,
        "goods": use.goods,
        "courier": use.courier,
        "declared_at": _instant(use.declared_at),
        "receiver_differs": use.receiver_differs,
        "reasons": [{"ko": each.ko, "en": each.en} for each in use.reasons],
        "absent": list(use.absent),
        "answer": use.answer,
        "may_answer": use.may_answer,
        "needs_consent": use.needs_consent,
    }


def event_as_dict(event: ShownEvent) -> dict[str, Any]:
    """Return an event for JSON."""
    return {
        "at": _instant(event.at),
        "kind": event.kind,
        "ko": event.text.ko,
        "en": event.text.en,
        "ground": {"ko": event.ground.ko, "en": event.ground.en} if event.ground else None,
        "answer_due": _instant(event.answer_due) if event.answer_due else None,
    }


def _instant(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
