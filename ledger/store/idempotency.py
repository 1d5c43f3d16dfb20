"""Answers kept under idempotency keys."""

from __future__ import annotations

import datetime as dt

from sqlmodel import Session

from ledger.store.tables.access import IdempotencyRow


def begin(
    session: Session, caller: str, key: str, fingerprint: bytes, now: dt.datetime, dead: dt.datetime
) -> IdempotencyRow | None:
    """Claim a key and return None, or return the row of the request that claimed it first.

    A claim without answer from before `dead` is taken over: its process died.
    """
    row = session.get(IdempotencyRow, (caller, key))
    if row is not None and (row.status is not None or row.started > dead or row.fingerprint != fingerprint):
        session.expunge(row)
        return row
    if row is None:
        row = IdempotencyRow(caller=caller, key=key, fingerprint=fingerprint, started=now)
    row.started = now
    session.add(row)
    return None


def finish(session: Session, caller: str, key: str, status: int, headers: str, body: bytes) -> None:
    """Keep the answer."""
    row = session.get(IdempotencyRow, (caller, key))
    if row is not None:
        row.status, row.headers, row.body = status, headers, body
        session.add(row)


def drop(session: Session, caller: str, key: str) -> None:
    """Give the key back: the request failed and may be made again."""
    row = session.get(IdempotencyRow, (caller, key))
    if row is not None and row.status is None:
        session.delete(row)
