"""Screening's side of the random sample: commits to day keys a week ahead, draws, reveals what is over.

The rules that anybody recomputes stand in `ledger.chain.sampling`. Keys derive from one secret, by day.
"""

from __future__ import annotations

import logging
from typing import Final

from api.gateway import Gateway
from ledger.chain.sampling import (
    DAY,
    ONE,
    REVEAL_AFTER,
    REVEAL_LATEST,
    commitment,
    day_end,
    day_of,
    day_subject,
    picked,
)
from ledger.commitments import word
from ledger.domain.crosswalk import DAY_COMMITTED, DAY_REVEALED
from ledger.payloads import derive
from ledger.store import screenings
from ledger.store.database import Session
from ledger.store.tables.chain import EntryRow, ParcelRow
from ledger.store.tables.screening import ResultRow, SamplingDayRow

log = logging.getLogger("clearance.screening")

AHEAD: Final = 7
"""Days committed to beforehand: screening may be down for less without missing one."""
BACK: Final = REVEAL_LATEST // DAY + 1
"""Days looked back for commitments that a restored database does not know of."""


class Sampling:
    """The day keys of one organisation that screens."""

    def __init__(self, gateway: Gateway, org: int, secret: bytes, rate: int) -> None:
        """Take the secret that keys derive from, and the rate (parts per million) of days not committed to yet.

        Raises:
            ValueError: no such rate.
        """
        if not 0 <= rate <= ONE:
            raise ValueError(f"a rate of {rate} parts per million")
        self._gateway, self._org, self._secret, self._rate = gateway, org, secret, rate
        self._domain = gateway.genesis.domain
        self._ready_until = -1
        self._bound: dict[int, tuple[int, int]] = {}
        self._newest = (-1, b"")

    def key(self, day: int) -> bytes:
        """Return the key of a day."""
        return derive(self._secret, f"sampling day {day}")

    def is_due(self, session: Session, now: int) -> bool:
        """Whether a day is to be committed to or revealed."""
        return day_of(now) + AHEAD > self._ready_until or bool(self._over(session, now))

    def step(self, session: Session, now: int) -> int:
        """Decide to commit and to reveal what is due; return how many statements."""
        said = 0
        if day_of(now) + AHEAD > self._ready_until:
            said += self._commit(session, day_of(now))
        for row in self._over(session, now):
            self._say(session, row.day, DAY_REVEALED, self.key(row.day), row.rate)
            row.revealed = True
            session.add(row)
            said += 1
        return said

    def picks(self, session: Session, row: ParcelRow) -> bytes | None:
        """Return the key of a parcel's day if the sample picks it, else None.

        A day whose commitment does not stand before the parcel's first filing picks nothing: nobody could check it.
        """
        day = day_of(row.filed_at or 0)
        bound = self._bound.get(day) or self._bind(session, day)
        if bound is None or bound[0] >= row.opened_height:
            log.info("no key was committed to before a filing of day %d: it is not drawn", day)
            return None
        key, parcel = self.key(day), int.from_bytes(row.id, "big")
        return key if picked(key, bound[1], parcel, self._block_hash(session, row.opened_height)) else None

    def _bind(self, session: Session, day: int) -> tuple[int, int] | None:
        """Return the height of a day's commitment and its rate, once it stands in a final block."""
        stands, kept = self._statement(session, day, DAY_COMMITTED), session.get(SamplingDayRow, day)
        if stands is None or kept is None:
            return None
        self._bound[day] = stands.height, kept.rate
        return self._bound[day]

    def _block_hash(self, session: Session, height: int) -> bytes:
        if self._newest[0] != height:
            self._newest = height, screenings.block_hash(session, height)
        return self._newest[1]

    def _over(self, session: Session, now: int) -> list[SamplingDayRow]:
        """Return the days to reveal: over for an hour and settled, or over for long."""
        days = screenings.secret_days(session, day_of(now - REVEAL_AFTER) - 1)
        late = now - REVEAL_LATEST + DAY
        return [row for row in days if day_end(row.day) <= late or screenings.is_day_settled(session, row.day)]

    def _commit(self, session: Session, today: int) -> int:
        self._recover(session, today)
        days = [day for day in range(today, today + AHEAD + 1) if session.get(SamplingDayRow, day) is None]
        for day in days:
            session.add(SamplingDayRow(day=day, rate=self._rate))
            self._say(session, day, DAY_COMMITTED, commitment(self._domain, day, self._rate, self.key(day)), 0)
        self._ready_until = today + AHEAD
        return len(days)

    def _recover(self, session: Session, today: int) -> None:
        """Take up commitments that stand on chain and that this database does not know of: it was restored."""
        for day in range(today - BACK, today + AHEAD + 1):
            if session.get(SamplingDayRow, day) is not None:
                continue
            stands = self._statement(session, day, DAY_COMMITTED)
            if stands is None:
                continue
            if stands.digest != commitment(self._domain, day, self._rate, self.key(day)):
                log.error("day %d was committed to with another rate or secret: its key cannot be revealed", day)
                continue
            told = self._statement(session, day, DAY_REVEALED) is not None
            session.add(SamplingDayRow(day=day, rate=self._rate, revealed=told))
        session.flush()

    def _statement(self, session: Session, day: int, kind: int) -> EntryRow | None:
        return screenings.statement(session, word(day_subject(self._domain, day)), kind, self._org)

    def _say(self, session: Session, day: int, kind: int, digest: bytes, rate: int) -> None:
        subject = word(day_subject(self._domain, day))
        row = ResultRow(subject=subject, kind=kind, trace=True, about="", digest=digest, detail=rate)
        screenings.say(session, [row])
