"""Parcels of a benchmark: what each is, and the words the contract keeps of it, follow from its number alone.

So a million of them can be put into a state without being executed (`node.prefill`), and any of them can be written
about later. Words are those of a parcel with one order, filed on the list at `START`, that still lacks identity check,
screening and carry-in; `tests/node/test_prefill.py` compares them with what the contract itself stores.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from eth_hash.auto import keccak

from clients.sample.members import COURIERS, HANDLES, MEMBER_SHOPS, OFFICES, Keyring
from clients.sample.plan import START
from ledger.chain.batch import Entry, detail
from ledger.chain.state import map_slot
from ledger.commitments import MASK_160, LedgerDomain, filing_digest, order_commitment
from ledger.domain.facts import Goods, Mode, Transport, country_number
from ledger.domain.kinds import KindNumber, Status
from ledger.domain.words import ORDER, PARCEL

COUNTRY: Final = country_number("US")
OFFICE: Final = OFFICES[0]
TRANSPORT: Final = Transport(COUNTRY, COUNTRY, Mode.EXPRESS_AIR, OFFICE).word()
PARCEL_WORD: Final = (
    int(Status.PARCEL | Status.FILED | Status.LIST | Status.DUTY_OK)
    | PARCEL["generation"].put(1)
    | PARCEL["office"].put(OFFICE)
    | PARCEL["first_filing"].put(START)
    | PARCEL["orders"].put(1)
    | PARCEL["origin"].put(COUNTRY)
)
"""What the words of all parcels have in common."""
ORDER_WORD: Final = int(Status.ORDER | Status.CONSUMED)


class BenchParcels:
    """Makes the entries and stored words of parcels by number."""

    def __init__(self, keyring: Keyring, domain: LedgerDomain) -> None:
        """Take the keys of the sample members and the chain."""
        self._secret = keyring.secret("bench")
        self._domain = domain

    def _salt(self, number: int, what: bytes) -> bytes:
        return keccak(self._secret + number.to_bytes(8, "big") + what)

    def goods(self, number: int) -> Goods:
        """Return what was bought."""
        return Goods(1_000 + number % 9_000, 840, self.goods_class(number), 1)

    @staticmethod
    def goods_class(number: int) -> int:
        """Return the goods class."""
        return 1 + number % 14

    @staticmethod
    def shop(number: int) -> str:
        """Return who sold it."""
        return f"shop-{number % MEMBER_SHOPS + 1:02}"

    @staticmethod
    def courier(number: int) -> str:
        """Return who carries it."""
        return COURIERS[number % len(COURIERS)]

    def opened(self, number: int) -> Entry:
        """Return the entry that opens the order."""
        commitment = order_commitment(
            self.goods(number).word(), self._salt(number, b"rest"), self._salt(number, b"salt")
        )
        order = self._domain.subject_id(KindNumber.ORDER_OPENED, HANDLES[self.shop(number)], commitment)
        handed = detail(KindNumber.ORDER_OPENED, handed=HANDLES[self.courier(number)])
        return Entry(order, KindNumber.ORDER_OPENED, START, commitment, handed, extra=(1,))

    def filed(self, number: int) -> Entry:
        """Return the entry that files the parcel with its order."""
        payload = self._salt(number, b"payload")
        parcel = self._domain.subject_id(KindNumber.FILED, HANDLES[self.courier(number)], payload)
        rest, salt = (int.from_bytes(self._salt(number, what), "big") for what in (b"rest", b"salt"))
        words = (TRANSPORT, self.opened(number).subject, self.goods(number).word(), rest, salt)
        return Entry(parcel, KindNumber.FILED, START, payload, extra=words)

    def words(self, number: int) -> Iterator[tuple[int, int]]:
        """Yield slots and words that the contract keeps once the parcel is filed at `START`."""
        filed = self.filed(number)
        courier = HANDLES[self.courier(number)]
        own = PARCEL["opener"].put(courier) | PARCEL["goods_class"].put(self.goods_class(number))
        yield map_slot("words", filed.subject), PARCEL_WORD | own
        yield map_slot("filings", filed.subject), filing_digest(0, filed.packed())
        sale = ORDER["handed"].put(courier) | ORDER["opener"].put(HANDLES[self.shop(number)])
        bound = ORDER["parcel"].put(filed.subject & MASK_160)
        yield map_slot("words", filed.extra[1]), ORDER_WORD | sale | bound
