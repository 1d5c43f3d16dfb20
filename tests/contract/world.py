"""A contract on a bare EVM with one member of every role: the world contract tests act in.

It calls the EVM below blocks (no signatures of transactions, no headers), so that thousands of batches run in a
test; blocks and nodes are tested in tests/node.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Self

from coincurve import PrivateKey
from eth.constants import BLANK_ROOT_HASH, CREATE_CONTRACT_ADDRESS
from eth.db.atomic import AtomicDB
from eth.vm.execution_context import ExecutionContext
from eth.vm.forks.cancun.state import CancunState
from eth.vm.message import Message
from eth.vm.transaction_context import BaseTransactionContext
from eth_hash.auto import keccak

from contracts.artifact import load_artifact
from ledger.chain import calls
from ledger.chain.batch import Batch, Entry, detail
from ledger.chain.state import map_slot
from ledger.commitments import filing_digest, order_commitment
from ledger.domain.facts import Goods, Mode, Track, Transport, country_number
from ledger.domain.findings import Finding, findings_of
from ledger.domain.kinds import KindNumber, Status
from ledger.domain.roles import Role
from ledger.domain.words import CLASS_ROW, DISPATCH_ROW, LATENESS_ROW, PARCEL
from ledger.genesis import CONTRACT, Genesis, MemberKey, Org

T0: Final = 1_760_000_400
"""A Thursday in October 2025, seconds UTC."""
OFFICE: Final = 40
OTHER_OFFICE: Final = 20
HOUR0: Final = 400_000
"""Hour from which the test rules hold (2015)."""
WEEK: Final = (T0 - 226_800) // 604_800
PLAIN, SUPPLEMENT, PERMIT_CLASS = 1, 6, 13
"""Classes of the test rules: nothing special; excluded with at most six; permit needed."""
USD: Final = 840
K = KindNumber

MEMBERS: Final[dict[str, tuple[Role, int]]] = {
    "seller": (Role.SELLER, 0),
    "courier": (Role.COURIER, 0),
    "broker": (Role.BROKER, 0),
    "warehouse": (Role.WAREHOUSE, OFFICE),
    "officer": (Role.CUSTOMS_OFFICER, OFFICE),
    "screening": (Role.SCREENING, 0),
    "identity": (Role.IDENTITY_AUTHORITY, 0),
    "agency": (Role.AGENCY, 0),
    "oversight": (Role.OVERSIGHT, 0),
    "relayer": (Role.RELAYER, 0),
    "governor": (Role.GOVERNOR | Role.RULE_MAKER, 0),
    "governor2": (Role.GOVERNOR | Role.RULE_MAKER, 0),
    "governor3": (Role.GOVERNOR | Role.RULE_MAKER, 0),
    "rival_seller": (Role.SELLER, 0),
    "rival_courier": (Role.COURIER, 0),
    "sister_seller": (Role.SELLER, 0),
    "officer2": (Role.CUSTOMS_OFFICER, OFFICE),
    "far_officer": (Role.CUSTOMS_OFFICER, OTHER_OFFICE),
}
HANDLES: Final = {name: number for number, name in enumerate(MEMBERS, 1)}
SISTERS: Final = {"sister_seller": "courier"}
"""Members of the same relation group."""


class TestSigner:
    """Signs with a key made from a name."""

    __test__ = False

    def __init__(self, name: str) -> None:
        """Make the key."""
        self._key = PrivateKey(keccak(b"clearance test key " + name.encode()))
        self.address = keccak(self._key.public_key.format(compressed=False)[1:])[-20:]

    def sign_digest(self, digest: bytes) -> bytes:
        """Return r, s, v."""
        signature = self._key.sign_recoverable(digest, hasher=None)
        return signature[:64] + bytes([27 + signature[64]])


SIGNERS: Final = {name: TestSigner(name) for name in MEMBERS}
COLD: Final = {name: TestSigner(f"cold {name}") for name in MEMBERS}


def _row(kind: int, what: int, value: int) -> tuple[int, int]:
    return kind << 40 | what, HOUR0 | value << 24


def rules() -> tuple[tuple[int, int], ...]:
    """Return a small rulebook: US and the rest, three classes."""

    def dispatch(limit: int, required: int) -> int:
        return (
            DISPATCH_ROW["list_limit"].put(limit)
            | DISPATCH_ROW["exempt_limit"].put(15_000)
            | DISPATCH_ROW["order_required"].put(required)
        )

    return (
        _row(1, Mode.EXPRESS_AIR, dispatch(15_000, 0)),
        _row(1, Mode.POSTAL, dispatch(15_000, 0)),
        _row(1, country_number("US") << 8 | Mode.EXPRESS_AIR, dispatch(20_000, 0)),
        _row(1, country_number("CN") << 8 | Mode.EXPRESS_AIR, dispatch(15_000, 1)),
        _row(2, PLAIN, 0),
        _row(2, SUPPLEMENT, CLASS_ROW["excluded"].put(1) | CLASS_ROW["personal_use"].put(6)),
        _row(2, PERMIT_CLASS, CLASS_ROW["permit"].put(1)),
        _row(3, 0, 200_000),
        _row(4, 0, LATENESS_ROW["late"].put(72 * 3600) | LATENESS_ROW["sweep"].put(4 * 3600)),
    )


def genesis() -> Genesis:
    """Return a genesis with one org and one key for every member above."""
    orgs = tuple(
        Org(
            handle=HANDLES[name],
            name=name,
            roles=int(roles),
            group=HANDLES[SISTERS.get(name, name)],
            cold="0x" + COLD[name].address.hex(),
            office=office,
            seat=HANDLES[name],
        )
        for name, (roles, office) in MEMBERS.items()
    )
    keys = tuple(
        MemberKey("0x" + SIGNERS[name].address.hex(), HANDLES[name], int(roles)) for name, (roles, _) in MEMBERS.items()
    )
    rates = tuple((USD << 16 | week, 13_770_400) for week in range(WEEK - 60, WEEK + 60))
    return Genesis(4242, T0 - 1000, True, 2, "0x" + "11" * 20, (), orgs, keys, rules(), rates)


@dataclass(frozen=True, slots=True)
class Result:
    """What a call came to: revert reason, or None and the decoded log."""

    revert: str | None
    recorded: calls.Recorded | None
    gas: int

    @property
    def codes(self) -> dict[int, list[str]]:
        """Names of outcome codes by index of the entry; of a refused batch its reason, under -1."""
        found: dict[int, list[str]] = {} if self.revert is None else {-1: [self.revert]}
        for outcome in self.recorded.outcomes if self.recorded else ():
            found.setdefault(outcome.index, []).append(outcome.code.name)
        return found


@dataclass(frozen=True, slots=True)
class Order:
    """An order as its seller knows it."""

    entry: Entry
    goods: Goods
    rest: bytes
    salt: bytes

    def presented(self, goods: Goods | None = None) -> tuple[int, int, int, int]:
        """Return the four words a filing presents, with other goods if given."""
        word = (goods or self.goods).word()
        return self.entry.subject, word, int.from_bytes(self.rest, "big"), int.from_bytes(self.salt, "big")


@dataclass
class World:
    """The contract, its clock and the members' sequence numbers."""

    genesis: Genesis = field(default_factory=genesis)
    now: int = T0
    code: bytes = b""
    """Replaces the runtime code, for mutation checks."""

    def __post_init__(self) -> None:
        """Deploy from the genesis."""
        self.domain = self.genesis.domain
        self._db = AtomicDB()
        self._seqs: dict[tuple[str, int], int] = {}
        self._salts = 0
        state = self._state(BLANK_ROOT_HASH)
        init = load_artifact().bytecode + calls.constructor_data(*self.genesis.constructor())
        message = Message(
            gas=10**12, to=CREATE_CONTRACT_ADDRESS, sender=b"\2" * 20, value=0, data=b"", code=init,
            create_address=CONTRACT,
        )  # fmt: skip
        computation = state.computation_class.apply_create_message(
            state, message, BaseTransactionContext(0, b"\2" * 20, [])
        )
        computation.raise_if_error()
        state.persist()
        self.root = state.state_root
        self.code = self.code or state.get_code(CONTRACT)

    def _state(self, root: bytes) -> CancunState:
        context = ExecutionContext(b"\1" * 20, self.now, 1, 0, bytes(32), 10**12, [], self.domain.chain_id, 0, 0)
        return CancunState(self._db, context, root)

    def call(self, data: bytes, sender: bytes = b"\3" * 20, *, keep: bool = True) -> Result:
        """Call the contract; keep the new state unless told not to."""
        computation = self._call(data, sender, keep)
        gas = 10**10 - computation.get_gas_remaining()
        if computation.is_error:
            output = computation.output
            size = int.from_bytes(output[36:68], "big") if output[:4] == bytes.fromhex("08c379a0") else 0
            return Result(output[68 : 68 + size].decode() if size else "", None, gas)
        logs = [
            ([topic.to_bytes(32, "big") for topic in topics], data) for _, topics, data in computation.get_log_entries()
        ]
        decoded = [calls.read_recorded(tuple(topics), data) for topics, data in logs]
        return Result(None, next((each for each in decoded if each), None), gas)

    def _call(self, data, sender, keep):  # type: ignore[no-untyped-def]
        state = self._state(self.root)
        message = Message(gas=10**10, to=CONTRACT, sender=sender, value=0, data=data, code=self.code)
        computation = state.computation_class.apply_message(state, message, BaseTransactionContext(0, sender, []))
        if keep and not computation.is_error:
            state.persist()
            self.root = state.state_root
        return computation

    def fork(self) -> Self:
        """Return a world that starts where this one stands; states are never overwritten, so both go on."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__, _seqs=dict(self._seqs))
        return other

    def poke(self, values: Mapping[tuple[str, int | bytes], int]) -> None:
        """Write storage directly, (name of the map, key) to word: for states that no entry can reach."""
        state = self._state(self.root)
        for (name, key), value in values.items():
            state.set_storage(CONTRACT, map_slot(name, key), value)
        state.persist()
        self.root = state.state_root

    def trial(self, batch: Batch, subjects: Iterable[int]) -> tuple[Result, dict[int, int]]:
        """Submit a batch without keeping the state; return the result and what the subjects' words became."""
        root = self.root
        result = self.submit(batch)
        state = self._state(self.root)
        words = {subject: state.get_storage(CONTRACT, map_slot("words", subject)) for subject in subjects}
        self.root = root
        return result, words

    def do(self, who: bytes, name: str, *arguments: object, t: int | None = None) -> str | None:
        """Call a function of members or rules that takes `t` first; return the revert reason or None."""
        return self.call(calls.call_data(name, self.now if t is None else t, *arguments), who).revert

    def view(self, name: str, *arguments: object) -> int:
        """Read a public getter that returns one word."""
        return int.from_bytes(self._call(calls.call_data(name, *arguments), b"\3" * 20, False).output[:32], "big")

    def word(self, subject: int) -> int:
        """Return the packed word of a subject."""
        return self.view("words", subject)

    def status(self, subject: int) -> Status:
        """Return the status bits of a subject."""
        return Status(PARCEL["status"].get(self.word(subject)))

    def findings(self, subject: int) -> tuple[Finding, ...]:
        """Return the findings of a parcel."""
        return findings_of(self.word(subject))

    def batch(self, who: str, entries: list[Entry], lane: int = 1, **changes: int) -> Batch:
        """Sign entries as a member, in sequence."""
        seq = self._seqs.get((who, lane), 0)
        values = {"lane": lane, "seq": seq, "not_after": self.now + 7200} | changes
        return Batch.signed(self.domain, SIGNERS[who], entries=entries, **values)

    def submit(self, batch: Batch, *, t: int | None = None, keep: bool = True) -> Result:
        """Relay a batch at `t` (now unless told)."""
        return self.call(calls.submit_data(batch, self.now if t is None else t), keep=keep)

    def send(self, who: str, *entries: Entry, lane: int = 1) -> Result:
        """Sign and relay entries; count the sequence number if the batch was taken."""
        result = self.submit(self.batch(who, list(entries), lane))
        if result.revert is None:
            self._seqs[who, lane] = self._seqs.get((who, lane), 0) + 1
        return result

    # ------------------------------------------------------------------------------------------------ entries
    def _salt(self) -> bytes:
        self._salts += 1
        return keccak(b"salt %d" % self._salts)

    def order(self, price: int = 5_000, goods_class: int = PLAIN, quantity: int = 1, *, seller: str = "seller",
              to: str = "courier", claimed: int | None = None, **goods: int) -> Order:  # fmt: skip
        """Make an order of a seller (not sent yet)."""
        facts = Goods(price, goods.pop("currency", USD), goods_class, quantity, **goods)  # type: ignore[arg-type]
        rest, salt = self._salt(), self._salt()
        commitment = order_commitment(facts.word(), rest, salt)
        subject = self.domain.subject_id(K.ORDER_OPENED, HANDLES[seller], commitment)
        entry = Entry(
            subject, K.ORDER_OPENED, self.now if claimed is None else claimed, commitment,
            detail(K.ORDER_OPENED, handed=HANDLES[to]), extra=(int.from_bytes(self._salt(), "big"),),
        )  # fmt: skip
        return Order(entry, facts, rest, salt)

    def filing(self, *orders: Order, kind: KindNumber = K.FILED, subject: int | None = None, courier: str = "courier",
               goods: Goods | None = None, claimed: int | None = None, broker: bool = False, more: bool = False,
               dispatch: str = "US", mode: Mode = Mode.EXPRESS_AIR, track: Track = Track.LIST, master: int = 0,
               office: int = OFFICE) -> Entry:  # fmt: skip
        """Make a filing or correction; `goods` replaces what is presented of every order."""
        payload = self._salt()
        if subject is None:
            subject = self.domain.subject_id(K.FILED, HANDLES[courier], payload)
        transport = Transport(country_number(dispatch), country_number("CN"), mode, office, track, master=master)
        extra = [transport.word()]
        for order in sorted(orders, key=lambda each: each.entry.subject):
            extra += order.presented(goods)
        if not orders:
            extra.append((goods or Goods(5_000, USD, PLAIN, 1)).word())
        flags = detail(kind, more=int(more))
        if broker:
            flags |= detail(kind, opener=HANDLES[courier])
        return Entry(subject, kind, self.now if claimed is None else claimed, payload, flags, extra=tuple(extra))

    def result(self, kind: KindNumber, subject: int, **values: int) -> Entry:
        """Make a result or decision that names the newest filing."""
        if kind in (K.DECIDED_CLEAR, K.DECIDED_REFUSE):
            values = {"ground": 1, "stops": PARCEL["stops"].get(self.word(subject))} | values
        return Entry(subject, kind, self.now, names=self.view("filings", subject), detail=detail(kind, **values))

    def filed(self, **goods: int) -> int:
        """Open an order and file it; return the parcel's id."""
        order = self.order(**goods)  # type: ignore[arg-type]
        filing = self.filing(order)
        if self.send("seller", order.entry).revert or self.send("courier", filing).codes:
            raise AssertionError("the plain path failed")
        return filing.subject


def digest_of(filing: Entry, generation: int = 0) -> int:
    """Return the filing digest that results must name."""
    return filing_digest(generation, filing.packed())
