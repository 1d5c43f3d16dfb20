"""What screening knows beside a filing: earlier filings, records of shops and couriers, who else is sent there."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from api.gateway import Gateway
from api.screening.declared import Content, Filed
from api.screening.indicators import CONTACT_DAYS
from api.screening.round import Round
from api.screening.signals import Before, Record, Signals, declared
from ledger.chain.state import map_slot
from ledger.domain.rules import week_of
from ledger.domain.words import PARCEL
from ledger.store.sealing import Seals
from ledger.store.tables.chain import ParcelRow
from ledger.store.tables.screening import ScreeningRow

USD: Final = 840
LOOK_BACK: Final = dt.timedelta(days=CONTACT_DAYS)


@dataclass(frozen=True, slots=True)
class Known:
    """Keyed values of a filing's content: what rows hold instead of it."""

    bill: bytes | None = None
    shop: bytes | None = None
    number: bytes | None = None
    phone: bytes | None = None
    address: bytes | None = None


class Knowledge:
    """Turns a filing into signals."""

    def __init__(
        self, gateway: Gateway, seals: Seals, member_shops: Iterable[str], watched: frozenset[int] = frozenset()
    ) -> None:
        """Take the names of shops that are members, and the dispatch countries that are watched at the moment."""
        self._gateway, self._seals, self._watched = gateway, seals, watched
        self._members = frozenset(_plain(name) for name in member_shops)
        self._rates: dict[int, int] = {}

    def keyed(self, content: Content) -> Known:
        """Return the keyed values of a filing's content; what it does not tell has none."""
        return Known(
            self._equal("house bill", content.house_bill.upper()), self.shop(content.shop),
            self._equal("number", content.number), self._equal("telephone", content.phone),
            self._equal("address", content.address),
        )  # fmt: skip

    def shop(self, name: str) -> bytes | None:
        """Return the keyed value of a shop."""
        return self._equal("shop", _plain(name))

    def courier(self, handle: int) -> bytes:
        """Return the keyed value of a courier."""
        return self._seals.equal("courier", str(handle))

    def _equal(self, what: str, text: str) -> bytes | None:
        return self._seals.equal(what, text) if text else None

    def cents(self, filed: Filed) -> tuple[int | None, ...]:
        """Return US cents of each item, by the week's rates; this asks the node, so hold no transaction."""
        if len(filed.words) < 2:
            return ()
        week = week_of(filed.row.filed_at or 0)
        dollar = self._rate(USD, week)
        prices = [(goods.price, self._rate(goods.currency, week)) for goods in declared(filed.words)[1]]
        return tuple(price * rate // dollar if rate and dollar else None for price, rate in prices)

    def _rate(self, currency: int, week: int) -> int:
        name = currency << 16 | week
        if name not in self._rates:
            found = self._gateway.node.state().read(map_slot("rates", name))
            if not found:
                return 0  # it may be written yet
            self._rates[name] = found
        return self._rates[name]

    def signals(
        self, at: Round, filed: Filed, known: Known, cents: tuple[int | None, ...], now: dt.datetime
    ) -> Signals:
        """Return what indicators see of a filing whose payload is here.

        `known` are the keyed values of its content, `cents` are of its items.
        """
        row, content = filed.row, filed.content
        if content is None:
            return Signals.unreadable(filed.words)
        transport, goods = declared(filed.words)
        numbers = at.numbers_at(known.phone, known.address, now - LOOK_BACK)
        return Signals(
            transport, goods, cents, content.descriptions,
            has_order=len(filed.words) > 2,
            shop_is_member=_plain(content.shop) in self._members,
            bill_elsewhere=_bill_elsewhere(at, row, known),
            numbers_at_contact=len(numbers | {known.number}),
            deniers_at_address=at.deniers_at(known.address, known.number, now - LOOK_BACK),
            shop=_record(at, known.shop), courier=_record(at, self.courier(row.opener)),
            before=_before(at.kept(row.id), known),
            generation=PARCEL["generation"].get(int.from_bytes(row.word, "big")),
            watched_countries=self._watched,
        )  # fmt: skip


def _bill_elsewhere(at: Round, row: ParcelRow, known: Known) -> bool:
    """Whether a parcel that was opened before this one has its house bill: the first keeps it."""
    first = next(iter(at.same_bill(known.bill, row.id)), None) if known.bill else None
    return first is not None and (first.opened_height, first.parcel) < (row.opened_height, row.id)


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())


def _record(at: Round, who: bytes | None) -> Record:
    return Record(*at.record(who)) if who else Record()


def _before(earlier: ScreeningRow | None, known: Known) -> Before | None:
    """Return what the parcel's last scored filing said; a consignee that was forgotten counts as the same."""
    if earlier is None or not earlier.scorer:
        return None
    return Before(earlier.price, earlier.currency, same_consignee=earlier.number in (None, known.number))
