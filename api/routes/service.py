"""What anybody may ask: health, readiness, which chain this is, and what each error code means."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Depends, Request, Response

from api.auth import PUBLIC, TheGateway
from api.documented.shapes import CODES
from api.gateway import Gateway
from api.identity.desk import Desk
from api.limits import spend_public
from api.problems import STATUS, not_found
from ledger.domain.error_texts import ERROR_TEXTS
from ledger.domain.errors import LedgerError
from ledger.domain.rejections import REJECTION_TEXTS
from ledger.domain.roles import Role
from ledger.store import submissions, uses
from ledger.store.migrations import check_current
from ledger.store.projector import cursor_height

router = APIRouter(tags=["service"])
MAX_LAG: Final = 200
"""Blocks the read model may lie behind the final head while the gateway calls itself ready."""


@router.get("/livez", openapi_extra=PUBLIC)
def livez() -> dict[str, str]:
    """Say that the process answers."""
    return {"status": "ok"}


@router.get("/readyz", openapi_extra=PUBLIC)
def readyz(gateway: TheGateway, request: Request, response: Response) -> dict[str, Any]:
    """Say whether work should be sent here: database, tables, node, lag of the read model, or that it is made anew."""
    try:
        check_current(gateway.database)
        with gateway.database.read() as session:
            height = cursor_height(session)
            waiting = submissions.waiting(session)
            behind = uses.is_read_model_behind(session)
            judging = hasattr(request.app.state, "desk") and uses.anything_to_do(session, gateway.chain_now())
            screening = request.app.state.screening
            judging = judging or (screening is not None and screening.is_busy(session))
        lag = int(gateway.node.status()["final"]) - height
    except LedgerError as error:
        response.status_code = 503
        return {"status": "trouble", "code": error.code}
    lags = lag > MAX_LAG or behind
    if lags:
        response.status_code = 503
    return {
        "status": "lagging" if lags else "ok",
        "height": height,
        "lag": max(lag, 0),
        "waiting": waiting,
        "judging": judging,
    }


@router.get("/v1/chain", openapi_extra=PUBLIC, dependencies=[Depends(spend_public)])
def chain(gateway: TheGateway, request: Request) -> dict[str, Any]:
    """Say which chain this gateway serves: what a client needs to sign for it."""
    domain = gateway.genesis.domain
    desk: Desk | None = getattr(request.app.state, "desk", None)
    return {
        "object": "chain",
        "chain_id": domain.chain_id,
        "contract": "0x" + domain.contract.hex(),
        "genesis_hash": "0x" + gateway.genesis_hash.hex(),
        "demo": gateway.genesis.demo,
        "payload_keys": {str(org): "0x" + key for org, key in gateway.genesis.encryption.items()},
        "payload_readers": list(gateway.genesis.payload_readers),
        "identity_keys": _identity_keys(gateway, desk),
        "time": gateway.chain_time(),
    }


def _identity_keys(gateway: Gateway, desk: Desk | None) -> list[str]:
    """Return the addresses that sign receipts: of the genesis file and the desk's own, those that are in standing."""
    named = {key.address.lower() for key in gateway.genesis.keys if key.roles & Role.IDENTITY_AUTHORITY}
    if desk:
        named.add(desk.answers.signed_by)
    state, now = gateway.node.state(), gateway.chain_time()
    found = {address: state.member(bytes.fromhex(address[2:])) for address in named}
    return sorted(
        address
        for address, member in found.items()
        if member and member.roles & Role.IDENTITY_AUTHORITY and member.is_member_at(now)
    )


@router.get("/errors", openapi_extra=PUBLIC, dependencies=[Depends(spend_public)])
def errors() -> dict[str, Any]:
    """List every stable code."""
    return {"object": "list", "data": [explained(code) for code in CODES], "has_more": False}


@router.get("/errors/{code}", openapi_extra=PUBLIC, dependencies=[Depends(spend_public)])
def error(code: str) -> dict[str, Any]:
    """Explain a code: the page that `type` of a problem names."""
    if code not in CODES:
        raise not_found()
    return explained(code)


def explained(code: str) -> dict[str, Any]:
    """Return what is known of a code."""
    of_entry = next((text for text in REJECTION_TEXTS.values() if text.slug == code), None)
    title = of_entry or ERROR_TEXTS[code]
    return {
        "object": "error",
        "code": code,
        "ko": title.ko,
        "en": title.en,
        "hint": of_entry.hint if of_entry else "",
        "status": None if of_entry else STATUS.get(code, 422),
    }
