"""Hands accepted batches to the node, in order, until the end of each is known.

The node takes a batch twice and answers the same receipt, and the batch carries its own number in its lane: so a crash
between any two steps loses nothing and doubles nothing (docs/adr/0011-outbox-of-signed-batches.md).
"""

from __future__ import annotations

import datetime as dt
import logging
from typing import Any, Final

from api.gateway import Gateway
from ledger.chain.batch import Batch
from ledger.chain.port import NODE_TROUBLE
from ledger.domain.errors import LedgerError
from ledger.store import leases, submissions
from ledger.store.database import Session
from ledger.store.tables.outbox import SubmissionRow

log = logging.getLogger("clearance.submitter")

AT_ONCE: Final = 64
CALL_BYTES: Final = 1 << 20
"""Bytes of entries handed over in one call; the node takes four times as much, in hexadecimal digits."""
JOB: Final = "submitter"
LEASE: Final = dt.timedelta(seconds=10)
ASK_AFTER: Final = dt.timedelta(seconds=2)
"""Age at which a handed-over batch that stands in no block is asked for."""
RETRY_CODES: Final = NODE_TROUBLE | {"database.unavailable"}
"""Refusals that say nothing of the batch: it is handed over again."""


class Submitter:
    """Hands accepted batches to the node. One of many processes does it at a time, under a fenced lease."""

    def __init__(self, gateway: Gateway) -> None:
        """Take the gateway."""
        self._gateway = gateway
        self._lease = leases.Lease(gateway.database, JOB, LEASE)

    def step(self) -> int:
        """Hand over what waits and ask for what is late; return how many batches moved.

        Raises:
            LedgerError: the node does not answer, or pushes back; what waits still waits.
        """
        gateway = self._gateway
        now = gateway.now()
        with gateway.database.read() as session:  # most looks find nothing: they take no lock and write nothing
            rows = submissions.to_send(session, AT_ONCE)
            late = submissions.sent_before(session, now - ASK_AFTER, AT_ONCE)
            session.expunge_all()
        if not rows and not late:
            return 0
        if not self._lease.hold(now):
            return 0
        moved = self._send(_page(rows))
        for row in late:
            self._ask(row)
        return moved

    def _send(self, rows: list[SubmissionRow]) -> int:
        """Hand batches over and note the promises together; without the note they are handed over once more."""
        if not rows:
            return 0
        answers = self._gateway.node.send_batches([signed_batch(row) for row in rows])
        pushed_back: LedgerError | None = None
        receipts: dict[bytes, dict[str, Any]] = {}
        with self._gateway.database.write() as session:
            self._lease.check(session)
            for row, answer in zip(rows, answers, strict=True):
                if not isinstance(answer, LedgerError):
                    receipts[row.hash] = answer
                elif answer.code in RETRY_CODES:
                    pushed_back = answer
                else:
                    self._bury(session, row, answer.code, answer.detail)
            submissions.note_sent(session, receipts, self._gateway.now())
        if pushed_back:
            raise pushed_back
        return len(rows)

    def _ask(self, row: SubmissionRow) -> None:
        answer = self._gateway.node.batch_status(row.hash)
        if answer["state"] == "refused":
            with self._gateway.database.write() as session:
                self._lease.check(session)
                self._bury(session, row, answer.get("code", "batch.refused"), answer.get("reason", ""))
        elif answer["state"] == "included":  # mostly the projector tells it first
            with self._gateway.database.write() as session:
                self._lease.check(session)
                submissions.note_place(session, row.hash, answer["inclusion"]["height"], answer["index"])
        elif answer["state"] == "unknown":  # the node lost its queue: it is handed over again
            with self._gateway.database.write() as session:
                self._lease.check(session)
                submissions.note_lost(session, row.hash, self._gateway.now())

    def _bury(self, session: Session, row: SubmissionRow, code: str, reason: str) -> None:
        state = "expired" if code == "batch.expired" else "refused"
        log.info("submission %s %s: %s", row.id, state, code)
        submissions.note_dead(session, row.hash, state, code, reason, self._gateway.now())


def _page(rows: list[SubmissionRow]) -> list[SubmissionRow]:
    """Return as many of the first rows as go into one call, at least one."""
    size, page = 0, list[SubmissionRow]()
    for row in rows:
        size += len(row.entries)
        if page and size > CALL_BYTES:
            break
        page.append(row)
    return page


def signed_batch(row: SubmissionRow) -> Batch:
    """Return the batch as its writer signed it."""
    return Batch(row.lane, row.seq, row.not_after, row.entries, row.signature)
