"""What a client of the event stream sees, event by event."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from httpx_sse import EventSource

from tests.api.world import Party


@dataclass
class Heard:
    """A stream being read by a thread of its own."""

    events: list[dict[str, Any]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    welcomed: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)

    def types(self) -> list[str]:
        return [each["type"] for each in self.events]


@contextmanager
def listening(party: Party, last: str = "", port: int = 0, **query: Any) -> Iterator[Heard]:
    """Listen until the block ends; the welcome is waited for, so nothing that follows is missed."""
    heard = Heard()
    headers = dict(party.http.headers) | ({"Last-Event-ID": last} if last else {})
    url = f"http://127.0.0.1:{port}" if port else party.world.url
    http = httpx.Client(base_url=url, trust_env=False, timeout=30, headers=headers)

    def listen(answer: httpx.Response) -> None:
        try:
            for each in EventSource(answer).iter_sse():
                if each.data:
                    told = json.loads(each.data)
                    assert (each.event, each.id) == (told["type"], told["id"])
                    heard.events.append(told)
                heard.ids.append(each.id)
                heard.welcomed.set()
        except (httpx.HTTPError, OSError):
            pass
        finally:
            heard.ended.set()

    with http.stream("GET", "/v1/events", params=query) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        thread = threading.Thread(target=listen, args=(answer,), daemon=True)
        thread.start()
        assert heard.welcomed.wait(10)
        try:
            yield heard
        finally:
            answer.extensions["network_stream"].get_extra_info("socket").shutdown(2)
            thread.join(10)
    http.close()
