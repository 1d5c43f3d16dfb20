"""The seller's client: records orders, hands them to couriers, keeps their private part encrypted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import rfc8785
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from ledger.chain.batch import Entry, detail
from ledger.chain.writer import Writer
from ledger.commitments import order_commitment, rest_digest
from ledger.domain.facts import Goods
from ledger.domain.kinds import KindNumber
from ledger.payloads import Payload, PayloadStore, derive


@dataclass(frozen=True, slots=True)
class Sale:
    """One goods class of one sale, as the shop knows it. `buyer` is personal and only travels encrypted."""

    reference: str
    goods: Goods
    description: str
    hs6: str
    ordered_at: int
    courier: int
    buyer: Mapping[str, str] = field(repr=False, default_factory=dict)


class Seller:
    """Acts for a shop or marketplace."""

    def __init__(
        self, writer: Writer, secret: bytes, spool: PayloadStore, readers: Mapping[int, X25519PublicKey]
    ) -> None:
        """Take the writer, the secret that salts derive from, the spool, and public keys by org handle."""
        self.writer = writer
        self._secret = secret
        self._spool = spool
        self._readers = readers
        self.orders: dict[str, int] = {}

    def record(self, sale: Sale, customs: tuple[int, ...]) -> int:
        """Open an order for a sale and hand it to its courier; return the order's id.

        The payload goes to `customs` (org handles) and to the courier.
        """
        salt, rest_salt = (derive(self._secret, f"{sale.reference} {what}") for what in ("order", "rest"))
        rest: dict[str, Any] = {"ordered_at": sale.ordered_at, "hs6": sale.hs6, "description": sale.description}
        covered = rest_digest(rest_salt, rfc8785.dumps(rest))
        commitment = order_commitment(sale.goods.word(), covered, salt)
        content: dict[str, Any] = {
            "reference": sale.reference,
            "goods": {name: int(value) for name, value in asdict(sale.goods).items()},
            "rest": rest,
            "rest_salt": rest_salt.hex(),
            "salt": salt.hex(),
            "buyer": dict(sale.buyer),
        }
        payload = Payload.of(content, derive(self._secret, f"{sale.reference} payload"))
        readers = [self._readers[org] for org in (*customs, sale.courier)]
        self._spool.put(payload.digest, payload.sealed(readers))
        order = self.writer.domain.subject_id(KindNumber.ORDER_OPENED, self.writer.org, commitment)
        self.writer.write(
            Entry(
                order,
                KindNumber.ORDER_OPENED,
                sale.ordered_at,
                commitment,
                detail(KindNumber.ORDER_OPENED, handed=sale.courier),
                extra=(int.from_bytes(payload.digest, "big"),),
            )
        )
        self.orders[sale.reference] = order
        return order

    def reassign(self, reference: str, courier: int, now: int) -> None:
        """Hand an open order to another courier."""
        kind = KindNumber.ORDER_REASSIGNED
        self.writer.write(Entry(self.orders[reference], kind, now, detail=detail(kind, handed=courier)))
