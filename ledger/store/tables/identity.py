"""The identity authority's tables: people, their numbers, where the numbers were used, and what was said of it.

No row holds a number, name or telephone in clear: numbers are found by a keyed index, everything personal is a sealed
blob (see `ledger.store.sealing`). The keys live outside the database.
"""

from __future__ import annotations

import datetime as dt

from sqlalchemy import CheckConstraint, Index, LargeBinary, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from ledger.store.columns import moment, raw


class PersonRow(SQLModel, table=True):
    """Somebody who holds a number. The id is random: it survives a reissued number and stands nowhere on chain."""

    __tablename__ = "person"
    __table_args__ = (CheckConstraint("state IN ('active', 'frozen', 'thawed')", name="person_state"),)

    id: bytes = raw(16, primary_key=True)
    sealed: bytes = Field(sa_type=LargeBinary)
    """Name, telephone and zip as registered, sealed under the person's own key; empty once he is erased."""
    key_name: bytes | None = Field(default=None, sa_type=LargeBinary(32), index=True)
    """Name of the person's data key, by which the register of erasures knows him."""
    erased_at: dt.datetime | None = moment(nullable=True)
    state: str = Field(default="active", max_length=8)
    thawed_until: dt.datetime | None = moment(nullable=True)
    consent_first: bool = False


class NumberRow(SQLModel, table=True):
    """One generation of a person's number (개인통관고유부호): only the newest may be used."""

    __tablename__ = "person_number"

    lookup: bytes = raw(32, primary_key=True)
    """Keyed index of the number."""
    key: int = 0
    """Id of the key of the index."""
    sealed: bytes | None = Field(default=None, sa_type=LargeBinary)
    """The number under the person's own key, so that the index can be made anew under another key."""
    person: bytes = Field(sa_type=LargeBinary(16), foreign_key="person.id", index=True)
    generation: int = 0
    retired: bool = False


class UseRow(SQLModel, table=True):
    """A parcel that was declared with a person's number."""

    __tablename__ = "number_use"
    __table_args__ = (
        UniqueConstraint("parcel", "person", name="use_once"),
        Index("use_by_person", "person", "declared_at", "id"),
        CheckConstraint("answer IS NULL OR answer IN ('confirmed', 'gift', 'denied', 'consented')", name="use_answer"),
    )

    id: str = Field(primary_key=True, max_length=40)
    person: bytes = Field(sa_type=LargeBinary(16), foreign_key="person.id")
    parcel: bytes = raw(32, index=True)
    sealed: bytes = Field(sa_type=LargeBinary)
    """What the owner is shown of it: shop, goods, courier; sealed."""
    declared_at: dt.datetime = moment()
    receiver_differs: bool = False
    answer: str | None = Field(default=None, max_length=12)
    consented: bool = False
    exempt: bool = False
    """The owner let it through when he froze the number."""
    link: str = Field(max_length=64, unique=True)
    """SHA-256 of the parcel's secret link, hex."""


class JudgedRow(SQLModel, table=True):
    """What the authority made of one filing; one that waits is judged again."""

    __tablename__ = "judged_filing"
    __table_args__ = (
        CheckConstraint("outcome IN ('checked', 'stopped', 'waiting')", name="judged_outcome"),
        Index("judged_waiting", "outcome", "retry_at"),
    )

    filing: bytes = raw(20, primary_key=True)
    parcel: bytes = raw(32, index=True)
    outcome: str = Field(max_length=8)
    cause: str = Field(max_length=24)
    retries: int = 0
    retry_at: dt.datetime | None = moment(nullable=True)


class SayingRow(SQLModel, table=True):
    """An entry the authority has decided to write: it waits for the next cut of the clock, then names its batch."""

    __tablename__ = "authority_saying"
    __table_args__ = (
        UniqueConstraint("parcel", "kind", "about", name="saying_once"),
        Index("saying_waiting", "batch", "not_before"),
    )

    number: int | None = Field(default=None, primary_key=True)
    parcel: bytes = raw(32)
    kind: int
    about: str = Field(max_length=64)
    """What makes it one: the filing it judged, or the answer it follows from."""
    names: bytes | None = raw(20, nullable=True)
    cause: str = Field(max_length=24)
    salt: bytes = raw(32)
    """With the cause it gives the digest on chain, so that the cause can be shown to those who may see it."""
    not_before: dt.datetime = moment()
    batch: bytes | None = raw(32, nullable=True)


class AnswerRow(SQLModel, table=True):
    """Something the owner said, with the receipt he was given for it."""

    __tablename__ = "buyer_answer"
    __table_args__ = (Index("answer_by_person", "person", "number"),)

    number: int | None = Field(default=None, primary_key=True)
    id: str = Field(max_length=40, unique=True)
    person: bytes = Field(sa_type=LargeBinary(16), foreign_key="person.id")
    what: str = Field(max_length=16)
    about: str = Field(max_length=64)
    """Use it is about, or what it sets."""
    statement: str = Field(sa_type=Text)
    signed: bool
    signature: bytes | None = Field(default=None, sa_type=LargeBinary)
    receipt: str = Field(sa_type=Text)
    at: dt.datetime = moment()


class CodeRow(SQLModel, table=True):
    """A one-time code that was sent, or pretended to be: strangers learn nothing from which it was."""

    __tablename__ = "one_time_code"

    ticket: bytes = raw(32, primary_key=True)
    """SHA-256 of the ticket the browser holds."""
    person: bytes | None = raw(16, nullable=True)
    code: bytes = raw(32)
    tries: int = 0
    expires: dt.datetime = moment(index=True)


class DeviceRow(SQLModel, table=True):
    """A device's public key (P-256), bound at sign-in."""

    __tablename__ = "device"
    __table_args__ = (UniqueConstraint("person", "key", name="device_once"),)

    number: int | None = Field(default=None, primary_key=True)
    person: bytes = Field(sa_type=LargeBinary(16), foreign_key="person.id")
    key: bytes = Field(sa_type=LargeBinary(65))
    bound_at: dt.datetime = moment()


class BuyerSessionRow(SQLModel, table=True):
    """A signed-in owner of a number. Only the token's SHA-256 is kept."""

    __tablename__ = "buyer_session"

    hash: bytes = raw(32, primary_key=True)
    person: bytes = Field(sa_type=LargeBinary(16), foreign_key="person.id")
    device: int | None = Field(default=None, foreign_key="device.number")
    csrf: str = Field(max_length=64)
    expires: dt.datetime = moment(index=True)


class AuthorityCursor(SQLModel, table=True):
    """How far the authority read the read model: one row, committed together with what it judged."""

    __tablename__ = "authority_cursor"
    __table_args__ = (CheckConstraint("id = 1", name="authority_cursor_is_one"),)

    id: int = Field(default=1, primary_key=True)
    height: int = 0
    parcel: bytes = raw(32)
