"""HTTP that takes scans (CSV, EPCIS 2.0 JSON), keeps them in the spool, and tells what became of them.

A page in a browser on the same machine can reach loopback too, so every request needs the token, the name the server
listens under as its host, and no `Origin`. Addresses: POST /scans (text/csv), POST /capture (EPCIS 2.0 capture
interface), GET /tickets/N, GET /spool, GET /livez.
"""

from __future__ import annotations

import hmac
import json
import logging
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from clients.convert.scans import MAX_BYTES, MAX_SCANS, Bills
from clients.convert.taking import convert, explained, shown, take
from clients.spool import Spool
from ledger.domain.error_texts import ERROR_TEXTS
from ledger.domain.errors import LedgerError

log = logging.getLogger("clearance.courier")

AT_ONCE: Final = 8
"""Requests handled at once; one may hold a whole file in memory."""
SILENCE: Final = 30.0
"""Seconds a client may keep silent in the middle of a request."""
STATUS: Final = {
    "auth.required": 401,
    "api.malformed": 400,
    "api.method": 405,
    "api.not-found": 404,
    "api.too-large": 413,
    "gateway.foreign-host": 403,
    "gateway.media-type": 415,
    "scan.too-large": 413,
    "spool.disk-full": 507,
    "spool.full": 503,
}
"""HTTP status by code; every other refusal is 422."""
TYPES: Final = {"/scans": ("text/csv",), "/capture": ("application/json", "application/ld+json")}
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost"})


class Refusal(LedgerError):
    """The endpoint does not take a request."""

    def __init__(self, code: str, detail: str, *, hint: str = "") -> None:
        """Keep the code too."""
        super().__init__(detail, hint=hint)
        self.code = code


@dataclass
class Endpoint:
    """What the addresses answer.

    Attributes:
        now: the ledger's time, seconds UTC.
        trouble: why nothing is sent at the moment; the sender tells it.
    """

    spool: Spool
    book: Bills
    token: str
    now: Callable[[], int]
    trouble: LedgerError | None = None
    slots: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(AT_ONCE))

    def post(self, path: str, media_type: str, body: bytes) -> tuple[int, dict[str, Any]]:
        """Take a file of scans; what was accepted is on disk when this answers.

        Raises:
            LedgerError: the file cannot be read, or not be kept.
        """
        if path not in TYPES:
            raise Refusal("api.not-found", "There is no such address.", hint="Post to /scans or /capture.")
        if media_type.split(";", 1)[0].strip().lower() not in TYPES[path]:
            raise Refusal("gateway.media-type", f"Post {' or '.join(TYPES[path])} to {path}.")
        conversion = convert(body, self.book, self.now(), as_json=path == "/capture")
        taken = take(self.spool, conversion, path)
        log.info("ticket %d: %d new, %d rejected", taken.ticket, taken.new, len(conversion.rejected))
        return HTTPStatus.ACCEPTED, taken.as_dict()

    def get(self, path: str) -> tuple[int, dict[str, Any]]:
        """Tell what became of a ticket, or what waits.

        Raises:
            Refusal: there is nothing.
        """
        found = re.fullmatch(r"/tickets/(\d{1,15})", path)
        if found:
            ticket = int(found[1])
            if self.spool.has_ticket(ticket):
                rows = self.spool.rows(ticket, limit=MAX_SCANS)
                return 200, {"object": "ticket", "ticket": ticket, "counts": self.spool.counts(ticket),
                             "entries": [shown(row) for row in rows]}  # fmt: skip
        if path == "/spool":
            return 200, {"object": "spool", "counts": self.spool.counts(), "batches": stuck(self.spool),
                         "trouble": self.trouble.as_dict() if self.trouble else None}  # fmt: skip
        if path == "/livez":
            return 200, {"status": "ok"}
        raise Refusal("api.not-found", "There is no such address or ticket.", hint="Ask GET /tickets/N or /spool.")


def stuck(spool: Spool) -> list[dict[str, Any]]:
    """Return the batches that do not go on, with why."""
    return [
        {"batch": "0x" + each.name.hex(), "lane": str(each.batch.lane), "seq": str(each.batch.seq),
         "state": each.state, "entries": each.count, "reason": explained(each.code) | {"detail": each.reason}}
        for each in spool.stuck()
    ]  # fmt: skip


class Server(ThreadingHTTPServer):
    """Serves an endpoint."""

    daemon_threads = True
    request_queue_size = 16

    def __init__(self, host: str, port: int, endpoint: Endpoint) -> None:
        """Listen on an address; port 0 is any free one.

        Raises:
            OSError: the port is taken, or the address is none of this machine.
        """
        self.endpoint = endpoint
        self.names = LOOPBACK | {host.lower()}
        super().__init__((host, port), Handler)

    @property
    def url(self) -> str:
        """Address it listens on."""
        return f"http://{self.server_address[0]!s}:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version = "clearance-courier"
    sys_version = ""
    timeout = SILENCE
    server: Server

    def do_GET(self) -> None:
        """Answer GET."""
        self._answer(lambda: self.server.endpoint.get(self.path.split("?", 1)[0]))

    def do_POST(self) -> None:
        """Answer POST."""
        self._answer(self._posted)

    def do_PUT(self) -> None:
        """Refuse every other method."""
        self._answer(self._other)

    do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = do_PUT  # noqa: N815

    def _other(self) -> tuple[int, dict[str, Any]]:
        raise Refusal("api.method", "Files are posted; the rest is asked for by GET.", hint="Use POST or GET.")

    def _posted(self) -> tuple[int, dict[str, Any]]:
        size = self._length()
        body = self.rfile.read(size)
        if len(body) < size:  # the caller went away: half a file must not be taken for a whole one
            raise Refusal("api.malformed", "The body ended early.", hint="Post it again.")
        return self.server.endpoint.post(self.path.split("?", 1)[0], self.headers.get("Content-Type", ""), body)

    def _length(self) -> int:
        text = self.headers.get("Content-Length", "")
        if self.headers.get("Transfer-Encoding") or not text.isdecimal() or len(text) > 12:
            raise Refusal("api.malformed", "The request does not say how long it is.", hint="Send Content-Length.")
        if int(text) > MAX_BYTES:
            raise Refusal("api.too-large", f"More than {MAX_BYTES >> 20} MiB.", hint="Split the file.")
        return int(text)

    def _check_caller(self) -> None:
        named = self.headers.get("Host", "").rsplit(":", 1)[0].lower()
        if named not in self.server.names or self.headers.get("Origin") is not None:
            raise Refusal(
                "gateway.foreign-host", "Pages in a browser, and requests to another host's name, are not answered.",
                hint="Call it from a program, by the address it printed.",
            )  # fmt: skip
        given = self.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self.server.endpoint.token}".encode()):
            raise Refusal("auth.required", "The token is missing or wrong.", hint="Send Authorization: Bearer ...")

    def _answer(self, work: Callable[[], tuple[int, dict[str, Any]]]) -> None:
        with self.server.endpoint.slots:
            try:
                self._check_caller()
                status, document = work()
                self._send(status, document)
            except LedgerError as error:
                status = STATUS.get(error.code, 422)
                title = ERROR_TEXTS.get(error.code, ERROR_TEXTS["batch.refused"])
                problem = {"type": f"/errors/{error.code}", "title": title.en, "title_ko": title.ko, "status": status}
                self.close_connection = True  # a body that was not read must not be taken for the next request
                self._send(status, problem | error.as_dict(), "application/problem+json")
            except (TimeoutError, ConnectionError):
                self.close_connection = True

    def _send(self, status: int, document: dict[str, Any], media_type: str = "application/json") -> None:
        body = json.dumps(document, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        if self.close_connection:
            self.send_header("Connection", "close")
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            self.send_header("Retry-After", "5")
        if status == HTTPStatus.ACCEPTED:
            self.send_header("Location", f"/tickets/{document['ticket']}")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the server calls it so
        """Log no request lines: what was posted is logged by its ticket."""
