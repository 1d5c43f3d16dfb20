"""What tests of the store share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.store.database import Database
from tests.store.vaults import World


@pytest.fixture
def world(database: Database, tmp_path: Path) -> Iterator[World]:
    made = World(database, tmp_path / "vault.key")
    yield made
    made.close()
