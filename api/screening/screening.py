"""Screening at work: scores every filing, draws the random sample, and puts its results into the outbox in cuts.

What it makes of a filing commits with the results that follow from it and with the cursor; the signed batch commits
with the note which results it carries. So a crash between any two steps loses nothing and says nothing twice. A
corrected filing is scored again; a filing whose payload has not come waits.
"""

from __future__ import annotations

import datetime as dt
import random
import secrets
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from api.gateway import Gateway
from api.screening import shown
from api.screening.declared import Filed, FilingReader
from api.screening.indicators import CONTACT_DAYS
from api.screening.knowledge import Knowledge, Known
from api.screening.reasons import BILL_TWICE, SAMPLE, committed, noted
from api.screening.round import Round
from api.screening.sampling import Sampling
from api.screening.scorer import RuleScorer, Score, Scorer
from api.screening.signals import declared
from api.signatory import Signatory
from ledger.chain.batch import Entry
from ledger.chain.sampling import day_of, picked_digest
from ledger.domain.kinds import KindNumber
from ledger.domain.limits import TRACE_LANE
from ledger.domain.words import HEADER
from ledger.keys import LocalSigner
from ledger.store import screenings
from ledger.store.database import Session
from ledger.store.sealing import Seals
from ledger.store.tables.chain import ParcelRow
from ledger.store.tables.screening import ResultRow, ScreeningRow

K = KindNumber
JOB: Final = "screening"
CUT: Final = dt.timedelta(milliseconds=500)
"""Pause between two cuts: what comes up within it goes out together, shuffled."""
AT_ONCE: Final = 200
RETRY: Final = dt.timedelta(seconds=2)
SLOWEST_RETRY: Final = dt.timedelta(minutes=10)
MAIN_LANE: Final = 1


class Screening:
    """One organisation that screens. It opens payloads with its own key, and knows no person by name."""

    def __init__(
        self, gateway: Gateway, seals: Seals, signer: LocalSigner, org: int, opener: X25519PrivateKey,
        sampling: Sampling, knowledge: Knowledge, *, scorer: Scorer | None = None, dice: random.Random | None = None,
        pause: dt.timedelta = CUT,
    ) -> None:  # fmt: skip
        """Take the gateway it works in, the keys of its tables, its own keys, its sample, and what it knows.

        `scorer` scores, by rules unless told; `dice` shuffles, `pause` is the time between two cuts.
        """
        self._gateway, self._seals = gateway, seals
        self._reader = FilingReader(gateway, opener)
        self._sampling, self._knowledge = sampling, knowledge
        self._scorer = scorer or RuleScorer()
        self._dice = dice or secrets.SystemRandom()
        self._signatory = Signatory(gateway, JOB, signer, org, pause)

    def is_busy(self, session: Session) -> bool:
        """Whether there is something to score, to take up or to say."""
        return self._may_score(session) or self._may_take_up(session) or self._may_say(session)

    def results(self, session: Session, parcels: Collection[bytes]) -> Mapping[bytes, list[dict[str, Any]]]:
        """Return what was said of parcels with its reasons: for officers of their office, for nobody else."""
        return shown.results(session, self._seals, parcels)

    def step(self) -> int:
        """Take up what others ask, score what is new or due, and cut if it is time; return how much was done."""
        with self._gateway.database.read() as session:  # most looks find nothing: they take no lock and write nothing
            score, take_up = self._may_score(session), self._may_take_up(session)
            if not score and not take_up and not (self._signatory.may_cut and self._may_say(session)):
                return 0
        if not self._signatory.hold():
            return 0
        done = (self.take_up() if take_up else 0) + (self.score() if score else 0) + self.cut()
        if done:
            self._gateway.bells.accepted.ring()
        return done

    def _may_score(self, session: Session) -> bool:
        return bool(screenings.fresh_parcels(session, 1) or screenings.due(session, self._gateway.chain_now(), 1))

    def _may_take_up(self, session: Session) -> bool:
        return bool(screenings.untaken(session, 1)) or self._sampling.is_due(session, self._gateway.chain_time())

    @staticmethod
    def _may_say(session: Session) -> bool:
        return bool(screenings.to_say(session, 1) or screenings.said_in_vain(session, 1))

    # -------------------------------------------------------------------------------------------------------- scoring
    def score(self) -> int:
        """Score new filings and those that waited; return how many parcels were looked at."""
        now = self._gateway.chain_now()
        with self._gateway.database.read() as session:
            rows = screenings.fresh_parcels(session, AT_ONCE)
            again = [session.get(ParcelRow, each.parcel) for each in screenings.due(session, now, AT_ONCE)]
            found = {row.id: row for row in (*rows, *again) if row is not None}
            kept = screenings.kept(session, found)
            asked = [row for row in found.values() if _is_open(row, kept.get(row.id))]
            places = screenings.newest_filings(session, asked) if asked else {}
            session.expunge_all()
        read = self._reader.read([(row, places[row.id]) for row in asked if row.id in places])
        filed = [(each, self._knowledge.cents(each)) for each in read]
        with self._gateway.database.write() as session:
            self._signatory.check(session)
            at = Round(session, list(found.values()))
            for each, cents in filed:
                self._score_one(at, each, cents, now)
            at.write()
            for row in rows:
                self._settle(at, row)
            if rows:
                screenings.advance(session, rows[-1])
        return len(found)

    def _score_one(self, at: Round, filed: Filed, cents: tuple[int | None, ...], now: dt.datetime) -> None:
        row = filed.row
        made = _row(row, at.kept(row.id), now)
        if filed.content is None and not filed.unreadable:
            made.outcome, made.retries = "waiting", made.retries + 1
            made.retry_at = now + min(SLOWEST_RETRY, RETRY * 2 ** min(made.retries, 9))
            at.keep(made)
            return
        known = self._knowledge.keyed(filed.content) if filed.content else Known()
        score = self._scorer.score(self._knowledge.signals(at, filed, known, cents, now))
        referred = self._results(at, row, score)
        goods = declared(filed.words)[1]
        made.sqlmodel_update(
            asdict(known)
            | {"filing": row.filing, "outcome": "referred" if referred else "passed",
               "score": round(1_000 * score.value), "scorer": self._scorer.name, "retry_at": None,
               "price": sum(each.price for each in goods), "currency": goods[0].currency if goods else 0}
        )  # fmt: skip
        at.keep(made)
        if known.bill is not None:
            self._refer_later_bills(at, row, known.bill)

    def _results(self, at: Round, row: ParcelRow, score: Score) -> bool:
        """Decide what to say of a filing, each kind of reason as an entry of its own; return whether it is referred."""
        key = self._sampling.picks(at.session, row)
        if key is not None:
            digest = picked_digest(key, int.from_bytes(row.id, "big"), int.from_bytes(row.filing or b"", "big"))
            at.say(self._result(row, K.SCREENED_REFERRED, SAMPLE, {"reasons": [SAMPLE]}, digest))
        note = noted(score.reasons, score=score.value, scorer=self._scorer.name)
        if score.refers:
            at.say(self._result(row, K.SCREENED_REFERRED, "score", note))
        causes = at.causes(row.id)
        for cause in causes:
            at.say(self._result(row, K.SCREENED_REFERRED, cause.cause, noted([cause.cause, *cause.reasons.split()])))
        referred = key is not None or score.refers or bool(causes)
        if not referred:
            at.say(self._result(row, K.SCREENED_PASSED, "score", note))
        return referred

    def _result(
        self, row: ParcelRow, kind: int, cause: str, note: dict[str, Any], digest: bytes | None = None
    ) -> ResultRow:
        filing = row.filing or b""
        return ResultRow(
            subject=row.id, kind=kind, about=f"{filing.hex()} {cause}", names=filing, digest=digest or committed(note),
            sealed=self._seals.seal(note, row.id),
        )  # fmt: skip

    def _refer_later_bills(self, at: Round, row: ParcelRow, bill: bytes) -> None:
        """Refer parcels with the same house bill that were opened later and came to be scored earlier."""
        for other in at.same_bill(bill, row.id):
            if other.outcome == "passed" and (other.opened_height, other.parcel) > (row.opened_height, row.id):
                at.write()  # it may be of this round
                kept = at.session.get(ScreeningRow, other.parcel)
                if kept is not None:
                    self._refer(at.session, kept, BILL_TWICE, [BILL_TWICE])

    def _refer(self, session: Session, kept: ScreeningRow, cause: str, reasons: Iterable[str]) -> None:
        screenings.take_back_passed(session, kept.parcel)
        parcel = session.get(ParcelRow, kept.parcel)
        if parcel is not None and parcel.filing is not None:
            screenings.say(session, [self._result(parcel, K.SCREENED_REFERRED, cause, noted(list(reasons)))])
        if kept.outcome == "passed":
            kept.outcome = "referred"
            session.add(kept)

    def _settle(self, at: Round, row: ParcelRow) -> None:
        """Count a decision, once, in the records of shop and courier."""
        kept = at.kept(row.id)
        if kept is None or kept.settled or row.clearance not in ("cleared", "refused"):
            return
        who = {self._knowledge.courier(row.opener)} | ({kept.shop} if kept.shop else set())
        screenings.count_decided(at.session, who, refused=row.clearance == "refused")
        kept.settled = True
        at.session.add(kept)

    # ------------------------------------------------------------------------------- what the authority and the day ask
    def take_up(self) -> int:
        """Refer what the identity authority found, commit to days and reveal them; return how much was done."""
        now = self._gateway.chain_now()
        with self._gateway.database.write() as session:
            self._signatory.check(session)
            causes = screenings.untaken(session, AT_ONCE)
            taken = 0
            for cause in causes:
                kept = session.get(ScreeningRow, cause.parcel)
                if kept is not None:  # else its filing is scored soon, and the cause found then
                    if session.get(ParcelRow, cause.parcel) is None:
                        continue  # the read model is made anew: nothing could be said of it
                    self._refer(session, kept, cause.cause, [cause.cause, *cause.reasons.split()])
                cause.taken_at = now
                session.add(cause)
                taken += 1
            days = self._sampling.step(session, int(now.timestamp()))
            if days:
                screenings.forget_contacts(session, day_of(int(now.timestamp())) - CONTACT_DAYS)
            return taken + days

    # -------------------------------------------------------------------------------------------------------- cutting
    def cut(self) -> int:
        """Sign what was decided since the last cut, shuffled, and put it into the outbox; return how many entries."""
        if not self._signatory.may_cut:
            return 0
        with self._gateway.database.read() as session:
            if not self._may_say(session):
                return 0
        nexts = self._signatory.begin_cut((MAIN_LANE, TRACE_LANE))
        t = self._gateway.chain_time()
        with self._gateway.database.write() as session:
            self._signatory.check(session)
            screenings.unsaid(session, AT_ONCE)
            rows = screenings.to_say(session, AT_ONCE)
            self._dice.shuffle(rows)
            for lane, mine in (
                (TRACE_LANE, [r for r in rows if r.trace]),
                (MAIN_LANE, [r for r in rows if not r.trace]),
            ):
                if mine:
                    name = self._signatory.put(session, lane, nexts[lane], [_entry(row, t) for row in mine])
                    for row in mine:
                        row.batch = name
                        session.add(row)
            return len(rows)


def _is_open(row: ParcelRow, kept: ScreeningRow | None) -> bool:
    """Whether a parcel's newest filing is to be scored."""
    if row.filing is None or row.payload is None:
        return False
    return kept is None or kept.filing != row.filing or kept.outcome == "waiting"


def _row(row: ParcelRow, kept: ScreeningRow | None, now: dt.datetime) -> ScreeningRow:
    """Return what is kept of a parcel, a new row if nothing is, for its newest filing."""
    made = kept or ScreeningRow(
        parcel=row.id, filing=b"", opened_height=row.opened_height, day=day_of(row.filed_at or 0), outcome="",
        declared_at=now,
    )  # fmt: skip
    if made.filing != row.filing:
        made.retries = 0
    made.filing = row.filing or b""
    return made


def _entry(row: ResultRow, t: int) -> Entry:
    return Entry(
        int.from_bytes(row.subject, "big"), row.kind, t, row.digest, row.detail << HEADER["detail"].shift,
        names=int.from_bytes(row.names or b"", "big"),
    )  # fmt: skip
