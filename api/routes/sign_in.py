"""Members sign in with their ledger key: a challenge, its signature, a token for a quarter of an hour."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from api.auth import PUBLIC, Credentials, Member, TheGateway
from api.limits import spend_sign_in
from api.problems import APIError
from api.routes.fields import Address, Hash, Signature
from api.routes.shown import hexed, instant
from ledger.keys import BadSignature, recover
from ledger.store import access

router = APIRouter(tags=["sign-in"])


class ChallengeIn(BaseModel):
    """Who wants to sign in."""

    model_config = ConfigDict(extra="forbid")
    address: Address = Field(description="Address of the member's key.")


class TokenIn(BaseModel):
    """A signed challenge."""

    model_config = ConfigDict(extra="forbid")
    address: Address
    challenge: Hash
    signature: Signature = Field(description="Signature of the EIP-712 struct SignIn, 65 bytes r, s, v.")


@router.post("/v1/auth/challenges", status_code=201, openapi_extra=PUBLIC, dependencies=[Depends(spend_sign_in)])
def ask(body: ChallengeIn, gateway: TheGateway) -> dict[str, Any]:
    """Ask for a challenge. It is given for any address, member or not."""
    with gateway.database.write() as session:
        row = access.ask(session, body.address, gateway.now())
        challenge, expires = row.challenge, row.expires
    domain = gateway.genesis.domain
    return {
        "object": "challenge",
        "challenge": hexed(challenge),
        "expires_at": instant(expires),
        "typed_data": {
            "domain": {
                "name": "Clearance Ledger", "version": "1", "chainId": domain.chain_id,
                "verifyingContract": hexed(domain.contract),
            },
            "primaryType": "SignIn",
            "message": {
                "key": hexed(body.address), "challenge": hexed(challenge), "expires": int(expires.timestamp()),
            },
        },
    }  # fmt: skip


@router.post("/v1/auth/tokens", status_code=201, openapi_extra=PUBLIC, dependencies=[Depends(spend_sign_in)])
def sign_in(body: TokenIn, gateway: TheGateway) -> dict[str, Any]:
    """Trade a signed challenge for a token. A challenge is good once, for two minutes."""
    unknown = APIError("auth.challenge", "The challenge is unknown, used or over.", hint="Ask for a new one.")
    with gateway.database.write() as session:
        row = access.take_challenge(session, body.challenge, body.address, gateway.now())
        if row is None:
            raise unknown
        expires = int(row.expires.timestamp())
    digest = gateway.genesis.domain.sign_in_digest(body.address, body.challenge, expires)
    try:
        signer = recover(digest, body.signature)
    except BadSignature as error:
        raise APIError("key.bad-signature", error.detail, hint=error.hint) from error
    member = gateway.node.state().member(signer)
    if signer != body.address or member is None or not member.is_member_at(gateway.chain_time()):
        raise APIError(
            "batch.not-a-member", "The signature is not that of a member's key in standing.",
            hint="Sign typed_data with the key of the address, for this chain.",
        )  # fmt: skip
    with gateway.database.write() as session:
        token, ends = access.open_session(session, signer, member, gateway.now())
    return {
        "object": "token",
        "access_token": token,
        "token_type": "Bearer",
        "expires_at": instant(ends),
        "org": member.org,
        "roles": member.roles,
    }


@router.delete("/v1/auth/tokens", status_code=204)
def sign_out(gateway: TheGateway, caller: Member, given: Credentials) -> Response:  # noqa: ARG001  it must be signed in
    """End the session."""
    if given is not None:
        with gateway.database.write() as session:
            access.close_session(session, given.credentials)
    return Response(status_code=204)
