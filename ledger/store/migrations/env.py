"""Run by Alembic: applies migrations to the database that the program opened."""

from __future__ import annotations

from alembic import context
from sqlmodel import SQLModel

import ledger.store.tables  # noqa: F401  registers every table
from ledger.store.database import Database

database: Database = context.config.attributes["database"]
with database.engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=SQLModel.metadata,
        render_as_batch=database.is_sqlite,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
