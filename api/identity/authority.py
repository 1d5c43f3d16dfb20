"""The authority at work: judges every filing, and puts what it decides into the outbox in cuts of the clock.

Judgements, decisions to write and the signed batch with its place in the outbox each commit with what they follow
from, so that a crash between any two steps loses nothing and says nothing twice. A cut holds what came up within half a
second, shuffled. What stops one parcel goes with the next cut; what a freeze stops is spread over later cuts while its
flight is in the air, so that one person's parcels draw no line. Until somebody reports the arrival, the contract clears
nothing of that flight: a stop that waits loses to no carry-in (docs/adr/0017).
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import random
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from eth_hash.auto import keccak

from api.gateway import Gateway
from api.identity.declaring import Facts
from api.identity.filed import Content, Filed, FilingReader
from api.identity.judgement import Cause, Judgement, Verified, judge
from api.identity.recording import Recorder, Round
from api.identity.verifier import Outcome, OwnRegister, Verifier
from ledger.answers import OwedStop
from ledger.chain.batch import Batch, Entry
from ledger.chain.state import Parcel
from ledger.domain.errors import InvalidPCCC
from ledger.domain.findings import Finding
from ledger.domain.history import is_company_code
from ledger.domain.identifiers import PCCC
from ledger.domain.kinds import KindNumber, Status
from ledger.domain.limits import STOP_LANE
from ledger.domain.words import PARCEL
from ledger.keys import LocalSigner
from ledger.store import history, leases, people, submissions, uses, vault
from ledger.store.database import Session
from ledger.store.people import Registered
from ledger.store.sealing import Seals
from ledger.store.tables.chain import ParcelRow
from ledger.store.tables.identity import JudgedRow, PersonRow, SayingRow, UseRow

log = logging.getLogger("clearance.identity")

K = KindNumber
CAUSE_TAG: Final = keccak(b"clearance.cause/v1")
CUT: Final = dt.timedelta(milliseconds=500)
"""Pause between two cuts: what comes up within it goes out together."""
SPREAD: Final = dt.timedelta(minutes=10)
"""Longest delay of a frozen number's stop while the flight has not arrived; figures: docs/dpia.md."""
AT_ONCE: Final = 200
MOST_DELAYED: Final = 10_000
"""Delayed stops looked at in one cut."""
RETRY: Final = dt.timedelta(seconds=2)
SLOWEST_RETRY: Final = dt.timedelta(minutes=10)
BATCH_LIFE: Final = 7_200
MAIN_LANE: Final = 1
JOB: Final = "identity authority"
LEASE: Final = dt.timedelta(seconds=10)
NOT_HERE: Final = Judgement("waiting", Cause.NO_PAYLOAD)
AFTER_SCREENING: Final = Judgement("waiting", Cause.REFERRED)


@dataclass(frozen=True, slots=True)
class There:
    """What the database holds about filings that are judged together: read at once, and not for each of them."""

    known: uses.Known
    holders: Mapping[str, Registered]
    persons: Mapping[bytes, PersonRow]

    @classmethod
    def of(cls, session: Session, seals: Seals, filed: Sequence[Filed]) -> There:
        """Read it; people's rows are locked for the transaction."""
        holders = people.holders(session, seals, [each.content.number for each in filed if each.content is not None])
        rows = people.locked(session, [each.person for each in holders.values()])
        return cls(uses.known_of(session, [each.row for each in filed]), holders, rows)


class IdentityAuthority:
    """One authority with its own key. It opens payloads with its own key, and reads the register."""

    def __init__(
        self, gateway: Gateway, seals: Seals, signer: LocalSigner, org: int, opener: X25519PrivateKey, *,
        verifier: Verifier | None = None, dice: random.Random | None = None, pause: dt.timedelta = CUT,
    ) -> None:  # fmt: skip
        """Take the gateway it works in, the keys of its tables, and its own keys.

        `verifier` says whose a number is, else the own register does; `dice` shuffles and spreads, `pause` is the time
        between two cuts.
        """
        self._gateway, self._seals, self._signer, self._org = gateway, seals, signer, org
        self._reader = FilingReader(gateway, opener)
        self._recorder = Recorder(gateway, seals)
        self._verifier = verifier or OwnRegister(gateway.database, seals)
        self._pause = pause
        self._dice = dice or secrets.SystemRandom()
        self._lease = leases.Lease(gateway.database, JOB, LEASE)
        self._next_cut = dt.datetime.min.replace(tzinfo=dt.UTC)

    def step(self) -> int:
        """Judge what is new or due, and cut if it is time; return how much was done."""
        with self._gateway.database.read() as session:  # most looks find nothing: they take no lock and write nothing
            now = self._gateway.chain_now()
            late = self._gateway.now() >= self._next_cut and uses.delayed(session, now, 1)
            if not late and not uses.anything_to_do(session, now):
                return 0
        if not self._lease.hold(self._gateway.now()):
            return 0
        done = self.judge() + self.cut()
        if done:
            self._gateway.bells.accepted.ring()
        return done

    # ------------------------------------------------------------------------------------------------------- judging
    def judge(self) -> int:
        """Judge new filings and those that waited; return how many were looked at.

        Payloads are opened and the register is asked before the transaction that judges, not within it.
        """
        now = self._gateway.chain_now()
        with self._gateway.database.read() as session:
            if uses.is_read_model_behind(session):
                return 0  # what waits is judged when its parcel has a row again
            rows, _ = uses.fresh_filings(session, AT_ONCE)
            due = uses.waiting_filings(session, now, AT_ONCE)
            again = [session.get(ParcelRow, each.parcel) for each in due]
            found = {row.id: row for row in (*rows, *again) if row is not None}
            known = uses.judged_of(session, list(found.values()))
            asked = [row for row in found.values() if _is_open(row, known)]
            session.expunge_all()
        judged = list(zip(filed := self._reader.read(asked), self._verified(filed, now), strict=True))
        facts = self._recorder.read(asked)
        with self._gateway.database.write() as session:
            self._lease.check(session)
            for row, each in zip(again, due, strict=True):
                if row is None or row.filing != each.filing:
                    uses.supersede(session, each.filing)
            there = There.of(session, self._seals, filed)
            judged = [(one, verified) for one, verified in judged if _is_open(one.row, there.known.judged)]
            record = self._recorder.begin(session, [one.row.id for one, _ in judged])
            with session.no_autoflush:  # nothing below reads what it writes, and rows go in together
                made = [
                    (one.row, self._made_of(session, one, verified, there, record, facts.get(one.row.id), now))
                    for one, verified in judged
                ]
            record.end(now)
            vault.note_numbers(self._gateway.payloads, session, _numbers(filed))
            # one of them may have brought up something against another
            referred = history.referred_among(session, [row.id for row, _ in made])
            for row, judgement in made:
                waits = judgement.outcome == "checked" and row.id in referred and not _is_said(row)
                self._take(session, row, AFTER_SCREENING if waits else judgement, there, now)
            if rows:
                uses.advance(session, rows[-1])
            self._recorder.expire(session, now)
        return len(rows) + len(due)

    def _verified(self, filed: Sequence[Filed], now: dt.datetime) -> list[Verified | None]:
        """Ask the register whose numbers these are; a receiver that does not fit is asked about as a gift's."""
        claims = {at: each.content.claims(now) for at, each in enumerate(filed) if each.content is not None}
        own = dict(zip(claims, self._verifier.verify([first for first, _ in claims.values()]), strict=True))
        buyers = {at: claims[at][1] for at, answer in own.items() if answer.outcome is not Outcome.CHECKED}
        gifts = {at: claim for at, claim in buyers.items() if claim is not None}
        answers = dict(zip(gifts, self._verifier.verify(list(gifts.values())), strict=True))
        return [Verified(own[at], answers.get(at)) if at in own else None for at in range(len(filed))]

    def _take(self, session: Session, row: ParcelRow, judgement: Judgement, there: There, now: dt.datetime) -> None:
        """Keep a judgement, and decide to say what follows from it."""
        if row.filing is None:
            return
        judged = there.known.judged.get(row.filing) or JudgedRow(filing=row.filing, parcel=row.id, outcome="", cause="")
        judged.outcome, judged.cause = judgement.outcome, judgement.cause.value
        if judgement.outcome == "waiting":
            judged.retries += 1
            judged.retry_at = now + min(SLOWEST_RETRY, RETRY * 2 ** min(judged.retries, 9))
            if judgement.cause is Cause.CONSENT_MISSING:
                judged.retry_at = None  # the owner's answer judges it again
        session.add(judged)
        name = row.filing.hex()
        if judgement.outcome == "checked":
            uses.say(session, row.id, K.IDENTITY_CHECKED, name, judgement.cause.value, now, row.filing, there.known)
        elif judgement.outcome == "stopped":
            self.stop(session, row.id, name, judgement.cause, now, there.known)

    def _made_of(
        self, session: Session, filed: Filed, verified: Verified | None, there: There, record: Round,
        facts: Facts | None, now: dt.datetime,
    ) -> Judgement:  # fmt: skip
        content = filed.content
        if content is None or verified is None:
            return Judgement("stopped", Cause.UNREADABLE) if filed.unreadable else NOT_HERE
        if is_company_code(content.number):
            return Judgement("stopped", Cause.COMPANY)
        holder = there.holders.get(content.number) or self._holder_of(session, content, verified)
        if holder is None:
            return judge(verified, None, None, now)
        use = self._note_use(session, filed.row, holder.person, content, there.known, now)
        person = there.persons.get(holder.person) or people.person(session, holder.person)
        judgement = judge(verified, person, use, now)
        use.receiver_differs = judgement.receiver_differs
        session.add(use)
        record.note(facts, content, holder, judgement)
        return judgement

    def _holder_of(self, session: Session, content: Content, verified: Verified) -> Registered | None:
        """Return whose the declared number is. A number that another register knows is taken up at its first use."""
        try:
            known = people.holder(session, self._seals, content.number)
            if known is None and verified.consignee.outcome is Outcome.CHECKED:
                told = content.consignee
                people.register(session, self._seals, content.number, told.get("name", ""), told.get("phone", ""))
                known = people.holder(session, self._seals, content.number)
        except InvalidPCCC:
            return None
        return known

    def _note_use(
        self, session: Session, row: ParcelRow, person: bytes, content: Content, known: uses.Known, now: dt.datetime
    ) -> UseRow:
        shown = {"shop": content.shop, "goods": content.goods, "courier": row.opener}
        declared = dt.datetime.fromtimestamp(row.filed_at, dt.UTC) if row.filed_at else now
        return uses.note_use(
            session, self._seals, person, row.id, shown, declared, receiver_differs=False, known=known
        )  # fmt: skip

    def stop(
        self, session: Session, parcel: bytes, about: str, cause: Cause, now: dt.datetime,
        known: uses.Known | None = None,
    ) -> OwedStop:  # fmt: skip
        """Decide to stop a parcel: with the next cut, or within the spread if a freeze stops it in the air."""
        spreads = cause is Cause.FROZEN and not _has_landed(session, parcel)
        delay = SPREAD * self._dice.random() if spreads else dt.timedelta(0)
        said = uses.say(session, parcel, K.IDENTITY_STOPPED, about, cause.value, now + delay, known=known)
        return OwedStop(int.from_bytes(parcel, "big"), cause_digest(said.cause, said.salt))

    # ------------------------------------------------------------------------------------------------------- cutting
    def cut(self) -> int:
        """Sign what was decided since the last cut, shuffled, and put it into the outbox; return how many entries."""
        if self._gateway.now() < self._next_cut:
            return 0
        now = self._gateway.chain_now()
        with self._gateway.database.read() as session:
            waits = uses.to_say(session, now, 1) or uses.delayed(session, now, 1) or uses.said_in_vain(session, 1)
        if not waits:
            return 0
        self._next_cut = self._gateway.now() + self._pause
        nexts = {
            lane: self._gateway.node.state().next_seq(self._signer.address, lane) for lane in (STOP_LANE, MAIN_LANE)
        }
        with self._gateway.database.write() as session:
            self._lease.check(session)
            uses.unsaid(session)
            for delayed in uses.delayed(session, now, MOST_DELAYED):
                if _has_landed(session, delayed.parcel):
                    delayed.not_before = now
                    session.add(delayed)
            session.flush()
            rows = uses.to_say(session, now, AT_ONCE)
            self._dice.shuffle(rows)
            for lane in (STOP_LANE, MAIN_LANE):
                mine = [row for row in rows if (row.kind == K.IDENTITY_STOPPED) == (lane == STOP_LANE)]
                if mine:
                    self._put(session, lane, nexts[lane], mine)
            return len(rows)

    def _put(self, session: Session, lane: int, on_chain: int, rows: list[SayingRow]) -> None:
        """Sign one batch and put it into the outbox, together with the note which decisions it carries."""
        domain, t = self._gateway.genesis.domain, self._gateway.chain_time()
        seq = max(on_chain, submissions.next_living(session, self._signer.address, lane))
        entries = [
            Entry(
                int.from_bytes(row.parcel, "big"), row.kind, t, cause_digest(row.cause, row.salt),
                names=int.from_bytes(row.names or b"", "big"),
            )
            for row in rows
        ]  # fmt: skip
        batch = Batch.signed(domain, self._signer, lane=lane, seq=seq, not_after=t + BATCH_LIFE, entries=entries)
        name = batch.hash(domain)
        submissions.accept(session, batch, name, self._signer.address, self._org, self._gateway.now())
        for row in rows:
            row.batch = name
            session.add(row)


def _is_open(row: ParcelRow, judged: Mapping[bytes, JudgedRow]) -> bool:
    """Whether a parcel's newest filing is to be judged: it was not yet, or waits."""
    if row.filing is None or row.payload is None:
        return False
    known = judged.get(row.filing)
    return known is None or known.outcome == "waiting"


def _has_landed(session: Session, parcel: bytes) -> bool:
    """Whether a parcel may be carried in and cleared any moment; one without a master, or without a row, always may."""
    row = session.get(ParcelRow, parcel)
    if row is None:
        return True
    word = int.from_bytes(row.word, "big")
    return bool(word & Status.CARRIED_IN) or uses.master_landed(session, PARCEL["master"].get(word))


def _is_said(row: ParcelRow) -> bool:
    """Whether a referral is on chain: a check said before it could be what clears the parcel."""
    return Finding.SCREENING_REFERRED in Parcel(int.from_bytes(row.word, "big")).findings


def _numbers(filed: Sequence[Filed]) -> Iterator[tuple[bytes | None, str]]:
    """Return the numbers that payloads declare, by digest; what is no number is nobody's to be found by."""
    for each in filed:
        with contextlib.suppress(InvalidPCCC):
            if each.content is not None:
                yield each.row.payload, PCCC.parse(each.content.number).value


def cause_digest(cause: str, salt: bytes) -> bytes:
    """Return the digest that commits to a cause without saying it."""
    return keccak(CAUSE_TAG + salt + cause.encode())
