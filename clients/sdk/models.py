"""What the gateway answers, as frozen values. Fields it adds later are left out; ids are numbers as on chain."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from clients.sdk.problems import Unexpected
from ledger.commitments import LedgerDomain

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Chain:
    """Which chain a gateway serves.

    Attributes:
        payload_keys: X25519 public keys that payloads are sealed to, by org handle.
        payload_readers: orgs that every payload is sealed to: identity authority and screening.
        identity_keys: addresses that sign receipts of holders' answers, as the gateway says.
        time: the chain's time, seconds UTC.
        demo: a demonstration; nothing real goes there.
    """

    domain: LedgerDomain
    genesis_hash: bytes
    demo: bool
    payload_keys: Mapping[int, bytes]
    payload_readers: tuple[int, ...]
    identity_keys: tuple[bytes, ...]
    time: int


@dataclass(frozen=True, slots=True)
class Text:
    """A code with its sentence in two languages."""

    code: str
    ko: str
    en: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Ground:
    """What a decision, hold or recall rests on.

    Attributes:
        evidence: digest that commits to the officer's evidence, None where there is none.
        answer_due: of a hold: when customs answers at the latest.
    """

    code: str
    ko: str
    en: str
    evidence: bytes | None
    answer_due: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as it stands on chain.

    Attributes:
        rejection: why it was rejected, None if it was recorded.
        value: of its effect: the handle of a master, the number of a hold.
        ground: why customs decided, held or recalled, None of other kinds.
    """

    block: int
    place: int
    number: int
    subject: int
    kind: str
    trace: bool
    org: int
    claimed_at: dt.datetime
    received_at: dt.datetime
    rejection: Text | None
    cleared: bool
    referred: bool
    value: int | None
    ground: Ground | None = None


@dataclass(frozen=True, slots=True)
class Submission:
    """A batch on its way.

    Attributes:
        batch: the batch's hash.
        state: accepted, sent, included, visible, refused or expired.
        code: why it is refused or expired.
        receipt: the sealer's signed promise, once it gave it.
        entries: what each entry came to, once the batch is visible and the submission was asked for by name.
    """

    id: str
    batch: bytes
    state: str
    lane: int
    seq: int
    entry_count: int
    height: int | None
    code: str
    reason: str
    receipt: Mapping[str, Any] | None
    entries: tuple[Entry, ...]
    document: Document = field(repr=False, compare=False)

    @property
    def ended(self) -> bool:
        """Whether it stays as it is."""
        return self.state in ("visible", "refused", "expired")


@dataclass(frozen=True, slots=True)
class Parcel:
    """A parcel as its parties see it.

    Attributes:
        clearance: unfiled, pending, referred, cleared, refused, recalled or observed.
        absences: what a pending parcel lacks.
        orders: ids of its orders; entries: its time line. Both only where one parcel was asked for.
    """

    id: int
    clearance: str
    status: tuple[str, ...]
    findings: tuple[Text, ...]
    absences: tuple[str, ...]
    opener: int
    office: int
    filed_at: dt.datetime | None
    carried_in_at: dt.datetime | None
    decided_at: dt.datetime | None
    released_at: dt.datetime | None
    orders: tuple[Order, ...]
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """An order as its seller and courier see it."""

    id: int
    state: str
    seller: int
    handed_to: int
    parcel: int | None
    payload: bytes | None
    opened_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Event:
    """Something that became final.

    Attributes:
        id: place in the stream: resumes behind it.
        type: dotted name; skip what you do not know.
    """

    id: str
    type: str
    subject: int
    time: dt.datetime | None
    data: Document


# ------------------------------------------------------------------------------------------------------------- reading
def read_chain(told: Document) -> Chain:
    """Read GET /v1/chain."""
    with shape():
        return Chain(
            LedgerDomain(int(told["chain_id"]), data(told["contract"])),
            data(told["genesis_hash"]),
            bool(told["demo"]),
            {int(org): data(key) for org, key in told["payload_keys"].items()},
            tuple(map(int, told["payload_readers"])),
            tuple(map(data, told["identity_keys"])),
            int(told["time"]),
        )


def read_submission(told: Document) -> Submission:
    """Read a submission."""
    with shape():
        error = told["error"] or {}
        return Submission(
            id=str(told["id"]), batch=data(told["batch"]), state=str(told["state"]), lane=int(told["lane"]),
            seq=int(told["seq"]), entry_count=int(told["entry_count"]),
            height=None if told["block"] is None else int(told["block"]["height"]),
            code=str(error.get("code") or ""), reason=str(error.get("detail") or ""), receipt=told["receipt"],
            entries=tuple(map(read_entry, told.get("entries", ()))), document=told,
        )  # fmt: skip


def read_entry(told: Document) -> Entry:
    """Read an entry."""
    with shape():
        return Entry(
            block=int(told["block"]), place=int(told["place"]), number=int(told["number"]),
            subject=number(told["subject"]), kind=str(told["kind"]), trace=bool(told["trace"]), org=int(told["org"]),
            claimed_at=instant(told["claimed_at"]), received_at=instant(told["received_at"]),
            rejection=None if told["rejection"] is None else coded(told["rejection"]), cleared=bool(told["cleared"]),
            referred=bool(told["referred"]), value=None if told["value"] is None else int(told["value"]),
            ground=_ground(told["ground"]) if told.get("ground") else None,
        )  # fmt: skip


def _ground(told: Document) -> Ground:
    evidence = None if told["evidence"] is None else data(told["evidence"])
    return Ground(str(told["code"]), str(told["ko"]), str(told["en"]), evidence, moment(told["answer_due"]))


def read_parcel(told: Document) -> Parcel:
    """Read a parcel."""
    with shape():
        return Parcel(
            id=number(told["id"]), clearance=str(told["clearance"]), status=tuple(map(str, told["status"])),
            findings=tuple(map(coded, told["findings"])), absences=tuple(map(str, told["absences"])),
            opener=int(told["opener"]), office=int(told["office"] or 0), filed_at=moment(told["filed_at"]),
            carried_in_at=moment(told["carried_in_at"]), decided_at=moment(told["decided_at"]),
            released_at=moment(told["released_at"]), orders=tuple(map(read_order, told.get("orders", ()))),
            entries=tuple(map(read_entry, told.get("entries", ()))),
        )  # fmt: skip


def read_order(told: Document) -> Order:
    """Read an order."""
    with shape():
        return Order(
            id=number(told["id"]), state=str(told["state"]), seller=int(told["seller"]),
            handed_to=int(told["handed_to"] or 0), parcel=None if told["parcel"] is None else number(told["parcel"]),
            payload=None if told["payload"] is None else data(told["payload"]), opened_at=moment(told["opened_at"]),
        )  # fmt: skip


def read_event(told: Document) -> Event:
    """Read an event of the stream, or the body of a webhook."""
    with shape():
        return Event(
            str(told["id"]), str(told["type"]), number(told["subject"]), moment(told["time"]), dict(told["data"])
        )


class shape:  # noqa: N801  reads as a clause
    """Turn an answer of another shape into an error that says so."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, KeyError | TypeError | ValueError | AttributeError):
            raise Unexpected(
                "The gateway's answer has not the expected shape.", hint="Use a client of the gateway's version."
            ) from error


def data(text: str) -> bytes:
    """Read 0x hex."""
    if not text.startswith("0x"):
        raise ValueError("no 0x")
    return bytes.fromhex(text[2:])


def number(text: str) -> int:
    """Read an id."""
    return int.from_bytes(data(text), "big")


def instant(text: str) -> dt.datetime:
    """Read a time with its zone."""
    found = dt.datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError("a naive time")
    return found


def moment(text: str | None) -> dt.datetime | None:
    """Read a time that may not have come."""
    return None if text is None else instant(text)


def coded(told: Document) -> Text:
    """Read a code with its sentences; where there is none, the sentences are empty."""
    return Text(str(told["code"]), str(told["ko"] or ""), str(told["en"] or ""), str(told.get("hint", "")))
