"""Who calls: members sign in with their ledger key and get a short token. Every route names what it needs.

A route without one of these dependencies must be marked PUBLIC; a test walks all routes and fails on any that is not.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.gateway import Gateway
from api.limits import spend, spend_bad_token
from api.problems import APIError, not_found
from ledger.domain.roles import Role
from ledger.store import access
from ledger.store.access import Caller

PUBLIC: Final[dict[str, Any]] = {"x-public": True}
"""Mark of routes that answer anybody: health, errors, sign-in, what the genesis file says."""
BEARER: Final = HTTPBearer(auto_error=False, description="Token of POST /v1/auth/tokens.")


async def gateway_of(request: Request) -> Gateway:  # a coroutine: a plain function would be called in a thread
    """Return the gateway the application serves."""
    found: Gateway = request.app.state.gateway
    return found


TheGateway = Annotated[Gateway, Depends(gateway_of)]
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)]


def member(request: Request, gateway: TheGateway, given: Credentials) -> Caller:
    """Return the member that calls, and count the call: as a read or a write of its key.

    Raises:
        APIError: no token, one that is over, or too many calls.
    """
    if given is None:
        raise APIError("auth.required", "No access token was sent.", hint="Send Authorization: Bearer ...")
    with gateway.database.read() as session:
        caller = access.caller_of(session, given.credentials, gateway.now())
    if caller is None:
        spend_bad_token(request)
        raise APIError("auth.required", "The access token is unknown or over.", hint="Sign in again.")
    request.scope["caller"] = caller.name
    spend(request, "read" if request.method == "GET" else "write", caller.name)
    return caller


member.authorises = True  # type: ignore[attr-defined]  # what the walk over all routes looks for


Member = Annotated[Caller, Depends(member)]


def officer(caller: Member) -> Caller:
    """Return the customs officer that calls; to all others the route is not there.

    Raises:
        APIError: no officer.
    """
    if not caller.roles & Role.CUSTOMS_OFFICER:
        raise not_found()
    return caller


Officer = Annotated[Caller, Depends(officer)]
