"""What was filed, as the authority judges it: the payload opened with its own key, read with suspicion.

Nothing here holds a transaction: the vault notes every opening in one of its own.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from api.gateway import Gateway
from api.identity.verifier import Claim
from ledger.domain.rules import KST
from ledger.payloads import Payload
from ledger.store import vault
from ledger.store.tables.chain import ParcelRow

WHO: Final = "identity authority"
WHY: Final = "judging a filing"
POSTCODE_SINCE: Final = dt.date(2026, 1, 1)
"""Day (KST) from which the postcode must match too, where it is told."""
TEXT: Final = 200
"""Characters of one field that are looked at."""


@dataclass(frozen=True, slots=True)
class Content:
    """The private part of a filing. All of it is as told, and personal: it is in no repr."""

    consignee: Mapping[str, str] = field(repr=False)
    buyer: Mapping[str, str] = field(repr=False)
    house_bill: str = field(repr=False)
    shop: str = field(repr=False)
    goods: str = field(repr=False)

    @property
    def number(self) -> str:
        """The number that is declared."""
        return self.consignee.get("pccc", "")

    def claims(self, now: dt.datetime) -> tuple[Claim, Claim | None]:
        """Return what is claimed of the number: that it is the consignee's, and else that it is the buyer's."""
        told = self.consignee
        postcode = told.get("zip", "") if now.astimezone(KST).date() >= POSTCODE_SINCE else ""
        own = Claim(self.number, told.get("name", ""), told.get("phone", ""), postcode)
        if not self.buyer:
            return own, None
        return own, Claim(self.number, self.buyer.get("name", ""), self.buyer.get("phone", ""))


@dataclass(frozen=True, slots=True)
class Filed:
    """A filing.

    Attributes:
        row: its parcel.
        content: what the payload says; None if it has not come, or cannot be read.
        unreadable: whether it came and cannot be read.
    """

    row: ParcelRow
    content: Content | None
    unreadable: bool = False


def read_content(document: Mapping[str, Any]) -> Content:
    """Read an opened payload; whoever wrote it may have written anything.

    Raises:
        ValueError: it names nobody, or holds text that is none.
    """
    consignee, buyer = document.get("consignee"), document.get("buyer")
    if not isinstance(consignee, dict) or not consignee.get("pccc"):
        raise ValueError("nobody is named")
    told = document.get("description")
    goods = ", ".join(map(str, told)) if isinstance(told, list) else str(told or "")
    try:
        return Content(
            _texts(consignee), _texts(buyer) if isinstance(buyer, dict) else {},
            _text(document.get("house_bill")), _text(document.get("shop"))[:80], _text(goods),
        )  # fmt: skip
    except UnicodeError as error:  # half a surrogate pair: JSON can hold it, nothing else can
        raise ValueError("text that is none") from error


def _texts(told: Mapping[str, Any]) -> dict[str, str]:
    return {_text(name): _text(value) for name, value in list(told.items())[:20]}


def _text(value: object) -> str:
    return str("" if value is None else value)[:TEXT].encode().decode()


class FilingReader:
    """Reads filings for one authority."""

    def __init__(self, gateway: Gateway, opener: X25519PrivateKey) -> None:
        """Take the gateway and the key that opens payloads."""
        self._gateway, self._opener = gateway, opener

    def read(self, rows: Sequence[ParcelRow]) -> list[Filed]:
        """Read the newest filing of each parcel."""
        wanted = {row.payload: row.opener for row in rows if row.payload}
        opened = vault.open_all(self._gateway.payloads, wanted, self._opener, WHO, WHY)
        return [self._filed(row, opened) for row in rows]

    @staticmethod
    def _filed(row: ParcelRow, opened: Mapping[bytes, Payload | None]) -> Filed:
        if row.payload is None or row.payload not in opened:
            return Filed(row, None)
        payload = opened[row.payload]
        if payload is None:
            return Filed(row, None, unreadable=True)
        try:
            return Filed(row, read_content(payload.content))
        except (ValueError, AttributeError, RecursionError):
            return Filed(row, None, unreadable=True)
