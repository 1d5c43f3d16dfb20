"""One parcel's way through the API: each step is the own client of the party that takes it."""

from __future__ import annotations

from dataclasses import dataclass, field

from clients.courier import Courier, Shipment
from clients.sample.members import HANDLES
from clients.seller import Sale, Seller
from ledger.chain.batch import Entry
from ledger.domain.facts import Goods, Transport, country_number
from ledger.domain.kinds import KindNumber
from node.service import wait_until
from tests.api.world import KEYRING, World

K = KindNumber
SYNTHETIC = {"name": "표본인 00030", "phone": "01000000030", "pccc": "P990000000030"}
"""A person of the demo's register."""
OFFICE = 40


@dataclass
class Journey:
    """A parcel of synthetic goods for a synthetic person."""

    world: World
    reference: str
    consignee: dict[str, str] = field(default_factory=lambda: dict(SYNTHETIC))
    parcel: int = 0
    order: int = 0

    def __post_init__(self) -> None:
        party = self.world.party
        keys = {HANDLES[n]: KEYRING.opener(n).public_key() for n in ("courier-1", "identity", "screening")}
        customs = (HANDLES["identity"], HANDLES["screening"])
        self.seller = Seller(party("shop-01").writer, KEYRING.secret(self.reference), party("shop-01"), keys)
        self.courier = Courier(
            party("courier-1").writer, KEYRING.secret(self.reference), party("courier-1"),
            KEYRING.opener("courier-1"), [keys[each] for each in customs],
        )  # fmt: skip

    @property
    def now(self) -> int:
        return self.world.party("courier-1").now()

    def ordered(self) -> Journey:
        goods = Goods(price=3_000, currency=840, goods_class=1, quantity=1, unit=1)
        sale = Sale(self.reference, goods, "a made-up thing", "640399", self.now, HANDLES["courier-1"], self.consignee)
        self.order = self.seller.record(sale, (HANDLES["identity"], HANDLES["screening"]))
        self.seller.writer.flush(self.now)
        for batch in self.world.sealer.included(1):
            self.courier.watch(batch)
        return self

    def filed(self) -> Journey:
        country = country_number("US")
        orders = (self.courier.inbox.find(self.reference),)
        shipment = Shipment(
            self.reference, orders, Transport(country, country, 1, OFFICE, 0), self.now, "shop-01",
            consignee=self.consignee,
        )  # fmt: skip
        self.parcel = self.courier.file(shipment)
        self.courier.writer.flush(self.now)
        return self

    def result(self, name: str, kind: KindNumber) -> dict[str, object]:
        return self.world.party(name).write(Entry(self.parcel, kind, self.now, names=self.filing()))

    def filing(self) -> int:
        return self.world.sealer.filing(self.parcel)

    def checked(self) -> Journey:
        """Wait for the gateway's identity authority and screening; pass the parcel by hand where nobody screens."""
        self.settled("IDENTITY_CHECKED")
        if self.world.screening is None:
            self.result("screening", K.SCREENED_PASSED)
        return self.settled("SCREENED_PASSED")

    def settled(self, kind: str) -> Journey:
        """Wait until an entry of a kind stands on the parcel."""

        def stands() -> bool:
            return kind in [each["kind"] for each in self.seen_by("courier-1")["entries"]]  # type: ignore[attr-defined]

        assert wait_until(stands, 60), self.seen_by("courier-1")
        return self

    def carried_in(self) -> Journey:
        self.world.party("courier-1").write(Entry(self.parcel, K.CARRIED_IN, self.now))
        return self

    def seen_by(self, name: str) -> dict[str, object]:
        return self.world.party(name).parcel(self.parcel)
