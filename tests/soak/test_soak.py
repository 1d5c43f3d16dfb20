"""The soak, short: some kills of every process and one of each other trouble lose and double nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak.__main__ import soak

KILLS = 24


@pytest.mark.slow
def test_kills_and_troubles_lose_and_double_nothing(tmp_path: Path) -> None:
    result = soak(tmp_path, seconds=120, kills=KILLS, seed=3, pause=0.1)
    assert (result["lost"], result["doubled"], result["findings"]) == (0, 0, [])
    assert result["ok"]
    # a gateway killed before it notes a promise may see the block first, and then has no receipt to hand out
    assert result["receipts_checked"] >= result["promises_checked"] * 0.9 > 0
    assert result["kills"] >= KILLS // 2, "the machine is too slow for this to mean anything"
    assert result["kills_inside_commit"]
    assert result["parcels_released"]
