"""A gateway with screening, without a web server: a shop, a courier and an officer act through the node itself."""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlmodel import select

from api.screening.knowledge import Knowledge
from api.screening.sampling import Sampling
from api.screening.scorer import Scorer
from api.screening.screening import Screening
from api.submitter import Submitter
from clients.courier import Courier, Shipment
from clients.sample.members import HANDLES
from ledger.chain.batch import Entry, detail
from ledger.chain.included import IncludedEntry
from ledger.chain.state import Parcel
from ledger.chain.writer import Writer
from ledger.domain.facts import Goods, Mode, Transport, country_number
from ledger.domain.kinds import KindNumber as K
from ledger.payloads import Spool
from ledger.store.database import Database
from ledger.store.projector import Projector
from ledger.store.sealing import Seals
from ledger.store.tables.screening import ScreeningRow
from node.audit.chain import audit_chain, blocks_of_chain
from node.audit.members import MemberHistory
from node.audit.samples import SampleHistory
from tests.api.test_submitter import KEYRING, World

PERSON = {"pccc": "P990000000001", "name": "표본인 00001", "phone": "01000000001"}
US = country_number("US")
SHIRT = Goods(price=3_000, currency=840, goods_class=1, quantity=1)
SHOPS = ("shop-01", "shop-02")


class Desk(World):
    """Screening at work."""

    def __init__(self, database: Database, home: Path, rate: int = 0) -> None:
        super().__init__(database, home)
        self.home, self.rate = home, rate
        self.seals = Seals(b"s" * 32)
        self.screening = self.fresh()
        domain = self.gateway.genesis.domain
        self.courier = Courier(
            Writer(KEYRING.signer("courier-1"), HANDLES["courier-1"], domain, self.node), bytes(32), Spool(home),
            KEYRING.opener("courier-1"), [KEYRING.opener("screening").public_key()],
        )  # fmt: skip
        self.officer = Writer(KEYRING.signer("office-040"), HANDLES["office-040"], domain, self.node)

    def fresh(self, *, scorer: Scorer | None = None, seed: int = 1, rate: int | None = None) -> Screening:
        """Return screening as a new process would start it."""
        sampling = Sampling(self.gateway, HANDLES["screening"], b"k" * 32, self.rate if rate is None else rate)
        return Screening(
            self.gateway, self.seals, KEYRING.signer("screening"), HANDLES["screening"], KEYRING.opener("screening"),
            sampling, Knowledge(self.gateway, self.seals, SHOPS), scorer=scorer, dice=random.Random(seed),
            pause=dt.timedelta(0),
        )  # fmt: skip

    def shipment(self, house: str, *, shop: str = "a shop", goods: Goods = SHIRT, **consignee: str) -> Shipment:
        transport = Transport(US, US, Mode.EXPRESS_AIR, 40)
        return Shipment(house, (), transport, self.now(), shop, goods, consignee=PERSON | consignee)

    def file(self, house: str, *, spooled: bool = True, **changes: Any) -> int:
        """File a parcel without order, seal and project it."""
        parcel = self.courier.file(self.shipment(house, **changes), spooled=spooled)
        self.sent()
        return parcel

    def correct(self, house: str, **changes: Any) -> None:
        """Correct a parcel, seal and project it."""
        self.courier.correct(self.shipment(house, **changes))
        self.sent()

    def says(self, kind: K, parcel: int, **fields: int) -> None:
        """Let the office, or the courier, say something of a parcel."""
        writer = self.courier.writer if kind is K.CARRIED_IN else self.officer
        word = detail(kind, **fields) if fields else 0
        names = self.node.filing(parcel) if kind in (K.DECIDED_CLEAR, K.DECIDED_REFUSE) else 0
        writer.write(Entry(parcel, kind, self.now(), detail=word, names=names))
        writer.flush(self.now())
        self.settle()

    def sent(self) -> None:
        self.courier.writer.flush(self.now())
        self.settle()

    def now(self) -> int:
        return self.gateway.chain_time()

    def settle(self) -> None:
        """Hand over, seal and project whatever waits."""
        self.later(0.01)
        Submitter(self.gateway).step()
        self.later(11)
        self.node.seal()
        Projector(self.gateway.database, self.node, self.gateway.genesis.domain).catch_up()

    def run(self, screening: Screening | None = None) -> None:
        """Let screening act until nothing is left, and everything be included."""
        at_work = screening or self.screening
        for _ in range(9):
            at_work.step()
            self.settle()
            with self.gateway.database.read() as session:
                if not at_work.is_busy(session):
                    return
        raise AssertionError("screening does not come to rest")

    def entries(self, parcel: int) -> list[IncludedEntry]:
        """Return what screening has on chain of a parcel, rejected entries too."""
        key = KEYRING.signer("screening").address
        batches = [batch for batch in self.node.included(1) if batch.key == key and not batch.batch.is_trace]
        return [each for batch in batches for each in batch.entries() if each.entry.subject == parcel]

    def said(self, parcel: int) -> Counter[str]:
        """Count what screening recorded of a parcel, by kind."""
        return Counter(each.kind.name for each in self.entries(parcel) if each.rejection is None)

    def findings(self, parcel: int) -> set[str]:
        return {each.name for each in Parcel(self.node.word(parcel)).findings}

    def row(self, parcel: int) -> ScreeningRow:
        with self.gateway.database.read() as session:
            return session.exec(select(ScreeningRow).where(ScreeningRow.parcel == parcel.to_bytes(32, "big"))).one()

    def audited(self) -> SampleHistory:
        """Audit the sample, by the chain alone."""
        chain = self.node.sealer.chain
        history = SampleHistory(MemberHistory(chain.genesis))
        assert audit_chain(chain.genesis, blocks_of_chain(chain), seen=history.add).ok
        return history


def cheaper(goods: Goods, price: int) -> Goods:
    """Return the goods at another price."""
    return replace(goods, price=price)
