"""What the gateway tells the holder of a number: its uses, how it stands, and receipts of what was said."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from clients.sdk.models import Document, instant, moment, shape


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence in two languages."""

    ko: str
    en: str


@dataclass(frozen=True, slots=True)
class Happened:
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


@dataclass(frozen=True, slots=True)
class Use:
    """One use of the number.

    Attributes:
        parcel: id of the parcel on chain, 0x and 64 digits.
        reasons: why the parcel is stopped or referred.
        absent: what it still lacks.
        answer: what the holder said of it, empty if nothing.
        timeline: what happened; only where one use was asked for.
    """

    id: str
    parcel: str
    status: str
    shop: str
    goods: str
    courier: str
    declared_at: dt.datetime
    receiver_differs: bool
    reasons: tuple[Sentence, ...]
    absent: tuple[str, ...]
    answer: str
    may_answer: bool
    needs_consent: bool
    timeline: tuple[Happened, ...]
    document: Document = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Number:
    """How the number stands.

    Attributes:
        under_way: parcels that a freeze would meet.
    """

    state: str
    thawed_until: dt.datetime | None
    consent_first: bool
    under_way: tuple[Use, ...]
    document: Document = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the holder said, and the authority's receipt for it, which was checked.

    Attributes:
        about: id of the use, empty where it is about the number.
        signed: whether it carries the holder's own signature.
        receipt_signer: address that signed the receipt; compare it with the identity authority's.
    """

    id: str
    answer: str
    about: str
    at: dt.datetime
    signed: bool
    receipt: Mapping[str, Any]
    receipt_signer: bytes
    document: Document = field(repr=False, compare=False)


def read_use(told: Document) -> Use:
    """Read a use."""
    with shape():
        return Use(
            id=str(told["id"]), parcel=str(told["parcel"]), status=str(told["status"]), shop=str(told["shop"]),
            goods=str(told["goods"]),
            courier=str(told["courier"]), declared_at=instant(told["declared_at"]),
            receiver_differs=bool(told["receiver_differs"]), reasons=tuple(map(_sentence, told["reasons"])),
            absent=tuple(map(str, told["absent"])), answer=str(told["answer"] or ""),
            may_answer=bool(told["may_answer"]), needs_consent=bool(told["needs_consent"]),
            timeline=tuple(map(_happened, told.get("timeline", ()))),
            document=told,
        )  # fmt: skip


def read_number(told: Document) -> Number:
    """Read how the number stands."""
    with shape():
        return Number(
            str(told["state"]), moment(told["thawed_until"]), bool(told["consent_first"]),
            tuple(map(read_use, told["under_way"])), told,
        )  # fmt: skip


def read_answer(told: Document, receipt_signer: bytes) -> Answer:
    """Read an answer whose receipt was checked."""
    with shape():
        return Answer(
            str(told["id"]), str(told["answer"]), str(told["about"] or ""), instant(told["at"]), bool(told["signed"]),
            dict(told["receipt"]), receipt_signer, dict(told) | {"receipt_signer": "0x" + receipt_signer.hex()},
        )  # fmt: skip


def _happened(told: Document) -> Happened:
    ground = _sentence(told["ground"]) if told["ground"] else None
    return Happened(instant(told["at"]), str(told["kind"]), _sentence(told), ground, moment(told["answer_due"]))


def _sentence(told: Document) -> Sentence:
    return Sentence(str(told["ko"]), str(told["en"]))
