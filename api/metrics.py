"""Prometheus metrics of a gateway process."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY: Final = CollectorRegistry()
REQUESTS: Final = Counter("clearance_requests", "Requests by route and status.", ["route", "method", "status"],
                          registry=REGISTRY)  # fmt: skip
SECONDS: Final = Histogram("clearance_request_seconds", "Time to answer.", ["route"], registry=REGISTRY)
LAG: Final = Gauge("clearance_projection_lag_blocks", "Final blocks that are not rows yet.", registry=REGISTRY)
HEIGHT: Final = Gauge("clearance_projection_height", "Height of the read model.", registry=REGISTRY)
WAITING: Final = Gauge("clearance_outbox_waiting", "Batches that are not visible yet.", registry=REGISTRY)
FAULTS: Final = Counter("clearance_loop_faults", "Failed rounds of background jobs.", ["job"], registry=REGISTRY)
STREAMS: Final = Gauge("clearance_event_streams", "Open event streams.", registry=REGISTRY)
BUSY: Final = Gauge("clearance_requests_in_work", "Requests in work.", registry=REGISTRY)
PUSHED_BACK: Final = Counter("clearance_pushed_back", "Requests refused for now.", ["code"], registry=REGISTRY)
ATTEMPTS: Final = Counter("clearance_webhook_attempts", "Attempts to send webhooks.", ["outcome"], registry=REGISTRY)
