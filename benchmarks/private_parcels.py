"""Parcels with real payloads of synthetic people, so that the gateway's authority and screening have work too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clients.sample.members import COURIERS, HANDLES, OFFICES, Keyring
from ledger.chain.batch import Entry, detail
from ledger.commitments import LedgerDomain, filing_digest, order_commitment
from ledger.domain.facts import Goods, Mode, Transport, country_number
from ledger.domain.kinds import KindNumber
from ledger.payloads import Payload, derive

K = KindNumber
SHOPS = 14


@dataclass(frozen=True, slots=True)
class PrivateParcel:
    """What the parties sign of one parcel; the envelope is what the courier puts into the vault."""

    shop: str
    courier: str
    yard: str
    order: Entry
    filed: Entry
    envelope: bytes
    names: int

    @property
    def id(self) -> int:
        """Its id on chain."""
        return self.filed.subject

    def entry(self, kind: int, at: int) -> Entry:
        """Return an entry of a kind about it."""
        names = self.names if kind in (K.IDENTITY_CHECKED, K.SCREENED_PASSED) else 0
        return Entry(self.id, kind, at, names=names)


def synthetic_person(number: int) -> dict[str, str]:
    """Return a person of the demo's register: the numbers start at 1."""
    return {"pccc": f"P99{number:010}", "name": f"표본인 {number:05}", "phone": f"0100000{number % 10_000:04}"}


def private_parcels(keyring: Keyring, domain: LedgerDomain, numbers: Sequence[int], at: int) -> list[PrivateParcel]:
    """Make parcels that say what they say at a moment (seconds UTC), each for a person of its own."""
    secret = keyring.secret("bench")
    country = country_number("US")
    readers = [keyring.opener(name).public_key() for name in ("identity", "screening")]
    made = []
    for number in numbers:
        shop, courier, office = f"shop-{number % SHOPS + 1:02}", COURIERS[number % len(COURIERS)], OFFICES[number % 3]
        goods = Goods(1_000 + number % 9_000, 840, 1 + number % 14, 1)
        rest, salt = (derive(secret, f"{number} {what}") for what in ("rest", "salt"))
        commitment = order_commitment(goods.word(), rest, salt)
        order = domain.subject_id(K.ORDER_OPENED, HANDLES[shop], commitment)
        content = {
            "house_bill": f"BENCH{number:08}", "shop": shop, "references": [f"BENCH{number:08}"],
            "consignee": synthetic_person(number + 1), "description": ["a made-up thing"],
        }  # fmt: skip
        payload = Payload.of(content, derive(secret, f"{number} payload"))
        parcel = domain.subject_id(K.FILED, HANDLES[courier], payload.digest)
        transport = Transport(country, country, Mode.EXPRESS_AIR, office).word()
        words = (transport, order, goods.word(), int.from_bytes(rest, "big"), int.from_bytes(salt, "big"))
        filed = Entry(parcel, K.FILED, at, payload.digest, extra=words)
        handed = detail(K.ORDER_OPENED, handed=HANDLES[courier])
        made.append(
            PrivateParcel(
                shop, courier, f"yard-{office:03}", Entry(order, K.ORDER_OPENED, at, commitment, handed, extra=(1,)),
                filed, payload.sealed(readers), filing_digest(0, filed.packed()),
            )
        )  # fmt: skip
    return made
