"""Keeps what every judged filing declares, and leaves referrals for what it comes to together with others.

Rows and judgement commit together. A use that its holder did not make never counts for him: nothing is kept of a filing
that was stopped, and what he denies is dropped.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from api.gateway import Gateway
from api.identity.declaring import Facts, declaration
from api.identity.facts import FactReader
from api.identity.filed import Content
from api.identity.history import Past, referrals
from api.identity.judgement import Cause, Judgement
from ledger.chain.rulebook import Rulebook
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

    def expire(self, session: Session, now: dt.datetime) -> None:
        """Drop what is too old to count, looked for once a day of the chain until nothing is left."""
        today = now.astimezone(KST).date()
        if today != self._expired_on and not history.expire(session, today):
            self._expired_on = today

    def note(
        self, session: Session, facts: Facts | None, content: Content, holder: Registered, judgement: Judgement,
        now: dt.datetime,
    ) -> None:  # fmt: skip
        """Keep a judged filing, and refer what it completes."""
        if facts is None or not counts(judgement):
            return
        new = declaration(facts, content, holder.person, holder.zip, self._book, self._seals.equal)
        if new is None:
            return
        history.keep(session, new)
        past = Past(history.own(session, new), history.clustered(session, new), history.resales(session, new.person))
        for each in referrals(new, past):
            history.refer(session, each.parcel, each.filing, each.cause, each.reasons, now)
