"""Migrations of the gateway's database, applied in order by `clearance up` and `clearance api migrate`."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlmodel import SQLModel

import ledger.store.tables  # noqa: F401  registers every table
from ledger.domain.errors import LedgerError
from ledger.store.database import Database


class WrongSchema(LedgerError):
    """The database's tables are older or newer than this program."""

    code = "database.schema"


def config(database: Database) -> Config:
    """Return Alembic's configuration for a database."""
    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent))
    made.attributes["database"] = database
    return made


def migrate(database: Database, revision: str = "head") -> None:
    """Bring the tables up to a revision (or down, to an older one's name)."""
    if revision == "head":
        command.upgrade(config(database), revision)
    else:
        command.downgrade(config(database), revision)


def check_current(database: Database) -> None:
    """Check that the tables are those of this program.

    Raises:
        WrongSchema: they are not.
    """
    wanted = ScriptDirectory.from_config(config(database)).get_current_head()
    with database.engine.connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    if found != wanted:
        raise WrongSchema(
            f"The database stands at revision {found or 'none'}, this program needs {wanted}.",
            hint="Run: clearance api migrate --home DIR",
        )


def differences(database: Database) -> list[object]:
    """Return what differs between the migrated tables and those the code describes; empty is right."""
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, SQLModel.metadata))
