"""Column types that mean the same on SQLite and PostgreSQL."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import DateTime, LargeBinary
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field


class UtcDateTime(TypeDecorator[dt.datetime]):
    """An aware UTC time: SQLite keeps no zone, so it is put back on reading; a naive time is refused on writing."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Any) -> dt.datetime | None:
        """Refuse naive times; return the rest in UTC.

        Raises:
            ValueError: the time has no zone.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without zone cannot be kept")
        return value.astimezone(dt.UTC)

    def process_result_value(self, value: dt.datetime | None, dialect: Any) -> dt.datetime | None:
        """Return the time in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)


class Unsigned64(TypeDecorator[int]):
    """An unsigned 64-bit number, kept as 8 bytes, highest first: its order is that of the numbers.

    No integer column of SQLite or PostgreSQL holds one, and a decimal column of SQLite would round it.
    """

    impl = LargeBinary(8)
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Any) -> bytes | None:
        """Return the bytes.

        Raises:
            OverflowError: below 0 or over 64 bits.
        """
        return None if value is None else value.to_bytes(8, "big")

    def process_result_value(self, value: bytes | None, dialect: Any) -> int | None:
        """Return the number."""
        return None if value is None else int.from_bytes(value, "big")


def moment(*, nullable: bool = False, index: bool = False) -> Any:
    """Return a column of aware UTC times."""
    return Field(sa_type=UtcDateTime, nullable=nullable, index=index)


def raw(length: int, *, primary_key: bool = False, nullable: bool = False, index: bool = False) -> Any:
    """Return a column of bytes: ids and digests are kept as they are, not as text."""
    return Field(sa_type=LargeBinary(length), primary_key=primary_key, nullable=nullable, index=index)
