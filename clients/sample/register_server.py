"""Stands in for UNI-PASS API028 on this machine: answers in its shape, from a register of made-up people.

For demos and tests only: it listens on loopback and has no transport security.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final
from urllib.parse import parse_qs, urlsplit

from ledger.unipass.identity import (
    FAULT,
    KEY,
    MATCH,
    MISMATCH,
    NAME,
    NUMBER,
    PATH,
    PHONE,
    POSTCODE,
    Reason,
    number_answer_xml,
)

UNKNOWN_KEY: Final = "존재하지 않는 인증키입니다."
Register = Mapping[str, Mapping[str, str]]
"""Name, phone and, where known, zip by number; `retired` marks a number that was replaced."""


def answer(register: Register, key: str, asked: Mapping[str, str]) -> bytes:
    """Return the answer to a request's fields."""
    if asked.get(KEY) != key:
        return number_answer_xml(FAULT, notice=UNKNOWN_KEY)
    if not all(asked.get(name) for name in (NUMBER, NAME, PHONE)):
        return number_answer_xml(MISMATCH, [Reason.MISSING])
    held = register.get(asked[NUMBER])
    if held is None:
        return number_answer_xml(MISMATCH, [Reason.NOT_FOUND])
    wrong = [
        reason
        for reason, field, known in (
            (Reason.NAME, NAME, held["name"]),
            (Reason.PHONE, PHONE, held["phone"]),
            (Reason.POSTCODE, POSTCODE, held.get("zip", "")),
        )
        if known and asked.get(field, known) != known
    ]
    if held.get("retired"):
        wrong.append(Reason.SUSPENDED)
    return number_answer_xml(MISMATCH, wrong) if wrong else number_answer_xml(MATCH)


class StandIn(ThreadingHTTPServer):
    """The server."""

    daemon_threads = True

    def __init__(self, port: int, register: Register, key: str) -> None:
        """Listen on a port of loopback, 0 for any free one."""
        self.register, self.key = register, key
        super().__init__(("127.0.0.1", port), _Handler)

    @property
    def url(self) -> str:
        """Address to give as `--verifier`."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def reply(self, asked: Mapping[str, str]) -> bytes:
        """Return the answer to a request's fields."""
        return answer(self.register, self.key, asked)


class _Handler(BaseHTTPRequestHandler):
    server: StandIn

    def do_GET(self) -> None:
        """Answer a request."""
        address = urlsplit(self.path)
        if address.path != PATH:
            self.send_error(404)
            return
        body = self.server.reply({name: values[0] for name, values in parse_qs(address.query).items()})
        self.send_response(200)
        self.send_header("Content-Type", "application/xml;charset=UTF-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing: the number stands in the address."""


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[None]:
    """Serve in a thread."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
