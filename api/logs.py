"""Logs as JSON lines. What might name a person never gets in: routes are logged by pattern, values by their id."""

from __future__ import annotations

import logging
import re
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

PERSONAL: Final = re.compile(r"[Pp]\d{12}|(?:\+82[- ]?1|01)\d[- ]?\d{3,4}[- ]?\d{4}")
"""Identity numbers and mobile numbers, wherever they stand."""


def redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Blot out what looks like an identity or telephone number: the last net, not the first."""
    return {name: PERSONAL.sub("[redacted]", value) if isinstance(value, str) else value
            for name, value in event.items()}  # fmt: skip


def configure() -> None:
    """Send the logs of every library through one chain of processors."""
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                redact,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
