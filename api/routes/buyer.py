"""The buyer's API: the uses of my number, what I say of them, and the number itself. Nothing of anybody else."""

from __future__ import annotations

import datetime as dt
import json
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from api.auth import PUBLIC, TheGateway
from api.certificates import certificate_of
from api.cursors import MAX_LIMIT, page, read_cursor, write_cursor
from api.gateway import Gateway
from api.identity.answers import ANSWERS, Holder, Said
from api.identity.desk import Desk
from api.identity.familiar import spend_code
from api.identity.judgement import is_frozen
from api.identity.shown import ShownUse, as_dict, event_as_dict, shown_uses, status_of, time_line
from api.limits import spend, spend_bad_token, spend_public
from api.problems import APIError, not_found
from api.routes.fields import Data
from api.routes.shown import instant
from ledger.certificate import Certificate
from ledger.store import people, uses
from ledger.store.tables.identity import AnswerRow

router = APIRouter(tags=["buyer"])
BEARER: Final = HTTPBearer(auto_error=False, scheme_name="Buyer", description="Token of POST /v1/buyer/sessions.")
PRIVATE: Final = "private, no-store"
COOKIE: Final = "clearance_buyer"


async def desk_of(request: Request) -> Desk:
    """Return the identity authority's desk."""
    found: Desk = request.app.state.desk
    return found


TheDesk = Annotated[Desk, Depends(desk_of)]


def buyer(
    request: Request, desk: TheDesk, given: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)]
) -> Holder:
    """Return the holder that calls, and count the call.

    Raises:
        APIError: nobody is signed in, or too many calls.
    """
    if given is None:
        raise APIError("auth.required", "You are not signed in.", hint="Sign in with a one-time code.")
    return counted(request, desk, given.credentials)


buyer.authorises = True  # type: ignore[attr-defined]  # what the walk over all routes looks for
Buyer = Annotated[Holder, Depends(buyer)]


def counted(request: Request, desk: Desk, token: str) -> Holder:
    """Return whose session a token is, and count the call: his, or that of an address whose token opens nothing.

    Raises:
        APIError: nobody is signed in, or too many calls.
    """
    try:
        holder = desk.sign_in.holder(token)
    except APIError:
        spend_bad_token(request)
        raise
    spend(request, "buyer", holder.person.hex())
    return holder


class CodeIn(BaseModel):
    """Who wants a code."""

    model_config = ConfigDict(extra="forbid")
    pccc: str = Field(max_length=40, description="Identity number for customs.", examples=["P990000000001"])
    phone: str = Field(max_length=40, examples=["01000000001"])
    proof: str = Field(default="", max_length=120, description="Of an earlier sign-in: it has its own allowance.")


class SessionIn(BaseModel):
    """A ticket and the code that came by message."""

    model_config = ConfigDict(extra="forbid")
    ticket: str = Field(max_length=80)
    code: str = Field(max_length=12)
    device_key: Data | None = Field(default=None, description="Public key of the device, uncompressed P-256 point.")


class SaidIn(BaseModel):
    """How an answer is said (docs/protocol.md): the statement's time and nonce, and the device's signature over it."""

    model_config = ConfigDict(extra="forbid")
    at: int | None = Field(default=None, ge=0, le=1 << 40, description="Seconds UTC, by the device's clock.")
    nonce: str | None = Field(default=None, pattern="^[0-9a-f]{32}$", description="Sent again, it is the same answer.")
    signature: Data | None = Field(default=None, description="Of the device, over the statement; r and s, 64 bytes.")

    def said(self) -> Said:
        """Return it as the authority takes it."""
        return Said(self.signature, self.at, self.nonce)


class AnswerIn(SaidIn):
    """What the holder says of one use."""

    answer: str = Field(pattern=f"^({'|'.join(ANSWERS)})$", examples=["denied"])


class FreezeIn(SaidIn):
    """What to let through while the number is frozen."""

    exempt: list[str] = Field(default_factory=list, max_length=500, description="Ids of uses under way.")


class ThawIn(SaidIn):
    """Until when the number may be used."""

    until: AwareDatetime


class ConsentIn(SaidIn):
    """Whether nothing is cleared without the holder's consent."""

    on: bool


@router.post("/v1/buyer/codes", status_code=202, openapi_extra=PUBLIC, dependencies=[Depends(spend_public)])
def send_code(body: CodeIn, gateway: TheGateway, desk: TheDesk, request: Request) -> dict[str, Any]:
    """Send a one-time code if number and telephone fit the register. The answer is the same either way."""
    digits = spend_code(request, gateway.secret, body.pccc, body.proof)
    return {"object": "code", "ticket": desk.sign_in.send_code(body.pccc, body.phone, digits)}


@router.post("/v1/buyer/sessions", status_code=201, openapi_extra=PUBLIC, dependencies=[Depends(spend_public)])
def enter(body: SessionIn, desk: TheDesk) -> dict[str, Any]:
    """Trade a ticket and its code for a session of half an hour; a device's key is bound if one is sent."""
    token = desk.sign_in.enter(body.ticket, body.code, body.device_key)
    return {"object": "session", "access_token": token, "proof": desk.sign_in.proof(body.ticket)}


@router.get("/v1/buyer/uses")
def listed(
    holder: Buyer, desk: TheDesk, gateway: TheGateway, response: Response,
    cursor: Annotated[str | None, Query(max_length=300)] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 20,
) -> dict[str, Any]:  # fmt: skip
    """List the uses of my number, newest first."""
    response.headers["Cache-Control"] = PRIVATE
    found, following = use_page(gateway, desk, holder, cursor, limit)
    return page(found, len(found), as_dict, lambda _: "") | {
        "has_more": following is not None, "next_cursor": following
    }  # fmt: skip


def use_page(
    gateway: Gateway, desk: Desk, holder: Holder, cursor: str | None, limit: int
) -> tuple[list[ShownUse], str | None]:
    """Return a page of uses and the cursor of the next, None at the end."""
    scope = f"uses {holder.person.hex()}"
    before = None
    if cursor:
        moment, name = read_cursor(gateway.secret, scope, cursor)
        before = (dt.datetime.fromisoformat(moment), name)
    with gateway.database.read() as session:
        rows = uses.of_person(session, holder.person, before=before, limit=limit + 1)
        found = shown_uses(session, desk.seals, desk.orgs, rows[:limit])
    if len(rows) <= limit:
        return found, None
    return found, write_cursor(gateway.secret, scope, [found[-1].declared_at.isoformat(), found[-1].id])


@router.get("/v1/buyer/uses/{name}")
def read(name: str, holder: Buyer, desk: TheDesk, gateway: TheGateway, response: Response) -> dict[str, Any]:
    """Return one use with its time line."""
    response.headers["Cache-Control"] = PRIVATE
    with gateway.database.read() as session:
        found = uses.one(session, holder.person, name[:60])
        if found is None:
            raise not_found()
        (shown,) = shown_uses(session, desk.seals, desk.orgs, [found])
        events = time_line(session, shown.parcel)
        return as_dict(shown) | {"link": f"/p/{shown.link}", "timeline": [event_as_dict(each) for each in events]}


@router.get("/v1/buyer/uses/{name}/certificate")
def certificate(name: str, holder: Buyer, gateway: TheGateway, response: Response) -> dict[str, Any]:
    """Return a clearance certificate of a use's parcel: it names nobody, and `clearance verify` checks it offline."""
    response.headers["Cache-Control"] = PRIVATE
    return certificate_of_use(gateway, holder, name).as_dict()


def certificate_of_use(gateway: Gateway, holder: Holder, name: str) -> Certificate:
    """Return the certificate of the parcel of one of the holder's uses.

    Raises:
        LedgerError: it is none of his, or see :func:`api.certificates.certificate_of`.
    """
    with gateway.database.read() as session:
        found = uses.one(session, holder.person, name[:60])
        if found is None:
            raise not_found()
        parcel = found[0].parcel
    return certificate_of(gateway, parcel)


@router.post("/v1/buyer/uses/{name}/answers", status_code=201)
def answer(name: str, body: AnswerIn, holder: Buyer, desk: TheDesk) -> dict[str, Any]:
    """Say whose a parcel is: confirmed, gift, denied, consented. Comes back with a receipt signed by the authority."""
    return receipt(desk.answers.about_use(holder, name[:60], body.answer, body.said()))


@router.get("/v1/buyer/answers/{name}")
def kept_answer(name: str, holder: Buyer, gateway: TheGateway) -> dict[str, Any]:
    """Return an answer I gave, with its receipt."""
    with gateway.database.read() as session:
        row = uses.answer_of(session, name[:60], holder.person)
        if row is None:
            raise not_found()
        return receipt(row)


def receipt(row: AnswerRow) -> dict[str, Any]:
    """Show an answer."""
    return {
        "object": "answer",
        "id": row.id,
        "answer": row.what,
        "about": row.about,
        "at": instant(row.at),
        "signed": row.signed,
        "receipt": json.loads(row.receipt),
    }


@router.get("/v1/buyer/number")
def number(holder: Buyer, desk: TheDesk, gateway: TheGateway) -> dict[str, Any]:
    """Say how my number stands, and which parcels a freeze would meet."""
    state, moving = number_state(gateway, desk, holder)
    return state | {"under_way": [as_dict(use) for use in moving]}


def number_state(gateway: Gateway, desk: Desk, holder: Holder) -> tuple[dict[str, Any], list[ShownUse]]:
    """Return how a holder's number stands, and his parcels under way."""
    with gateway.database.read() as session:
        row = people.read_person(session, holder.person)
        frozen = is_frozen(row, gateway.chain_now())
        state = "frozen" if frozen else row.state
        moving = shown_uses(session, desk.seals, desk.orgs, uses.under_way(session, holder.person))
        until = row.thawed_until if state == "thawed" else None
    return {
        "object": "number",
        "state": state,
        "thawed_until": instant(until) if until else None,
        "consent_first": row.consent_first,
    }, moving


@router.post("/v1/buyer/number/freeze", status_code=201)
def freeze(body: FreezeIn, holder: Buyer, desk: TheDesk) -> dict[str, Any]:
    """Freeze my number; parcels under way are stopped but for those I let through."""
    return receipt(desk.answers.freeze(holder, body.exempt, body.said()))


@router.post("/v1/buyer/number/thaw", status_code=201)
def thaw(body: ThawIn, holder: Buyer, desk: TheDesk) -> dict[str, Any]:
    """Let my number be used until a moment; needs my device's signature."""
    return receipt(desk.answers.thaw(holder, body.until, body.said()))


@router.post("/v1/buyer/number/consent-first", status_code=201)
def consent_first(body: ConsentIn, holder: Buyer, desk: TheDesk) -> dict[str, Any]:
    """Have nothing cleared that I have not agreed to; needs my device's signature."""
    return receipt(desk.answers.consent_first(holder, body.said(), on=body.on))


@router.get("/v1/parcel-links/{link}", openapi_extra=PUBLIC, dependencies=[Depends(spend_public)])
def by_link(link: str, gateway: TheGateway, response: Response) -> dict[str, Any]:
    """Show the status of the parcel behind a secret link, and nothing else."""
    response.headers["Cache-Control"] = PRIVATE
    with gateway.database.read() as session:
        row = uses.by_link(session, link[:80])
        if row is None:
            raise not_found()
        return {"object": "parcel_status", "status": status_of(row)}
