"""A receiver of webhooks over real HTTP: it keeps what came and answers as it is told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Receiver:
    """What came in, and what is answered: one answer after the other, then the last one for ever."""

    port: int = 0
    host: str = "127.0.0.1"
    came: list[tuple[dict[str, str], str]] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    delay: float = 0.0
    most: int = 0
    _now: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}/hooks?for=us"

    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.came]

    def types(self) -> list[str]:
        return [json.loads(body)["type"] for _, body in self.came]

    def take(self, headers: dict[str, str], body: str) -> tuple[int, dict[str, str]]:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        time.sleep(self.delay)
        with self._lock:
            self._now -= 1
            self.came.append((headers, body))
            if not self.answers:
                return 204, {}
            return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextmanager
def receiving(host: str = "127.0.0.1", port: int = 0, **options: Any) -> Iterator[Receiver]:
    """Receive on a port of loopback."""
    receiver = Receiver(host=host, **options)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, told = receiver.take(headers | {"path": self.path}, self.rfile.read(length).decode())
            self.send_response(status)
            for name, value in told.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer((host, port), Handler)
    server.daemon_threads = True
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
