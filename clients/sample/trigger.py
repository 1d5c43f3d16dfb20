"""Six test parcels for a courier's programs, each walking one fixed path, on a demo chain and through the API.

The courier acts by its own key; shop, identity authority, screening and officer act by theirs, which on a demo chain
come from its seed. Where the gateway runs an authority
and screening of its own, those are waited for.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from clients.courier import Courier, Shipment
from clients.sample.members import HANDLES, OFFICES, Keyring
from clients.sample.people import Person
from clients.sdk.client import Client
from clients.sdk.gate import ApiGate
from clients.seller import Sale, Seller
from ledger.chain.batch import Batch, Entry, detail
from ledger.chain.port import NodePort
from ledger.chain.writer import Writer
from ledger.domain.errors import LedgerError
from ledger.domain.facts import Goods, Mode, Transport, country_number
from ledger.domain.kinds import KindNumber
from ledger.keys import LocalSigner

K = KindNumber
CUSTOMS: Final = (HANDLES["identity"], HANDLES["screening"])
OFFICE: Final = OFFICES[0]
PATIENCE: Final = 3.0
"""Seconds that authority and screening of the gateway's own are waited for before the demo's keys act."""
HOUR: Final = 3_600
PEOPLE: Final = range(11, 26)
"""Numbers of people in the demo's register whose parcels these are."""
RICH: Final = range(26, 31)
"""Of those whose parcels are dear: one person's modest and dear parcels of a day would count as split orders."""
MODEST, DEAR = 1_000, 5_000_00
"""Prices in US cents: below and over the limit of the list."""


class NotADemo(LedgerError):
    """Test parcels go to demo chains only."""

    code = "trigger.no-demo"


@dataclass(frozen=True, slots=True)
class Path:
    """What happens to a test parcel.

    Attributes:
        stranger: the telephone is not that of the number's holder.
        hours_late: how long before it was recorded the courier claims to have filed.
        then: what an officer does: nothing, hold it before carry-in, or refuse it afterwards.
    """

    price: int = MODEST
    stranger: bool = False
    hours_late: int = 0
    then: str = ""


PATHS: Final[Mapping[str, Path]] = {
    "cleared": Path(),
    "referred": Path(price=DEAR),
    "held": Path(then="hold"),
    "stopped": Path(stranger=True),
    "refused": Path(price=DEAR, then="refuse"),
    "late": Path(hours_late=80),
}


class Party:
    """A member at the gateway: sends what it signs and waits until it is visible."""

    def __init__(self, url: str, signer: LocalSigner, name: str, client: Client | None = None) -> None:
        """Take the gateway's address, the member's key and its name in the demo."""
        self._client = client or Client(url, signer)
        self.gate = ApiGate(self._client)
        self.chain = self.gate.call(self._client.chain())
        self.writer = Writer(signer, HANDLES[name], self.chain.domain, cast(NodePort, self))

    def send(self, batch: Batch) -> dict[str, Any]:
        """Post a batch and wait for its end.

        Raises:
            LedgerError: refused, or an entry of it was rejected.
        """
        found = self.gate.call(self._client.submit(batch, wait=20))
        if not found.ended:
            found = self.gate.call(self._client.wait(found.id))
        rejected = [each.rejection for each in found.entries if each.rejection is not None]
        if found.state != "visible" or rejected:
            said = f"{rejected[0].code}: {rejected[0].en}" if rejected else f"{found.state}: {found.reason}"
            raise LedgerError(f"A test parcel came to nothing ({said})", hint="Was the chain made from another seed?")
        return dict(found.document)

    def next_seq(self, key: bytes, lane: int) -> int:
        """Return the next number in a lane."""
        return self.gate.next_seq(key, lane)

    def write(self, entry: Entry, *, stop: bool = False) -> None:
        """Write an entry at once."""
        self.writer.write(entry, 0 if stop else 1)
        self.flush()

    def flush(self) -> None:
        """Send what waits."""
        self.writer.flush(self.gate.time())

    def put(self, digest: bytes, envelope: bytes) -> None:
        """Keep an envelope."""
        self.gate.call(self._client.put_payload(digest, envelope))

    def get(self, digest: bytes) -> bytes | None:
        """Return an envelope."""
        return self.gate.call(self._client.payload(digest))

    def parcel(self, number: int) -> Mapping[str, Any]:
        """Return a parcel as the gateway shows it."""
        return self.gate.call(self._client.page(f"/v1/parcels/0x{number:064x}"))

    def order(self, number: int) -> bytes:
        """Return the payload digest of an order, once it is visible."""

        async def found() -> bytes:
            async for order in self._client.orders():
                if order.id == number and order.payload:
                    return order.payload
            raise LedgerError("The order is not visible.", hint="Try again.")

        return self.gate.call(found())


class Stage:
    """The parties of test parcels."""

    def __init__(self, url: str, seed: int, courier: str, signer: LocalSigner | None = None) -> None:
        """Sign the parties in.

        Raises:
            NotADemo: the gateway's chain is a real one.
            LedgerError: it was made from another seed.
        """
        self._keys, self._url, self._parties = Keyring(seed), url, dict[str, Party]()
        self._name = courier
        self.courier = Party(url, signer or self._keys.signer(courier), courier)
        self._parties[courier] = self.courier
        if not self.courier.chain.demo:
            self.close()
            raise NotADemo("This is no demo chain.", hint="Test parcels are for `clearance up --demo` and `run`.")

    def close(self) -> None:
        """Close every connection."""
        for party in self._parties.values():
            party.gate.close()

    def _party(self, name: str) -> Party:
        if name not in self._parties:
            self._parties[name] = Party(self._url, self._keys.signer(name), name)
        return self._parties[name]

    def walk(self, name: str, number: int) -> dict[str, Any]:
        """Send one test parcel along its path; return what became of it."""
        path, reference = PATHS[name], f"PCL-TEST-{name.upper()}-{secrets.token_hex(4)}"
        parcel = self._filed(path, reference, self._person(number, path))
        self._judged(parcel, path)
        now = self.courier.gate.time()
        officer = self._party(f"office-{OFFICE:03}")
        if path.then == "hold":
            due = detail(K.HELD, ground=2, answer_due=now // HOUR + 720)
            officer.write(Entry(parcel, K.HELD, now, detail=due), stop=True)
        self.courier.write(Entry(parcel, K.CARRIED_IN, now))
        if path.then == "refuse":
            filing = int(str(officer.parcel(parcel)["filing"]), 16)
            why = detail(K.DECIDED_REFUSE, ground=3, stops=0)
            officer.write(Entry(parcel, K.DECIDED_REFUSE, now, detail=why, names=filing))
        found = self.courier.parcel(parcel)
        return {
            "path": name,
            "house_bill": reference,
            "parcel": found["id"],
            "clearance": found["clearance"],
            "status": found["status"],
            "findings": [each["code"] for each in found["findings"]],
        }

    def _person(self, number: int, path: Path) -> dict[str, str]:
        phone = 9_999 if path.stranger else number
        return Person(f"P99{number:010}", f"표본인 {number:05}", f"0100000{phone:04}").as_dict()

    def _filed(self, path: Path, reference: str, person: dict[str, str]) -> int:
        shop, now = self._party("shop-01"), self.courier.gate.time()
        readers = {HANDLES[n]: self._keys.opener(n).public_key() for n in (self._name, "identity", "screening")}
        seller = Seller(shop.writer, secrets.token_bytes(32), shop, readers)
        goods = Goods(price=path.price, currency=840, goods_class=1, quantity=1, unit=1)
        sale = Sale(reference, goods, "test goods", "640399", now, HANDLES[self._name], person)
        order = seller.record(sale, CUSTOMS)
        shop.flush()
        opener = self._keys.opener(self._name)
        courier = Courier(
            self.courier.writer, secrets.token_bytes(32), self.courier, opener, [readers[each] for each in CUSTOMS]
        )
        courier.inbox.take(order, HANDLES["shop-01"], self.courier.order(order))
        orders = (courier.inbox.find(reference),)
        country = country_number("US")
        transport = Transport(country, country, Mode.EXPRESS_AIR, OFFICE)
        claimed = now - path.hours_late * HOUR
        parcel = courier.file(Shipment(reference, orders, transport, claimed, "shop-01", consignee=person))
        self.courier.flush()
        return parcel

    def _judged(self, parcel: int, path: Path) -> None:
        """Wait for identity check and screening, or do them by the demo's keys where the gateway has none."""
        result = "STOP_OPEN" if path.stranger else "IDENTITY_OK"
        kind = K.IDENTITY_STOPPED if path.stranger else K.IDENTITY_CHECKED
        self._see_to("identity", parcel, kind, result)
        self._see_to("screening", parcel, K.SCREENED_PASSED, "SCREENED")

    def _see_to(self, name: str, parcel: int, kind: KindNumber, result: str) -> None:
        if self._stands(parcel, result, PATIENCE):
            return
        stop = kind is K.IDENTITY_STOPPED
        filing = 0 if stop else int(str(self.courier.parcel(parcel)["filing"]), 16)
        try:
            self._party(name).write(Entry(parcel, kind, self.courier.gate.time(), names=filing), stop=stop)
        except LedgerError:
            if not self._stands(parcel, result, PATIENCE):  # else a slow gateway said it meanwhile
                raise

    def _stands(self, parcel: int, status: str, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while status not in self.courier.parcel(parcel)["status"]:
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        return True


def trigger(
    url: str, seed: int, courier: str, signer: LocalSigner | None = None,
    *, paths: tuple[str, ...] = (), told: Callable[[dict[str, Any]], None] = lambda _: None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Send test parcels, all six unless paths are named; `told` hears of each when its path ends.

    Raises:
        LedgerError: no demo, another seed, or the gateway does not answer.
    """
    stage = Stage(url, seed, courier, signer)
    found = []
    try:
        dice = secrets.SystemRandom()
        rich, people = dice.sample(RICH, len(RICH)), dice.sample(PEOPLE, len(PEOPLE))
        for name in PATHS:
            if not paths or name in paths:
                drawn = rich if PATHS[name].price == DEAR else people
                found.append(stage.walk(name, drawn.pop()))  # each of another person: many of one are a trade
                told(found[-1])
    finally:
        stage.close()
    return found
