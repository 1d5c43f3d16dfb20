"""A courier's inbox: the orders handed to it, opened and checked, and which of them are used.

Whoever sells may have put anything into a payload: what cannot be read is set aside with its reason and stands in no
other order's way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Any, Final

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

    def words(self, goods: Goods) -> tuple[int, int, int, int]:
        """Return the four words that a filing presents: id, goods, rest digest, salt."""
        return (
            self.order,
            goods.word(),
            int.from_bytes(self.rest_digest, "big"),
            int.from_bytes(self.salt, "big"),
        )


class Inbox:
    """Orders handed to one courier, by id: two shops may use the same reference."""

    def __init__(self, org: int, domain: LedgerDomain, payloads: PayloadStore, key: X25519PrivateKey) -> None:
        """Take the courier's handle, the chain, where payloads are found, and the key that opens them."""
        self._org, self._domain, self._payloads, self._key = org, domain, payloads, key
        self.items: dict[int, InboxItem] = {}
        """All that were ever opened, also those handed on to others since."""
        self._named: dict[str, list[int]] = {}
        self.handed: dict[int, int] = {}
        """Seller of each order that is handed to this courier."""
        self.used: dict[int, int] = {}
        """Parcel of each order that a filing used."""
        self.unreadable: dict[int, Unreadable] = {}

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
            self.handed.pop(each.entry.subject, None)
            self.unreadable.pop(each.entry.subject, None)

    # ------------------------------------------------------------------------------------------------------- one order
    def take(self, order: int, seller: int, payload: bytes, parcel: int | None = None) -> None:
        """Take an order handed to this courier: open its payload and check it against its id.

        Args:
            order: its id.
            seller: org that opened it.
            payload: digest of the payload it was handed over with last.
            parcel: what it was used in.
        """
        self.handed[order] = seller
        if parcel is not None:
            self.used[order] = parcel
        self.unreadable.pop(order, None)
        if order in self.items:
            return
        found = self._opened(order, seller, payload)
        if isinstance(found, Unreadable):
            self.unreadable[order] = found
        else:
            self.items[order] = found
            for name in (found.reference, f"{seller}/{found.reference}", f"0x{order:064x}"):
                self._named.setdefault(name, []).append(order)

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
        return [item for item in self.readable() if item.order not in self.used]

    def readable(self) -> list[InboxItem]:
        """Return all that is handed to this courier and readable, used or not."""
        return [self.items[order] for order in self.handed if order in self.items]

    def find(self, name: str) -> InboxItem:
        """Return an order by the seller's reference, by `org/reference` or by its id; one that waits goes first.

        Raises:
            LedgerError: there is none, or several shops use the reference.
        """
        found = [self.items[order] for order in self._named.get(name, ()) if order in self.handed]
        found = [item for item in found if item.order not in self.used] or found
        if not found:
            raise LedgerError(
                f"Not in the inbox: {name[:80]}.", hint="See `clearance courier inbox --all`, or ask the seller."
            )
        if len(found) > 1:
            hint = f"Name one by its id: {', '.join(f'0x{each.order:064x} of org {each.signed_by}' for each in found)}."
            raise LedgerError(f"{len(found)} orders go by the name {name[:80]}.", hint=hint)
        return found[0]


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
