"""The authority at work: judges every filing, and puts what it decides into the outbox in cuts of the clock.

Judgements, decisions to write and the signed batch with its place in the outbox each commit with what they follow
from, so that a crash between any two steps loses nothing and says nothing twice. A cut holds what came up within half a
second, shuffled, and stops of parcels still in the air are spread over later cuts: one person's parcels draw no line.
"""

from __future__ import annotations

import datetime as dt
import logging
import random
import secrets
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from eth_hash.auto import keccak

from api.gateway import Gateway
from api.identity.judgement import Cause, Judgement, judge
from ledger.chain.batch import Batch, Entry
from ledger.domain.errors import InvalidPCCC
from ledger.domain.kinds import KindNumber, Status
from ledger.domain.limits import STOP_LANE
from ledger.domain.words import PARCEL
from ledger.keys import LocalSigner
from ledger.payloads import PayloadFault, open_payload
from ledger.store import leases, people, submissions, uses
from ledger.store.database import Session
from ledger.store.sealing import Seals
from ledger.store.tables.chain import ParcelRow
from ledger.store.tables.identity import JudgedRow, SayingRow, UseRow

log = logging.getLogger("clearance.identity")

K = KindNumber
CAUSE_TAG: Final = keccak(b"clearance.cause/v1")
CUT: Final = dt.timedelta(milliseconds=500)
"""Pause between two cuts: what comes up within it goes out together."""
SPREAD: Final = dt.timedelta(minutes=30)
"""Longest delay of a stop whose flight has not arrived."""
AT_ONCE: Final = 200
RETRY: Final = dt.timedelta(seconds=2)
SLOWEST_RETRY: Final = dt.timedelta(minutes=10)
BATCH_LIFE: Final = 7_200
MAIN_LANE: Final = 1
JOB: Final = "identity authority"
LEASE: Final = dt.timedelta(seconds=10)


class IdentityAuthority:
    """One authority with its own key. It opens payloads with its own key, and reads the register."""

    def __init__(
        self, gateway: Gateway, seals: Seals, signer: LocalSigner, org: int, opener: X25519PrivateKey, *,
        dice: random.Random | None = None, pause: dt.timedelta = CUT,
    ) -> None:  # fmt: skip
        """Take the gateway it works in, the keys of its tables, and its own keys.

        `dice` shuffles and spreads, `pause` is the time between two cuts.
        """
        self._gateway, self._seals, self._signer, self._org, self._opener = gateway, seals, signer, org, opener
        self._pause = pause
        self._dice = dice or secrets.SystemRandom()
        self._holder, self._fence = secrets.token_hex(8), 0
        self._next_cut = dt.datetime.min.replace(tzinfo=dt.UTC)

    def step(self) -> int:
        """Judge what is new or due, and cut if it is time; return how much was done."""
        with self._gateway.database.read() as session:  # most looks find nothing: they take no lock and write nothing
            now = self._gateway.chain_now()
            late = self._gateway.now() >= self._next_cut and uses.delayed(session, now, 1)
            if not late and not uses.anything_to_do(session, now):
                return 0
        with self._gateway.database.write() as session:
            self._fence = leases.hold(session, JOB, self._holder, self._gateway.now(), LEASE)
        if not self._fence:
            return 0
        done = self.judge() + self.cut()
        if done:
            self._gateway.bells.accepted.ring()
        return done

    # ------------------------------------------------------------------------------------------------------- judging
    def judge(self) -> int:
        """Judge new filings and those that waited; return how many."""
        now = self._gateway.chain_now()
        with self._gateway.database.write() as session:
            rows, cursor = uses.fresh_filings(session, AT_ONCE)
            parcels = [row for row in rows if row.filing is not None]
            due = [session.get(ParcelRow, each.parcel) for each in uses.waiting_filings(session, now, AT_ONCE)]
            for row in (*parcels, *(each for each in due if each is not None)):
                self._judge_one(session, row, now)
            if rows:
                cursor.height, cursor.parcel = rows[-1].changed_height, rows[-1].id
                session.add(cursor)
            return len(parcels) + len(due)

    def _judge_one(self, session: Session, row: ParcelRow, now: dt.datetime) -> None:
        if row.filing is None or row.payload is None:
            return
        known = session.get(JudgedRow, row.filing)
        if known is not None and known.outcome != "waiting":
            return
        judgement, person = self._made_of(session, row, now)
        judged = known or JudgedRow(filing=row.filing, parcel=row.id, outcome="", cause="")
        judged.outcome, judged.cause = judgement.outcome, judgement.cause.value
        if judgement.outcome == "waiting":
            judged.retries += 1
            judged.retry_at = now + min(SLOWEST_RETRY, RETRY * 2 ** min(judged.retries, 9))
            if judgement.cause is Cause.CONSENT_MISSING and person is not None:
                judged.retry_at = None  # the owner's answer judges it again
        session.add(judged)
        name = row.filing.hex()
        if judgement.outcome == "checked":
            uses.say(session, row.id, K.IDENTITY_CHECKED, name, judgement.cause.value, now, row.filing)
        elif judgement.outcome == "stopped":
            self.stop(session, row, name, judgement.cause, now)

    def _made_of(self, session: Session, row: ParcelRow, now: dt.datetime) -> tuple[Judgement, bytes | None]:
        envelope = self._gateway.payloads.get(row.payload or b"")
        if envelope is None:
            return Judgement("waiting", Cause.NO_PAYLOAD), None
        try:
            content = open_payload(envelope, self._opener, row.payload or b"").content
            number = str(content["consignee"]["pccc"])
            holder = people.holder(session, self._seals, number)
        except (PayloadFault, InvalidPCCC, KeyError, TypeError, AttributeError, ValueError):
            return Judgement("stopped", Cause.UNREADABLE), None
        if holder is None:
            return judge(content, None, None, None, now), None
        use = self._note_use(session, row, holder.person, content, now)
        judgement = judge(content, holder, people.person(session, holder.person), use, now)
        use.receiver_differs = judgement.receiver_differs
        session.add(use)
        return judgement, holder.person

    def _note_use(
        self, session: Session, row: ParcelRow, person: bytes, content: dict[str, Any], now: dt.datetime
    ) -> UseRow:
        told = content.get("description") or []
        shown = {
            "shop": str(content.get("shop", ""))[:80],
            "goods": ", ".join(str(each) for each in told)[:200] if isinstance(told, list) else str(told)[:200],
            "courier": row.opener,
        }
        declared = dt.datetime.fromtimestamp(row.filed_at, dt.UTC) if row.filed_at else now
        return uses.note_use(session, self._seals, person, row.id, shown, declared, receiver_differs=False)

    def stop(self, session: Session, row: ParcelRow, about: str, cause: Cause, now: dt.datetime) -> None:
        """Decide to stop a parcel; at once if it may be carried in any moment, else within the spread."""
        delay = dt.timedelta(0) if self._has_landed(session, row) else SPREAD * self._dice.random()
        uses.say(session, row.id, K.IDENTITY_STOPPED, about, cause.value, now + delay)

    @staticmethod
    def _has_landed(session: Session, row: ParcelRow) -> bool:
        word = int.from_bytes(row.word, "big")
        return bool(word & Status.CARRIED_IN) or uses.master_arrived(session, PARCEL["master"].get(word))

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
            leases.check(session, JOB, self._holder, self._fence)
            uses.unsaid(session)
            for delayed in uses.delayed(session, now, AT_ONCE):
                row = session.get(ParcelRow, delayed.parcel)
                if row is None or self._has_landed(session, row):
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


def cause_digest(cause: str, salt: bytes) -> bytes:
    """Return the digest that commits to a cause without saying it."""
    return keccak(CAUSE_TAG + salt + cause.encode())
