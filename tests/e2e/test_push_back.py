"""Processes under twice the load that they sustain: push-back with a code, bounded memory, nothing lost or doubled."""

from __future__ import annotations

from argparse import Namespace

import pytest

from benchmarks import pushback

SECONDS = 15.0
MOST_MB = 400.0
GROWTH_MB = 150.0
"""What a process may take, and how much more than before the overload."""


@pytest.mark.slow
def test_twice_the_sustainable_load_is_pushed_back_in_bounded_memory_and_loses_nothing() -> None:
    found = pushback.measure(Namespace(database="", pushback_seconds=SECONDS))["push_back"]
    assert found["pushed_back"], "the load was none"
    assert set(found["pushed_back"]) <= {"api.busy", "outbox.full", "api.rate-limited"}
    assert found["pushed_back_without_code_or_time"] == 0
    assert found["accepted"] > pushback.CALIBRATED
    assert (found["lost"], found["doubled"]) == (0, 0)
    for name, told in found["resident_mb"].items():
        assert told["most"] < MOST_MB, (name, told)
        assert told["most"] - told["before"] < GROWTH_MB, (name, told)
    assert found["fresh_batch_visible_seconds"] < 30, "as quick as before once the load is gone"
