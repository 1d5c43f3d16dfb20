"""Replays a dealt day under a logical clock: every party acts with its own key, in seeded order.

The clock moves to the next event only when every accepted batch is included and every party has acted.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final, Protocol

from clients.courier import Courier, Shipment, Yard
from clients.customs import Officer, Screening
from clients.inbox import InboxItem
from clients.sample.members import COURIERS, HANDLES, MEMBER_SHOPS, OFFICES, Keyring
from clients.sample.people import Person
from clients.sample.plan import Event, Plan
from clients.seller import Sale, Seller
from ledger.chain.calls import call_data
from ledger.chain.included import IncludedBatch
from ledger.chain.port import NodePort
from ledger.chain.receipts import ReceiptFolder
from ledger.chain.transaction import sign_legacy
from ledger.chain.writer import Writer
from ledger.domain.classes import BY_CODE
from ledger.domain.crosswalk import TRACES
from ledger.domain.errors import LedgerError
from ledger.domain.facts import Transport, country_number
from ledger.domain.kinds import KindNumber
from ledger.genesis import CONTRACT, Genesis
from ledger.keys import LocalSigner
from ledger.payloads import PayloadStore

K = KindNumber
CUSTOMS: Final = (HANDLES["identity"], HANDLES["screening"])
YARD_KINDS: Final = 1 << K.CARRIED_IN | 1 << K.RELEASED
BROKER_KINDS: Final = 1 << K.FILED | 1 << K.CORRECTED
MAX_TURNS: Final = 50
"""Rounds of reactions within one event; more would mean that two programs answer each other for ever."""


class ReplayNode(NodePort, Protocol):
    """A node whose clock and sealing the replay drives."""

    def send_raw(self, raw: bytes) -> None:
        """Hand over a raw transaction."""
        ...

    def nonce(self, address: bytes) -> int:
        """Return the next nonce of an account."""
        ...

    def seal_all(self) -> Iterable[IncludedBatch]:
        """Make blocks until nothing waits; return what came in."""
        ...

    def move_to(self, moment: int) -> None:
        """Move the clock."""
        ...


class Buyers(Protocol):
    """What holders of numbers do about them, however they reach the identity authority."""

    def freeze(self, person: Person, now: int, /) -> None:
        """Freeze a number."""
        ...

    def deny(self, person: Person, parcel: int, now: int, /) -> None:
        """Say that a parcel is not the person's."""
        ...


class Authority(Buyers, Protocol):
    """The identity authority, where the replay brings it along."""

    writer: Writer

    def watch(self, batch: IncludedBatch) -> None:
        """Take what stands in a block."""
        ...

    def judge(self, now: int) -> None:
        """Judge what is new."""
        ...

    def referrals(self) -> list[tuple[int, int]]:
        """Return parcels and filings that screening must refer, each once."""
        ...


class Day:
    """The parties of the sample day around one node."""

    def __init__(
        self,
        plan: Plan,
        keyring: Keyring,
        genesis: Genesis,
        node: ReplayNode,
        payloads: Callable[[str], PayloadStore],
        receipts: ReceiptFolder | None = None,
        *,
        authority: Callable[[Writer, PayloadStore], Authority] | None = None,
        buyers: Buyers | None = None,
    ) -> None:
        """Seat the parties.

        Args:
            plan: what happens.
            keyring: their keys.
            genesis: of the chain.
            node: what carries their batches and moves the clock.
            payloads: where each party keeps and finds payloads.
            receipts: folder for the sealer's receipts.
            authority: makes the identity authority that the day brings along, and with it a screening; None where a
                gateway has both.
            buyers: how holders reach the gateway's.
        """
        self.plan = plan
        self._keys = keyring
        self._genesis = genesis
        self._node = node
        self._receipts = receipts
        self.sent = 0
        publics = {HANDLES[name]: keyring.opener(name).public_key() for name in (*COURIERS, "courier-suspended",
                   "broker-1", "identity", "screening")}  # fmt: skip
        # a broker files from the inbox of the courier that let it, so orders of that courier are sealed to both
        readers = [publics[org] for org in CUSTOMS]
        self.sellers = {
            name: Seller(self._writer(name), keyring.secret(name), payloads(name), publics)
            for name in (f"shop-{number:02}" for number in range(1, MEMBER_SHOPS + 1))
        }
        self.couriers = {
            name: Courier(self._writer(name), keyring.secret(name), payloads(name), keyring.opener(name), readers)
            for name in (*COURIERS, "courier-suspended")
        }
        self.couriers["broker-1"] = Courier(
            self._writer("broker-1"), keyring.secret("broker-1"), payloads(COURIERS[0]),
            keyring.opener(COURIERS[0]), readers,
            opener=HANDLES[COURIERS[0]],
        )  # fmt: skip
        self.yards = {f"yard-{office:03}": Yard(self._writer(f"yard-{office:03}")) for office in OFFICES}
        self.officers = {f"office-{o:03}": Officer(self._writer(f"office-{o:03}"), o) for o in OFFICES}
        self._buyers, self._judges = buyers, tuple[Authority | Screening, ...]()
        if authority:
            own = authority(self._writer("identity"), payloads("identity"))
            screening = Screening(
                self._writer("screening"), payloads("screening"), keyring.opener("screening"), frozenset(self.sellers),
                own.referrals,
            )  # fmt: skip
            self._buyers, self._judges = own, (own, screening)
        self.house_parcels: dict[str, int] = {}
        self._sales: dict[str, Sale] = {}
        self._watchers: list[Courier | Yard | Officer | Authority | Screening] = [
            *self.couriers.values(), *self.yards.values(), *self.officers.values(),
            *self._judges,
        ]  # fmt: skip
        self._writers = [
            *(seller.writer for seller in self.sellers.values()),
            *(party.writer for party in self._watchers),
        ]
        self._actions: dict[str, Callable[[Event], None]] = {
            "order": self._order, "reassign": self._reassign, "file": self._file, "correct": self._correct,
            "open_master": self._open_master, "arrived": self._arrived, "unloaded": self._unloaded,
            "carry_in": self._carry_in, "release": self._release, "trace": self._trace, "decide": self._decide,
            "hold": self._hold, "lift": self._lift, "recall": self._recall, "sweep": self._sweep,
            "suspend_org": self._suspend, "freeze": self._freeze, "deny": self._deny,
        }  # fmt: skip

    def _writer(self, name: str) -> Writer:
        return Writer(self._keys.signer(name), HANDLES[name], self._genesis.domain, self._node, self._receipts)

    # ----------------------------------------------------------------------------------------------------- replay
    def replay(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Replay every event; `progress` hears how many of how many are done."""
        events = self.plan.events
        self._let_yards_and_broker(events[0].at if events else self._genesis.timestamp)
        at = 0
        while at < len(events):
            moment = events[at].at
            self._node.move_to(moment)
            while at < len(events) and events[at].at == moment:
                self._actions[events[at].action](events[at])
                at += 1
            self._settle(moment)
            if progress:
                progress(at, len(events))

    def _settle(self, now: int) -> None:
        for _ in range(MAX_TURNS):
            self.sent += sum(writer.flush(now) for writer in self._writers)
            included = list(self._node.seal_all())
            if not included:
                return
            for batch in included:
                for party in self._watchers:
                    party.watch(batch)
            for program in self._judges:
                program.judge(now)
        raise RuntimeError(f"the parties did not come to rest within {MAX_TURNS} turns")

    def _let_yards_and_broker(self, now: int) -> None:
        self._node.move_to(now)
        for name in (*COURIERS, "courier-suspended"):
            cold = self._keys.cold(name)
            for yard in self.yards:
                self._govern(cold, "let", now, HANDLES[name], HANDLES[yard], YARD_KINDS)
        cold = self._keys.cold(COURIERS[0])
        self._govern(cold, "let", now, HANDLES[COURIERS[0]], HANDLES["broker-1"], BROKER_KINDS)
        self._settle(now)

    def _govern(self, signer: LocalSigner, name: str, now: int, *arguments: object) -> None:
        data = call_data(name, now, *arguments)
        nonce = self._node.nonce(signer.address)
        chain_id = self._genesis.chain_id
        self._node.send_raw(sign_legacy(signer, nonce=nonce, to=CONTRACT, data=data, chain_id=chain_id, gas=10**6))

    # ---------------------------------------------------------------------------------------------------- actions
    def _order(self, event: Event) -> None:
        told = event.arguments
        goods = told["goods"]
        kind = BY_CODE[goods.goods_class]
        sale = Sale(
            told["reference"], goods, kind.english, kind.hs6, told["ordered_at"], HANDLES[told["courier"]],
            told["person"].as_dict(),
        )  # fmt: skip
        self.sellers[event.party].record(sale, CUSTOMS)
        self._sales[sale.reference] = sale

    def _reassign(self, event: Event) -> None:
        told = event.arguments
        sale = replace(self._sales[told["reference"]], courier=HANDLES[told["courier"]])
        self.sellers[event.party].reassign(sale, CUSTOMS, event.at)

    def _shipment(self, told: Mapping[str, Any], courier: Courier) -> Shipment:
        country = country_number(told["country"])
        owner = next((c for c in self.couriers.values() if told["master"] in c.masters), courier)
        transport = Transport(
            country, country, told["mode"], told["office"], told["track"], master=owner.handle(told["master"])
        )
        return Shipment(
            told["house"], self._orders_in(courier, told), transport, told["claimed"], told["shop"], told["goods"],
            consignee=told["consignee"],
        )  # fmt: skip

    def _file(self, event: Event) -> None:
        courier = self.couriers[event.party]
        told = event.arguments
        shipment = self._shipment(told, courier)
        self.house_parcels[told["house"]] = courier.file(shipment, spooled=told["spooled"])

    def _correct(self, event: Event) -> None:
        courier = self.couriers[event.party]
        courier.correct(self._shipment(event.arguments, courier))

    def _orders_in(self, courier: Courier, told: Mapping[str, Any]) -> tuple[InboxItem, ...]:
        """Take orders from the courier's own inbox; whoever files someone else's has a leaked copy of another one.

        Raises:
            LedgerError: an order was not handed to the courier.
        """
        inbox = self.couriers[told["leaked"]].inbox if told["leaked"] else courier.inbox
        return tuple(inbox.find(reference) for reference in told["references"])

    def _open_master(self, event: Event) -> None:
        self.couriers[event.party].open_master(event.arguments["master"], event.at)

    def _arrived(self, event: Event) -> None:
        self.couriers[event.party].report(event.arguments["master"], K.MASTER_ARRIVED, event.at)

    def _unloaded(self, event: Event) -> None:
        self.couriers[event.party].report(event.arguments["master"], K.MASTER_UNLOADED, event.at)

    def _carry_in(self, event: Event) -> None:
        self.yards[event.party].carry_in(self.house_parcels[event.arguments["house"]], event.at)

    def _release(self, event: Event) -> None:
        self.yards[event.party].release(event.at)

    def _trace(self, event: Event) -> None:
        house = event.arguments["house"]
        courier = self.couriers[event.party]
        filed = self.house_parcels.get(house)
        courier.trace(filed or self._first_order(courier, house), TRACES[event.arguments["name"]].number, event.at)

    @staticmethod
    def _first_order(courier: Courier, house: str) -> int:
        """Return the order an early trace names, 0 if the courier knows none."""
        with contextlib.suppress(LedgerError):
            return courier.inbox.find(f"{house}-0").order
        return 0

    def _decide(self, event: Event) -> None:
        self.officers[event.party].decide_referred(event.at)

    def _hold(self, event: Event) -> None:
        parcel = self.house_parcels[event.arguments["house"]]
        self.officers[event.party].hold(parcel, 2, event.at // 3600 + 720, event.at)

    def _lift(self, event: Event) -> None:
        self.officers[event.party].lift_holds(event.at)

    def _recall(self, event: Event) -> None:
        self.officers[event.party].recall(self.house_parcels[event.arguments["house"]], 1, event.at)

    def _freeze(self, event: Event) -> None:
        if self._buyers:
            self._buyers.freeze(event.arguments["person"], event.at)

    def _deny(self, event: Event) -> None:
        if self._buyers:
            told = event.arguments
            self._buyers.deny(told["person"], self.house_parcels[told["house"]], event.at)

    def _sweep(self, event: Event) -> None:
        self.officers[event.party].sweep(self.house_parcels[event.arguments["house"]], event.at)

    def _suspend(self, event: Event) -> None:
        self._govern(self._keys.signer(event.party), "suspend_org", event.at, HANDLES[event.arguments["org"]])
