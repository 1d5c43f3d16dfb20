"""Seller and courier by their own commands, through a real gateway and straight at a node."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from clients.cli import party
from clients.convert.book import Book
from clients.governance import change
from clients.sample.day import BROKER_KINDS
from clients.sample.members import HANDLES
from clients.sdk.gate import ApiGate
from clients.sdk.problems import Unreachable
from clients.seller import Sale
from ledger.domain.errors import LedgerError
from ledger.domain.facts import Goods
from ledger.domain.kinds import KindNumber as K
from node.service import wait_until
from tests.api.journey import Journey
from tests.api.test_buyer import person
from tests.api.world import KEYRING, World, world
from tests.commands import Done, clearance
from tests.node.days import SEED
from tests.node.serving import TOKEN

ORDER = {
    "reference": "R1", "price": "30.00", "currency": "USD", "goods_class": 1, "quantity": 1, "use": "personal",
    "description": "a made-up thing", "hs6": "640399", "courier": HANDLES["courier-2"], "buyer": person(40),
}  # fmt: skip
GOODS = Goods(price=3_000, currency=840, goods_class=1, quantity=1, unit=1)
WAY = ("--dispatch", "US", "--office", "40")


@dataclass
class Desk:
    """Folders of a shop and its couriers, and their way to the ledger."""

    service: World
    folder: Path
    where: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        self.where = self.where or ("--api", self.service.url)

    def at_node(self) -> Desk:
        spool = str(self.folder / "spool")
        return Desk(self.service, self.folder, ("--node", self.service.sealer.url, "--token", TOKEN, "--spool", spool))

    def file(self, name: str, **changes: object) -> str:
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps(ORDER | changes))
        return str(path)

    def shop(self, *words: str) -> Done:
        home = ("--home", str(self.folder / "shop"))
        return clearance("seller", *words, *self.where, *home, "--demo-seed", str(SEED), "--as", "shop-01", "--json")

    def courier(self, *words: str, name: str = "courier-1", as_json: bool = True) -> Done:
        told = ("--json",) if as_json else ()
        where = self.where[:4] if words[0] in ("master", "event") else self.where
        if words[0] == "book":
            return clearance("courier", *words, "--home", str(self.folder / name))
        home = () if words[0] == "event" else ("--home", str(self.folder / name))
        return clearance("courier", *words, *where, *home, "--demo-seed", str(SEED), "--as", name, *told)

    def book(self, name: str = "courier-1") -> Book:
        return Book(self.folder / name / "book.db")

    def filings(self) -> int:
        """Return how many parcels were opened on the chain."""
        batches = [batch for batch in self.service.sealer.included(1) if not batch.batch.is_trace]
        return sum(each.kind is K.FILED and each.rejection is None for batch in batches for each in batch.entries())

    def inbox(self, *words: str, name: str = "courier-1") -> list[str]:
        done = self.courier("inbox", *words, name=name)
        assert done.status == 0, done
        return [each["reference"] for each in done.json["orders"]]


@pytest.fixture
def desk(service: World, tmp_path: Path) -> Desk:
    return Desk(service, tmp_path)


def recorded(done: Done) -> dict[str, Any]:
    """Return the one entry that was recorded."""
    assert done.status == 0, done
    (entry,) = done.json["entries"]
    assert entry["outcome"] == "recorded"
    found: dict[str, Any] = entry
    return found


def settled(service: World, parcel: str, *status: str) -> Callable[[], bool]:
    return lambda: set(status) <= set(service.party("courier-1").parcel(int(parcel, 16))["status"])


def test_ordered_reassigned_filed_corrected_and_cleared_by_commands_alone(desk: Desk) -> None:
    service, order = desk.service, desk.file("order")
    first = recorded(desk.shop("order", order))
    again = desk.shop("order", order)
    assert (again.status, again.json["entries"][0]["outcome"]) == (0, "stands already")
    assert again.json["entries"][0]["subject"] == first["subject"], "the same order, not another"
    assert "R1" in desk.inbox(name="courier-2")
    moved = desk.shop("reassign", order, "--to", str(HANDLES["courier-1"]))
    assert recorded(moved)["subject"] == first["subject"]
    assert "R1" not in desk.inbox(name="courier-2")
    assert "R1" in desk.inbox()

    flight = recorded(desk.courier("master", "open", "180-00000011"))
    assert desk.courier("master", "open", "180-00000011").status == 1
    draft = desk.courier("file", "HB-1", "R1", "--draft", *WAY).json["draft"]
    signed_by = {row["field"]: row["signed_by"] for row in draft}
    assert (signed_by["R1 price"], signed_by["office"]) == (HANDLES["shop-01"], HANDLES["courier-1"])
    filed = recorded(desk.courier("file", "HB-1", "R1", "--master", str(flight["value"]), *WAY))
    parcel = filed["subject"]
    assert wait_until(settled(service, parcel, "IDENTITY_OK", "SCREENED"), 30), "its payload is in the vault"
    assert "R1" not in desk.inbox()
    used = {each["reference"]: each["parcel"] for each in desk.courier("inbox", "--all").json["orders"]}
    assert used["R1"] == parcel

    before = service.party("courier-1").parcel(int(parcel, 16))
    recorded(desk.courier("correct", "HB-1", "--origin", "CN", "--master", str(flight["value"]), *WAY))
    after = service.party("courier-1").parcel(int(parcel, 16))
    assert after["generation"] == before["generation"] + 1
    assert after["findings"] == []
    assert wait_until(settled(service, parcel, "IDENTITY_OK", "SCREENED"), 30)
    recorded(desk.courier("master", "arrived", "180-00000011"))
    recorded(desk.courier("master", "unloaded", flight["subject"]))
    assert recorded(desk.courier("event", parcel, "CARRIED_IN"))["effects"] == ["CLEARED"]


def test_what_the_shop_keeps_is_its_secret_and_nobodys_data(desk: Desk) -> None:
    order = desk.file("order", reference="R-kept", courier=HANDLES["courier-1"])
    recorded(desk.shop("order", order))
    kept = [path for path in (desk.folder / "shop").iterdir() if path.is_file()]
    assert sorted(path.name for path in kept) == ["orders.jsonl", "secret"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept} == {0o600}
    assert not any(value.encode() in path.read_bytes() for path in kept for value in person(40).values())
    other = desk.shop("reassign", desk.file("changed", reference="R-kept", price="31.00"), "--to", "19")
    assert (other.status, "No order with these facts" in other.stderr) == (1, True)
    nobody = desk.shop("reassign", order, "--to", str(HANDLES["governor-1"]))
    assert (nobody.status, "has no key for payloads" in nobody.stderr) == (1, True)
    consignee = dict(person(40))
    broken = desk.shop("order", desk.file("broken", quantity={"of": consignee["name"]}))
    assert broken.status == 1
    assert consignee["name"] not in broken.stderr
    missing = desk.folder / "missing.json"
    missing.write_text("{}")
    assert "reference is missing" in desk.shop("order", str(missing)).stderr


def test_a_box_without_order_is_declared_also_by_a_broker(desk: Desk) -> None:
    service = desk.service
    declared = desk.file("declared", consignee=person(41), shop="a shop abroad", price="25.50")
    own = recorded(desk.courier("file", "HB-2", "--declare", declared, "--mode", "sea", *WAY))
    assert wait_until(settled(service, own["subject"], "IDENTITY_OK"), 30)
    assert "Nothing says what is in the box" in desk.courier("file", "HB-3", *WAY).stderr
    assert "is no mode" in desk.courier("file", "HB-3", "--declare", declared, "--mode", "rail", *WAY).stderr
    nobody = desk.folder / "nobody.json"
    nobody.write_text(json.dumps(ORDER))
    assert "consignee is missing" in desk.courier("file", "HB-3", "--declare", str(nobody), *WAY).stderr

    domain = service.genesis
    courier, broker = HANDLES["courier-1"], HANDLES["broker-1"]
    cold = KEYRING.cold("courier-1")
    change(service.sealer, cold, domain.chain_id, "let", courier, broker, BROKER_KINDS)
    words = ("file", "HB-4", "--declare", declared, "--opener", str(courier), *WAY)
    filed = recorded(desk.courier(*words, name="broker-1"))
    assert service.party("courier-1").parcel(int(filed["subject"], 16))["opener"] == courier
    again = desk.courier("correct", "HB-4", "--declare", declared, "--declared", *WAY[:2], "--office", "20",
                         "--opener", str(courier), name="broker-1")  # fmt: skip
    assert recorded(again)["subject"] == filed["subject"]


def test_the_same_at_a_node_with_a_folder_of_payloads(desk: Desk) -> None:
    node = desk.at_node()
    recorded(desk.shop("order", desk.file("other", reference="R-vault", courier=HANDLES["courier-1"])))
    order = node.file("order", reference="R-node", courier=HANDLES["courier-1"], description="[/red] a [bold]thing")
    recorded(node.shop("order", order))
    assert node.inbox() == ["R-node"], "what other shops put into the vault is not in the folder"
    shown = node.courier("inbox", as_json=False)
    assert (shown.status, "[/red] a [bold]thing" in shown.stdout) == (0, True), shown
    assert "Its payload has not come." in shown.stdout
    filed = recorded(node.courier("file", "HB-N", "R-node", *WAY))
    again = node.courier("file", "HB-N2", "R-node", *WAY)
    assert (again.status, again.json["entries"][0]["reason"]["code"]) == (1, "entry.order-not-open")
    assert node.book().parcel("HB-N2") is None, "it came to nothing, so another may be filed under the bill"
    assert node.inbox() == []
    assert [each["parcel"] for each in node.courier("inbox", "--all").json["orders"]] == [filed["subject"]]
    bare = Desk(node.service, node.folder, node.where[:4])
    assert "Give it with --spool" in bare.courier("inbox").stderr
    assert "Give it with --spool" in bare.shop("order", order).stderr


@dataclass
class Gone:
    """A gate that breaks once: before it takes the batch, or after it."""

    error: LedgerError
    taken: bool
    send: Callable[..., dict[str, Any]] = ApiGate.send

    def __call__(self, gate: ApiGate, batch: Any) -> dict[str, Any]:
        ApiGate.send = self.send  # type: ignore[method-assign]
        if self.taken:
            self.send(gate, batch)
        raise self.error


@pytest.mark.parametrize("taken", [False, True])
def test_a_filing_whose_end_nobody_saw_is_followed_and_not_made_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, taken: bool
) -> None:
    bill, declared = f"HB-GONE-{taken}", desk.file("declared", consignee=person(41), shop="a shop abroad")
    words, before = ("file", bill, "--declare", declared, "--mode", "sea", *WAY), desk.filings()
    gone = Gone(Unreachable("Nobody answers.", hint="Check."), taken)
    monkeypatch.setattr(ApiGate, "send", lambda gate, batch: gone(gate, batch))
    assert desk.courier(*words).status == 3
    noted = desk.book().parcel(bill)
    assert noted, "before it was sent"
    assert "knows this bill" in desk.courier(*words, "--draft").stderr, "a draft sends nothing"
    assert recorded(desk.courier(*words))["subject"] == f"0x{noted.parcel:064x}"
    again = desk.courier(*words)
    assert (again.status, "knows this bill" in again.stderr, "courier correct" in again.stderr) == (1, True, True)
    assert desk.filings() == before + 1
    assert desk.courier("book", "forget", bill, as_json=False).status == 0
    assert desk.courier("book", "forget", bill, as_json=False).status == 1


def test_what_takes_longer_than_is_waited_for_is_told_when_it_is_asked_for_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(party, "PATIENCE", 0.0)
    done = desk.courier("master", "open", "180-00000022")
    assert (done.status, "Run the same command again" in done.stderr) == (1, True), done
    monkeypatch.undo()
    opened = recorded(desk.courier("master", "open", "180-00000022"))
    assert opened["value"] > 0, "the handle that filings name"
    assert desk.book().master("180-00000022") == int(opened["subject"], 16)
    assert desk.courier("master", "open", "180-00000022").status == 1


def test_a_filing_refused_at_the_door_leaves_its_bill_free(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    declared = desk.file("declared", consignee=person(41), shop="a shop abroad")
    words = ("file", "HB-DOOR", "--declare", declared, "--mode", "sea", *WAY)
    refusal = LedgerError("No.", hint="")
    refusal.code = "batch.refused"
    gone = Gone(refusal, taken=False)
    monkeypatch.setattr(ApiGate, "send", lambda gate, batch: gone(gate, batch))
    assert desk.courier(*words).status == 1
    assert desk.book().parcel("HB-DOOR") is None
    recorded(desk.courier(*words))


def test_a_broker_is_told_where_it_reads_an_inbox(desk: Desk) -> None:
    opener = ("--opener", str(HANDLES["courier-1"]))
    for words in (("inbox", *opener), ("file", "HB-B", "R1", *opener, *WAY)):
        done = desk.courier(*words, name="broker-1")
        assert (done.status, "at a node" in done.stderr) == (1, True), done


def test_an_inbox_beyond_the_rate_of_reads_is_read_all_the_same(tmp_path: Path) -> None:
    with world(tmp_path / "gateway", rates={"read": "2/second"}) as service:
        desk = Desk(service, tmp_path)
        seller = Journey(service, "the shop").seller
        for number in range(9):
            sale = Sale(f"R{number}", GOODS, "a thing", "640399", service.clock.now(), HANDLES["courier-1"], person(40))
            seller.record(sale, (HANDLES["identity"], HANDLES["screening"]))
        seller.writer.flush(service.clock.now())
        assert sorted(desk.inbox()) == [f"R{number}" for number in range(9)]
        shown = desk.courier("file", "HB-RATE", "R7", "--draft", *WAY)
        assert shown.json["draft"][0]["field"] == "R7 price", shown
