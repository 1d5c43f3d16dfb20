"""The identity authority of a demo day, in one process: the gateway's judgement and rules over a register in memory.

Rows, cuts and retries are the gateway's affair; who may use a number, and what his parcels come to together, is decided
by the same functions here and there. Everything comes from the plan, so that the same seed gives the same chain.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from api.identity.declaring import Facts, Sold, declaration
from api.identity.filed import Content, read_content
from api.identity.history import Past, referrals
from api.identity.judgement import Verified, judge
from api.identity.recording import counts
from api.identity.verifier import Claim, Outcome, answer_of
from clients.sample.people import Holder, Person
from ledger.chain.batch import Entry
from ledger.chain.filings import FilingWatcher, SeenFiling, read_declared
from ledger.chain.included import IncludedBatch
from ledger.chain.rulebook import Rulebook
from ledger.chain.state import LedgerState
from ledger.chain.writer import Writer
from ledger.commitments import word
from ledger.domain.history import Declaration, is_company_code
from ledger.domain.kinds import KindNumber
from ledger.payloads import PayloadStore
from ledger.store.people import Registered
from ledger.store.tables.identity import PersonRow, UseRow

K = KindNumber
EPOCH = dt.datetime.fromtimestamp(0, dt.UTC)


class DemoAuthority(FilingWatcher):
    """Acts for the identity authority, and hears what holders of numbers say."""

    def __init__(
        self, writer: Writer, spool: PayloadStore, key: X25519PrivateKey, holders: Iterable[Holder],
        state: Callable[[], LedgerState],
    ) -> None:  # fmt: skip
        """Take writer, spool, opening key, the register, and what gives the chain's state."""
        super().__init__(writer, spool, key)
        self._book = Rulebook(state)
        self._register: dict[str, Registered] = {}
        self._people: dict[bytes, PersonRow] = {}
        for number, holder in enumerate(holders, 1):
            who = number.to_bytes(16, "big")
            self._people[who] = PersonRow(id=who, sealed=b"", state="active", consent_first=holder.consent_first)
            for pccc, retired in ((holder.person.pccc, False), (holder.former, True)):
                if pccc:
                    told = holder.person
                    self._register[pccc] = Registered(who, retired, told.name, told.phone, told.zip)
        self._uses: dict[tuple[int, bytes], UseRow] = {}
        self._sold: dict[int, Sold] = {}
        self._declared: dict[int, Declaration] = {}
        self._by_person: dict[bytes, dict[int, Declaration]] = {}
        self._by_cluster: dict[bytes, dict[int, Declaration]] = {}
        self._known: set[tuple[bytes, str]] = set()
        self._found: list[tuple[int, int]] = []

    # ------------------------------------------------------------------------------------------------------ judging
    def watch(self, batch: IncludedBatch) -> None:
        """Take filings and the shops' orders."""
        super().watch(batch)
        for each in batch.entries() if not batch.batch.is_trace else ():
            if each.rejection is None and each.kind is K.ORDER_OPENED:
                self._sold[each.entry.subject] = Sold(batch.org, each.entry.claimed)

    def decide(self, filing: SeenFiling, content: dict[str, Any], now: int) -> None:
        """Sign the check, or stop the use of the number, or let it wait for its holder."""
        self._forget(filing.parcel)
        try:
            told = read_content(content)
        except (ValueError, AttributeError):
            self._stop(filing.parcel, now)
            return
        moment = dt.datetime.fromtimestamp(now, dt.UTC)
        verified = self._verified(told, moment)
        holder = self._register.get(told.number)
        if is_company_code(told.number) or holder is None:
            self._stop(filing.parcel, now)
            return
        use = self._use(filing.parcel, holder.person)
        judgement = judge(verified, self._people[holder.person], use, moment)
        if counts(judgement):
            self._record(filing, told, holder)
        if judgement.outcome == "checked":
            self.result(K.IDENTITY_CHECKED, filing, now)
        elif judgement.outcome == "stopped":
            self._stop(filing.parcel, now)

    def _verified(self, told: Content, now: dt.datetime) -> Verified:
        def answer(claim: Claim) -> Any:
            return answer_of(self._register.get(claim.number), claim)

        own, buyer = told.claims(now)
        first = answer(own)
        return Verified(first, answer(buyer) if buyer and first.outcome is not Outcome.CHECKED else None)

    def _use(self, parcel: int, person: bytes) -> UseRow:
        if (parcel, person) not in self._uses:
            self._uses[parcel, person] = UseRow(
                id="", person=person, parcel=word(parcel), sealed=b"", declared_at=EPOCH, link=""
            )
        return self._uses[parcel, person]

    def _stop(self, parcel: int, now: int) -> None:
        self.writer.stop(Entry(parcel, K.IDENTITY_STOPPED, now))

    # ------------------------------------------------------------------------------------------------------ history
    def _record(self, filing: SeenFiling, told: Content, holder: Registered) -> None:
        parcel, names = word(filing.parcel), filing.names.to_bytes(20, "big")
        facts = Facts(parcel, names, read_declared(filing.words), filing.first, self._sold)
        new = declaration(facts, told, holder.person, holder.zip, self._book, _keyed)
        if new is None:
            return
        own = self._by_person.setdefault(holder.person, {})
        near = self._by_cluster.setdefault(new.cluster, {}) if new.cluster else {}
        for each in referrals(new, Past([*own.values()], [*near.values()])):
            if (each.parcel, each.cause) not in self._known:
                self._known.add((each.parcel, each.cause))
                self._found.append((int.from_bytes(each.parcel, "big"), int.from_bytes(each.filing, "big")))
        self._declared[filing.parcel] = own[filing.parcel] = near[filing.parcel] = new

    def _forget(self, parcel: int) -> None:
        old = self._declared.pop(parcel, None)
        if old is not None:
            self._by_person[old.person].pop(parcel, None)
            self._by_cluster.get(old.cluster or b"", {}).pop(parcel, None)

    def referrals(self) -> list[tuple[int, int]]:
        """Return parcels and filings that screening must refer, each once."""
        found, self._found = self._found, []
        return found

    # ------------------------------------------------------------------------------------------------------- holders
    def freeze(self, person: Person, now: int) -> None:
        """Freeze a number, and stop what is under way with it."""
        who = self._register[person.pccc].person
        self._people[who].state = "frozen"
        for parcel in self._by_person.get(who, {}):
            self._stop(parcel, now)

    def deny(self, person: Person, parcel: int, now: int) -> None:
        """Take a holder's word that a parcel is not his."""
        self._use(parcel, self._register[person.pccc].person).answer = "denied"
        self._forget(parcel)
        self._stop(parcel, now)


def _keyed(use: str, text: str) -> bytes:
    """Stand in for the keyed values of a gateway: nothing leaves this process."""
    return sha256(f"{use}\0{text}".encode()).digest()
