"""Bulk statements: many rows at once, the same on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel


def table_of(model: type[SQLModel]) -> Table:
    """Return the table behind a model."""
    table: Table = model.__table__  # type: ignore[attr-defined]
    return table


def upsert(
    session: Session, model: type[SQLModel], rows: Iterable[Mapping[str, Any]], *, update: Sequence[str] | None = None,
    key: Sequence[str] = (),
) -> None:  # fmt: skip
    """Insert rows, or update those that stand under the same primary key.

    Args:
        session: the open write session.
        model: the table.
        rows: all with the same columns.
        update: columns that change when the row stands already; all but the key if None, none if empty.
        key: other columns that are unique together, in place of the primary key.
    """
    table = table_of(model)
    key = key or [column.name for column in table.primary_key]
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    listed = [dict(row) for row in rows]
    if not listed:
        return
    statement: Any = dialect.insert(table)
    changing = [name for name in listed[0] if name not in key] if update is None else update
    if changing:
        new = {name: statement.excluded[name] for name in changing}
        statement = statement.on_conflict_do_update(index_elements=key, set_=new)
    else:
        statement = statement.on_conflict_do_nothing(index_elements=key)
    session.connection().execute(statement, listed)  # compiled once, run for all: a long VALUES would be compiled anew
