"""The buyer's pages. Forms post to the server, which answers with a page: all but signing works without JavaScript."""

from __future__ import annotations

import datetime as dt
import hmac
import json
import re
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Form, Request, Response
from starlette.responses import RedirectResponse

from api.auth import PUBLIC, TheGateway
from api.identity.answers import Holder, Said
from api.identity.familiar import spend_code
from api.identity.shown import shown_uses, status_of, time_line
from api.limits import spend_public
from api.pages.rendering import KST, page
from api.problems import APIError, not_found
from api.routes.buyer import COOKIE, TheDesk, certificate_of_use, counted, number_state, use_page
from ledger.domain.findings import Sentence
from ledger.store import uses
from ledger.store.tables.identity import AnswerRow

router = APIRouter(include_in_schema=False)
PAGE: Final = 20
KNOWN: Final = "known"
"""Cookie with the proof of an earlier sign-in: it opens nothing, it only may ask for codes."""
KNOWN_SECONDS: Final = 365 * 86_400
Text = Annotated[str, Form(max_length=200)]


def visitor(request: Request, desk: TheDesk) -> Holder:
    """Return the holder whose cookie this is, and count the call.

    Raises:
        APIError: nobody is signed in.
    """
    token = request.cookies.get(COOKIE)
    if not token:
        raise APIError("auth.required", "You are not signed in.", hint="Sign in with a one-time code.")
    return counted(request, desk, token)


visitor.authorises = True  # type: ignore[attr-defined]  # what the walk over all routes looks for
Visitor = Annotated[Holder, Depends(visitor)]


def poster(holder: Visitor, csrf: Text = "") -> Holder:
    """Return the holder who posted a form that this service made for him.

    Raises:
        APIError: another site made it.
    """
    if not hmac.compare_digest(csrf.encode(), holder.csrf.encode()):
        raise APIError("auth.form", "The form is too old or of another site.", hint="Open the page again.")
    return holder


Poster = Annotated[Holder, Depends(poster)]


def spoken(signature: Text = "", at: Text = "", nonce: Text = "") -> Said:
    """Return how a form was said: signed by the browser's key, or not.

    Raises:
        APIError: a field that only the page's script fills holds something else.
    """
    if not signature:
        return Said()
    if not (at.isascii() and at.isdecimal() and len(at) < 13 and re.fullmatch("[0-9a-f]{32}", nonce)):
        raise APIError("api.malformed", "A field is not what the page makes.", hint="Reload the page and try again.")
    return Said(read_hex(signature), int(at), nonce)


Spoken = Annotated[Said, Depends(spoken)]


@router.get("/", openapi_extra=PUBLIC, dependencies=[Depends(spend_public)])
def home(request: Request) -> Response:
    """Lead to the uses, or to the sign-in."""
    if request.cookies.get(COOKIE):
        return RedirectResponse("/uses", 303)
    return page(request, "sign_in.html", sent=False, wrong=False)


@router.post("/sign-in/code", openapi_extra=PUBLIC, dependencies=[Depends(spend_public)])
def code(request: Request, gateway: TheGateway, desk: TheDesk, pccc: Text, phone: Text) -> Response:
    """Send a code and ask for it."""
    digits = spend_code(request, gateway.secret, pccc, request.cookies.get(KNOWN, "")[:120])
    return page(request, "sign_in.html", sent=True, wrong=False, ticket=desk.sign_in.send_code(pccc, phone, digits))


@router.post("/sign-in", openapi_extra=PUBLIC, dependencies=[Depends(spend_public)])
def enter(request: Request, desk: TheDesk, ticket: Text, code: Text, device_key: Text = "") -> Response:
    """Sign in, or say that the code is wrong."""
    try:
        token = desk.sign_in.enter(ticket, code.strip(), read_hex(device_key))
    except APIError:
        return page(request, "sign_in.html", status=401, sent=True, wrong=True, ticket=ticket)
    answer = RedirectResponse("/uses", 303)
    answer.set_cookie(
        COOKIE, token, max_age=1_800, httponly=True, samesite="strict", secure=request.url.scheme == "https"
    )
    answer.set_cookie(
        KNOWN, desk.sign_in.proof(ticket), max_age=KNOWN_SECONDS, path="/sign-in", httponly=True, samesite="strict",
        secure=request.url.scheme == "https",
    )  # fmt: skip
    return answer


@router.post("/sign-out")
def leave(request: Request, desk: TheDesk, holder: Poster) -> Response:  # noqa: ARG001  he must be signed in
    """End the session."""
    desk.sign_in.leave(request.cookies.get(COOKIE, ""))
    answer = RedirectResponse("/", 303)
    answer.delete_cookie(COOKIE)
    return answer


@router.get("/uses")
def listed(
    request: Request, gateway: TheGateway, desk: TheDesk, holder: Visitor, cursor: str | None = None
) -> Response:
    """Show the uses of my number."""
    found, following = use_page(gateway, desk, holder, cursor, PAGE)
    return page(request, "uses.html", uses=found, next_cursor=following, csrf=holder.csrf)


@router.get("/uses/{name}")
def one(name: str, request: Request, gateway: TheGateway, desk: TheDesk, holder: Visitor) -> Response:
    """Show one use with its time line."""
    with gateway.database.read() as session:
        found = uses.one(session, holder.person, name[:60])
        if found is None:
            raise not_found()
        (use,) = shown_uses(session, desk.seals, desk.orgs, [found])
        events = time_line(session, use.parcel)
    return page(request, "use.html", use=use, timeline=events, link=f"/p/{use.link}", csrf=holder.csrf)


@router.get("/uses/{name}/certificate")
def certificate(name: str, gateway: TheGateway, holder: Visitor) -> Response:
    """Download the clearance certificate of a use's parcel."""
    found = certificate_of_use(gateway, holder, name)
    return download(json.dumps(found.as_dict(), indent=1), f"certificate-{found.block.height}.json")


def download(text: str, name: str) -> Response:
    """Return JSON that a browser keeps as a file."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"}
    return Response(text, headers=headers, media_type="application/json")


@router.post("/uses/{name}/answer")
def answer(
    name: str, request: Request, gateway: TheGateway, desk: TheDesk, holder: Poster, answer: Text, said: Spoken
) -> Response:
    """Take an answer and show its receipt."""
    row = desk.answers.about_use(holder, name[:60], answer, said)
    with gateway.database.read() as session:
        found = uses.one(session, holder.person, name[:60])
    released = found is not None and status_of(found[1]) == "released"
    return answered(request, holder, row, released=released)


def answered(request: Request, holder: Holder, row: AnswerRow, *, released: bool = False) -> Response:
    """Show a receipt."""
    receipt = json.loads(row.receipt)
    states = {"frozen": "frozen", "thawed": "thawed", "consent_first": "consent_first", "no_consent_first": "active"}
    return page(
        request, "answered.html", answer="" if row.what in states else row.what, number_state=states.get(row.what, ""),
        receipt=receipt, receipt_text=json.dumps(receipt, indent=1, ensure_ascii=False),
        receipt_link=f"/receipts/{row.id}", csrf=holder.csrf, released=released,
    )  # fmt: skip


@router.get("/receipts/{name}")
def receipt(name: str, gateway: TheGateway, holder: Visitor) -> Response:
    """Download a receipt."""
    with gateway.database.read() as session:
        row = uses.answer_of(session, name[:60], holder.person)
        if row is None:
            raise not_found()
        return download(row.receipt, f"{row.id}.json")


@router.get("/number")
def number(request: Request, gateway: TheGateway, desk: TheDesk, holder: Visitor) -> Response:
    """Show how my number stands, and what a freeze would meet."""
    state, moving = number_state(gateway, desk, holder)
    until = dt.datetime.fromisoformat(state["thawed_until"]) if state["thawed_until"] else None
    today = gateway.chain_now().astimezone(KST).date()
    return page(
        request, "number.html", number=state | {"until": until}, under_way=moving, csrf=holder.csrf,
        tomorrow=(today + dt.timedelta(days=1)).isoformat(), latest=(today + dt.timedelta(days=89)).isoformat(),
    )  # fmt: skip


@router.post("/number/freeze")
def freeze(
    request: Request, desk: TheDesk, holder: Poster, said: Spoken,
    exempt: Annotated[list[str] | None, Form()] = None,
) -> Response:  # fmt: skip
    """Freeze my number."""
    return answered(request, holder, desk.answers.freeze(holder, (exempt or [])[:500], said))


@router.post("/number/thaw")
def thaw(request: Request, desk: TheDesk, holder: Poster, until: Annotated[dt.date, Form()], said: Spoken) -> Response:
    """Let my number be used until the end of a day in Korea."""
    moment = dt.datetime.combine(until, dt.time(23, 59, 59), KST)
    return answered(request, holder, desk.answers.thaw(holder, moment, said))


@router.post("/number/consent-first")
def consent_first(
    request: Request, desk: TheDesk, holder: Poster, on: Annotated[bool, Form()], said: Spoken
) -> Response:
    """Have nothing cleared that I have not agreed to."""
    return answered(request, holder, desk.answers.consent_first(holder, said, on=on))


@router.get("/p/{link}", openapi_extra=PUBLIC, dependencies=[Depends(spend_public)])
def by_link(link: str, request: Request, gateway: TheGateway) -> Response:
    """Show the status of the parcel behind a secret link, and nothing else."""
    with gateway.database.read() as session:
        row = uses.by_link(session, link[:80])
        if row is None:
            raise not_found()
        status = status_of(row)
    return page(request, "link.html", use={"status": status})


def read_hex(text: str) -> bytes | None:
    """Return bytes of a form's hex field, None if it is empty.

    Raises:
        APIError: no hex.
    """
    try:
        return bytes.fromhex(text.removeprefix("0x")) if text else None
    except ValueError as error:
        raise APIError("api.malformed", "A field is no hex.", hint="Reload the page and try again.") from error


def problem_page(request: Request, status: int, sentence: Sentence) -> Response:
    """Show an error to a person."""
    return page(request, "problem.html", status=status, sentence=sentence)


def wants_page(request: Request) -> bool:
    """Whether a person with a browser asks, outside of the API's own addresses."""
    path: Any = request.url.path
    return not path.startswith("/v1/") and "text/html" in request.headers.get("accept", "")
