"""A node behind RPC with one courier's parcels on it, for tests of what couriers run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from clients.convert.book import Book
from clients.courier import Courier, Shipment
from clients.gate import NodeGate
from clients.sample.members import HANDLES, Keyring, sample_genesis
from clients.sample.plan import DAYS, START
from clients.spool import Spool
from ledger.chain.writer import Writer
from ledger.domain.facts import Goods, Transport, country_number
from ledger.genesis import Genesis
from ledger.keys import LocalSigner
from ledger.payloads import Spool as Payloads
from node.chain import Chain
from node.clock import LogicalClock
from node.evm.executor import Driver
from node.follower import Follower
from node.remote import RemoteNode
from node.sealer import Sealer
from node.service import NodeService, wait_until
from node.store import MemoryStore
from tests.node.days import SEED, follower_key, sealer_keys
from tests.node.serving import TOKEN, served

KEYRING = Keyring(SEED)
COURIER = "courier-1"


@dataclass
class Network:
    """A sealer and its follower behind RPC, under a clock of their own."""

    genesis: Genesis
    node: RemoteNode
    follower: RemoteNode
    sealer: Sealer
    clock: LogicalClock

    @property
    def signer(self) -> LocalSigner:
        return KEYRING.signer(COURIER)

    def gate(self) -> NodeGate:
        return NodeGate(self.node)

    def spool(self, path: Path, name: str = COURIER) -> Spool:
        return Spool(path, self.genesis.domain, KEYRING.signer(name))

    def now(self) -> int:
        return self.clock.now()

    def settle(self) -> None:
        """Wait until nothing waits for a block."""
        assert wait_until(lambda: self.node.status()["queued"] == 0, 10)

    def file_parcels(
        self, folder: Path, book: Book, count: int, label: str = "HB", flight: str = "180-00000001"
    ) -> None:
        """Open a master and file parcels without orders; note them in the book."""
        writer = Writer(self.signer, HANDLES[COURIER], self.genesis.domain, self.node)
        courier = Courier(
            writer, KEYRING.secret(label), Payloads(folder / "payloads"), KEYRING.opener(COURIER),
            [KEYRING.opener("identity").public_key()],
        )  # fmt: skip
        book.note_master(flight, courier.open_master(flight, self.now()))
        country = country_number("US")
        for number in range(count):
            bill = f"{label}{number:05}"
            goods = Goods(price=2_500, currency=840, goods_class=1, quantity=1, unit=1)
            shipment = Shipment(bill, (), Transport(country, country, 1, 40, 0), self.now(), goods=goods)
            book.note_parcel(bill, courier.file(shipment), flight)
        writer.flush(self.now())


@contextmanager
def network() -> Iterator[Network]:
    """Run a sealer and a follower."""
    genesis = sample_genesis(KEYRING, START, DAYS)
    clock = LogicalClock(START + 3_600)
    chain = Chain(MemoryStore(), genesis, Driver.FAST)
    sealer = Sealer(chain, sealer_keys(), clock)
    with served(NodeService(chain, sealer=sealer)) as node:
        second = Chain(MemoryStore(), genesis, Driver.FAST)
        upstream = RemoteNode(node.url, TOKEN)
        follower = NodeService(second, follower=Follower(second, follower_key(), clock, 1 << 40), upstream=upstream)
        with served(follower) as behind:
            yield Network(genesis, node, behind, sealer, clock)
        upstream.close()
