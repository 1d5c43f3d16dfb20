"""`audit samples`: recomputes every choice of screening's random sample, also of the parcels it did not pick.

For each organisation that screens it establishes, of the time since its first commitment: (1) a commitment to the day's
key stands in an earlier block than any filing of the day, and only one; (2) the revealed key and rate are the ones
committed to; (3) no filing of a day stands behind its revealed key; (4) every parcel that the sample picked and that
was screened was referred as picked; (5) no other parcel was referred as picked; (6) no key is kept back longer than 30
days after its day. What it does not establish: that sealer and screening did not choose block hashes together.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from ledger.chain.included import IncludedBatch
from ledger.chain.sampling import REVEAL_LATEST, DayStatement, day_end, day_of, day_statements, picked, picked_digest
from ledger.domain.kinds import KindNumber
from node.audit.members import MemberHistory
from node.audit.report import Found
from node.blocks import ExecutedBlock

K = KindNumber
RESULTS: Final = (K.SCREENED_PASSED, K.SCREENED_REFERRED)


@dataclass(frozen=True, slots=True)
class FirstFiling:
    """Where a parcel's first filing stands."""

    parcel: int
    height: int
    block_hash: bytes
    day: int


@dataclass(frozen=True, slots=True)
class Result:
    """A recorded result of screening."""

    height: int
    referred: bool
    digest: bytes
    filing: int


@dataclass(slots=True)
class ScreenedDay:
    """One day of one organisation that screens.

    Attributes:
        commitments, reveals: in the order they stand.
        parcels: first filed on the day, after that organisation began to commit.
        picked: those of them that the revealed key picks.
        unscreened: those of the picked that have no result, because their payload never came.
    """

    day: int
    commitments: list[DayStatement] = field(default_factory=list)
    reveals: list[DayStatement] = field(default_factory=list)
    parcels: list[FirstFiling] = field(default_factory=list)
    picked: list[int] = field(default_factory=list)
    unscreened: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "day": (dt.date(1970, 1, 1) + dt.timedelta(days=self.day)).isoformat(),
            "revealed": bool(self.reveals),
            "rate_per_million": self.reveals[0].rate if self.reveals else None,
            "parcels": len(self.parcels),
            "picked": len(self.picked),
            "unscreened": self.unscreened,
        }


@dataclass(slots=True)
class SampleHistory:
    """Filings, results of screening, and what it said of its day keys.

    Attributes:
        members: as they stand where the history is; it is moved on from here, transaction by transaction.
    """

    members: MemberHistory
    time: int = 0
    filings: dict[int, FirstFiling] = field(default_factory=dict)
    results: dict[int, dict[int, list[Result]]] = field(default_factory=dict)
    """By organisation, then parcel."""
    statements: list[DayStatement] = field(default_factory=list)

    def add(self, executed: ExecutedBlock) -> None:
        """Take an executed block."""
        block = executed.block
        self.time = block.header.timestamp
        for batch in self.members.walk(executed):
            roles = self.members.now.roles(batch.key)
            self.statements += day_statements(self.members.genesis.domain, batch, roles)
            if not batch.batch.is_trace:
                self._entries(batch, block.hash)

    def _entries(self, batch: IncludedBatch, block_hash: bytes) -> None:
        for each in batch.entries():
            entry = each.entry
            if each.rejection is not None:
                continue
            if each.kind is K.FILED:
                filing = FirstFiling(entry.subject, batch.height, block_hash, day_of(batch.t))
                self.filings.setdefault(entry.subject, filing)
            elif each.kind in RESULTS:
                result = Result(batch.height, each.kind is K.SCREENED_REFERRED, entry.digest, entry.names)
                self.results.setdefault(batch.org, {}).setdefault(entry.subject, []).append(result)

    # ---------------------------------------------------------------------------------------------------- judging
    def days(self) -> dict[int, list[ScreenedDay]]:
        """Return the days of every organisation that screens, with what their revealed keys pick."""
        orgs = sorted({said.org for said in self.statements} | self.results.keys())
        return {org: self._days(org) for org in orgs}

    def _days(self, org: int) -> list[ScreenedDay]:
        own = [said for said in self.statements if said.org == org]
        began = min((said.height for said in own if not said.revealed), default=None)
        days: dict[int, ScreenedDay] = {}
        for said in own:
            day = days.setdefault(said.day, ScreenedDay(said.day))
            (day.reveals if said.revealed else day.commitments).append(said)
        for filing in self.filings.values():
            if began is not None and filing.height > began:
                days.setdefault(filing.day, ScreenedDay(filing.day)).parcels.append(filing)
        for day in days.values():
            self._pick(org, day)
        return [days[number] for number in sorted(days)]

    def _pick(self, org: int, day: ScreenedDay) -> None:
        """Recompute the choices of a day whose key is known and was bound before them."""
        if not day.reveals:
            return
        key, rate = day.reveals[0].digest, day.reveals[0].rate
        for filing in day.parcels:
            if _bound_before(day, filing) and picked(key, rate, filing.parcel, filing.block_hash):
                day.picked.append(filing.parcel)
                day.unscreened += filing.parcel not in self.results.get(org, {})

    def picked(self) -> frozenset[int]:
        """Return every parcel that a revealed key picks."""
        return frozenset(parcel for days in self.days().values() for day in days for parcel in day.picked)

    def only_picked(self) -> frozenset[int]:
        """Return the parcels that the sample picks and that were referred as picked, for no other reason."""
        found: set[int] = set()
        for org, days in self.days().items():
            for day in (each for each in days if each.reveals):
                for parcel in day.picked:
                    referrals = [each for each in self.results.get(org, {}).get(parcel, []) if each.referred]
                    if referrals and all(_says_picked(each, day.reveals[0].digest, parcel) for each in referrals):
                        found.add(parcel)
        return frozenset(found)

    def check(self) -> Iterator[Found]:
        """Yield what is not as it must be."""
        for org, days in self.days().items():
            if self.results.get(org) and not any(day.commitments for day in days):
                name = self.members.name(org)
                yield Found(
                    "sample.none", None, f"{name} screens and committed to no day key: no choice can be checked."
                )
            for day in days:
                yield from self._check_keys(day)
                yield from self._check_choices(org, day)

    def _check_keys(self, day: ScreenedDay) -> Iterator[Found]:
        date = day.as_dict()["day"]
        late = sum(not _bound_before(day, filing) for filing in day.parcels)
        if late:
            yield Found(
                "sample.not-committed", None, f"{date}: no commitment stands before {late} of the day's filings."
            )
        if len({said.digest for said in day.commitments}) > 1:
            height = day.commitments[-1].height
            yield Found("sample.committed-twice", height, f"{date}: there are commitments to different keys.")
        if not day.reveals:
            if day.commitments and self.time > day_end(day.day) + REVEAL_LATEST:
                yield Found("sample.kept-back", None, f"{date}: the key is not revealed 30 days after the day.")
            return
        first = day.reveals[0]
        domain = self.members.genesis.domain
        for said in day.reveals:
            if not day.commitments or not said.fits(domain, day.commitments[0].digest):
                yield Found("sample.key", said.height, f"{date}: key and rate are not those committed to.")
        early = sum(filing.height >= first.height for filing in day.parcels)
        if early:
            yield Found(
                "sample.revealed-early", first.height, f"{date}: {early} filings stand behind the revealed key."
            )

    def _check_choices(self, org: int, day: ScreenedDay) -> Iterator[Found]:
        if not day.reveals:
            return
        key, chosen = day.reveals[0].digest, frozenset(day.picked)
        for filing in day.parcels:
            results = self.results.get(org, {}).get(filing.parcel, [])
            name = f"parcel 0x{filing.parcel:064x}"
            told = [each for each in results if each.referred and _says_picked(each, key, filing.parcel)]
            if filing.parcel in chosen and results and not told:
                yield Found(
                    "sample.missing", results[0].height, f"{name}: the sample picks it, and it was not referred."
                )
            elif filing.parcel not in chosen and told:
                yield Found(
                    "sample.wrong", told[0].height, f"{name}: it was referred as picked, and the sample passes it."
                )

    def summary(self) -> dict[str, Any]:
        """Return counts for a report."""
        days = [day for days in self.days().values() for day in days]
        judged = [day for day in days if day.reveals]
        covered = sum(len(day.parcels) for day in days)
        return {
            "days": len(days),
            "days_revealed": len(judged),
            "parcels": sum(len(day.parcels) for day in judged),
            "picked": sum(len(day.picked) for day in judged),
            "picked_unscreened": sum(day.unscreened for day in judged),
            "parcels_of_secret_days": covered - sum(len(day.parcels) for day in judged),
            "parcels_before_sampling": max(0, len(self.filings) - covered),
        }


def _bound_before(day: ScreenedDay, filing: FirstFiling) -> bool:
    return bool(day.commitments) and day.commitments[0].height < filing.height


def _says_picked(result: Result, key: bytes, parcel: int) -> bool:
    return result.digest == picked_digest(key, parcel, result.filing)
