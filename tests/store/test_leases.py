"""A lease is one process's, is renewed before it ends and not before every step, and says when it was lost."""

from __future__ import annotations

import datetime as dt

import pytest

from ledger.store.database import Database
from ledger.store.leases import Lease, LeaseLost, row_of

NOW = dt.datetime(2026, 11, 26, tzinfo=dt.UTC)
LIFE = dt.timedelta(seconds=10)


def until(database: Database) -> dt.datetime:
    with database.read() as session:
        row = row_of(session, "job")
        assert row is not None
        return row.until


def later(seconds: float) -> dt.datetime:
    return NOW + dt.timedelta(seconds=seconds)


def test_it_is_renewed_when_half_of_it_is_over(database: Database) -> None:
    lease = Lease(database, "job", LIFE)
    for seconds, end in ((0, 10), (4, 10), (5, 10), (5.1, 15.1), (9, 15.1), (10.2, 20.2)):
        assert lease.hold(later(seconds))
        assert until(database) == later(end)


def test_it_is_renewed_as_early_as_it_is_told(database: Database) -> None:
    lease = Lease(database, "job", LIFE, renew=dt.timedelta(seconds=1))
    assert lease.hold(NOW)
    assert lease.hold(later(2))
    assert until(database) == later(12)


def test_who_lost_it_hears_so_and_asks_again(database: Database) -> None:
    first, second = Lease(database, "job", LIFE), Lease(database, "job", LIFE)
    assert first.hold(NOW)
    assert not second.hold(later(9))
    assert second.hold(later(10)), "it is over"
    with pytest.raises(LeaseLost), database.write() as session:
        first.check(session)
    assert not first.hold(later(1)), "it does not trust what it remembers"
    with database.write() as session:
        second.check(session)
    assert first.hold(later(21))
    with pytest.raises(LeaseLost), database.write() as session:
        second.check(session)


def test_an_unheld_lease_is_no_ones_to_write_under(database: Database) -> None:
    with pytest.raises(LeaseLost), database.write() as session:
        Lease(database, "job", LIFE).check(session)
