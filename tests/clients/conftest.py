"""The network that client tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clients.worlds import Network, network


@pytest.fixture
def net() -> Iterator[Network]:
    """A sealer and a follower behind RPC."""
    with network() as made:
        yield made
