"""A key is stolen: suspended at once, what it touched is listed, a new one enrolled; audits of orders and promises."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import ledger.keys
from clients.governance import ChangeRefused, change
from clients.sample.members import HANDLES, Keyring, sample_genesis
from clients.sample.plan import DAYS, START
from ledger.chain.batch import Batch, Entry, detail
from ledger.chain.receipts import ReceiptFolder
from ledger.commitments import filing_digest, order_commitment
from ledger.domain.error_texts import ERROR_TEXTS
from ledger.domain.facts import Goods, Mode, Transport, country_number
from ledger.domain.kinds import KindNumber as K
from ledger.domain.roles import Role
from ledger.genesis import FOREVER, MemberKey
from ledger.keys import LocalSigner
from node.chain import Chain
from node.clock import LogicalClock
from node.evm.executor import Driver
from node.remote import NodeRefused, RemoteNode
from node.sealer import Sealer
from node.service import NodeService, wait_until
from node.statements import Receipt
from node.store import MemoryStore
from tests.e2e.test_sample_day import clearance
from tests.node.days import SEED, sealer_keys
from tests.node.serving import TOKEN, served

KEYRING = Keyring(SEED)
STOLEN = "courier-1"
FRESH = LocalSigner.from_seed(b"tests", "fresh")
WORD = "a passphrase for tests"


@dataclass
class Office:
    """A running sealer, and whoever acts at it."""

    node: RemoteNode
    clock: LogicalClock
    folder: Path
    chain_id: int

    def write(self, name: str, *entries: Entry, signer: LocalSigner | None = None) -> dict[str, Any]:
        signer = signer or KEYRING.signer(name)
        domain = self.node.genesis().domain
        seq = self.node.next_seq(signer.address, 1)
        batch = Batch.signed(
            domain, signer, lane=1, seq=seq, not_after=self.clock.now() + 7_200, entries=list(entries)
        )  # fmt: skip
        receipt = self.node.send_batch(batch)
        ReceiptFolder(self.folder / "receipts").keep(batch, receipt)
        self.settle()
        return receipt

    def settle(self) -> None:
        assert wait_until(lambda: self.node.status()["queued"] == 0, 20)

    def keystore(self, name: str, signer: LocalSigner) -> str:
        path = self.folder / f"{name}.json"
        if not path.exists():
            signer.save(path, WORD)
        return str(path)

    def command(self, *arguments: str) -> tuple[int, Any]:
        """Run a `clearance` command at the node; return its status and its JSON, or what it said."""
        placed = ("--rpc", self.node.url) if arguments[0] == "audit" else ("--node", self.node.url)
        done = clearance(*arguments, *placed, "--token", TOKEN, "--json")
        return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr

    def members(self, what: str, *arguments: str, by: LocalSigner, label: str) -> tuple[int, Any]:
        word = self.folder / "word"
        word.write_text(WORD)
        keys = ("--key", self.keystore(label, by), "--passphrase-file", str(word))
        return self.command("members", what, *arguments, *keys)


def goods(number: int) -> int:
    return Goods(1_000 + number, 840, 1, 1).word()


def order(office: Office, number: int) -> tuple[int, Entry, tuple[int, ...]]:
    """Return an order handed to the courier whose key is stolen: its id, its entry, the words of a filing of it."""
    salt, rest = number.to_bytes(32, "big"), bytes(32)
    commitment = order_commitment(goods(number), rest, salt)
    subject = office.node.genesis().domain.subject_id(K.ORDER_OPENED, HANDLES["shop-01"], commitment)
    handed = detail(K.ORDER_OPENED, handed=HANDLES[STOLEN])
    words = (subject, goods(number), int.from_bytes(rest, "big"), int.from_bytes(salt, "big"))
    return subject, Entry(subject, K.ORDER_OPENED, START, commitment, handed, extra=(1,)), words


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """A chain on which a courier's key has filed one of two orders, an hour before and after it was stolen."""
    genesis = sample_genesis(KEYRING, START, DAYS)
    clock = LogicalClock(START)
    chain = Chain(MemoryStore(), genesis, Driver.FAST)
    work, ledger.keys.SCRYPT_WORK = ledger.keys.SCRYPT_WORK, 2  # type: ignore[misc]
    service = NodeService(chain, sealer=Sealer(chain, sealer_keys(), clock))
    with served(service) as node:
        yield Office(node, clock, tmp_path_factory.mktemp("office"), genesis.chain_id)
    ledger.keys.SCRYPT_WORK = work  # type: ignore[misc]


def stolen_and_replaced(office: Office) -> None:
    domain, signer = office.node.genesis().domain, KEYRING.signer(STOLEN)
    orders = [order(office, number) for number in (1, 2)]
    office.write("shop-01", *(entry for _, entry, _ in orders))
    country = country_number("US")
    transport = Transport(country, country, Mode.EXPRESS_AIR, 40).word()
    parcel = domain.subject_id(K.FILED, HANDLES[STOLEN], b"p" * 32)
    filing = Entry(parcel, K.FILED, START, b"p" * 32, extra=(transport, *orders[0][2]))
    office.write(STOLEN, Entry(domain.subject_id(K.MASTER_OPENED, HANDLES[STOLEN], bytes(32)), K.MASTER_OPENED, START))
    office.clock.move_to(START + 3_600)
    office.write(STOLEN, filing)
    office.write("identity", Entry(parcel, K.IDENTITY_CHECKED, START + 3_600, names=filing_digest(0, filing.packed())))
    office.clock.move_to(START + 7_200)

    status, told = office.members("suspend", signer.hex_address, by=KEYRING.signer("governor-1"), label="governor")
    assert (status, told["change"]) == (0, "suspend_key")
    with pytest.raises(NodeRefused) as refusal:
        office.write(STOLEN)
    assert refusal.value.code == "batch.not-a-member"

    since = dt.datetime.fromtimestamp(START + 1_800, dt.UTC).isoformat()
    status, report = office.command("audit", "key", signer.hex_address, "--since", since)
    assert status == 0
    subject = report["subject"]
    assert subject["kinds"] == {"FILED": 1}, "what it said before it was stolen is not in it"
    assert subject["touched"] == {f"0x{parcel:064x}": ["FILED"], f"0x{orders[0][0]:064x}": ["FILED"]}
    assert [each["what"] for each in subject["history"]] == ["suspended"]
    assert subject["history"][0]["by"] == KEYRING.signer("governor-1").hex_address
    _, whole = office.command("audit", "key", signer.hex_address)
    assert whole["subject"]["entries"] == 2
    _, governor = office.command("audit", "key", KEYRING.signer("governor-1").hex_address)
    assert [each["what"] for each in governor["subject"]["changed"]] == ["key suspended"]

    enrolled = office.members(
        "enrol", FRESH.hex_address, "--org", str(HANDLES[STOLEN]), "--role", "courier",
        by=KEYRING.cold(STOLEN), label="cold",
    )  # fmt: skip
    assert enrolled[0] == 0, enrolled
    office.write("its new key", signer=FRESH)
    assert office.members("retire", FRESH.hex_address, by=KEYRING.cold(STOLEN), label="cold")[0] == 0
    office.clock.move_to(START + 7_300)
    with pytest.raises(NodeRefused):
        office.write("its old key", signer=FRESH)


def unused_order_is_found(office: Office) -> None:
    used, unused = (f"0x{order(office, number)[0]:064x}" for number in (1, 2))
    assert office.command("audit", "orders")[0] == 0, "younger than two weeks"
    status, report = office.command("audit", "orders", "--days", "0")
    assert status == 1
    assert report["subject"]["by_courier"] == {STOLEN: 1}
    (found,) = report["findings"]
    assert found["code"] == "orders.unused"
    assert unused in found["sentence"]
    assert used not in found["sentence"]


def promises_are_checked(office: Office) -> None:
    folder = office.folder / "receipts"
    status, report = office.command("audit", "receipts", str(folder))
    assert (status, report["findings"]) == (0, [])
    assert report["subject"]["receipts"] == len(list(folder.glob("*.json"))) >= 5
    lost = office.node.genesis().domain
    batch = Batch.signed(lost, KEYRING.signer("shop-02"), lane=1, seq=0, not_after=START + 90_000, entries=[])
    receipt = promise(office, batch)
    ReceiptFolder(office.folder / "lost").keep(batch, receipt)
    office.clock.move_to(START + 9_000)
    office.write("shop-03")
    status, report = office.command("audit", "receipts", str(office.folder / "lost"))
    assert (status, [each["code"] for each in report["findings"]]) == (1, ["receipt.missing"])


def promise(office: Office, batch: Batch) -> dict[str, Any]:
    """Return the sealer's promise of a batch that it then leaves out."""
    domain, now = office.node.genesis().domain, START + 7_400
    return Receipt.signed(domain, sealer_keys().sealer, batch.hash(domain), now, now + 600).as_dict()


def test_the_day_a_key_is_stolen(office: Office) -> None:
    """One story: each part stands on what the one before it left on the chain."""
    stolen_and_replaced(office)
    unused_order_is_found(office)
    promises_are_checked(office)


@pytest.mark.parametrize(
    ("name", "arguments", "by", "reason"),
    [
        ("suspend_key", ("shop-04",), "shop-05", "members: role"),
        ("suspend_key", ("governor-2",), "governor-1", "members: governor"),
        ("suspend_key", ("nobody",), "governor-1", "members: unknown key"),
        ("suspend_org", (9_999,), "governor-1", "members: unknown org"),
        ("retire", ("shop-04",), "shop-04", "members: cold key"),
    ],
)
def test_who_may_not_is_told_why(office: Office, name: str, arguments: tuple[Any, ...], by: str, reason: str) -> None:
    given = [each if isinstance(each, int) else KEYRING.signer(each).hex_address for each in arguments]
    with pytest.raises(ChangeRefused, match=reason) as refusal:
        change(office.node, KEYRING.signer(by), office.chain_id, name, *given)
    assert refusal.value.hint
    assert refusal.value.code in ERROR_TEXTS


def test_a_cold_key_suspends_its_own_and_gives_no_role_it_has_not(office: Office) -> None:
    cold = KEYRING.cold("shop-06")
    word = MemberKey("0x", HANDLES["shop-06"], int(Role.COURIER), 0, FOREVER).word()
    with pytest.raises(ChangeRefused, match="members: role"):
        change(office.node, cold, office.chain_id, "enrol", FRESH.hex_address[:-1] + "0", word)
    change(office.node, cold, office.chain_id, "suspend_key", KEYRING.signer("shop-06").hex_address)
    with pytest.raises(NodeRefused):
        office.write("shop-06")
    change(office.node, KEYRING.signer("governor-2"), office.chain_id, "suspend_org", HANDLES["shop-07"])
    with pytest.raises(NodeRefused):
        office.write("shop-07")


def test_what_is_no_address_time_or_role_is_said_in_one_line(office: Office) -> None:
    status, told = office.command("audit", "key", "0x12")
    assert status == 2
    assert "no address" in told
    status, told = office.command("audit", "key", FRESH.hex_address, "--since", "2026-11-23")
    assert status == 2
    assert "no time with a zone" in told
