"""What a person had declared before, whatever number he used: for frequency, split orders, personal or company use.

Persons are random ids. Shops, house bills and addresses stand as keyed values: they can be compared, no more.
"""

from __future__ import annotations

import datetime as dt

from sqlalchemy import BigInteger, CheckConstraint, Index, LargeBinary, UniqueConstraint
from sqlmodel import Field, SQLModel

from ledger.store.columns import moment, raw


class DeclarationRow(SQLModel, table=True):
    """The newest filing of a parcel, as far as it counts for its person."""

    __tablename__ = "declaration"
    __table_args__ = (
        Index("declaration_by_day", "person", "declared_on"),
        Index("declaration_by_bill", "person", "bill"),
        Index("declaration_by_arrival", "person", "arrived_on"),
        Index("declaration_by_cluster", "cluster", "declared_on"),
    )

    parcel: bytes = raw(32, primary_key=True)
    person: bytes = Field(sa_type=LargeBinary(16), foreign_key="person.id")
    filing: bytes = raw(20)
    declared_on: dt.date
    """Day of the first filing, KST: the rule in force is the one of this day."""
    bill: bytes | None = raw(32, nullable=True)
    arrived_on: dt.date | None = None
    cents: int = Field(sa_type=BigInteger)
    """Price of the goods, US cents."""
    limit_cents: int = Field(sa_type=BigInteger)
    """Exemption limit that holds for it, US cents."""
    declared_use: int = 0
    cluster: bytes | None = raw(32, nullable=True)
    """Delivery address and shop together, where the address is not the holder's own."""


class PurchaseRow(SQLModel, table=True):
    """What of a parcel was bought of one supplier on one day; only shops' orders tell it."""

    __tablename__ = "declared_purchase"
    __table_args__ = (Index("purchase_by_day", "person", "supplier", "ordered_on"),)

    parcel: bytes = Field(sa_type=LargeBinary(32), primary_key=True, foreign_key="declaration.parcel")
    supplier: bytes = raw(32, primary_key=True)
    ordered_on: dt.date = Field(primary_key=True)
    """Day of the purchase, KST."""
    person: bytes = Field(sa_type=LargeBinary(16), foreign_key="person.id")
    cents: int = Field(sa_type=BigInteger)


class DeclaredGoodsRow(SQLModel, table=True):
    """Quantity of one goods class in a parcel."""

    __tablename__ = "declared_goods"

    parcel: bytes = Field(sa_type=LargeBinary(32), primary_key=True, foreign_key="declaration.parcel")
    goods_class: int = Field(primary_key=True)
    quantity: int


class ReferralRow(SQLModel, table=True):
    """A reason to refer a parcel that only who knows the person can find; screening writes it, with its own key."""

    __tablename__ = "referral"
    __table_args__ = (
        UniqueConstraint("parcel", "cause", name="referral_once"),
        Index("referral_untaken", "taken_at", "number"),
        CheckConstraint("cause IN ('split_orders', 'commercial')", name="referral_cause"),
    )

    number: int | None = Field(default=None, primary_key=True)
    parcel: bytes = raw(32)
    filing: bytes = raw(20)
    cause: str = Field(max_length=24)
    reasons: str = Field(default="", max_length=200)
    """Codes, separated by spaces."""
    found_at: dt.datetime = moment()
    taken_at: dt.datetime | None = moment(nullable=True)
    """When screening took it up."""


class ResaleRow(SQLModel, table=True):
    """A report that somebody sells what he had declared for his own use (되팔이)."""

    __tablename__ = "resale_report"
    __table_args__ = (UniqueConstraint("person", "report", name="resale_once"),)

    number: int | None = Field(default=None, primary_key=True)
    person: bytes = Field(sa_type=LargeBinary(16), foreign_key="person.id")
    report: str = Field(max_length=40)
    """Number of the report at customs."""
    at: dt.datetime = moment()
