"""Jobs that one process may do at a time: a lease in the database, with a fence that rises with every holder."""

from __future__ import annotations

import datetime as dt

from sqlmodel import Session, select

from ledger.domain.errors import LedgerError
from ledger.store.tables.outbox import LeaseRow


class LeaseLost(LedgerError):
    """Another process took the job over."""

    code = "lease.lost"


def hold(session: Session, job: str, holder: str, now: dt.datetime, life: dt.timedelta) -> int:
    """Take or keep a lease; return its fence, or 0 while another process holds it."""
    row = session.exec(select(LeaseRow).where(LeaseRow.job == job).with_for_update()).one_or_none()
    if row is None:
        row = LeaseRow(job=job, holder=holder, fence=1, until=now + life)
    elif row.holder == holder:
        row.until = now + life
    elif row.until <= now:
        row.holder, row.fence, row.until = holder, row.fence + 1, now + life
    else:
        return 0
    session.add(row)
    return row.fence


def check(session: Session, job: str, holder: str, fence: int) -> None:
    """Check, within the transaction that writes, that the lease is still held.

    Raises:
        LeaseLost: it is not.
    """
    row = session.exec(select(LeaseRow).where(LeaseRow.job == job).with_for_update()).one_or_none()
    if row is None or (row.holder, row.fence) != (holder, fence):
        raise LeaseLost(f"Another process took over the job {job}.", hint="This one stands by.")
