"""Deals the sample day: flights, parcels, planted cases, and the events that make them, all from a seed.

Goods mix and shares follow public figures (docs/sources.md): 72 % China, health food 16 %, about 3 % taxed, 30 % of the
shops no members.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any, Final

from clients.sample.cases import PLANTED, TOGETHER, Case, planted
from clients.sample.members import COURIERS, MEMBER_SHOPS, OFFICES, SHOPS
from clients.sample.people import Holder, People, Person
from ledger.domain.classes import BY_CODE
from ledger.domain.facts import Goods, Mode, Track, Use
from ledger.domain.rules import sample_rate, week_of

START: Final = 1_760_918_400
"""2025-10-20 00:00 UTC: the first orders of the sample day."""
DAYS: Final = 7
HOUR: Final = 3_600
MINUTE: Final = 60
HOUSES_PER_FLIGHT: Final = 160

COUNTRIES: Final = (("CN", 156, 72), ("US", 840, 16), ("JP", 392, 6), ("DE", 978, 3), ("GB", 826, 2), ("AU", 36, 1))
"""Dispatch country, currency, share in per cent."""
LISTED_CLASSES: Final = (1, 1, 2, 3, 4, 4, 5, 6, 7, 8, 9, 9, 10, 11, 12, 13, 14, 902)
DECLARED_CLASSES: Final = (601, 601, 601, 501, 502, 801, 901, 101)
ANY_SHOP: Final = frozenset(
    {
        Case.CLEAN,
        Case.LATE_FILING,
        Case.IDENTITY_MISMATCH,
        Case.PAYLOAD_MISSING,
        Case.STOLEN_NUMBER,
        Case.FROZEN_NUMBER,
        Case.REISSUED_NUMBER,
        Case.DENIED_USE,
        Case.CONSENT_WITHHELD,
    }
)
"""Cases of shops that may be no members."""
TRACES: Final = ("PICKED_UP", "PACKED", "EXPORT_DEPARTED", "SORTED", "OUT_FOR_DELIVERY", "DELIVERED")


@dataclass(frozen=True, slots=True)
class Event:
    """Something a party does at a time."""

    at: int
    order: int
    party: str
    action: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Flight:
    """One master bill."""

    number: str
    courier: str
    office: int
    arrives: int


@dataclass(slots=True)
class Plan:
    """A dealt day."""

    parcels: int
    seed: int
    events: list[Event] = field(default_factory=list)
    truth: dict[str, str] = field(default_factory=dict)
    holders: list[Holder] = field(default_factory=list)
    """The register of identity numbers."""

    def add(self, at: int, party: str, action: str, **arguments: Any) -> None:
        """Add an event."""
        self.events.append(Event(at, len(self.events), party, action, arguments))


@dataclass(frozen=True, slots=True)
class Ring:
    """Parcels that are one case together: on one flight, of one shop, for one person or one yard."""

    flight: Flight
    shop: int
    person: Person | None = None
    yard: Mapping[str, str] = field(default_factory=dict)


class Dealer:
    """Deals a plan; every draw comes from one seeded generator, in one order."""

    def __init__(self, parcels: int, seed: int) -> None:
        """Start a day of so many parcels."""
        self.plan = Plan(parcels, seed)
        self._random = random.Random(f"clearance sample day {seed}")
        self._people = People(self._random, parcels // 2 + 1)
        self.plan.holders = self._people.holders
        self._rings: dict[Case, Iterator[Ring]] = {}

    def deal(self) -> Plan:
        """Deal the whole day."""
        cases = [case for case in PLANTED for _ in range(planted(case, self.plan.parcels))]
        cases = cases[: self.plan.parcels] + [Case.CLEAN] * max(0, self.plan.parcels - len(cases))
        others = [case for case in cases if case is not Case.SUSPENDED_COURIER]
        doomed = len(cases) - len(others)
        self._random.shuffle(others)
        flights = self._flights(max(2, len(others) // HOUSES_PER_FLIGHT))
        for case, size in TOGETHER.items():
            rings = [self._ring(case, place, flights) for place in range(max(1, cases.count(case) // size))]
            self._rings[case] = cycle(rings)
        number = 0
        for index, case in enumerate(others):
            number += 1
            ring = next(self._rings[case]) if case in self._rings else None
            self._parcel(f"SMP{number:08}", case, ring.flight if ring else flights[index % len(flights)], ring)
        last = Flight("MST-SUSPENDED", "courier-suspended", OFFICES[0], flights[0].arrives + 5 * HOUR)
        for _ in range(doomed):
            number += 1
            self._parcel(f"SMP{number:08}", Case.SUSPENDED_COURIER, last)
        for flight in (*flights, last):
            self._flight_events(flight)
        self.plan.add(last.arrives + HOUR, "governor-1", "suspend_org", org="courier-suspended")
        for office in OFFICES:
            self.plan.add(START + 6 * 86_400, f"office-{office:03}", "decide")
            self.plan.add(START + 6 * 86_400 + HOUR, f"yard-{office:03}", "release")
        self.plan.events.sort(key=lambda event: (event.at, event.order))
        return self.plan

    def _ring(self, case: Case, place: int, flights: list[Flight]) -> Ring:
        flight, shop = flights[place % len(flights)], self._random.randrange(1, MEMBER_SHOPS + 1)
        if case is Case.SPLIT_ORDERS:
            return Ring(flight, shop, person=self._people.fresh())
        return Ring(flight, shop, yard={"zip": "99999", "address": f"시험시 대행로 {place + 1}"})

    def _flights(self, count: int) -> list[Flight]:
        first = START + 4 * 86_400 + 2 * HOUR
        return [
            Flight(
                number=f"MST{index:05}",
                courier=COURIERS[index % len(COURIERS)],
                office=OFFICES[index % len(OFFICES)],
                arrives=first + (index * 16 * HOUR // count) // (10 * MINUTE) * (10 * MINUTE),
            )
            for index in range(count)
        ]

    def _flight_events(self, flight: Flight) -> None:
        add, arrives = self.plan.add, flight.arrives
        office, yard = f"office-{flight.office:03}", f"yard-{flight.office:03}"
        add(arrives - 14 * HOUR, flight.courier, "open_master", master=flight.number)
        add(arrives, flight.courier, "arrived", master=flight.number)
        if flight.courier != "courier-suspended":
            add(arrives + HOUR, flight.courier, "unloaded", master=flight.number)
        add(arrives + 3 * HOUR, office, "lift")
        add(arrives + 4 * HOUR, yard, "release")
        add(arrives + 8 * HOUR, office, "decide")
        add(arrives + 9 * HOUR, yard, "release")

    # ---------------------------------------------------------------------------------------------------- parcels
    def _price(self, cents: int, currency: int, arrives: int) -> int:
        """Return minor units worth about so many US cents in the week of the filing."""
        week = week_of(arrives - 4 * HOUR)
        return max(1, cents * sample_rate(840, week) // sample_rate(currency, week))

    def _parcel(self, house: str, case: Case, flight: Flight, ring: Ring | None = None) -> None:
        draw = self._random
        self.plan.truth[house] = case.value
        country, currency, _ = draw.choices(COUNTRIES, [share for _, _, share in COUNTRIES])[0]
        shop = draw.randrange(1, SHOPS + 1)
        if case not in ANY_SHOP:
            shop = draw.randrange(1, MEMBER_SHOPS + 1)
        if case is Case.ORDER_MISSING:
            country, currency, shop = "VN", 840, SHOPS
        if ring:
            country, currency, shop = "CN", 156, ring.shop
        track, goods_list = self._goods(case, country, currency, flight)
        person = self._person(case, shop, ring)
        parcel = _Parcel(
            house, case, flight, country, f"shop-{shop:02}", shop <= MEMBER_SHOPS, track, person, ring is not None
        )
        if ring:
            parcel.consignee.update(ring.yard)
        self._orders(parcel, goods_list)
        self._filing(parcel, goods_list)
        self._after(parcel)

    def _person(self, case: Case, shop: int, ring: Ring | None) -> Person:
        """Return whose number is declared; nobody is in two cases, and nobody in one has clean parcels besides."""
        if ring and ring.person:
            return ring.person
        if case is Case.CLEAN:
            return self._people.buyer_at(f"shop-{shop:02}")
        return self._people.fresh(
            reissued=case is Case.REISSUED_NUMBER, consent_first=case is Case.CONSENT_WITHHELD
        )  # fmt: skip

    def _goods(self, case: Case, country: str, currency: int, flight: Flight) -> tuple[Track, list[Goods]]:
        draw = self._random
        limit = 20_000 if country == "US" else 15_000
        track: Track = Track.LIST
        pool: tuple[int, ...] = LISTED_CLASSES
        worth = draw.uniform(0.55 if case is Case.SPLIT_ORDERS else 0.08, 0.95) * limit
        if case is Case.CLEAN and draw.random() < 0.24:
            track, pool, worth = Track.DECLARED, DECLARED_CLASSES, draw.uniform(0.1, 0.95) * 15_000
        elif case is Case.CLEAN and draw.random() < 0.04:
            track, worth = Track.DECLARED, draw.uniform(1.1, 6) * 15_000  # taxed: waits for the duty
        if case is Case.OVER_LIMIT:
            worth = draw.uniform(1.01, 3) * limit
        if case is Case.EXCLUDED_CLASS:
            pool = (601, 501, 801, 901, 101)
        if case in (Case.OVER_PERSONAL_USE, Case.CLASS_BELOW_ORDER):
            track, pool, worth = Track.DECLARED, (601,), draw.uniform(0.1, 0.9) * 15_000
        count = 2 if case is Case.LATE_ORDER else 1
        if case in (Case.CLEAN, Case.OVER_LIMIT):
            count = draw.choices((1, 2, 3, 5, 8), (80, 12, 5, 2, 1))[0]
        goods = []
        for _ in range(count):
            code = draw.choice(pool)
            price = self._price(int(worth) // count, currency, flight.arrives)
            use = Use.COMPANY if case is Case.COMPANY_AS_PERSONAL else Use.PERSONAL
            goods.append(Goods(price, currency, code, self._quantity(code, case, count), use=use))
        return track, goods if _within_personal_use(goods) else goods[:1]

    def _quantity(self, code: int, case: Case, count: int) -> int:
        allowed = BY_CODE[code].personal_use
        if case is Case.OVER_PERSONAL_USE:
            return allowed + self._random.randrange(1, 7)
        if allowed:
            return max(1, self._random.randrange(1, allowed + 1) // count)
        return self._random.randrange(2 if case is Case.QUANTITY_BELOW_ORDER else 1, 5)

    def _orders(self, parcel: _Parcel, goods_list: list[Goods]) -> None:
        """The shop records its orders, if it is a member."""
        if not parcel.member:
            return
        arrives, draw = parcel.flight.arrives, self._random
        early = arrives - (24 * draw.randrange(2, 4) + draw.randrange(4)) * HOUR
        if parcel.together:
            early = arrives - 48 * HOUR
        courier = parcel.flight.courier
        handed = courier
        if parcel.case is Case.SOMEONE_ELSES_ORDER:
            handed = _another(courier)
        moved = parcel.case is Case.CLEAN and draw.random() < 0.02
        for index, goods in enumerate(goods_list):
            reference = f"{parcel.house}-{index}"
            parcel.references.append(reference)
            at = arrives - HOUR if index and parcel.case is Case.LATE_ORDER else early
            first = _another(courier) if moved else handed
            self.plan.add(
                at, parcel.shop, "order", reference=reference, goods=goods, courier=first, person=parcel.person,
                ordered_at=at - draw.randrange(30, 600),
            )  # fmt: skip
            if moved:
                self.plan.add(at + 2 * HOUR, parcel.shop, "reassign", reference=reference, courier=courier)

    def _filing(self, parcel: _Parcel, goods_list: list[Goods]) -> None:
        """The courier files; a lying one declares other goods than the order's."""
        case, flight, draw = parcel.case, parcel.flight, self._random
        at = flight.arrives - 4 * HOUR
        named = parcel.member and case is not Case.ORDER_WITHHELD
        references = tuple(parcel.references)
        first = references[:1] if case is Case.LATE_ORDER else references
        lie = _lie(case, goods_list[0])
        total = goods_list[0] if len(goods_list) == 1 else _joined(goods_list)
        claimed = at - (80 * HOUR if case is Case.LATE_FILING else draw.randrange(30, 900))
        broker = case is Case.CLEAN and flight.courier == COURIERS[0] and draw.random() < 0.2
        filing = {
            "house": parcel.house, "references": first if named else (), "shop": parcel.shop,
            "country": parcel.country, "mode": Mode.EXPRESS_AIR, "track": parcel.track, "office": flight.office,
            "master": flight.number, "consignee": parcel.consignee, "spooled": case is not Case.PAYLOAD_MISSING,
            "leaked": _another(flight.courier) if case is Case.SOMEONE_ELSES_ORDER else "",
        }  # fmt: skip
        filer = "broker-1" if broker else flight.courier
        self.plan.add(at, filer, "file", **filing, claimed=claimed, goods=lie if named else total)
        if case is Case.LATE_ORDER:
            again = {**filing, "references": references}
            moment = flight.arrives - 20 * MINUTE
            self.plan.add(moment, filer, "correct", **again, claimed=moment - 60, goods=None)
        elif case is Case.CORRECTED_AFTER_ARRIVAL or (case is Case.CLEAN and draw.random() < 0.03):
            before = case is Case.CLEAN
            moment = flight.arrives + (-2 * HOUR if before else 30 * MINUTE)
            self.plan.add(moment, filer, "correct", **filing, claimed=moment - 60, goods=None if named else total)

    def _after(self, parcel: _Parcel) -> None:
        draw, arrives = self._random, parcel.flight.arrives
        yard, office = f"yard-{parcel.flight.office:03}", f"office-{parcel.flight.office:03}"
        wave = draw.randrange(3) * 10 * MINUTE
        self.plan.add(arrives + 2 * HOUR + wave, yard, "carry_in", house=parcel.house)
        if parcel.case is Case.CLEAN and draw.random() < 0.01:
            self.plan.add(arrives + HOUR, office, "hold", house=parcel.house)
        if parcel.case is Case.CLEAN and draw.random() < 0.003:
            self.plan.add(arrives + 30 * HOUR, office, "recall", house=parcel.house)
        if parcel.case in (Case.PAYLOAD_MISSING, Case.CONSENT_WITHHELD):
            self.plan.add(arrives + 7 * HOUR, office, "sweep", house=parcel.house)
        if parcel.case is Case.FROZEN_NUMBER:
            self.plan.add(START + 3 * 86_400, "buyer", "freeze", person=parcel.person)
        if parcel.case is Case.DENIED_USE:
            self.plan.add(arrives - HOUR, "buyer", "deny", person=parcel.person, house=parcel.house)
        if parcel.flight.courier == "courier-suspended":
            return
        for index, name in enumerate(TRACES):
            at = arrives + (-30 * HOUR + index * 8 * HOUR if index < 3 else (index - 2) * 10 * HOUR)
            self.plan.add(at, parcel.flight.courier, "trace", house=parcel.house, name=name)


@dataclass(slots=True)
class _Parcel:
    house: str
    case: Case
    flight: Flight
    country: str
    shop: str
    member: bool
    track: Track
    person: Person
    together: bool = False
    references: list[str] = field(default_factory=list)
    consignee: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        """Fill in what is said of the consignee: the truth, but where the case is a lie about it."""
        self.consignee = self.person.as_dict()
        if self.case is Case.IDENTITY_MISMATCH:
            self.consignee["name"] = "표본인 아님"
        elif self.case is Case.STOLEN_NUMBER:
            self.consignee["phone"] = "01099999999"
        elif self.case is Case.REISSUED_NUMBER:
            self.consignee["pccc"] = "P99" + self.person.pccc[3:]


def _another(courier: str) -> str:
    return next(name for name in COURIERS if name != courier)


def _lie(case: Case, goods: Goods) -> Goods | None:
    """Return what a lying courier declares instead of the order's goods."""
    price, code, quantity = goods.price, goods.goods_class, goods.quantity
    if case is Case.PRICE_BELOW_ORDER:
        price = max(1, price // 3)
    elif case is Case.QUANTITY_BELOW_ORDER:
        quantity -= 1
    elif case is Case.CLASS_BELOW_ORDER:
        code = 9
    else:
        return None
    return Goods(price, goods.currency, code, quantity, use=goods.use)


def _within_personal_use(goods_list: list[Goods]) -> bool:
    sums: dict[int, int] = {}
    for goods in goods_list:
        sums[goods.goods_class] = sums.get(goods.goods_class, 0) + goods.quantity
    return all(not BY_CODE[code].personal_use or total <= BY_CODE[code].personal_use for code, total in sums.items())


def _joined(goods_list: list[Goods]) -> Goods:
    """Return one goods word for a box without orders: the courier declares the sum under the first class."""
    first = goods_list[0]
    return Goods(
        sum(goods.price for goods in goods_list), first.currency, first.goods_class,
        sum(goods.quantity for goods in goods_list if goods.goods_class == first.goods_class),
    )  # fmt: skip
