"""The vault's tables: private payloads as ciphertext, whose they are, who opened them, what was erased.

Nothing here opens anything: the data keys and the key of the index lie outside the database (`ledger.store.datakeys`).
"""

from __future__ import annotations

import datetime as dt

from sqlalchemy import Index, LargeBinary
from sqlmodel import Field, SQLModel

from ledger.store.columns import moment, raw


class EnvelopeRow(SQLModel, table=True):
    """One envelope of a private payload as one org put it, wrapped once more under the payload's data key.

    Whether an envelope is what its digest says only its readers find out. So each org has a place of its own under a
    digest: what a stranger puts there takes the place of nobody's.
    """

    __tablename__ = "vault_envelope"

    digest: bytes = raw(32, primary_key=True)
    """Payload digest, as on chain. It stays when the payload is erased."""
    org: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    """Handle of the org that put it; 0: not known."""
    name: bytes = raw(32, index=True)
    """Name of the payload's data key: a keyed hash of the digest."""
    sealed: bytes | None = Field(default=None, sa_type=LargeBinary)
    """None once it is erased."""
    kept_at: dt.datetime = moment(index=True)
    erased_at: dt.datetime | None = moment(nullable=True)


class VaultIndexRow(SQLModel, table=True):
    """Whose number a payload declares, by blind index: written by the identity authority after it opened it."""

    __tablename__ = "vault_index"
    __table_args__ = (Index("vault_index_by_key", "key"),)

    digest: bytes = raw(32, primary_key=True)
    lookup: bytes = raw(32, primary_key=True, index=True)
    """HMAC-SHA256 of the normalised number."""
    key: int
    """Id of the key of the index."""
    sealed: bytes = Field(sa_type=LargeBinary)
    """The number under the payload's data key, so that the index can be made anew under another key."""


class OpeningRow(SQLModel, table=True):
    """An envelope left the vault. No personal data."""

    __tablename__ = "opening"

    number: int | None = Field(default=None, primary_key=True)
    digest: bytes = raw(32, index=True)
    who: str = Field(max_length=40)
    why: str = Field(max_length=80)
    at: dt.datetime = moment()


class ErasureRow(SQLModel, table=True):
    """A subject that was erased, by the name of its data key: the database's copy of the register of erasures."""

    __tablename__ = "erasure"

    name: bytes = raw(32, primary_key=True)
    at: dt.datetime = moment()
