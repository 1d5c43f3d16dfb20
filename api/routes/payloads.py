"""Private payloads: ciphertext in, under the digest that stands on chain; only their readers' programs open them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Query, Response

from api.auth import Member, TheGateway
from api.gateway import Gateway
from api.problems import APIError, not_found
from api.routes.fields import Hash
from ledger.payloads import MAX_ENVELOPE, readers_of
from ledger.store import parcels, vault
from ledger.store.access import Caller

router = APIRouter(tags=["payloads"])


@router.put("/v1/payloads/{digest}", status_code=204)
def keep(
    digest: Hash,
    envelope: Annotated[bytes, Body(media_type="application/octet-stream")],
    gateway: TheGateway,
    caller: Member,
) -> Response:
    """Keep an envelope (docs/protocol.md) under its payload digest. Keeping it again changes nothing.

    The gateway cannot tell whether the digest is right: whoever opens it does. So every org has a place of its own
    under a digest, and an envelope that nobody can open stands in nobody else's way.
    """
    if len(envelope) > MAX_ENVELOPE:
        raise APIError("payload.too-large", f"More than {MAX_ENVELOPE} bytes.", hint="Leave out what nobody needs.")
    readers_of(envelope, digest)
    vault.keep(gateway.payloads, digest, envelope, caller.org)
    return Response(status_code=204)


@router.get("/v1/payloads/{digest}")
def read(
    digest: Hash,
    gateway: TheGateway,
    caller: Member,
    candidate: Annotated[int, Query(ge=0, lt=vault.MAX_LOOKED_AT, description="If the one before does not open.")] = 0,
) -> Response:
    """Return an envelope to the orgs it was sealed to; to all others it is not there.

    What was erased is gone (410, vault.erased) to whoever put it and to those who read its parcel or order: so the
    digest on chain verifies as erased. To all others it is not there.

    Where several orgs put one under the digest, `candidate` counts them: your own first, then the oldest. Take the one
    that opens; a 404 means that there are no more.
    """
    if vault.is_erased(gateway.payloads, digest) and is_party(gateway, digest, caller):
        raise APIError("vault.erased", "The payload was erased for good.", hint="Its digest on chain stays valid.")
    own = bytes.fromhex(gateway.genesis.encryption.get(caller.org, ""))
    who = f"org {caller.org}"
    found = vault.candidates(gateway.payloads, {digest: caller.org}, who, vault.ASKED).get(digest, [])
    mine = [each.envelope for each in found if own in readers_of(each.envelope, digest)]
    if not own or len(mine) <= candidate:
        raise not_found()
    headers = {"Cache-Control": "private, no-store"}
    return Response(mine[candidate], media_type="application/octet-stream", headers=headers)


def is_party(gateway: Gateway, digest: bytes, caller: Caller) -> bool:
    """Whether a caller may know that a payload was there."""
    with gateway.database.read() as session:
        return vault.was_put_by(session, digest, caller.org) or parcels.knows_payload(session, caller, digest)
