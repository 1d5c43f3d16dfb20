"""The read model: what the blocks say, laid out for questions. Every row can be made again from the chain.

Times of the chain are integer seconds UTC, as on the chain. Ids and digests are bytes.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Index, LargeBinary
from sqlmodel import Field, SQLModel

from ledger.store.columns import raw


class Cursor(SQLModel, table=True):
    """How far the projector came, on which chain: one row. It commits together with the rows it covers."""

    __tablename__ = "cursor"
    __table_args__ = (CheckConstraint("id = 1", name="cursor_is_one"), CheckConstraint("height >= 0"))

    id: int = Field(default=1, primary_key=True)
    genesis_hash: bytes = raw(32)
    height: int
    block_hash: bytes = raw(32)
    seen_height: int = 0
    """Newest block whose batches were told to their submissions; it may not be final yet."""


class BlockRow(SQLModel, table=True):
    """A final block."""

    __tablename__ = "block"

    height: int = Field(primary_key=True)
    hash: bytes = raw(32)
    time: int = Field(sa_type=BigInteger)


class ParcelRow(SQLModel, table=True):
    """A parcel: its status word at the cursor, and the fields people ask by."""

    __tablename__ = "parcel"
    __table_args__ = (
        Index("parcel_by_opener", "opener", "opened_height", "id"),
        Index("parcel_by_change", "changed_height", "id"),
        Index("parcel_by_office", "office", "clearance", "opened_height", "id"),
    )

    id: bytes = raw(32, primary_key=True)
    word: bytes = raw(32)
    opener: int
    office: int
    clearance: str = Field(max_length=16)
    filing: bytes | None = raw(20, nullable=True)
    """Newest filing: low 160 bits of its digest, which results and decisions name."""
    payload: bytes | None = Field(default=None, sa_type=LargeBinary(32), index=True)
    """Payload digest of the newest filing."""
    opened_height: int
    changed_height: int
    filed_at: int | None = Field(default=None, sa_type=BigInteger)
    decided_at: int | None = Field(default=None, sa_type=BigInteger)
    """`t` of the entry that cleared or refused it last."""
    released_at: int | None = Field(default=None, sa_type=BigInteger)


class OrderRow(SQLModel, table=True):
    """An order."""

    __tablename__ = "sale_order"
    __table_args__ = (Index("order_by_seller", "opener", "id"), Index("order_by_courier", "handed", "id"))

    id: bytes = raw(32, primary_key=True)
    word: bytes = raw(32)
    opener: int
    handed: int
    payload: bytes = raw(32)
    parcel: bytes | None = raw(32, nullable=True, index=True)
    """The parcel that bound it."""
    opened_height: int
    changed_height: int
    opened_at: int = Field(sa_type=BigInteger)


class MasterRow(SQLModel, table=True):
    """A flight or voyage bill."""

    __tablename__ = "master"

    id: bytes = raw(32, primary_key=True)
    word: bytes = raw(32)
    handle: int = Field(index=True)
    opener: int
    changed_height: int


class KeyRow(SQLModel, table=True):
    """A member's key at the cursor: its word, as the contract stores it."""

    __tablename__ = "member_key"

    address: bytes = raw(20, primary_key=True)
    word: bytes = raw(32)


class OrgRow(SQLModel, table=True):
    """A member organisation at the cursor: its word, as the contract stores it."""

    __tablename__ = "member_org"

    handle: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    word: bytes = raw(32)


class EntryRow(SQLModel, table=True):
    """One entry as it stands in a block, with what it came to."""

    __tablename__ = "entry"
    __table_args__ = (
        Index("entry_by_subject", "subject", "height", "place", "number"),
        Index("entry_by_org", "org", "height", "place", "number"),
    )

    height: int = Field(primary_key=True)
    place: int = Field(primary_key=True)
    """Place of the transaction in its block."""
    number: int = Field(primary_key=True)
    """Place of the entry in its batch."""
    subject: bytes = raw(32)
    trace: bool
    kind: int
    """Number of the kind, or of the trace kind."""
    org: int
    key: bytes = raw(20)
    claimed: int = Field(sa_type=BigInteger)
    received: int = Field(sa_type=BigInteger)
    """`t` of the batch."""
    digest: bytes = raw(32)
    detail: int = Field(sa_type=BigInteger)
    """The kind's own fields, shifted down to bit 0."""
    rejection: int | None = None
    cleared: bool = False
    referred: bool = False
    value: int | None = None
    """Number of the hold or handle of the master that the entry was given."""
