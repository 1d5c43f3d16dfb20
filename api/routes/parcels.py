"""Parcels and orders, to those who may read them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from api.auth import Member, Officer, TheGateway
from api.cursors import MAX_LIMIT, page, read_cursor, write_cursor
from api.gateway import Gateway
from api.problems import not_found
from api.routes import shown
from api.routes.fields import Hash
from ledger.store import parcels as rows
from ledger.store.access import Caller
from ledger.store.tables.chain import OrderRow, ParcelRow

router = APIRouter(tags=["parcels"])
PRIVATE = "private, no-store"
Cursor = Annotated[str | None, Query(max_length=300)]
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]
CLEARANCES = ("unfiled", "pending", "referred", "cleared", "refused", "recalled", "observed")


@router.get("/v1/parcels")
def listed(
    gateway: TheGateway, caller: Member, response: Response, cursor: Cursor = None, limit: Limit = 20,
    clearance: Annotated[list[str] | None, Query(max_length=7)] = None,
) -> dict[str, Any]:  # fmt: skip
    """List parcels in the order they were opened: a courier's own, a seller's by its orders, an office's."""
    response.headers["Cache-Control"] = PRIVATE
    return _page(gateway, caller, "parcels", sorted(set(clearance or ())), cursor, limit)


@router.get("/v1/customs/parcels", tags=["customs"])
def at_office(
    gateway: TheGateway, caller: Officer, response: Response, cursor: Cursor = None, limit: Limit = 20,
    clearance: Annotated[list[str] | None, Query(max_length=7)] = None,
) -> dict[str, Any]:  # fmt: skip
    """List what waits for the officer's office: referred and pending parcels, with findings and absences."""
    response.headers["Cache-Control"] = PRIVATE
    return _page(gateway, caller, "customs", sorted(set(clearance or ("referred", "pending"))), cursor, limit)


def _page(
    gateway: Gateway, caller: Caller, what: str, clearance: list[str], cursor: str | None, limit: int
) -> dict[str, Any]:
    scope = f"{what} {caller.org} {','.join(clearance)}"
    after = _after(gateway, scope, cursor)
    with gateway.database.read() as session:
        found = rows.parcels(session, caller, clearance=clearance, after=after, limit=limit + 1)
        return page(found, limit, shown.parcel, lambda row: _cursor(gateway, scope, row))


@router.get("/v1/parcels/{number}")
def read(number: Hash, gateway: TheGateway, caller: Member, response: Response) -> dict[str, Any]:
    """Return a parcel with its orders and its time line."""
    response.headers["Cache-Control"] = PRIVATE
    with gateway.database.read() as session:
        row = rows.parcel(session, caller, number)
        if row is None:
            raise not_found()
        return shown.parcel(row) | {
            "orders": [shown.order(each) for each in rows.orders_of(session, number)],
            "entries": [shown.entry(each) for each in rows.time_line(session, number)],
        }


@router.get("/v1/orders")
def orders(
    gateway: TheGateway, caller: Member, response: Response, cursor: Cursor = None, limit: Limit = 20
) -> dict[str, Any]:
    """List the orders the caller's org recorded or was handed."""
    response.headers["Cache-Control"] = PRIVATE
    scope = f"orders {caller.org}"
    with gateway.database.read() as session:
        found = rows.orders(session, caller, after=_after(gateway, scope, cursor), limit=limit + 1)
        return page(found, limit, shown.order, lambda row: _cursor(gateway, scope, row))


def _after(gateway: Gateway, scope: str, cursor: str | None) -> rows.Key | None:
    if cursor is None:
        return None
    height, number = read_cursor(gateway.secret, scope, cursor)
    return int(height), bytes.fromhex(number)


def _cursor(gateway: Gateway, scope: str, row: ParcelRow | OrderRow) -> str:
    return write_cursor(gateway.secret, scope, [row.opened_height, row.id.hex()])
