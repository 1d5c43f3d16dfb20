"""The inbox: orders reach the courier they are handed to, also later; a bad seller stands in nobody's way."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clients.courier import Courier, Shipment
from clients.inbox import Kept, Unreadable
from clients.opened import Opened
from clients.sample.members import HANDLES
from clients.seller import Sale, Seller
from ledger.chain.batch import Entry, detail
from ledger.chain.writer import Writer
from ledger.domain.errors import LedgerError
from ledger.domain.facts import Goods, Mode, Transport, country_number
from ledger.domain.kinds import KindNumber
from ledger.payloads import Payload, Spool, derive
from tests.clients.worlds import KEYRING, Network

K = KindNumber
CUSTOMS = (HANDLES["identity"], HANDLES["screening"])
READERS = {HANDLES[name]: KEYRING.opener(name).public_key()
           for name in ("courier-1", "courier-2", "identity", "screening")}  # fmt: skip
BUYER = {"name": "표본인 00001", "phone": "01000000001", "pccc": "P990000000001"}
GOODS = Goods(price=3_000, currency=840, goods_class=1, quantity=1, unit=1)
TRANSPORT = Transport(country_number("US"), country_number("US"), Mode.EXPRESS_AIR, 40)


class Trade:
    """Shops and couriers around one node and one folder of payloads."""

    def __init__(self, net: Network, folder: Path) -> None:
        self.net, self.spool = net, Spool(folder)
        self._sellers: dict[str, Seller] = {}

    def writer(self, name: str) -> Writer:
        return Writer(KEYRING.signer(name), HANDLES[name], self.net.genesis.domain, self.net.node)

    def seller(self, name: str = "shop-01") -> Seller:
        if name not in self._sellers:
            self._sellers[name] = Seller(self.writer(name), KEYRING.secret(name), self.spool, READERS)
        return self._sellers[name]

    def sale(self, reference: str, courier: str = "courier-1") -> Sale:
        return Sale(reference, GOODS, "a made-up thing", "640399", self.net.now(), HANDLES[courier], BUYER)

    def sold(self, reference: str, shop: str = "shop-01") -> int:
        order = self.seller(shop).record(self.sale(reference), CUSTOMS)
        self.seller(shop).writer.flush(self.net.now())
        return order

    def courier(self, name: str = "courier-1", kept: Kept | None = None) -> Courier:
        """Return a courier as a new process would start it, all blocks read."""
        readers = [READERS[each] for each in CUSTOMS]
        found = Courier(self.writer(name), KEYRING.secret(name), self.spool, KEYRING.opener(name), readers, kept=kept)
        self.net.settle()
        for batch in self.net.node.included(1):
            found.watch(batch)
        return found

    def send(self, name: str, *entries: Entry) -> None:
        writer = self.writer(name)
        for entry in entries:
            writer.write(entry)
        writer.flush(self.net.now())

    def hostile(
        self, name: str, change: Callable[[dict[str, Any]], object], envelope: Callable[[bytes], bytes] = bytes
    ) -> int:
        """Hand over an order whose payload says what no own client would say; return its id."""
        seller = self.seller("shop-02")
        commitment, content = seller._content(self.sale(name))
        content = copy.deepcopy(content)
        changed = change(content)
        payload = Payload.of(content if changed is None else changed, derive(bytes(32), name))  # type: ignore[arg-type]
        self.spool.put(payload.digest, envelope(payload.sealed(READERS.values())))
        order = self.net.genesis.domain.subject_id(K.ORDER_OPENED, HANDLES["shop-02"], commitment)
        handed = detail(K.ORDER_OPENED, handed=HANDLES["courier-1"])
        extra = (int.from_bytes(payload.digest, "big"),)
        self.send("shop-02", Entry(order, K.ORDER_OPENED, self.net.now(), commitment, handed, extra=extra))
        return order


@pytest.fixture
def trade(net: Network, tmp_path: Path) -> Trade:
    return Trade(net, tmp_path / "payloads")


def test_a_reassigned_order_reaches_the_new_courier_and_is_filed(trade: Trade) -> None:
    order = trade.sold("R1")
    moved = replace(trade.sale("R1"), courier=HANDLES["courier-2"])
    assert trade.seller().reassign(moved, CUSTOMS, trade.net.now()) == order
    trade.seller().writer.flush(trade.net.now())
    first, second = trade.courier(), trade.courier("courier-2")
    assert (first.inbox.listing(used=True), first.inbox.unreadable) == ([], {})
    (item,) = second.inbox.open()
    assert (item.order, item.goods, item.buyer) == (order, GOODS, BUYER)
    parcel = second.file(Shipment("H1", (item,), TRANSPORT, trade.net.now(), "shop-01", consignee=item.buyer))
    second.writer.flush(trade.net.now())
    again = trade.courier("courier-2").inbox
    assert (again.used, again.open(), again.find("R1").order) == ({order: parcel}, [], order)
    assert trade.net.node.state().parcel(parcel).findings == ()


def test_an_order_that_comes_back_is_open_again(trade: Trade) -> None:
    trade.sold("R1")
    for courier in ("courier-2", "courier-1"):
        trade.seller().reassign(trade.sale("R1", courier), CUSTOMS, trade.net.now())
    trade.seller().writer.flush(trade.net.now())
    assert [item.reference for item in trade.courier().inbox.open()] == ["R1"]
    assert trade.courier("courier-2").inbox.open() == []


def test_reassigned_without_a_payload_it_is_said_to_be_sealed_to_others(trade: Trade) -> None:
    order = trade.sold("R1")
    handed = detail(K.ORDER_REASSIGNED, handed=HANDLES["courier-2"])
    trade.send("shop-01", Entry(order, K.ORDER_REASSIGNED, trade.net.now(), detail=handed))
    assert trade.courier("courier-2").inbox.unreadable == {order: Unreadable.NOT_FOR_YOU}


def test_a_payload_that_has_not_come_is_missed(trade: Trade, tmp_path: Path) -> None:
    order = trade.sold("R1")
    there, trade.spool = trade.spool, Spool(tmp_path / "elsewhere")
    courier = trade.courier()
    assert courier.inbox.unreadable == {order: Unreadable.NOT_THERE}
    trade.spool = there
    assert trade.courier().inbox.unreadable == {}


def put(*path: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(content: dict[str, Any]) -> None:
        inner: Any = content
        for name in path[:-1]:
            inner = inner[name]
        inner[path[-1]] = value

    return change


def without(*path: str) -> Callable[[dict[str, Any]], None]:
    def change(content: dict[str, Any]) -> None:
        inner: Any = content
        for name in path[:-1]:
            inner = inner[name]
        del inner[path[-1]]

    return change


ODD: Mapping[str, Callable[[dict[str, Any]], object]] = {
    "no object": lambda _: ["an order"],
    "no reference": without("reference"),
    "reference a list": put("reference", value=["R1"]),
    "reference a picture": put("reference", value="\x1b[2J"),
    "no goods": without("goods"),
    "goods a text": put("goods", value="shirts"),
    "price a text": put("goods", "price", value="30"),
    "price true": put("goods", "price", value=True),
    "price a float": put("goods", "price", value=30.5),
    "price too large": put("goods", "price", value=1 << 41),
    "price below nothing": put("goods", "price", value=-1),
    "use unknown": put("goods", "use", value=7),
    "no class": without("goods", "goods_class"),
    "rest a number": put("rest", value=7),
    "no description": without("rest", "description"),
    "description an object": put("rest", "description", value={"ko": "것"}),
    "description a book": put("rest", "description", value="x" * 20_000),
    "salt no hex": put("salt", value="salt"),
    "salt short": put("salt", value="00"),
    "salt a number": put("salt", value=5),
    "buyer a text": put("buyer", value="표본인"),
    "buyer nested": put("buyer", "name", value={"first": "표본"}),
    "buyer nobody": put("buyer", value=None),
}


DAMAGE: Mapping[str, Callable[[bytes], bytes]] = {
    "cut": lambda envelope: envelope[:-1],
    "flipped": lambda envelope: envelope[:-1] + bytes([envelope[-1] ^ 1]),
    "empty": lambda _: b"",
    "nested": lambda _: b"\xc4\xc3\xc2\xc1\xc0",
    "a page": lambda _: b"<html>",
}
LIES = {
    "price": put("goods", "price", value=1),
    "rest": put("rest", "hs6", value="000000"),
    "salt": put("salt", value="11" * 32),
    "more": put("rest", "more", value="words"),
}


def test_whatever_a_bad_seller_sends_is_set_aside_and_the_others_are_filed(trade: Trade) -> None:
    expected = {trade.hostile(f"odd {name}", change): Unreadable.ODD for name, change in ODD.items()}
    for name, damage in DAMAGE.items():
        expected[trade.hostile(f"damage {name}", lambda _: None, damage)] = Unreadable.DAMAGED
    expected |= {trade.hostile(f"lie {name}", change): Unreadable.FOREIGN for name, change in LIES.items()}
    assert len(expected) == len(ODD) + len(DAMAGE) + len(LIES)
    good = trade.sold("GOOD")
    courier = trade.courier()
    assert courier.inbox.unreadable == expected
    (item,) = courier.inbox.open()
    assert item.order == good
    courier.file(Shipment("H1", (item,), TRANSPORT, trade.net.now(), "shop-01", consignee=item.buyer))
    courier.writer.flush(trade.net.now())
    assert trade.courier().inbox.open() == []


def test_two_shops_may_use_one_reference(trade: Trade) -> None:
    mine, other = trade.sold("SAME"), trade.sold("SAME", "shop-02")
    inbox = trade.courier().inbox
    assert {item.order for item in inbox.open()} == {mine, other}
    with pytest.raises(LedgerError, match="2 orders go by the name SAME"):
        inbox.find("SAME")
    assert inbox.find(f"{HANDLES['shop-02']}/SAME").order == other
    assert inbox.find(f"0x{mine:064x}").order == mine


def test_a_rejected_order_is_in_no_inbox(trade: Trade) -> None:
    trade.sold("R1")
    trade.sold("R1")  # the same id: the ledger rejects the second
    assert len(trade.courier().inbox.open()) == 1
    with pytest.raises(LedgerError, match="Not in the inbox"):
        trade.courier().inbox.find("R2")


class Counted:
    """A folder of payloads that counts what is asked of it."""

    def __init__(self, spool: Spool) -> None:
        self.put, self._get, self.asked = spool.put, spool.get, 0

    def get(self, digest: bytes) -> bytes | None:
        self.asked += 1
        return self._get(digest)


def test_no_payload_is_fetched_that_is_not_asked_for_and_each_is_fetched_once(trade: Trade, tmp_path: Path) -> None:
    orders = [trade.sold(f"R{number}") for number in range(4)] + [trade.sold("OTHER", "shop-02")]
    trade.spool = counted = Counted(trade.spool)  # type: ignore[assignment]
    path = tmp_path / "inbox.db"

    def asked(kept: Kept | None, act: Callable[[Courier], object]) -> tuple[object, int]:
        courier, counted.asked = trade.courier(kept=kept), 0
        return act(courier), counted.asked

    found, count = asked(None, lambda courier: courier.inbox.find(f"0x{orders[2]:064x}").reference)
    assert (found, count) == ("R2", 1)
    found, count = asked(None, lambda courier: courier.inbox.find(f"{HANDLES['shop-02']}/OTHER").order)
    assert (found, count) == (orders[4], 1)
    found, count = asked(Opened(path), lambda courier: [each.order for each in courier.inbox.listing()])
    assert (found, count) == (orders, 5)
    found, count = asked(Opened(path), lambda courier: [each.reference for each in courier.inbox.listing()])
    assert (found, count) == (["R0", "R1", "R2", "R3", "OTHER"], 0)
    found, count = asked(Opened(path), lambda courier: courier.inbox.find("R1").buyer)
    assert (found, count) == (BUYER, 1), "what is filed comes from the payload"
    trade.sold("NEW")
    assert asked(Opened(path), lambda courier: len(courier.inbox.listing())) == (6, 1)


def test_what_is_kept_names_nobody_and_only_its_owner_reads_it(trade: Trade, tmp_path: Path) -> None:
    trade.sold("R1")
    trade.seller().record(replace(trade.sale("R2"), description=f"for {BUYER['pccc'].lower()}"), CUSTOMS)
    trade.seller().writer.flush(trade.net.now())
    named = trade.hostile("naming", put("reference", value=BUYER["pccc"]))
    path = tmp_path / "inbox.db"
    inbox = trade.courier(kept=Opened(path)).inbox
    assert [each.reference for each in inbox.listing()] == ["R1", "R2", BUYER["pccc"]]
    assert named in inbox.handed
    kept = path.read_bytes()
    assert b"R1" in kept
    assert not any(value.encode() in kept.replace(b"p99", b"P99") for value in BUYER.values())
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_bytes(b"no database at all, and long enough to be taken for one" * 99)
    with pytest.raises(LedgerError, match="cannot be used"):
        Opened(path)


def test_each_reason_is_told_in_both_languages() -> None:
    texts = [each.value for each in Unreadable]
    assert all(text.ko and text.en for text in texts)
    assert len({text.en for text in texts}) == len(Unreadable)
