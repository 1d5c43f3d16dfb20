"""Where each field stands in the packed words: one description for contract, codec, docs and tests.

A field is (shift, width) in bits, counted from the lowest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Field:
    """Place of an unsigned field inside a 256-bit word."""

    shift: int
    width: int
    says: str

    @property
    def mask(self) -> int:
        """Mask of the field in place."""
        return ((1 << self.width) - 1) << self.shift

    def get(self, word: int) -> int:
        """Read the field."""
        return (word >> self.shift) & ((1 << self.width) - 1)

    def put(self, value: int) -> int:
        """Return the value in place.

        Raises:
            ValueError: the value does not fit.
        """
        if value < 0 or value >> self.width:
            raise ValueError(f"{value} does not fit {self.width} bits ({self.says})")
        return value << self.shift


HEADER: Final = {
    "kind": Field(0, 8, "kind number"),
    "claimed": Field(8, 40, "claimed time, seconds UTC"),
    "extra": Field(48, 7, "extra words that follow the three of the header"),
    "spare": Field(55, 1, "zero"),
    "detail": Field(56, 40, "fields of the kind, see DETAIL"),
    "names": Field(96, 160, "filing named by results and decisions: low 160 bits of its digest"),
}
"""Header word (the second of an entry; the first is the subject's id, the third the digest)."""

DETAIL: Final = {
    "ORDER_OPENED.handed": Field(56, 24, "org the order is handed to"),
    "ORDER_REASSIGNED.handed": Field(56, 24, "org the order is handed to now"),
    "FILED.opener": Field(56, 24, "courier in whose name a broker files; 0: the signer's own org"),
    "FILED.more": Field(80, 1, "the box holds more orders than the filing can name"),
    "CORRECTED.more": Field(80, 1, "the box holds more orders than the filing can name"),
    "HELD.ground": Field(56, 8, "ground of the hold, Customs Act art. 237"),
    "HELD.answer_due": Field(64, 24, "hours since 1970 UTC by which customs answers"),
    "HOLD_LIFTED.number": Field(56, 8, "number of the hold"),
    "DECIDED_CLEAR.ground": Field(56, 8, "ground of the decision"),
    "DECIDED_CLEAR.stops": Field(64, 8, "stop count that was judged"),
    "DECIDED_REFUSE.ground": Field(56, 8, "ground of the decision"),
    "DECIDED_REFUSE.stops": Field(64, 8, "stop count that was judged"),
    "RECALLED.ground": Field(56, 8, "ground of the recall, Customs Act art. 238"),
    "OBSERVED.kind": Field(56, 8, "kind that was observed, or TRACED"),
    "OBSERVED.trace": Field(64, 8, "trace kind, when TRACED"),
}
"""Fields inside the header's `detail`, by kind; what is not named is zero."""

GOODS: Final = {
    "price": Field(0, 40, "price of the goods, minor units"),
    "currency": Field(40, 16, "ISO 4217 number"),
    "goods_class": Field(56, 16, "goods class"),
    "quantity": Field(72, 24, "quantity in the unit of the class"),
    "unit": Field(96, 8, "unit"),
    "use": Field(104, 8, "0 personal, 1 company"),
}
"""Goods word (the seller's facts)."""

TRANSPORT: Final = {
    "dispatch": Field(0, 16, "dispatch country, two ASCII letters"),
    "origin": Field(16, 16, "origin country, two ASCII letters"),
    "mode": Field(32, 8, "1 express by air, 2 express by sea, 3 postal"),
    "weight": Field(40, 8, "weight class"),
    "office": Field(48, 8, "customs office"),
    "track": Field(56, 8, "0 LIST, 1 DECLARED"),
    "master": Field(64, 24, "handle of the master, 0 none"),
}
"""Transport word (the courier's facts)."""

PARCEL: Final = {
    "status": Field(0, 32, "status bits"),
    "findings": Field(32, 32, "finding bits"),
    "generation": Field(64, 8, "filings and corrections so far"),
    "opener": Field(72, 24, "org that opened it"),
    "office": Field(96, 8, "competent office"),
    "holds_open": Field(104, 8, "open holds, one bit each"),
    "holds_placed": Field(112, 4, "holds placed so far"),
    "inspections": Field(116, 4, "open inspections"),
    "stops": Field(120, 8, "identity stops so far, at most 255"),
    "first_filing": Field(128, 34, "t of the first filing"),
    "carried": Field(162, 34, "t of the carry-in"),
    "orders": Field(196, 4, "orders bound"),
    "master": Field(200, 24, "handle of the master"),
    "goods_class": Field(224, 16, "main class: that of the dearest order"),
    "origin": Field(240, 16, "origin country"),
}
"""Status word of a parcel."""

ORDER: Final = {
    "status": Field(0, 32, "status bits"),
    "handed": Field(32, 24, "org it is handed to"),
    "opener": Field(72, 24, "org of the seller"),
    "claimed": Field(128, 34, "claimed time, while open"),
    "recorded": Field(162, 34, "t of the opening entry, while open"),
    "parcel": Field(96, 160, "low 160 bits of the parcel's id, once consumed"),
}
"""Status word of an order."""

MASTER: Final = {
    "status": Field(0, 32, "status bits"),
    "handle": Field(32, 24, "handle"),
    "opener": Field(72, 24, "org that opened it"),
    "office": Field(96, 8, "office of the opener"),
}
"""Status word of a master."""

KEY: Final = {
    "org": Field(0, 24, "org"),
    "roles": Field(24, 16, "roles"),
    "valid_from": Field(40, 40, "valid from, seconds UTC"),
    "valid_to": Field(80, 40, "valid to, seconds UTC"),
    "suspended": Field(120, 1, "suspended"),
}
"""Word of a member's key."""

ORG: Final = {
    "group": Field(0, 24, "relation group"),
    "office": Field(24, 8, "customs office"),
    "standing": Field(32, 8, "1 good, 2 watched, 3 suspended"),
    "roles": Field(40, 16, "roles"),
    "seat": Field(56, 8, "number of the governor or rule maker, below 64"),
    "cold": Field(96, 160, "cold key"),
}
"""Word of an organisation."""

GUARD: Final = {
    "mask": Field(0, 32, "needs or bars"),
    "own": Field(72, 24, "all ones: opener only"),
    "office": Field(96, 8, "all ones: competent office only"),
    "needs": Field(128, 32, "needs"),
    "sets": Field(160, 32, "sets"),
    "extra": Field(192, 8, "extra words"),
    "roles": Field(232, 16, "roles"),
    "flags": Field(248, 8, "flags"),
}
"""Guard word: laid out like the status word, so that state, opener and office are one comparison."""

DISPATCH_ROW: Final = {
    "list_limit": Field(0, 18, "list limit, US cents"),
    "exempt_limit": Field(18, 18, "exemption limit, US cents"),
    "order_required": Field(36, 1, "an order is required"),
}
CLASS_ROW: Final = {
    "excluded": Field(0, 1, "excluded from the list"),
    "permit": Field(1, 1, "permit needed"),
    "personal_use": Field(8, 24, "personal-use quantity, 0 none"),
}
LATENESS_ROW: Final = {
    "late": Field(0, 20, "seconds after which a filing or carry-in is late"),
    "sweep": Field(20, 20, "seconds after which anyone may sweep"),
}
"""Values of rule rows (40 bits)."""
