"""A courier's inbox: the orders handed to it, opened and checked, and which of them are used.

A payload is fetched when its order is asked for, and once: what a list shows of it may be kept (`clients.opened`).
Whoever sells may have put anything into a payload: what cannot be read is set aside with its reason and stands in no
other order's way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Any, Final, Protocol

import rfc8785
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from ledger.chain.included import IncludedBatch, IncludedEntry
from ledger.commitments import LedgerDomain, order_commitment, rest_digest
from ledger.domain.errors import LedgerError
from ledger.domain.facts import Goods, Use
from ledger.domain.findings import Sentence
from ledger.domain.kinds import KINDS, Flag, KindNumber
from ledger.domain.words import DETAIL
from ledger.payloads import NotForYou, PayloadFault, PayloadStore, open_payload

K = KindNumber
NO_DIGEST: Final = bytes(32)
MAX_TEXT: Final = 1_000
"""Characters of a text that is taken from a seller."""


class Unreadable(Enum):
    """Why an order that was handed over cannot be used."""

    NOT_THERE = Sentence("판매자의 자료가 아직 오지 않았습니다.", "Its payload has not come.")
    NOT_FOR_YOU = Sentence("다른 업체만 열 수 있는 자료입니다.", "Its payload was sealed to others.")
    DAMAGED = Sentence("자료가 손상되었습니다.", "Its payload is damaged.")
    ODD = Sentence("자료의 형식이 다릅니다.", "Its payload is no order.")
    FOREIGN = Sentence(
        "판매자가 서명한 주문과 다릅니다.", "Its payload does not open the commitment the seller signed."
    )


@dataclass(frozen=True, slots=True)
class Listed:
    """What a list shows of an order that was opened and checked: nothing of its buyer.

    Attributes:
        order: id on chain.
        signed_by: org of the seller whose facts these are.
    """

    order: int
    signed_by: int
    reference: str
    goods: Goods
    description: str


@dataclass(frozen=True, slots=True)
class InboxItem:
    """An order handed to this courier, opened and checked against its id.

    Attributes:
        order: id on chain.
        signed_by: org of the seller whose facts these are.
    """

    order: int
    signed_by: int
    reference: str
    goods: Goods
    rest: Mapping[str, Any]
    rest_digest: bytes
    salt: bytes = field(repr=False)
    buyer: Mapping[str, str] = field(repr=False)

    def listed(self) -> Listed:
        """Return what a list shows of it."""
        return Listed(self.order, self.signed_by, self.reference, self.goods, self.rest["description"])

    def words(self, goods: Goods) -> tuple[int, int, int, int]:
        """Return the four words that a filing presents: id, goods, rest digest, salt."""
        return (
            self.order,
            goods.word(),
            int.from_bytes(self.rest_digest, "big"),
            int.from_bytes(self.salt, "big"),
        )


class Kept(Protocol):
    """Where it is kept what lists show of orders that were opened."""

    def get(self, order: int) -> Listed | None:
        """Return what was kept of an order."""
        ...

    def keep(self, found: Listed) -> None:
        """Keep what a list shows of an order."""
        ...


@dataclass(frozen=True, slots=True)
class Handed:
    """An order that is handed to this courier: its seller, and the digest of the payload it was handed over with."""

    seller: int
    payload: bytes


class Inbox:
    """Orders handed to one courier, by id: two shops may use the same reference."""

    def __init__(
        self, org: int, domain: LedgerDomain, payloads: PayloadStore, key: X25519PrivateKey, kept: Kept | None = None
    ) -> None:
        """Take the courier's handle, the chain, where payloads lie, the key that opens them, and what was kept."""
        self._org, self._domain, self._payloads, self._key, self._kept = org, domain, payloads, key, kept
        self.handed: dict[int, Handed] = {}
        """Orders that are handed to this courier."""
        self.used: dict[int, int] = {}
        """Parcel of each order that a filing used."""
        self._new: dict[int, None] = {}
        """Those that nobody looked at yet."""
        self._items: dict[int, InboxItem] = {}
        self._listed: dict[int, Listed] = {}
        self._named: dict[str, list[int]] = {}
        self._unreadable: dict[int, Unreadable] = {}

    # ----------------------------------------------------------------------------------------------------- from blocks
    def watch(self, batch: IncludedBatch) -> None:
        """Take from a block which orders are handed to this courier, handed on to others, or used."""
        for each in batch.entries() if not batch.batch.is_trace else ():
            if each.rejection is not None:
                continue
            if each.kind is K.ORDER_OPENED:
                self._hand(batch.org, each, each.entry.extra[0].to_bytes(32, "big"))
            elif each.kind is K.ORDER_REASSIGNED:
                self._hand(batch.org, each, each.entry.digest)
            elif Flag.FILING in KINDS[each.kind].flags and len(each.entry.extra) > 2:
                self.used |= dict.fromkeys(each.entry.extra[1::4], each.entry.subject)

    def _hand(self, seller: int, each: IncludedEntry, payload: bytes) -> None:
        if DETAIL[f"{each.kind.name}.handed"].get(each.entry.header()) == self._org:
            self.take(each.entry.subject, seller, payload)
        else:
            for known in (self.handed, self._new, self._unreadable):
                known.pop(each.entry.subject, None)

    # ------------------------------------------------------------------------------------------------------- one order
    def take(self, order: int, seller: int, payload: bytes, parcel: int | None = None) -> None:
        """Take an order handed to this courier; its payload is opened and checked when the order is asked for.

        Args:
            order: its id.
            seller: org that opened it.
            payload: digest of the payload it was handed over with last.
            parcel: what it was used in.
        """
        self.handed[order] = Handed(seller, payload)
        if parcel is not None:
            self.used[order] = parcel
        self._unreadable.pop(order, None)
        if order not in self._listed:
            self._new[order] = None

    def item(self, order: int) -> InboxItem | Unreadable:
        """Return an order that is handed to this courier, opened and checked against its id."""
        if (known := self._items.get(order) or self._unreadable.get(order)) is not None:
            return known
        at = self.handed[order]
        found = self._opened(order, at.seller, at.payload)
        self._new.pop(order, None)
        if isinstance(found, Unreadable):
            self._unreadable[order] = found
            return found
        self._items[order] = found
        if order not in self._listed:
            self._list(found.listed())
            if self._kept:
                self._kept.keep(found.listed())
        return found

    def listed(self, order: int) -> Listed | Unreadable:
        """Return what a list shows of an order; its payload is fetched only if that was not kept."""
        if order not in self._listed:
            kept = self._kept.get(order) if self._kept else None
            if kept is None:
                found = self.item(order)
                return found if isinstance(found, Unreadable) else self._listed[order]
            self._list(kept)
        return self._listed[order]

    def _list(self, found: Listed) -> None:
        self._new.pop(found.order, None)
        self._listed[found.order] = found
        self._named.setdefault(found.reference, []).append(found.order)

    def _opened(self, order: int, seller: int, payload: bytes) -> InboxItem | Unreadable:
        try:
            envelope = self._payloads.get(payload)
            if envelope is None:  # an order that was reassigned without a payload names none
                return Unreadable.NOT_FOR_YOU if payload == NO_DIGEST else Unreadable.NOT_THERE
            item = _read(order, seller, open_payload(envelope, self._key, payload).content)
        except NotForYou:
            return Unreadable.NOT_FOR_YOU
        except PayloadFault:
            return Unreadable.DAMAGED
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):  # whatever JSON can hold
            return Unreadable.ODD
        commitment = order_commitment(item.goods.word(), item.rest_digest, item.salt)
        opened = self._domain.subject_id(K.ORDER_OPENED, seller, commitment)
        return item if opened == order else Unreadable.FOREIGN

    # --------------------------------------------------------------------------------------------------------- looking
    def open(self) -> list[InboxItem]:
        """Return what waits to be filed: handed to this courier, readable, not used."""
        return [item for order in self._waiting() if isinstance(item := self.item(order), InboxItem)]

    def listing(self, *, used: bool = False) -> list[Listed]:
        """Return what is handed to this courier, readable and not used, or used too, as lists show it."""
        chosen = list(self.handed) if used else self._waiting()
        return [each for order in chosen if isinstance(each := self.listed(order), Listed)]

    @property
    def unreadable(self) -> dict[int, Unreadable]:
        """What waits to be filed and cannot be read, and why."""
        return {order: why for order in self._waiting() if isinstance(why := self.listed(order), Unreadable)}

    def _waiting(self) -> list[int]:
        return [order for order in self.handed if order not in self.used]

    def find(self, name: str) -> InboxItem:
        """Return an order by its id, by `org/reference` or by the seller's reference; one that waits goes first.

        By its id, its own payload is fetched; by `org/reference`, those of that seller nobody looked at yet; by the
        reference alone those of all sellers, since two may use the same.

        Raises:
            LedgerError: there is none, it cannot be read, or several shops use the reference.
        """
        found = [order for order in (_id(name),) if order in self.handed] or self._by_name(name)
        if not found:
            raise LedgerError(
                f"Not in the inbox: {name[:80]}.", hint="See `clearance courier inbox --all`, or ask the seller."
            )
        if len(found) > 1:
            hint = ", ".join(f"0x{order:064x} of org {self.handed[order].seller}" for order in found)
            raise LedgerError(f"{len(found)} orders go by the name {name[:80]}.", hint=f"Name one by its id: {hint}.")
        item = self.item(found[0])
        if isinstance(item, Unreadable):
            raise LedgerError(f"Order {name[:80]}: {item.value.en}", hint="Ask the seller.")
        return item

    def _by_name(self, name: str) -> list[int]:
        shop, slash, reference = name.partition("/")
        own = self._look(reference, lambda order: str(self.handed[order].seller) == shop) if slash else []
        return own or self._look(name, lambda _: True)

    def _look(self, reference: str, chosen: Callable[[int], bool]) -> list[int]:
        """Return the orders of a reference, those that wait before those that are used; open no more than it takes."""
        found: list[int] = []
        for used in (False, True):
            for order in [each for each in self._new if chosen(each) and (each in self.used) is used]:
                self.listed(order)
            found = [each for each in self._named.get(reference, ()) if each in self.handed and chosen(each)]
            if waiting := [each for each in found if each not in self.used]:
                return waiting
        return found


def _id(name: str) -> int:
    """Return the id that a name is, -1 if it is none."""
    try:
        return int(name, 16) if len(name) == 66 and name.startswith("0x") else -1
    except ValueError:
        return -1


def _read(order: int, seller: int, content: Any) -> InboxItem:
    """Read an order's payload.

    Raises:
        ValueError: it is none; also TypeError, KeyError, AttributeError.
    """
    numbers = {each.name: _number(content["goods"][each.name]) for each in fields(Goods)}
    goods = Goods(**numbers | {"use": Use(numbers["use"])})  # type: ignore[arg-type]
    goods.word()
    rest: dict[str, Any] = {"ordered_at": _number(content["rest"]["ordered_at"])}
    rest |= {name: _text(content["rest"][name]) for name in ("hs6", "description")}
    covered = rest_digest(_salt(content["rest_salt"]), rfc8785.dumps(content["rest"]))
    buyer = {_text(name): _text(value) for name, value in content["buyer"].items()}
    reference, salt = _text(content["reference"]), _salt(content["salt"])
    return InboxItem(order, seller, reference, goods, rest, covered, salt, buyer)


def _number(value: object) -> int:
    if type(value) is not int:
        raise ValueError("no number")
    return value


def _text(value: object) -> str:
    """Return a text that a terminal can show: no control characters, no half of a surrogate pair."""
    if not isinstance(value, str) or len(value) > MAX_TEXT or not value.isprintable():
        raise ValueError("no text")
    return value


def _salt(value: str) -> bytes:
    found = bytes.fromhex(value)
    if len(found) != 32:
        raise ValueError("no salt")
    return found
