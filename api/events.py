"""How an event looks to those it is sent to, by stream or webhook: names of CloudEvents 1.0, ids and codes only."""

from __future__ import annotations

from typing import Any

from api.cursors import read_cursor, write_cursor
from api.gateway import Gateway
from api.routes.shown import hexed, kind_name, time
from ledger.domain.rejections import REJECTION_TEXTS, Rejection
from ledger.store.events import Event, Place


def write_place(gateway: Gateway, org: int, place: Place) -> str:
    """Return the id of an event, which is the cursor that resumes behind it; it is good for this org alone."""
    return write_cursor(gateway.secret, f"events {org}", place)


def read_place(gateway: Gateway, org: int, cursor: str) -> Place:
    """Return the place that an event's id names.

    Raises:
        APIError: it was not given to this org here.
    """
    height, place, number, part = (int(each) for each in read_cursor(gateway.secret, f"events {org}", cursor))
    return height, place, number, part


def source(gateway: Gateway) -> str:
    """Return where events come from: the contract, as a CAIP-10 account."""
    domain = gateway.genesis.domain
    return f"eip155:{domain.chain_id}:0x{domain.contract.hex()}"


def envelope(gateway: Gateway, org: int, event: Event) -> dict[str, Any]:
    """Show an event to an org. It holds nothing personal: who needs more asks with the subject's id."""
    row = event.entry
    return {
        "id": write_place(gateway, org, event.place),
        "source": source(gateway),
        "type": event.type,
        "subject": hexed(row.subject),
        "time": time(row.received),
        "data": {
            "object": "event",
            "kind": kind_name(row),
            "trace": row.trace,
            "org": row.org,
            "block": row.height,
            "place": row.place,
            "number": row.number,
            "claimed_at": time(row.claimed),
            "rejection": None if row.rejection is None else REJECTION_TEXTS[Rejection(row.rejection)].slug,
            "value": row.value,
            "first_of_kind": event.first,
        },
    }
