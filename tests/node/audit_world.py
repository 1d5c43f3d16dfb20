"""A chain on disk whose members and rules change while parcels are filed, for audits to tell of."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from typer.testing import CliRunner

from clients.cli.embedded import EmbeddedNode
from clients.cli.main import app
from clients.sample.members import HANDLES, Keyring, sample_genesis
from clients.sample.plan import DAYS, START
from ledger.chain.batch import Batch, Entry, detail
from ledger.chain.calls import call_data
from ledger.chain.transaction import sign_legacy
from ledger.commitments import order_commitment
from ledger.domain.crosswalk import TRACES
from ledger.domain.facts import Goods, Mode, Transport, country_number
from ledger.domain.kinds import KindNumber as K
from ledger.domain.limits import TRACE_LANE
from ledger.domain.roles import Role
from ledger.domain.rules import LATENESS_ROW_ID, dispatch_row, dispatch_value
from ledger.domain.words import LATENESS_ROW
from ledger.genesis import CONTRACT, FOREVER, Genesis, MemberKey
from ledger.keys import LocalSigner
from node.chain import Chain
from node.clock import LogicalClock
from node.evm.executor import Driver
from node.sealer import Sealer
from node.store import RocksStore
from tests.node.days import SEED, sealer_keys

KEYRING: Final = Keyring(SEED)
DAY: Final = 86_400
SOON, OVER, FRESH, SECOND = (LocalSigner.from_seed(b"audit", name) for name in ("soon", "over", "fresh", "second"))
"""Keys of courier-1 that begin and end, a key enrolled for shop-02, and a second officer's key of office 040."""
JP, CN = country_number("JP"), country_number("CN")
CHANGE_HOUR: Final = (START + 2 * DAY) // 3_600
"""Hour from which Japan has a dispatch row of its own, and lateness another one."""
ORIGIN: Final = 2
OFFICE: Final = 40


def audit_genesis() -> Genesis:
    """Return the sample genesis with keys that begin, end, and act for an office beside another."""
    made = sample_genesis(KEYRING, START, DAYS)
    more = (
        MemberKey(SOON.hex_address, HANDLES["courier-1"], int(Role.COURIER), START + 30 * DAY, FOREVER),
        MemberKey(OVER.hex_address, HANDLES["courier-1"], int(Role.COURIER), 0, START + 3_600),
        MemberKey(SECOND.hex_address, HANDLES["office-040"], int(Role.CUSTOMS_OFFICER)),
    )
    return replace(made, keys=(*made.keys, *more))


@dataclass
class AuditWorld:
    """Writes to a chain in this process; audited from its files once it is closed."""

    home: Path
    seqs: dict[tuple[bytes, int], int] = field(default_factory=dict)
    heights: dict[str, int] = field(default_factory=dict)
    subjects: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.genesis = audit_genesis()
        self.home.mkdir(exist_ok=True)
        (self.home / "genesis.json").write_text(self.genesis.dumps())
        self.clock = LogicalClock(START)
        self.chain = Chain(RocksStore(self.home / "chain"), self.genesis, Driver.FAST)
        self.node = EmbeddedNode(Sealer(self.chain, sealer_keys(), self.clock), self.clock)

    def send(self, name: str, *entries: Entry, lane: int = 1, signer: LocalSigner | None = None) -> None:
        """Hand a batch over; it stands in the block that `seal` makes."""
        key = signer or KEYRING.signer(name)
        seq = self.seqs.get((key.address, lane), 0)
        self.seqs[key.address, lane] = seq + 1
        until = START + 30 * DAY
        self.node.send(Batch.signed(self.genesis.domain, key, lane=lane, seq=seq, not_after=until, entries=entries))

    def trace(self, name: str, subject: int, trace: str) -> None:
        """Send a trace."""
        self.send(name, Entry(subject, TRACES[trace].number, self.clock.now()), lane=TRACE_LANE)

    def seal(self) -> int:
        """Make a block of what was handed over; return its height."""
        list(self.node.seal_all())
        return self.chain.head.number

    def change(self, signer: LocalSigner, name: str, *arguments: Any) -> int:
        """Call a function of members or rules in a block of its own; return its height."""
        data = call_data(name, self.clock.now(), *arguments)
        nonce = self.node.nonce(signer.address)
        self.node.send_raw(
            sign_legacy(signer, nonce=nonce, to=CONTRACT, data=data, chain_id=self.genesis.chain_id, gas=1_000_000)
        )
        height = self.seal()
        assert self.chain.receipts(height)[0].status == 1, (name, arguments)
        return height

    def vote(self, *proposals: tuple[str, tuple[int, ...]]) -> int:
        """Let two governors vote, and carry the proposals out when the delay is over; return the last height."""
        until = START + 30 * DAY
        for governor in ("governor-1", "governor-2"):
            for name, arguments in proposals:
                self.change(KEYRING.signer(governor), name, until, *arguments)
        self.clock.move_to(self.clock.now() + DAY + 60)
        return [self.change(KEYRING.signer("governor-1"), name, until, *given) for name, given in proposals][-1]

    def order(self, number: int, to: str = "courier-1") -> tuple[Entry, tuple[int, ...]]:
        """Return an order of shop-01, and the words with which a filing presents it."""
        goods, rest, salt = Goods(10_000 + number, 840, 1, 1).word(), bytes(32), number.to_bytes(32, "big")
        commitment = order_commitment(goods, rest, salt)
        subject = self.genesis.domain.subject_id(K.ORDER_OPENED, HANDLES["shop-01"], commitment)
        handed = detail(K.ORDER_OPENED, handed=HANDLES[to])
        entry = Entry(subject, K.ORDER_OPENED, self.clock.now(), commitment, handed, extra=(1,))
        return entry, (subject, goods, int.from_bytes(rest, "big"), int.from_bytes(salt, "big"))

    def filing(self, kind: K, digest: bytes, words: tuple[int, ...]) -> Entry:
        """Return a filing of courier-1: a parcel from Japan, made in China, by air to office 040."""
        parcel = self.genesis.domain.subject_id(K.FILED, HANDLES["courier-1"], digest)
        transport = Transport(JP, CN, Mode.EXPRESS_AIR, OFFICE).word()
        return Entry(parcel, kind, self.clock.now(), digest, extra=(transport, *words))

    def change_members(self) -> None:
        """Suspend, retire, enrol, let and grant; Japan gets a row of its own, lateness another."""
        self.heights["before"] = self.chain.head.number
        governor, cold = KEYRING.signer("governor-1"), KEYRING.cold
        self.change(governor, "suspend_key", KEYRING.signer("shop-03").hex_address)
        self.change(governor, "suspend_org", HANDLES["shop-07"])
        self.clock.move_to(START + 600)
        self.change(cold("courier-3"), "retire", KEYRING.signer("courier-3").hex_address)
        window = MemberKey("", HANDLES["shop-02"], int(Role.SELLER), START, START + 20 * DAY)
        self.change(cold("shop-02"), "enrol", FRESH.hex_address, window.word())
        kinds = 1 << K.FILED | 1 << K.CORRECTED
        self.change(cold("courier-1"), "let", HANDLES["courier-1"], HANDLES["broker-1"], kinds)
        self.heights["changed"] = self.chain.head.number
        org = next(each for each in self.genesis.orgs if each.name == "courier-4")
        limit = dispatch_value(5_000, 5_000)
        late = LATENESS_ROW["late"].put(3_600) | LATENESS_ROW["sweep"].put(7_200)
        self.heights["granted"] = self.vote(
            ("govern", (1, org.handle, replace(org, roles=int(Role.COURIER | Role.BROKER)).word())),
            ("govern", (3, 3, 0)),
            ("rule", (dispatch_row(JP, Mode.EXPRESS_AIR), CHANGE_HOUR | limit << 24)),
            ("rule", (LATENESS_ROW_ID, CHANGE_HOUR | late << 24)),
        )

    def file_parcels(self) -> None:
        """File a parcel before and one after Japan's row holds, correct the first, carry both in at a target."""
        (order, first), (other, second) = self.order(1, to="courier-2"), self.order(2)
        self.subjects |= {"order": order.subject}
        to = detail(K.ORDER_REASSIGNED, handed=HANDLES["courier-1"])
        early = self.filing(K.FILED, b"e" * 32, first)
        self.subjects["early"] = early.subject
        self.send("shop-01", order, Entry(order.subject, K.ORDER_REASSIGNED, self.clock.now(), detail=to), other)
        self.trace("shop-01", order.subject, "PACKED")
        self.send("courier-1", early)
        self.seal()
        self.clock.move_to((CHANGE_HOUR + 1) * 3_600)
        late = self.filing(K.FILED, b"l" * 32, second)
        self.subjects["late"] = late.subject
        self.send(
            "courier-1", replace(self.filing(K.CORRECTED, b"e" * 32, first), claimed=START + 2 * DAY - 3_600), late
        )
        self.seal()
        until = self.clock.now() + DAY
        for officer in (KEYRING.signer("office-040"), SECOND):
            self.change(officer, "overlay", ORIGIN, CN, until)
        carried = [Entry(each.subject, K.CARRIED_IN, self.clock.now()) for each in (early, late)]
        self.change(KEYRING.cold("courier-1"), "let", HANDLES["courier-1"], HANDLES["yard-040"], 1 << K.CARRIED_IN)
        self.send("yard-040", *carried)
        self.trace("courier-1", early.subject, "DELIVERED")
        self.trace("shop-02", early.subject, "RETURNED")
        self.seal()
        self.change(KEYRING.signer("governor-2"), "suspend_key", KEYRING.signer("courier-1").hex_address)

    def findings(self, name: str) -> set[str]:
        """Return what the contract found against a parcel."""
        return {str(each.name) for each in self.chain.state().parcel(self.subjects[name]).findings}


def audit(home: Path, command: str, *arguments: str, status: int = 0) -> Any:
    """Run an audit over a chain's files; return its report, or what it said where it does not end well."""
    done = CliRunner().invoke(app, ["audit", command, *arguments, "--home", str(home), "--json"])
    assert done.exit_code == status, done.output
    return json.loads(done.stdout) if done.stdout.startswith("{") else done.output


def audit_text(home: Path, command: str, *arguments: str) -> str:
    """Run an audit as people do; return what it prints."""
    done = CliRunner().invoke(app, ["audit", command, *arguments, "--home", str(home)])
    assert done.exit_code == 0, done.output
    return done.stdout
