"""The service that API tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.api.world import World, world


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A running service with a day's genesis; tests of a module share it."""
    with world(tmp_path_factory.mktemp("gateway")) as made:
        yield made
