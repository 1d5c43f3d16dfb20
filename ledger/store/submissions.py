"""The outbox: accepts signed batches, hands them over in order, and knows how far each one came.

A batch is named by its hash (digest and signer together): accepting, handing over and projecting it again change
nothing.
"""

from __future__ import annotations

import datetime as dt
import json
import secrets
from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import bindparam, func, update
from sqlmodel import Session, col, select

from ledger.chain.batch import Batch
from ledger.chain.included import IncludedBlock
from ledger.commitments import LedgerDomain
from ledger.store.rows import table_of
from ledger.store.tables.chain import Cursor
from ledger.store.tables.outbox import SubmissionRow

OPEN: Final = ("accepted", "sent", "included")
WAITING: Final = ("accepted", "sent")
DEAD: Final = ("refused", "expired")


def find(session: Session, name: str) -> SubmissionRow | None:
    """Return a submission by its id or by 0x and the batch's hash."""
    if name.startswith("0x"):
        try:
            hashed = bytes.fromhex(name[2:])
        except ValueError:
            return None
        return by_hash(session, hashed)
    return session.exec(_BY_ID, params={"id": name}).one_or_none()


# Statements of every batch's way are built once: building them took longer than running them.
_BY_ID: Final = select(SubmissionRow).where(SubmissionRow.id == bindparam("id"))
_BY_HASH: Final = select(SubmissionRow).where(SubmissionRow.hash == bindparam("hash"))


def by_hash(session: Session, hashed: bytes) -> SubmissionRow | None:
    """Return the submission of a batch."""
    return session.exec(_BY_HASH, params={"hash": hashed}).one_or_none()


def of_org(session: Session, org: int, state: str | None, before: int | None, limit: int) -> list[SubmissionRow]:
    """Return an org's submissions, newest first."""
    chosen = select(SubmissionRow).where(SubmissionRow.org == org)
    if state:
        chosen = chosen.where(SubmissionRow.state == state)
    if before is not None:
        chosen = chosen.where(col(SubmissionRow.number) < before)
    return list(session.exec(chosen.order_by(col(SubmissionRow.number).desc()).limit(limit)))


def accept(session: Session, batch: Batch, hashed: bytes, key: bytes, org: int, now: dt.datetime) -> SubmissionRow:
    """Put a batch into the outbox, or judge one anew that was refused or expired; return its row."""
    return put(session, by_hash(session, hashed), batch, hashed, key, org, now)


def put(
    session: Session, row: SubmissionRow | None, batch: Batch, hashed: bytes, key: bytes, org: int, now: dt.datetime
) -> SubmissionRow:
    """Put a batch into the outbox whose row, if it has one, was read in this transaction; return its row."""
    if row is None:
        row = SubmissionRow(
            id="sub_" + secrets.token_hex(12),
            hash=hashed,
            key=key,
            org=org,
            lane=batch.lane,
            seq=batch.seq,
            not_after=batch.not_after,
            entries=batch.entries,
            signature=batch.signature,
            count=int.from_bytes(batch.entries[:32], "big"),
            accepted_at=now,
            changed_at=now,
        )
    elif row.state in DEAD:
        row.state, row.code, row.reason, row.receipt, row.changed_at = "accepted", None, None, None, now
    session.add(row)
    session.flush()
    return row


def note_place(session: Session, hashed: bytes, height: int, place: int) -> None:
    """Note where a batch stands whose block was projected before this database knew of it (it was restored, say)."""
    cursor = session.exec(select(Cursor.height)).one_or_none() or 0
    state = "visible" if height <= cursor else "included"
    now = dt.datetime.now(dt.UTC)
    _change(session, hashed, WAITING, state=state, height=height, place=place, changed_at=now)


def next_seq(session: Session, key: bytes, lane: int) -> int:
    """Return the number after the last that waits in a lane, 0 if none waits."""
    last = session.exec(_LAST_OPEN, params={"key": key, "lane": lane}).one()
    return 0 if last is None else _seq(last) + 1


_LAST_OPEN: Final = select(func.max(SubmissionRow.seq)).where(
    SubmissionRow.key == bindparam("key"),
    SubmissionRow.lane == bindparam("lane"),
    col(SubmissionRow.state).in_(OPEN),
)


def next_living(session: Session, key: bytes, lane: int) -> int:
    """Return the number after the last batch of a lane that is not dead, 0 if there is none.

    For a writer inside the gateway: what it read of the chain before its transaction may be older than what it wrote.
    """
    last = session.exec(
        select(func.max(SubmissionRow.seq)).where(
            SubmissionRow.key == key, SubmissionRow.lane == lane, col(SubmissionRow.state).not_in(DEAD)
        )
    ).one()
    return 0 if last is None else _seq(last) + 1


def _seq(value: Any) -> int:
    return int.from_bytes(value, "big") if isinstance(value, bytes) else int(value)


def waiting(session: Session) -> int:
    """Return how many batches are on their way: accepted and not visible yet, whatever holds them up."""
    return session.exec(_WAITING).one()


_WAITING: Final = select(func.count()).select_from(SubmissionRow).where(col(SubmissionRow.state).in_(OPEN))


def to_send(session: Session, limit: int) -> list[SubmissionRow]:
    """Return the oldest accepted batches, stops first."""
    chosen = select(SubmissionRow).where(SubmissionRow.state == "accepted")
    return list(session.exec(chosen.order_by(col(SubmissionRow.lane) != 0, col(SubmissionRow.number)).limit(limit)))


def sent_before(session: Session, moment: dt.datetime, limit: int) -> list[SubmissionRow]:
    """Return batches that were handed over before a moment and stand in no block yet."""
    chosen = select(SubmissionRow).where(SubmissionRow.state == "sent", col(SubmissionRow.changed_at) < moment)
    return list(session.exec(chosen.order_by(col(SubmissionRow.number)).limit(limit)))


def note_sent(session: Session, receipts: Mapping[bytes, Mapping[str, Any]], now: dt.datetime) -> None:
    """Note the sealer's promises, by batch; a block may have been faster, and the receipt is kept all the same."""
    if receipts:
        kept = [{"of": hashed, "told": json.dumps(receipt)} for hashed, receipt in receipts.items()]
        session.connection().execute(_KEEP_RECEIPT, kept)
        session.connection().execute(_SENT, [{"of": hashed, "now": now} for hashed in receipts])


_TABLE: Final = table_of(SubmissionRow)
_KEEP_RECEIPT: Final = update(_TABLE).where(_TABLE.c.hash == bindparam("of")).values(receipt=bindparam("told"))
_SENT: Final = (
    update(_TABLE)
    .where(_TABLE.c.hash == bindparam("of"), _TABLE.c.state == "accepted")
    .values(state="sent", changed_at=bindparam("now"))
)
_STANDS: Final = (
    update(_TABLE)
    .where(_TABLE.c.hash == bindparam("of"), _TABLE.c.state != "visible")
    .values(
        state=bindparam("came"), code=None, reason=None, height=bindparam("block"), place=bindparam("index"),
        changed_at=bindparam("now"),
    )
)  # fmt: skip


def note_lost(session: Session, hashed: bytes, now: dt.datetime) -> None:
    """Note that the node knows nothing of a batch it was handed: it waits again."""
    _change(session, hashed, ("sent",), state="accepted", changed_at=now)


def note_dead(session: Session, hashed: bytes, state: str, code: str, reason: str, now: dt.datetime) -> None:
    """Note that a batch will never stand in a block: refused or expired."""
    _change(session, hashed, WAITING, state=state, code=code[:64], reason=reason[:300], changed_at=now)


def _change(session: Session, hashed: bytes, states: Iterable[str], **values: Any) -> None:
    statement = update(SubmissionRow).where(col(SubmissionRow.hash) == hashed, col(SubmissionRow.state).in_(states))
    session.connection().execute(statement.values(**values))


def note_included(session: Session, domain: LedgerDomain, blocks: Iterable[IncludedBlock]) -> None:
    """Tell submissions that they stand in a block which is not final yet."""
    _note(session, domain, blocks, "included")


def note_visible(session: Session, domain: LedgerDomain, blocks: Iterable[IncludedBlock]) -> None:
    """Tell submissions that their block is final and its rows stand."""
    _note(session, domain, blocks, "visible")


def _note(session: Session, domain: LedgerDomain, blocks: Iterable[IncludedBlock], state: str) -> None:
    now = dt.datetime.now(dt.UTC)
    told = [
        {"of": batch.hash(domain), "came": state, "block": block.height, "index": batch.index, "now": now}
        for block in blocks
        for batch in block.batches
    ]
    if told:
        session.connection().execute(_STANDS, told)
