"""Signed batches in, submissions out: 202 first, and then the truth of how far a batch came."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Annotated, Any, Final

from anyio import to_thread
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field

from api import outbox
from api.auth import Member, TheGateway
from api.bounds import Places
from api.cursors import MAX_LIMIT, page, read_cursor, write_cursor
from api.gateway import Gateway
from api.idempotency import IdempotentRoute
from api.problems import not_found
from api.routes import shown
from api.routes.fields import Data, Signature, Unsigned64
from ledger.chain.batch import Batch
from ledger.domain.error_texts import ERROR_TEXTS
from ledger.store import parcels, submissions
from ledger.store.access import Caller
from ledger.store.tables.outbox import SubmissionRow

router = APIRouter(tags=["batches"], route_class=IdempotentRoute)
MAX_WAIT: Final = 20
"""Seconds that `Prefer: wait=N` may hold an answer back."""
POLL: Final = 0.02
DONE: Final = frozenset({"visible", "refused", "expired"})


class BatchIn(BaseModel):
    """A batch as its writer signed it (docs/protocol.md)."""

    model_config = ConfigDict(extra="forbid")
    lane: Unsigned64
    seq: Unsigned64
    not_after: Unsigned64 = Field(description="Seconds UTC after which the batch is dead.")
    entries: Data = Field(description="Packed entries.")
    signature: Signature = Field(description="Over the EIP-712 struct Batch; r, s, v with v 27 or 28.")


@router.post("/v1/batches", status_code=202)
async def submit(
    body: BatchIn,
    request: Request,
    response: Response,
    gateway: TheGateway,
    caller: Member,
    prefer: Annotated[str, Header(description="wait=N holds the answer back until the batch is visible.")] = "",
) -> dict[str, Any]:
    """Take a signed batch. It is accepted, durably, when this answers; sending it again changes nothing."""
    batch = Batch(body.lane, body.seq, body.not_after, body.entries, body.signature)
    row = await to_thread.run_sync(outbox.accept, gateway, caller, batch, limiter=request.app.state.writers)
    response.headers["Location"] = f"/v1/submissions/{row.id}"
    wanted = re.search(r"\bwait=(\d{1,4})\b", prefer)
    waits: Places = request.app.state.waits
    if not wanted or not waits.take():  # a preference: where too many wait already, the answer comes at once
        new = row.state == "accepted"
        return submission(row, []) if new else await run_in_threadpool(_find, gateway, caller, row.id)
    try:
        seconds = min(int(wanted[1]), MAX_WAIT)
        response.headers["Preference-Applied"] = f"wait={seconds}"
        return await _wait(gateway, caller, row.id, seconds, request)
    finally:
        waits.free()


async def _wait(gateway: Gateway, caller: Caller, name: str, seconds: int, request: Request) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while True:
        found = await run_in_threadpool(_find, gateway, caller, name)
        if found["state"] in DONE or loop.time() >= end or await request.is_disconnected():
            return found
        await asyncio.sleep(POLL)


def _find(gateway: Gateway, caller: Caller, name: str) -> dict[str, Any]:
    with gateway.database.read() as session:
        row = submissions.find(session, name)
        if row is None or row.org != caller.org:
            raise not_found()
        visible = row.state == "visible" and row.height is not None and row.place is not None
        entries = parcels.entries_of_batch(session, row.height or 0, row.place or 0) if visible else []
        return submission(row, [shown.entry(each) for each in entries])


@router.get("/v1/lanes/{lane}")
def lane(lane: Unsigned64, gateway: TheGateway, caller: Member) -> dict[str, Any]:
    """Say which number the caller's key must use next in a lane, after all that waits."""
    return {"object": "lane", "lane": str(lane), "next_seq": str(outbox.next_seq(gateway, caller.key, lane))}


@router.get("/v1/submissions/{name}")
def read(name: str, gateway: TheGateway, caller: Member) -> dict[str, Any]:
    """Say how far a batch came and what became of each entry; by the submission's id, or 0x and the batch's hash."""
    return _find(gateway, caller, name[:80])


@router.get("/v1/submissions")
def listed(
    gateway: TheGateway,
    caller: Member,
    state: Annotated[str | None, Query(pattern="^[a-z]{1,16}$")] = None,
    cursor: Annotated[str | None, Query(max_length=300)] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 20,
) -> dict[str, Any]:
    """List the org's submissions, newest first."""
    scope = f"submissions {caller.org} {state}"
    before = read_cursor(gateway.secret, scope, cursor)[0] if cursor else None
    with gateway.database.read() as session:
        rows = submissions.of_org(session, caller.org, state, before, limit + 1)
        return page(rows, limit, submission, lambda row: write_cursor(gateway.secret, scope, [row.number or 0]))


def submission(row: SubmissionRow, entries: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """Show a submission."""
    dead = row.state in submissions.DEAD
    found: dict[str, Any] = {
        "object": "submission",
        "id": row.id,
        "batch": shown.hexed(row.hash),
        "state": row.state,
        "final": row.state == "visible",
        "key": shown.hexed(row.key),
        "lane": str(row.lane),
        "seq": str(row.seq),
        "not_after": shown.time(min(row.not_after, 253_402_300_799)),
        "entry_count": row.count,
        "accepted_at": shown.instant(row.accepted_at),
        "changed_at": shown.instant(row.changed_at),
        "block": None if row.height is None else {"height": row.height, "place": row.place},
        "error": {"code": row.code, "title": _title(row.code), "detail": row.reason} if dead else None,
        "receipt": json.loads(row.receipt) if row.receipt else None,
    }
    if entries is not None:
        found["entries"] = entries
    return found


def _title(code: str | None) -> str:
    return ERROR_TEXTS.get(code or "", ERROR_TEXTS["batch.refused"]).en
