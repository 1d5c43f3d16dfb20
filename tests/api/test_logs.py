"""What a gateway logs of people: whatever looks like a number of theirs is blotted out."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from api import logs, middleware


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Everything that goes to the log while a test runs, as a gateway's process configures it."""
    root = logging.getLogger()
    handlers, level, kept = root.handlers[:], root.level, structlog.get_config()
    logs.configure()
    written = io.StringIO()
    (handler,) = root.handlers
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(written)
    monkeypatch.setattr(logging.getLogger("httpx"), "level", logging.WARNING)  # as `clearance api run` sets it
    monkeypatch.setattr(middleware, "log", structlog.get_logger("clearance.api"))
    yield written
    structlog.configure(**kept)
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(written: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


@pytest.mark.parametrize(
    "said", ["P990000000030", "p990000000030", "01000000030", "010-0000-0030", "010 0000 0030", "+82 10-0000-0030"]
)
def test_what_looks_like_a_persons_number_is_blotted_out(logged: io.StringIO, said: str) -> None:
    structlog.get_logger("tests").info("x", note=f"of {said} here")
    logging.getLogger("tests").warning("of %s here", said)
    try:
        raise ValueError(said)
    except ValueError:
        logging.getLogger("tests").exception("failed")
    own = [json.dumps(each) for each in lines(logged) if each["logger"] == "tests"]
    assert len(own) == 3
    assert all("[redacted]" in each and said not in each for each in own)


def test_ids_and_times_are_left_alone(logged: io.StringIO) -> None:
    structlog.get_logger("tests").info("x", parcel="0x" + "ab" * 32, at="2025-10-20T01:00:00Z", milliseconds=1234.5)
    (own,) = [each for each in lines(logged) if each["logger"] == "tests"]
    assert "redacted" not in json.dumps(own)
