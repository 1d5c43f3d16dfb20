"""The hash-chained table behind an HTTP API of the gateway's kind: one process, bearer tokens, the same requests.

`python -m benchmarks.hashchain_server DATABASE PORT`, with the tokens as lines on its standard input. A batch is in the
table when this answers 202: there is nothing else to wait for.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import uvicorn
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.routes.batches import BatchIn
from benchmarks.hashchain import HashChain, in_postgres, in_sqlite
from benchmarks.mix import SEED
from clients.sample.members import Keyring, sample_genesis
from clients.sample.plan import START
from ledger.chain.batch import Batch

Given = Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]


class Table:
    """The chain with the table of tokens; all calls come from the thread that made it."""

    def __init__(self, address: str, tokens: list[str]) -> None:
        """Open a fresh database: a path, or the address of a PostgreSQL database."""
        domain = sample_genesis(Keyring(SEED), START, 1).domain
        lite = not address.startswith("postgresql:")
        self.chain: HashChain = in_sqlite(Path(address), domain) if lite else in_postgres(address, domain)
        self._cursor = self.chain.connection.cursor()
        self._mark = "?" if lite else "%s"
        self._cursor.execute(f"CREATE TABLE tokens (hash {'BLOB' if lite else 'BYTEA'} PRIMARY KEY)")
        for token in tokens:
            self._cursor.execute(f"INSERT INTO tokens VALUES ({self._mark})", (_hash(token),))
        self.chain.connection.commit()

    def knows(self, token: str) -> bool:
        """Whether a token is good."""
        self._cursor.execute(f"SELECT 1 FROM tokens WHERE hash = {self._mark}", (_hash(token),))
        return self._cursor.fetchone() is not None

    def append(self, token: str, batch: Batch) -> int | None:
        """Append a batch; return the number of its last row, None if nobody is signed in by that token."""
        return self.chain.append(batch) if self.knows(token) else None


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def create_app(address: str, tokens: list[str]) -> FastAPI:
    """Return the application; one thread writes, as a chain of hashes demands."""
    app, writer = FastAPI(), ThreadPoolExecutor(1)
    table = writer.submit(Table, address, tokens).result()

    @app.get("/livez")
    async def livez() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/v1/batches", status_code=202)
    async def submit(body: BatchIn, given: Given) -> dict[str, Any]:
        batch = Batch(body.lane, body.seq, body.not_after, body.entries, body.signature)
        loop = asyncio.get_running_loop()
        number = await loop.run_in_executor(writer, table.append, given.credentials, batch)
        if number is None:
            raise HTTPException(401)
        return {"object": "submission", "id": str(number), "state": "visible"}

    return app


if __name__ == "__main__":
    uvicorn.run(
        create_app(sys.argv[1], sys.stdin.read().split()), port=int(sys.argv[2]), access_log=False, log_level="warning"
    )
