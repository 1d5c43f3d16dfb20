"""A bare HTTP/1.1 client for open loops: keep-alive GETs at next to no cost, so that the service is measured."""

from __future__ import annotations

import asyncio
from types import TracebackType
from urllib.parse import urlsplit


class Connections:
    """Connections to one server; a GET takes an idle one or opens another."""

    def __init__(self, url: str) -> None:
        """Take the server's address, `http://host:port`."""
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def __aenter__(self) -> Connections:
        """Open nothing yet."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the idle connections."""
        for _, writer in self._idle:
            writer.close()

    async def get(self, path: str, token: str) -> tuple[int, bytes]:
        """Return status and body; a connection that the server closed while it was idle is opened anew."""
        while self._idle:
            reader, writer = self._idle.pop()
            try:
                return await self._get(reader, writer, path, token)
            except (asyncio.IncompleteReadError, ConnectionError):
                writer.close()
        return await self._get(*await asyncio.open_connection(self._host, self._port), path, token)

    async def _get(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, token: str
    ) -> tuple[int, bytes]:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {self._host}\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        lengths = [line.split(b":", 1)[1] for line in lines if line.lower().startswith(b"content-length:")]
        body = await reader.readexactly(int(lengths[0]))
        self._idle.append((reader, writer))
        return int(lines[0].split()[1]), body

    def __len__(self) -> int:
        """Connections that are open and idle."""
        return len(self._idle)
