"""The courier's client: its inbox of orders, filings drafted from it, flights, carry-ins, releases, traces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from eth_hash.auto import keccak

from clients.inbox import Inbox, InboxItem, Kept
from ledger.chain.batch import Entry, detail
from ledger.chain.included import IncludedBatch
from ledger.chain.writer import Writer
from ledger.domain.facts import Goods, Transport
from ledger.domain.kinds import KindNumber
from ledger.domain.rejections import Effect
from ledger.payloads import Payload, PayloadStore, derive


@dataclass(frozen=True, slots=True)
class Shipment:
    """One house bill as the courier knows it. `consignee` is personal and only travels encrypted."""

    house_bill: str
    orders: tuple[InboxItem, ...]
    transport: Transport
    claimed: int
    shop: str = ""
    goods: Goods | None = None
    """Goods of a parcel without order, or what the courier declares instead of the order's."""
    more_orders: bool = False
    description: tuple[str, ...] = ()
    """What the courier says of goods without order; the orders say it of theirs."""
    consignee: Mapping[str, str] = field(repr=False, default_factory=dict)


@dataclass(frozen=True, slots=True)
class Filed:
    """A filed parcel: what a correction starts from."""

    parcel: int
    shipment: Shipment


class Courier:
    """Acts for an express carrier, or for a broker that one let file in its name."""

    def __init__(
        self,
        writer: Writer,
        secret: bytes,
        spool: PayloadStore,
        key: X25519PrivateKey,
        readers: Sequence[X25519PublicKey],
        opener: int | None = None,
        kept: Kept | None = None,
    ) -> None:
        """Take the writer, the secret salts derive from, the spool, the key that opens orders, and who reads filings.

        `opener` is the courier in whose name a broker files, `kept` what was opened of the inbox before.
        """
        self.writer = writer
        self._secret = secret
        self._spool = spool
        self._readers = readers
        self.opener = opener or writer.org
        self.inbox = Inbox(self.opener, writer.domain, spool, key, kept)
        self.parcels: dict[str, Filed] = {}
        self.masters: dict[str, int] = {}
        self.handles: dict[int, int] = {}

    def watch(self, batch: IncludedBatch) -> None:
        """Take from a block what concerns this courier: orders handed to it, handles of its masters."""
        self.inbox.watch(batch)
        for each in batch.entries() if not batch.batch.is_trace else ():
            for effect in each.effects:
                if effect.code is Effect.MASTER_HANDLE:
                    self.handles[each.entry.subject] = effect.value

    # ---------------------------------------------------------------------------------------------------- filings
    def file(self, shipment: Shipment, *, spooled: bool = True) -> int:
        """File a shipment; its first filing opens the parcel. Return the parcel's id.

        Without `spooled` the payload is kept back, and the filing stays unchecked.

        Raises:
            ValueError: it has neither orders nor goods.
        """
        payload = self._payload(shipment, 0)
        parcel = self.writer.domain.subject_id(KindNumber.FILED, self.opener, payload.digest)
        self._write(KindNumber.FILED, parcel, shipment, payload, spooled=spooled)
        return parcel

    def correct(self, shipment: Shipment) -> None:
        """Correct a filed shipment; every order bound before is presented again.

        Raises:
            KeyError: it was never filed.
            ValueError: it has neither orders nor goods.
        """
        filed = self.parcels[shipment.house_bill]
        payload = self._payload(shipment, shipment.claimed)
        self._write(KindNumber.CORRECTED, filed.parcel, shipment, payload, spooled=True)

    def _payload(self, shipment: Shipment, version: int) -> Payload:
        content = {
            "house_bill": shipment.house_bill,
            "shop": shipment.shop,
            "references": [item.reference for item in shipment.orders],
            "consignee": dict(shipment.consignee),
            "description": [*(item.rest["description"] for item in shipment.orders), *shipment.description],
        }
        return Payload.of(content, derive(self._secret, f"{shipment.house_bill} filing {version}"))

    def _write(self, kind: KindNumber, parcel: int, shipment: Shipment, payload: Payload, *, spooled: bool) -> None:
        items = sorted(shipment.orders, key=lambda item: item.order)
        words = [shipment.transport.word()]
        for item in items:
            words += item.words(shipment.goods or item.goods)
        if not items:
            if shipment.goods is None:
                raise ValueError("a filing names orders or declares goods")
            words.append(shipment.goods.word())
        fields = {"more": int(shipment.more_orders)}
        if kind is KindNumber.FILED and self.opener != self.writer.org:
            fields["opener"] = self.opener
        self.writer.write(
            Entry(parcel, kind, shipment.claimed, payload.digest, detail(kind, **fields), extra=tuple(words))
        )
        if spooled:
            self._spool.put(payload.digest, payload.sealed(self._readers))
        self.parcels[shipment.house_bill] = Filed(parcel, shipment)

    # ---------------------------------------------------------------------------------------------------- flights
    def open_master(self, master_bill: str, now: int) -> int:
        """Record a flight or voyage bill; return its id. Its handle comes with the block."""
        self.masters[master_bill] = open_master(self.writer, self._secret, master_bill, now)
        return self.masters[master_bill]

    def handle(self, master_bill: str) -> int:
        """Return the handle of a master, 0 while its block is not there."""
        return self.handles.get(self.masters.get(master_bill, 0), 0)

    def report(self, master_bill: str, kind: KindNumber, now: int) -> None:
        """Record arrival or unloading of a master."""
        self.writer.write(Entry(self.masters[master_bill], kind, now))

    def trace(self, subject: int, number: int, now: int) -> None:
        """Record a trace of a subject in the trace lane."""
        self.writer.trace(Entry(subject, number, now))

    def on_master(self, shipment: Shipment, master_bill: str) -> Shipment:
        """Return the shipment travelling under a master."""
        return replace(shipment, transport=replace(shipment.transport, master=self.handle(master_bill)))


def open_master(writer: Writer, secret: bytes, master_bill: str, now: int) -> int:
    """Record a flight or voyage bill under a salt from `secret`; return the master's id."""
    digest = keccak(derive(secret, f"{master_bill} master") + master_bill.encode())
    master = writer.domain.subject_id(KindNumber.MASTER_OPENED, writer.org, digest)
    writer.write(Entry(master, KindNumber.MASTER_OPENED, now, digest))
    return master


class Yard:
    """Acts for a bonded warehouse (보세구역): carry-in, and release of what is cleared."""

    def __init__(self, writer: Writer) -> None:
        """Take the writer."""
        self.writer = writer
        self.inside: set[int] = set()
        self._cleared: list[int] = []

    def watch(self, batch: IncludedBatch) -> None:
        """Note which parcels of this yard were cleared, by rule or by an officer."""
        for each in batch.entries() if not batch.batch.is_trace else ():
            by_rule = any(effect.code is Effect.CLEARED for effect in each.effects)
            by_officer = each.rejection is None and each.kind is KindNumber.DECIDED_CLEAR
            if (by_rule or by_officer) and each.entry.subject in self.inside:
                self._cleared.append(each.entry.subject)

    def carry_in(self, parcel: int, now: int) -> None:
        """Record that a parcel was carried in (반입)."""
        self.inside.add(parcel)
        self.writer.write(Entry(parcel, KindNumber.CARRIED_IN, now))

    def release(self, now: int) -> None:
        """Record the release (반출) of everything cleared."""
        for parcel in self._cleared:
            self.inside.discard(parcel)
            self.writer.write(Entry(parcel, KindNumber.RELEASED, now))
        self._cleared.clear()
