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


def row_of(session: Session, job: str) -> LeaseRow | None:
    """Return the row of a job, locked for this transaction; None if nobody ever took it."""
    return session.exec(select(LeaseRow).where(LeaseRow.job == job).with_for_update()).one_or_none()


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
                self._fence = self._take(session, now)
            self._until = now + self._life
        return bool(self._fence)

    def _take(self, session: Session, now: dt.datetime) -> int:
        """Return the fence, 0 while another process holds the lease."""
        row = row_of(session, self._job) or LeaseRow(job=self._job, holder="", fence=0, until=now)
        if row.holder != self._holder:
            if row.until > now:
                return 0
            row.holder, row.fence = self._holder, row.fence + 1
        row.until = now + self._life
        session.add(row)
        return row.fence

    def check(self, session: Session) -> None:
        """Check, within the transaction that writes, that the lease is still held.

        Raises:
            LeaseLost: it is not.
        """
        row = row_of(session, self._job)
        if row is None or (row.holder, row.fence) != (self._holder, self._fence):
            self._fence = 0
            raise LeaseLost(f"Another process took over the job {self._job}.", hint="This one stands by.")
