"""Programs of customs in a replay: screening, and the officers of one office.

Each learns of filings from included blocks, opens payloads with its own key, and reads only what such a party could.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from ledger.chain.batch import Entry, detail
from ledger.chain.filings import FilingWatcher, SeenFiling
from ledger.chain.included import IncludedBatch
from ledger.chain.state import Parcel
from ledger.chain.writer import Writer
from ledger.domain.findings import Finding
from ledger.domain.grounds import ground_number
from ledger.domain.kinds import KindNumber
from ledger.domain.rejections import Effect
from ledger.domain.words import PARCEL
from ledger.payloads import PayloadStore


class Screening(FilingWatcher):
    """Screens filings: one without order from a member shop, or a house bill under a second parcel id, is referred.

    What only who knows the person can find, the identity authority leaves to be taken up here.
    """

    def __init__(
        self, writer: Writer, spool: PayloadStore, key: X25519PrivateKey, member_shops: frozenset[str],
        found: Callable[[], Iterable[tuple[int, int]]] = tuple,
    ) -> None:  # fmt: skip
        """Take the names of shops that are members, and what tells of new referrals: parcel and filing of each."""
        super().__init__(writer, spool, key)
        self._member_shops = member_shops
        self._house_bills: dict[str, int] = {}
        self._found = found

    def judge(self, now: int) -> None:
        """Judge what is new, then refer what the identity authority found."""
        super().judge(now)
        for parcel, filing in self._found():
            self.writer.write(Entry(parcel, KindNumber.SCREENED_REFERRED, now, names=filing))

    def decide(self, filing: SeenFiling, content: dict[str, Any], now: int) -> None:
        """Sign passed or referred."""
        first = self._house_bills.setdefault(content["house_bill"], filing.parcel)
        withheld = not filing.has_order and content["shop"] in self._member_shops
        referred = withheld or first != filing.parcel
        kind = KindNumber.SCREENED_REFERRED if referred else KindNumber.SCREENED_PASSED
        self.result(kind, filing, now)


REFUSED_FOR: Final = frozenset(
    {Finding.FACTS_MISMATCH, Finding.IDENTITY_STOPPED, Finding.ORDER_MISSING, Finding.WATCHED_PARTY}
)
"""Findings for which the sample day's officer refuses; for all others he clears with a ground."""
GROUND_SEEN: Final = ground_number(KindNumber.DECIDED_CLEAR, "examined")
GROUND_BREACH: Final = ground_number(KindNumber.DECIDED_REFUSE, "breach")


class Officer:
    """Acts for one customs office: decides what was referred there, holds and lifts."""

    def __init__(self, writer: Writer, office: int) -> None:
        """Take the writer and the office."""
        self.writer = writer
        self.office = office
        self._referred: list[int] = []
        self._holds: list[tuple[int, int]] = []

    def watch(self, batch: IncludedBatch) -> None:
        """Note what was referred, and the numbers of own holds."""
        for each in batch.entries() if not batch.batch.is_trace else ():
            swept = each.rejection is None and each.kind is KindNumber.SWEPT
            if swept or any(effect.code is Effect.REFERRED for effect in each.effects):
                self._referred.append(each.entry.subject)
            for effect in each.effects:
                if effect.code is Effect.HOLD_NUMBER and batch.org == self.writer.org:
                    self._holds.append((each.entry.subject, effect.value))

    def decide_referred(self, now: int) -> None:
        """Decide every parcel referred to this office, on what stands now."""
        for number in self._referred:
            parcel = Parcel(self.writer.node.word(number))
            if parcel.field("office") != self.office:
                continue  # another office's; a carried-in parcel stays with its office
            refuse = not REFUSED_FOR.isdisjoint(parcel.findings)
            kind = KindNumber.DECIDED_REFUSE if refuse else KindNumber.DECIDED_CLEAR
            ground = GROUND_BREACH if refuse else GROUND_SEEN
            fields = detail(kind, ground=ground, stops=PARCEL["stops"].get(parcel.word))
            self.writer.write(Entry(number, kind, now, detail=fields, names=self.writer.node.filing(number)))
        self._referred.clear()

    def hold(self, parcel: int, ground: int, answer_due: int, now: int, evidence: bytes = bytes(32)) -> None:
        """Hold a parcel (통관보류), Customs Act art. 237; `answer_due` in hours since 1970."""
        fields = detail(KindNumber.HELD, ground=ground, answer_due=answer_due)
        self.writer.stop(Entry(parcel, KindNumber.HELD, now, evidence, fields))

    def lift_holds(self, now: int) -> None:
        """Lift every own hold."""
        for parcel, number in self._holds:
            fields = detail(KindNumber.HOLD_LIFTED, number=number)
            self.writer.write(Entry(parcel, KindNumber.HOLD_LIFTED, now, detail=fields))
        self._holds.clear()

    def recall(self, parcel: int, ground: int, now: int, evidence: bytes = bytes(32)) -> None:
        """Order a parcel back into the bonded area (보세구역 반입명령), art. 238."""
        self.writer.stop(Entry(parcel, KindNumber.RECALLED, now, evidence, detail(KindNumber.RECALLED, ground=ground)))

    def sweep(self, parcel: int, now: int) -> None:
        """Refer a parcel whose checks were not done in time."""
        self.writer.write(Entry(parcel, KindNumber.SWEPT, now))
