"""Shapes of what holders of a number are answered."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field, JsonValue

from api.documented.shapes import Moment, Paged, Sentence


class Code(BaseModel):
    """A code was sent, if number and telephone fit; the same answer either way."""

    object: Literal["code"]
    ticket: str


class Session(BaseModel):
    """A holder's session."""

    object: Literal["session"]
    access_token: str
    proof: str = Field(description="Send it when asking for the next code: it has an allowance of its own.")


class UseListed(BaseModel):
    """One use of the holder's number."""

    object: Literal["use"]
    id: str
    parcel: str = Field(description="Its id on chain, which statements and receipts name.")
    status: str
    shop: str
    goods: str
    courier: str
    declared_at: Moment
    receiver_differs: bool
    reasons: list[Sentence]
    absent: list[str]
    answer: str | None
    may_answer: bool
    needs_consent: bool


class Happened(Sentence):
    """One thing that happened to a parcel."""

    at: Moment
    kind: str
    ground: Sentence | None = Field(description="Why customs decided, held or recalled it.")
    answer_due: Moment | None = Field(description="Of a hold: when customs answers at the latest.")


class Use(UseListed):
    """A use with its time line and the parcel's secret link."""

    link: str
    timeline: list[Happened]


class Uses(Paged):
    """Uses of the number, newest first."""

    data: list[UseListed]


class Answer(BaseModel):
    """What the holder said, with the authority's signed receipt."""

    object: Literal["answer"]
    id: str
    answer: str
    about: str | None
    at: Moment
    signed: bool
    receipt: dict[str, JsonValue]


class Number(BaseModel):
    """How the number stands, and the parcels a freeze would meet."""

    object: Literal["number"]
    state: str
    thawed_until: Moment | None
    consent_first: bool
    under_way: list[UseListed]


class ParcelStatus(BaseModel):
    """The status behind a secret link."""

    object: Literal["parcel_status"]
    status: str
