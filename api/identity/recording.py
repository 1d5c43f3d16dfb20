"""Keeps what every judged filing declares, and leaves referrals for what it comes to together with others.

Rows and judgement commit together. A use that its holder did not make never counts for him: nothing is kept of a filing
that was stopped, and what he denies is dropped.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence

from api.gateway import Gateway
from api.identity.declaring import Facts, declaration
from api.identity.facts import FactReader
from api.identity.filed import Content
from api.identity.history import Past, Referral, referrals
from api.identity.judgement import Cause, Judgement
from ledger.chain.rulebook import Rulebook
from ledger.domain.history import Declaration
from ledger.domain.rules import KST
from ledger.store import history
from ledger.store.database import Session
from ledger.store.people import Registered
from ledger.store.sealing import Seals
from ledger.store.tables.chain import ParcelRow


def counts(judgement: Judgement) -> bool:
    """Whether a filing counts for the holder of its number."""
    return judgement.outcome == "checked" or judgement.cause is Cause.CONSENT_MISSING


class Recorder:
    """Records for one authority."""

    def __init__(self, gateway: Gateway, seals: Seals) -> None:
        """Take the gateway and the keys of its tables."""
        self._seals = seals
        self._facts = FactReader(gateway)
        self._book = Rulebook(gateway.node.state)
        self._expired_on: dt.date | None = None

    def read(self, rows: Sequence[ParcelRow]) -> Mapping[bytes, Facts]:
        """Return the facts of filings; the node is asked for all they need, before there is a transaction."""
        found = self._facts.read(rows)
        for facts in found.values():
            self._book.limit(facts.declared.transport, facts.first)
            for goods in facts.declared.goods:
                self._book.cents(goods, facts.first)
        return found

    def begin(self, session: Session, parcels: Sequence[bytes]) -> Round:
        """Begin to record filings of some parcels: what older filings of them declared counts no more."""
        history.forget(session, parcels)
        return Round(session, self._book, self._seals)

    def expire(self, session: Session, now: dt.datetime) -> None:
        """Drop what is too old to count, looked for once a day of the chain until nothing is left."""
        today = now.astimezone(KST).date()
        if today != self._expired_on and not history.expire(session, today):
            self._expired_on = today


class Round:
    """What one transaction records: most statements are for all its filings together."""

    def __init__(self, session: Session, book: Rulebook, seals: Seals) -> None:
        """Take the session, rules and rates, and the keys of keyed values."""
        self._session, self._book, self._seals = session, book, seals
        self._new: list[Declaration] = []
        self._own: dict[bytes, list[Declaration]] = defaultdict(list)
        self._clustered: dict[bytes | None, list[Declaration]] = defaultdict(list)
        self._found: dict[tuple[bytes, str], Referral] = {}

    def note(self, facts: Facts | None, content: Content, holder: Registered, judgement: Judgement) -> None:
        """Take a judged filing, and find what it completes."""
        if facts is None or not counts(judgement):
            return
        new = declaration(facts, content, holder.person, holder.zip, self._book, self._seals.equal)
        if new is None:
            return
        for each in referrals(new, self._past(new)):
            self._found.setdefault((each.parcel, each.cause), each)
        self._new.append(new)
        self._own[new.person].append(new)
        if new.cluster is not None:
            self._clustered[new.cluster].append(new)

    def _past(self, new: Declaration) -> Past:
        session = self._session
        declared, reported = history.seen(session, new.person)
        return Past(
            (*self._own[new.person], *(history.own(session, new) if declared else ())),
            (*self._clustered[new.cluster], *history.clustered(session, new)),
            history.resales(session, new.person) if reported else (),
        )

    def end(self, now: dt.datetime) -> None:
        """Keep it all, and refer what was found."""
        history.keep(self._session, self._new)
        for each in self._found.values():
            history.refer(self._session, each.parcel, each.filing, each.cause, each.reasons, now)
