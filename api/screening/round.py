"""Parcels scored together: what is known of them is read at once, and what is made of them is written at once.

Within a round, what was made of one parcel counts for the next as if it stood in the database already.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from api.screening.indicators import DENIERS, MANY_NUMBERS
from ledger.store import screenings
from ledger.store.database import Session
from ledger.store.screenings import SameBill
from ledger.store.tables.chain import ParcelRow
from ledger.store.tables.history import ReferralRow
from ledger.store.tables.screening import ResultRow, ScreeningRow


class Round:
    """One round of scoring, within the transaction that writes it."""

    def __init__(self, session: Session, rows: Sequence[ParcelRow]) -> None:
        """Read what is kept of some parcels."""
        self.session = session
        ids = [row.id for row in rows]
        self._kept = screenings.kept(session, ids)
        self._causes = screenings.causes(session, ids)
        self._records: dict[bytes, tuple[int, int]] = {}
        self._made: dict[bytes, ScreeningRow] = {}
        self._said: list[ResultRow] = []

    def kept(self, parcel: bytes) -> ScreeningRow | None:
        """Return what was made of a parcel, in this round or before."""
        return self._made.get(parcel) or self._kept.get(parcel)

    def causes(self, parcel: bytes) -> list[ReferralRow]:
        """Return what the identity authority found of a parcel."""
        return self._causes.get(parcel, [])

    def record(self, who: bytes) -> tuple[int, int]:
        """Return how many parcels of a shop or courier were decided, and how many of them refused."""
        if who not in self._records:
            self._records[who] = screenings.record(self.session, who)
        return self._records[who]

    def numbers_at(self, phone: bytes | None, address: bytes | None, since: dt.datetime) -> frozenset[bytes]:
        """Return different numbers that goods were sent to a telephone or address with, as many as matter."""
        here = {
            made.number
            for made in self._made.values()
            if made.number and ((phone and made.phone == phone) or (address and made.address == address))
        }
        return screenings.numbers_at(self.session, phone, address, since, MANY_NUMBERS) | here

    def deniers_at(self, address: bytes | None, number: bytes | None, since: dt.datetime) -> int:
        """Return how many holders of other numbers denied a parcel to an address, as many as matter."""
        return screenings.deniers_at(self.session, address, number, since, DENIERS)

    def same_bill(self, bill: bytes, parcel: bytes) -> list[SameBill]:
        """Return other parcels under a house bill, first opened first."""
        stand = [each for each in screenings.same_bill(self.session, bill, parcel) if each.parcel not in self._made]
        here = [
            SameBill(made.opened_height, made.parcel, made.outcome)
            for made in self._made.values()
            if made.bill == bill and made.parcel != parcel
        ]
        return sorted([*stand, *here])

    def keep(self, made: ScreeningRow) -> None:
        """Keep what was made of a parcel."""
        self._made[made.parcel] = made

    def say(self, result: ResultRow) -> None:
        """Decide to write an entry."""
        self._said.append(result)

    def write(self) -> None:
        """Write what was made and what is to be said."""
        screenings.say(self.session, self._said)
        self.session.add_all(self._made.values())
        self.session.flush()
        self._said.clear()
