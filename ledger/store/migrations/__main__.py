"""`python -m ledger.store.migrations NAME`: writes the next migration from what the tables say now."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.script import ScriptDirectory

from ledger.store.database import Database
from ledger.store.migrations import config, migrate


def main() -> None:
    """Write a migration against an empty database that was brought to the head."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'empty.db'}")
        migrate(database)
        setup = config(database)
        number = len(list(ScriptDirectory.from_config(setup).walk_revisions())) + 1
        command.revision(setup, message=" ".join(sys.argv[1:]), autogenerate=True, rev_id=f"{number:04}")
        database.close()


if __name__ == "__main__":
    main()
