"""Jobs that one process may do at a time: a lease in the database, with a fence that rises with every holder."""

from __future__ import annotations

import datetime as dt
import secrets

from sqlmodel import Session, select

from ledger.domain.errors import LedgerError
from ledger.store.database import Database
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


class Lease:
    """One process's hold on a job. It is renewed now and then, so that not every step writes a row."""

    def __init__(self, database: Database, job: str, life: dt.timedelta, renew: dt.timedelta | None = None) -> None:
        """Take the database, the job, how long the lease lasts, and after how long it is renewed: half of that."""
        self._database, self._job, self._life, self._renew = database, job, life, renew or life / 2
        self._holder, self._fence = secrets.token_hex(8), 0
        self._until = dt.datetime.min.replace(tzinfo=dt.UTC)

    def hold(self, now: dt.datetime) -> bool:
        """Take or keep the lease; False while another process holds it."""
        if not self._fence or self._until - now < self._life - self._renew:
            with self._database.write() as session:
                self._fence = hold(session, self._job, self._holder, now, self._life)
            self._until = now + self._life
        return bool(self._fence)

    def check(self, session: Session) -> None:
        """Check, within the transaction that writes, that the lease is still held.

        Raises:
            LeaseLost: it is not.
        """
        try:
            check(session, self._job, self._holder, self._fence)
        except LeaseLost:
            self._fence = 0
            raise
