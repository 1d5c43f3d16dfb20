"""Entries that honest, careless and lying parties write, made from small plain drafts that print well."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TypeVar

from eth_hash.auto import keccak

from ledger.chain.batch import Entry, detail
from ledger.commitments import order_commitment
from ledger.domain.facts import Goods, Mode, Track, Transport, Use
from ledger.domain.kinds import KindNumber as K
from tests.contract.world import HANDLES, OFFICE, USD
from tests.model.guards import BY_OFFICE, ROLES
from tests.model.subjects import Master, Order, Parcel, Subject
from tests.stateful.ledger_actions import NAMES, LedgerActions
from tests.stateful.rules import PLAIN, US

T = TypeVar("T")


class Lie(Enum):
    """How a courier presents an order otherwise than its seller recorded it."""

    NONE = "none"
    PRICE = "price"
    QUANTITY = "quantity"
    CLASS = "class"
    USE = "use"
    REST = "rest"
    SALT = "salt"


@dataclass(frozen=True)
class Sale:
    """What a seller records."""

    seller: str = "seller"
    to: str = "courier"
    price: int = 5_000
    currency: int = USD
    goods_class: int = PLAIN
    quantity: int = 1
    use: Use = Use.PERSONAL
    claimed: int = 0
    """Seconds from now."""
    wrong_id: bool = False


@dataclass(frozen=True)
class Travel:
    """What a courier files."""

    courier: str = "courier"
    by_broker: bool = False
    orders: int = 1
    pick: int = 0
    foreign: bool = False
    """Takes any orders, not only those handed to it."""
    unsorted: bool = False
    drop: bool = False
    """Leaves out an order that is bound already."""
    lie: Lie = Lie.NONE
    goods: Sale = field(default_factory=Sale)
    """What it declares where it names no order."""
    dispatch: int = US
    origin: int = US
    mode: int = Mode.EXPRESS_AIR
    track: Track = Track.LIST
    office: int = OFFICE
    master: int = 0
    """0 none, else counted from the newest; too many: a handle that nobody got."""
    more: bool = False
    claimed: int = 0
    wrong_id: bool = False


@dataclass(frozen=True)
class Nudge:
    """What is wrong with an entry, if anything."""

    claimed: int = 0
    stranger: int | None = None
    """Another member writes it."""
    other_lane: bool = False
    stale: bool = False
    """It names an older filing or stop count."""
    number: int = 0
    """Number of the hold, or of the kind that was observed."""


def nth_newest(listed: list[T], pick: int) -> T:
    """Return an element, counted from the newest, round and round."""
    return listed[-1 - pick % len(listed)]


class LedgerEntries(LedgerActions):
    """Makes entries from drafts."""

    def start(self, changes: dict) -> None:  # type: ignore[type-arg]
        """Start with nothing sold."""
        super().start(changes)
        self.sold: dict[int, tuple[Goods, bytes, bytes]] = {}
        self.digests: dict[int, list[int]] = {}
        self._drawn = 0

    def _random(self) -> bytes:
        self._drawn += 1
        return keccak(b"stateful %d" % self._drawn)

    # --------------------------------------------------------------------------------------------------- orders
    def sale(self, draft: Sale) -> tuple[str, Entry]:
        """Return the seller and the entry that opens an order."""
        seller = draft.seller
        goods = Goods(draft.price, draft.currency, draft.goods_class, draft.quantity, use=draft.use)
        rest, salt = self._random(), self._random()
        commitment = order_commitment(goods.word(), rest, salt)
        number = self.world.domain.subject_id(K.ORDER_OPENED, HANDLES[seller], commitment) + draft.wrong_id
        self.sold[number] = (goods, rest, salt)
        claimed = self.world.now + draft.claimed
        handed = detail(K.ORDER_OPENED, handed=HANDLES[draft.to])
        return seller, Entry(number, K.ORDER_OPENED, claimed, commitment, handed, extra=(1,))

    def _presented(self, number: int, lie: Lie) -> tuple[int, int, int, int]:
        goods, rest, salt = self.sold[number]
        price, code, quantity, use = goods.price, goods.goods_class, goods.quantity, goods.use
        match lie:
            case Lie.PRICE:
                price = price // 2
            case Lie.QUANTITY:
                quantity += 1
            case Lie.CLASS:
                code += 1
            case Lie.USE:
                use = Use(1 - use)
            case Lie.REST:
                rest = bytes(32)
            case Lie.SALT:
                salt = bytes(32)
        said = Goods(price, goods.currency, code, quantity, use=use)
        return number, said.word(), int.from_bytes(rest, "big"), int.from_bytes(salt, "big")

    # -------------------------------------------------------------------------------------------------- filings
    def filing(self, draft: Travel, corrects: int | None = None) -> tuple[str, Entry]:
        """Return the writer and the entry that files or corrects a parcel."""
        kind = K.FILED if corrects is None else K.CORRECTED
        courier = draft.courier
        if corrects is not None:
            courier = NAMES[self.model.subjects[corrects].opener]
        payload = self._random()
        number = corrects or self.world.domain.subject_id(K.FILED, HANDLES[courier], payload) + draft.wrong_id
        flags = detail(kind, more=int(draft.more))
        if draft.by_broker and corrects is None:
            flags |= detail(K.FILED, opener=HANDLES[courier])
        words = self._filing_words(draft, courier, corrects)
        entry = Entry(number, kind, self.world.now + draft.claimed, payload, flags, extra=words)
        return "broker" if draft.by_broker else courier, entry

    def _filing_words(self, draft: Travel, courier: str, corrects: int | None) -> tuple[int, ...]:
        handles = len(self.model.handles)
        master = handles + 1 - draft.master if 0 < draft.master <= handles else (draft.master and handles + 1)
        transport = Transport(
            draft.dispatch, draft.origin, draft.mode, draft.office, draft.track, master=master  # type: ignore[arg-type]
        )  # fmt: skip
        named = sorted(self._named(draft, courier, corrects), reverse=draft.unsorted)
        if named:
            return (transport.word(), *(word for number in named for word in self._presented(number, draft.lie)))
        own = draft.goods
        return transport.word(), Goods(own.price, own.currency, own.goods_class, own.quantity, use=own.use).word()

    def _named(self, draft: Travel, courier: str, corrects: int | None) -> set[int]:
        fitting = [
            number
            for number in self.orders(open_only=not draft.foreign)
            if draft.foreign or self._order(number).handed == HANDLES[courier]
        ]
        parcel = self.model.subjects.get(corrects or 0)
        bound = sorted(parcel.orders) if isinstance(parcel, Parcel) else []
        added = draft.orders if corrects is None else draft.orders - 1
        fresh = {nth_newest(fitting, draft.pick + i) for i in range(added)} if fitting else set()
        return set(sorted({*bound[draft.drop :], *fresh})[:8])

    def _order(self, number: int) -> Order:
        found = self.model.subjects[number]
        assert isinstance(found, Order)
        return found

    # --------------------------------------------------------------------------------------------- everything else
    def about(self, kind: K, number: int, nudge: Nudge) -> Entry:
        """Return an entry of a kind that has no words of its own, about a subject."""
        subject = self.model.subjects.get(number)
        names = flags = 0
        if kind in (K.IDENTITY_CHECKED, K.SCREENED_PASSED, K.SCREENED_REFERRED, K.DECIDED_CLEAR, K.DECIDED_REFUSE):
            names = subject.filing ^ nudge.stale if isinstance(subject, Parcel) else 1
        match kind:
            case K.ORDER_REASSIGNED:
                flags = detail(kind, handed=HANDLES[("courier", "rival_courier")[nudge.number % 2]])
            case K.DECIDED_CLEAR | K.DECIDED_REFUSE:
                stops = subject.stops if isinstance(subject, Parcel) else 0
                flags = detail(kind, ground=nudge.number != 6, stops=(stops + (nudge.number == 7)) % 256)
            case K.HELD:
                flags = detail(kind, ground=2 * (nudge.number != 6), answer_due=500_000)
            case K.RECALLED:
                flags = detail(kind, ground=nudge.number != 6)
            case K.HOLD_LIFTED:
                flags = detail(kind, number=nudge.number)
            case K.OBSERVED:
                flags = detail(kind, kind=nudge.number, trace=3)
        return Entry(number, kind, self.world.now + nudge.claimed, bytes(32), flags, names)

    def opening(self, kind: K, who: str, nudge: Nudge) -> Entry:
        """Return an entry that opens a master or an observed parcel."""
        digest = self._random()
        number = self.world.domain.subject_id(kind, HANDLES[who], digest) ^ nudge.stale
        return Entry(number, kind, self.world.now + nudge.claimed, digest)

    def rightful(self, kind: K, subject: Subject | None) -> str:
        """Return a member that may write a kind about a subject, if there is one."""
        able = [name for name in self.with_role(ROLES[kind]) if self._fits(name, kind, subject)]
        return (able or list(self.orgs))[0]

    def _fits(self, name: str, kind: K, subject: Subject | None) -> bool:
        if subject is None:
            return True
        if kind in BY_OFFICE:
            return isinstance(subject, Parcel) and self.orgs[name].office == subject.office
        if kind in (K.CARRIED_IN, K.RELEASED) or isinstance(subject, Order | Master):
            lets = self.model.members.lets_write(subject.opener, HANDLES[name], kind)
            return lets or subject.opener == HANDLES[name]
        return True

    def say(self, kind: K, number: int, nudge: Nudge) -> bool:
        """Send one entry about a subject, by the member whose business it is unless nudged."""
        who = self.rightful(kind, self.model.subjects.get(number))
        if nudge.stranger is not None:
            who = nth_newest(list(self.orgs), nudge.stranger)
        is_stop = kind in (K.IDENTITY_STOPPED, K.HELD, K.RECALLED)
        lane = 1 if is_stop == nudge.other_lane else 0
        return self.send(who, [self.about(kind, number, nudge)], lane)
