"""Private payloads: ciphertext in, under the digest that stands on chain; only their readers' programs open them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Response

from api.auth import Member, TheGateway
from api.limits import spend_write
from api.problems import APIError, not_found
from api.routes.fields import Hash
from ledger.payloads import MAX_ENVELOPE, readers_of

router = APIRouter(tags=["payloads"])


@router.put("/v1/payloads/{digest}", status_code=204, dependencies=[Depends(spend_write)])
def keep(
    digest: Hash,
    envelope: Annotated[bytes, Body(media_type="application/octet-stream")],
    gateway: TheGateway,
    caller: Member,  # noqa: ARG001  members only
) -> Response:
    """Keep an envelope (docs/protocol.md) under its payload digest. Keeping it again changes nothing.

    The gateway cannot tell whether the digest is right: whoever opens it does, and a wrong one leaves its filing
    unchecked.
    """
    if len(envelope) > MAX_ENVELOPE:
        raise APIError("payload.too-large", f"More than {MAX_ENVELOPE} bytes.", hint="Leave out what nobody needs.")
    readers_of(envelope, digest)
    gateway.payloads.put(digest, envelope)
    return Response(status_code=204)


@router.get("/v1/payloads/{digest}")
def read(digest: Hash, gateway: TheGateway, caller: Member) -> Response:
    """Return an envelope to the orgs it was sealed to; to all others it is not there."""
    envelope = gateway.payloads.get(digest)
    own = gateway.genesis.encryption.get(caller.org)
    if envelope is None or own is None or bytes.fromhex(own) not in readers_of(envelope, digest):
        raise not_found()
    return Response(envelope, media_type="application/octet-stream", headers={"Cache-Control": "private, no-store"})
