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

    def record(self, sale: Sale, customs: tuple[int, ...]) -> int:
        """Open an order for a sale and hand it to its courier; return the order's id.

        The payload goes to `customs` (org handles) and to the courier.
        """
        commitment, content = self._content(sale)
        payload = self._sealed(sale, content, f"{sale.reference} payload", customs)
        kind, order = KindNumber.ORDER_OPENED, self.order(sale)
        fields = detail(kind, handed=sale.courier)
        extra = (int.from_bytes(payload, "big"),)
        self.writer.write(Entry(order, kind, sale.ordered_at, commitment, fields, extra=extra))
        return order

    def reassign(self, sale: Sale, customs: tuple[int, ...], now: int) -> int:
        """Hand an open order to another courier, the one `sale` names now; return the order's id.

        The payload is sealed anew, so that the new courier can read the order, and stands under a digest of its own,
        which the entry names: what was sealed before is never replaced.
        """
        _, content = self._content(sale)
        payload = self._sealed(sale, content, f"{sale.reference} payload {sale.courier}", customs)
        kind, order = KindNumber.ORDER_REASSIGNED, self.order(sale)
        self.writer.write(Entry(order, kind, now, payload, detail(kind, handed=sale.courier)))
        return order

    def order(self, sale: Sale) -> int:
        """Return the id of a sale's order: it follows from the seller, the facts and the salts."""
        return self.writer.domain.subject_id(KindNumber.ORDER_OPENED, self.writer.org, self._content(sale)[0])

    def _content(self, sale: Sale) -> tuple[bytes, dict[str, Any]]:
        """Return the commitment of a sale, and the private content that opens it."""
        salt, rest_salt = (derive(self._secret, f"{sale.reference} {what}") for what in ("order", "rest"))
        rest: dict[str, Any] = {"ordered_at": sale.ordered_at, "hs6": sale.hs6, "description": sale.description}
        covered = rest_digest(rest_salt, rfc8785.dumps(rest))
        content: dict[str, Any] = {
            "reference": sale.reference,
            "goods": {name: int(value) for name, value in asdict(sale.goods).items()},
            "rest": rest,
            "rest_salt": rest_salt.hex(),
            "salt": salt.hex(),
            "buyer": dict(sale.buyer),
        }
        return order_commitment(sale.goods.word(), covered, salt), content

    def _sealed(self, sale: Sale, content: dict[str, Any], label: str, customs: tuple[int, ...]) -> bytes:
        """Seal the content to customs and the courier, put it where payloads are kept, and return its digest."""
        payload = Payload.of(content, derive(self._secret, label))
        self._spool.put(payload.digest, payload.sealed(self._readers[org] for org in (*customs, sale.courier)))
        return payload.digest
