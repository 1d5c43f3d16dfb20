"""The service that API tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.api.world import World, world
from tests.databases import address_of


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a module on every database that it names in `DATABASES`."""
    named = getattr(metafunc.module, "DATABASES", None)
    if named and "service" in metafunc.fixturenames:
        metafunc.parametrize("service", named, indirect=True, scope="module")


@pytest.fixture(scope="module")
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A running service with a day's genesis; tests of a module share it."""
    home = tmp_path_factory.mktemp("gateway")
    with (
        address_of(getattr(request, "param", "sqlite"), home, request) as address,
        world(home, address=address) as made,
    ):
        yield made
