"""Parcels and orders, to those who may read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from api.auth import Member, Officer, TheGateway
from api.certificates import certificate_of
from api.cursors import MAX_LIMIT, page, read_cursor, write_cursor
from api.gateway import Gateway
from api.problems import not_found
from api.routes import shown
from api.routes.fields import Hash
from api.screening.screening import Screening
from ledger.store import parcels as rows
from ledger.store.access import Caller
from ledger.store.database import Session
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
    gateway: TheGateway, caller: Officer, request: Request, response: Response, cursor: Cursor = None,
    limit: Limit = 20, clearance: Annotated[list[str] | None, Query(max_length=7)] = None, denied: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """List what waits for the officer's office: parcels with findings, absences, and why screening referred them.

    `denied`: only those whose number's holder says that they are not his, released ones too unless `clearance` is told.
    """
    response.headers["Cache-Control"] = PRIVATE
    chosen = sorted(set(clearance or (CLEARANCES if denied else ("referred", "pending"))))
    results = partial(_of_own_office, request.app.state.screening, caller)
    return _page(gateway, caller, "customs", chosen, cursor, limit, results, denied=denied)


def _page(
    gateway: Gateway, caller: Caller, what: str, clearance: list[str], cursor: str | None, limit: int,
    more: Callable[[Session, Sequence[ParcelRow]], Mapping[bytes, dict[str, Any]]] = lambda _session, _rows: {},
    *, denied: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Return a page of parcels; `more` tells what else is shown of each."""
    scope = f"{what} {caller.org} {','.join(clearance)} {denied}"
    after = _after(gateway, scope, cursor)
    with gateway.database.read() as session:
        found = rows.parcels(session, caller, clearance=clearance, denied=denied, after=after, limit=limit + 1)
        told = more(session, found)
        return page(
            found, limit, lambda row: shown.parcel(row) | told.get(row.id, {}), lambda row: _cursor(gateway, scope, row)
        )


def _of_own_office(
    screening: Screening | None, caller: Caller, session: Session, found: Sequence[ParcelRow]
) -> Mapping[bytes, dict[str, Any]]:
    """Return what screening said of parcels; of another office's, which an officer's org may read, nothing."""
    own = [row.id for row in found if row.office == caller.office]
    results = screening.results(session, own) if screening else {}
    return {row.id: {"screening": results.get(row.id, [])} for row in found}


@router.get("/v1/customs/parcels/{number}", tags=["customs"])
def read_at_office(
    number: Hash, gateway: TheGateway, caller: Officer, request: Request, response: Response
) -> dict[str, Any]:
    """Return a parcel of the officer's office with everything screening said of it, and why."""
    response.headers["Cache-Control"] = PRIVATE
    with gateway.database.read() as session:
        row = rows.parcel(session, caller, number)
        if row is None or row.office != caller.office:
            raise not_found()
        return _whole(session, row) | _of_own_office(request.app.state.screening, caller, session, [row])[number]


@router.get("/v1/parcels/{number}")
def read(number: Hash, gateway: TheGateway, caller: Member, response: Response) -> dict[str, Any]:
    """Return a parcel with its orders and its time line."""
    response.headers["Cache-Control"] = PRIVATE
    with gateway.database.read() as session:
        row = rows.parcel(session, caller, number)
        if row is None:
            raise not_found()
        return _whole(session, row)


@router.get("/v1/parcels/{number}/certificate")
def certificate(number: Hash, gateway: TheGateway, caller: Member, response: Response) -> dict[str, Any]:
    """Return a clearance certificate: the parcel's status with proofs that `clearance verify` checks offline."""
    response.headers["Cache-Control"] = PRIVATE
    with gateway.database.read() as session:
        if rows.parcel(session, caller, number) is None:
            raise not_found()
    return certificate_of(gateway, number).as_dict()


def _whole(session: Session, row: ParcelRow) -> dict[str, Any]:
    orders = rows.orders_of(session, row.id)
    newest = rows.handed_over(session, orders)
    return shown.parcel(row) | {
        "orders": [shown.order(each, newest.get(each.id)) for each in orders],
        "entries": [shown.entry(each) for each in rows.time_line(session, row.id)],
    }


@router.get("/v1/orders")
def orders(
    gateway: TheGateway, caller: Member, response: Response, cursor: Cursor = None, limit: Limit = 20,
    state: Annotated[str | None, Query(pattern="^(open|bound)$")] = None,
) -> dict[str, Any]:  # fmt: skip
    """List the orders the caller's org recorded or was handed; `state`: only those that wait, or that a parcel uses."""
    response.headers["Cache-Control"] = PRIVATE
    scope = f"orders {caller.org} {state or ''}"
    bound = None if state is None else state == "bound"
    with gateway.database.read() as session:
        found = rows.orders(session, caller, bound=bound, after=_after(gateway, scope, cursor), limit=limit + 1)
        newest = rows.handed_over(session, found)
        return page(
            found, limit, lambda row: shown.order(row, newest.get(row.id)), lambda row: _cursor(gateway, scope, row)
        )


def _after(gateway: Gateway, scope: str, cursor: str | None) -> rows.Key | None:
    if cursor is None:
        return None
    height, number = read_cursor(gateway.secret, scope, cursor)
    return int(height), bytes.fromhex(number)


def _cursor(gateway: Gateway, scope: str, row: ParcelRow | OrderRow) -> str:
    return write_cursor(gateway.secret, scope, [row.opened_height, row.id.hex()])
