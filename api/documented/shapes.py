"""Shapes of the answers. All fields are always there; new ones may come: skip what you do not know."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import BaseModel, Field, JsonValue

from ledger.domain.error_texts import ERROR_TEXTS
from ledger.domain.rejections import REJECTION_TEXTS

CODES: Final = sorted([*ERROR_TEXTS, *(text.slug for text in REJECTION_TEXTS.values())])
"""Every stable code."""
Hex = str
Moment = str
"""RFC 3339, UTC."""


class Problem(BaseModel):
    """Every refusal (RFC 9457), as application/problem+json."""

    type: str = Field(description="Page that explains the code.")
    title: str
    title_ko: str
    status: int
    code: str = Field(description="Stable: branch on it. New ones may come.", examples=CODES)
    detail: str
    hint: str = Field(description="What to do.")
    request_id: str
    errors: list[dict[str, str]] = Field(default=[], description="Where a request is malformed, by JSON pointer.")


class Listed(BaseModel):
    """A page of a list."""

    object: Literal["list"]
    has_more: bool


class Paged(Listed):
    """A page of a list that goes on behind its cursor."""

    next_cursor: str | None = Field(description="Opaque; give it as `cursor`.")


class Sentence(BaseModel):
    """One sentence in two languages."""

    ko: str
    en: str


class Coded(Sentence):
    """A code with its sentence."""

    code: str


class Rejection(Coded):
    """Why the contract rejected an entry."""

    hint: str


class Ground(Coded):
    """What a decision, hold or recall rests on."""

    evidence: Hex | None = Field(description="Digest that commits to the officer's evidence.")
    answer_due: Moment | None = Field(description="Of a hold: when customs answers at the latest.")


# ------------------------------------------------------------------------------------------------------------- service
class Live(BaseModel):
    """The process answers."""

    status: Literal["ok"]


class Ready(BaseModel):
    """Whether work should be sent here; 503 while not."""

    status: Literal["ok", "lagging"]
    height: int = Field(description="Height of the read model.")
    lag: int = Field(description="Final blocks that are not rows yet.")
    waiting: int = Field(description="Batches that wait to be included.")
    judging: bool = Field(description="The identity authority or screening has work.")


class Chain(BaseModel):
    """What a client needs to sign for this chain."""

    object: Literal["chain"]
    chain_id: int
    contract: Hex
    genesis_hash: Hex
    demo: bool
    payload_keys: dict[str, Hex] = Field(description="X25519 public keys that payloads are sealed to, by org.")
    payload_readers: list[int] = Field(description="Orgs every payload is sealed to: they check and screen.")
    identity_keys: list[Hex] = Field(description="Addresses that sign receipts of holders' answers.")
    time: int = Field(description="Seconds UTC.")


class ErrorPage(BaseModel):
    """What a stable code means."""

    object: Literal["error"]
    code: str
    ko: str
    en: str
    hint: str
    status: int | None = Field(description="HTTP status; none for codes of rejected entries.")


class ErrorPages(Listed):
    """Every stable code."""

    data: list[ErrorPage]


# ------------------------------------------------------------------------------------------------------------- sign-in
class TypedData(BaseModel):
    """What to sign (EIP-712)."""

    domain: dict[str, JsonValue]
    primary_type: Literal["SignIn"] = Field(alias="primaryType")
    message: dict[str, JsonValue]


class Challenge(BaseModel):
    """A challenge, good once."""

    object: Literal["challenge"]
    challenge: Hex
    expires_at: Moment
    typed_data: TypedData


class Token(BaseModel):
    """A session."""

    object: Literal["token"]
    access_token: str
    token_type: Literal["Bearer"]
    expires_at: Moment
    org: int
    roles: int


# ------------------------------------------------------------------------------------------------------------- members
class Entry(BaseModel):
    """An entry as it stands on chain."""

    object: Literal["entry"]
    block: int
    place: int
    number: int
    subject: Hex
    kind: str
    trace: bool
    org: int
    key: Hex
    claimed_at: Moment
    received_at: Moment
    outcome: Literal["recorded", "rejected"]
    rejection: Rejection | None
    cleared: bool
    referred: bool
    value: int | None = Field(description="Handle of a master, or number of a hold.")
    ground: Ground | None


class Entries(Paged):
    """Entries in the order of the chain."""

    data: list[Entry]


class Lane(BaseModel):
    """The number a key must use next in a lane."""

    object: Literal["lane"]
    lane: str
    next_seq: str


class Place(BaseModel):
    """Where a batch stands."""

    height: int
    place: int


class Dead(BaseModel):
    """Why a batch ended without being included."""

    code: str
    title: str
    detail: str | None


class SubmissionListed(BaseModel):
    """A batch on its way: accepted, sent, included, visible; or refused, or expired."""

    object: Literal["submission"]
    id: str
    batch: Hex
    state: Literal["accepted", "sent", "included", "visible", "refused", "expired"]
    final: bool
    key: Hex
    lane: str
    seq: str
    not_after: Moment
    entry_count: int
    accepted_at: Moment
    changed_at: Moment
    block: Place | None
    error: Dead | None
    receipt: dict[str, JsonValue] | None = Field(description="The sealer's signed promise.")


class Submission(SubmissionListed):
    """A submission with what each entry came to, once it is visible."""

    entries: list[Entry]


class Submissions(Paged):
    """The org's submissions, newest first."""

    data: list[SubmissionListed]


class Order(BaseModel):
    """An order to its seller and its courier."""

    object: Literal["order"]
    id: Hex
    state: Literal["open", "bound"]
    seller: int
    handed_to: int | None
    parcel: Hex | None
    payload: Hex | None
    opened_at: Moment | None


class Orders(Paged):
    """Orders the org recorded or was handed."""

    data: list[Order]


class ParcelListed(BaseModel):
    """A parcel to a member that may read it."""

    object: Literal["parcel"]
    id: Hex
    clearance: Literal["unfiled", "pending", "referred", "cleared", "refused", "recalled", "observed"]
    status: list[str]
    findings: list[Coded]
    absences: list[str]
    opener: int
    office: int
    generation: int
    stops: int
    open_holds: list[int]
    filing: Hex | None
    payload: Hex | None
    filed_at: Moment | None
    carried_in_at: Moment | None
    decided_at: Moment | None
    released_at: Moment | None


class Parcel(ParcelListed):
    """A parcel with its orders and its time line."""

    orders: list[Order]
    entries: list[Entry]


class Parcels(Paged):
    """Parcels in the order they were opened."""

    data: list[ParcelListed]


class Reason(BaseModel):
    """Why screening referred a parcel; one that another part of customs found in detail has no sentence."""

    code: str
    ko: str | None
    en: str | None


class ScreeningResult(BaseModel):
    """What screening said of a filing. With the salt its reasons can be checked against the digest on chain."""

    object: Literal["screening_result"]
    kind: Literal["SCREENED_PASSED", "SCREENED_REFERRED"]
    filing: Hex | None
    score: int | None = Field(description="Thousandths; none where no score was asked for.")
    scorer: str | None
    reasons: list[Reason]
    digest: Hex
    salt: Hex | None


class OfficeParcelListed(ParcelListed):
    """A parcel to an officer of its office."""

    screening: list[ScreeningResult]


class OfficeParcel(OfficeParcelListed):
    """A parcel to an officer of its office, with its orders and its time line."""

    orders: list[Order]
    entries: list[Entry]


class OfficeParcels(Paged):
    """Parcels that wait for an office, in the order they were opened."""

    data: list[OfficeParcelListed]


class EventTypes(Listed):
    """Types of events."""

    data: list[str]


# ------------------------------------------------------------------------------------------------------------ webhooks
class Webhook(BaseModel):
    """A webhook of the org."""

    object: Literal["webhook"]
    id: str
    url: str
    types: list[str]
    state: str
    reason: str | None
    key: Hex
    created_at: Moment


class WebhookWithSecret(Webhook):
    """A webhook with its signing secret, shown this once."""

    secret: str


class Webhooks(Listed):
    """The org's webhooks."""

    data: list[Webhook]


class Attempt(BaseModel):
    """One try to deliver."""

    at: Moment
    milliseconds: int
    status: int | None
    outcome: str


class Delivery(BaseModel):
    """An event on its way to a receiver."""

    object: Literal["delivery"]
    id: str
    type: str
    subject: Hex
    state: Literal["waiting", "delivered", "dead"]
    next_attempt_at: Moment | None
    created_at: Moment
    attempts: list[Attempt]
    body: Any = Field(description="What is sent.")


class Deliveries(Paged):
    """Deliveries, newest first."""

    data: list[Delivery]
