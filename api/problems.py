"""Errors as problem details (RFC 9457): a stable code, a sentence, what to do, and a page that explains it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse

from api.metrics import PUSHED_BACK
from ledger.domain.error_texts import ERROR_TEXTS
from ledger.domain.errors import LedgerError
from ledger.domain.findings import Sentence

log = logging.getLogger("clearance.api")

MEDIA_TYPE: Final = "application/problem+json"
STATUS: Final = {
    "api.busy": 503,
    "api.conflict": 409,
    "api.internal": 500,
    "api.method": 405,
    "api.not-found": 404,
    "api.rate-limited": 429,
    "api.too-large": 413,
    "auth.challenge": 401,
    "auth.form": 403,
    "auth.required": 401,
    "batch.not-a-member": 403,
    "batch.sequence": 409,
    "certificate.not-final": 409,
    "database.unavailable": 503,
    "events.too-many-streams": 429,
    "identity.sign-in": 401,
    "idempotency.mismatch": 422,
    "idempotency.running": 409,
    "idempotency.sealed": 409,
    "node.stopped": 503,
    "node.unreachable": 503,
    "outbox.full": 503,
    "payload.too-large": 413,
    "pool.full": 503,
    "projection.behind": 503,
    "state.pruned": 503,
    "vault.erased": 410,
    "webhook.disabled": 409,
    "webhook.exists": 409,
    "webhook.too-many": 409,
}
"""HTTP status by code; every other refusal is 422."""
RETRY_AFTER: Final = 1
"""Seconds told with 429 and 503 where nothing better is known."""


class APIError(LedgerError):
    """A refusal of the API itself; `code` is one of the table."""

    def __init__(self, code: str, detail: str, *, hint: str, retry_after: int | None = None) -> None:
        """Keep the code, and after how many seconds to try again."""
        super().__init__(detail, hint=hint)
        self.code = code
        self.retry_after = retry_after


def not_found() -> APIError:
    """Return the one answer for what is not there and for what is not the caller's."""
    return APIError(
        "api.not-found", "There is nothing here for you.", hint="Check the id, and which key you signed in with."
    )


def problem(
    code: str, detail: str, hint: str = "", *, request_id: str = "", errors: list[dict[str, Any]] | None = None,
    retry_after: int | None = None,
) -> Response:  # fmt: skip
    """Return a problem document."""
    status = STATUS.get(code, 422)
    title = ERROR_TEXTS.get(code, ERROR_TEXTS["ledger.error"])
    document = {
        "type": f"/errors/{code}",
        "title": title.en,
        "title_ko": title.ko,
        "status": status,
        "code": code,
        "detail": detail,
        "hint": hint,
        "request_id": request_id,
    }
    if errors:
        document["errors"] = errors
    headers = {"Cache-Control": "no-store"}
    if status in (429, 503):
        headers["Retry-After"] = str(retry_after or RETRY_AFTER)
        PUSHED_BACK.labels(code).inc()
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="clearance"'
    return Response(json.dumps(document, ensure_ascii=False), status, headers, MEDIA_TYPE)


def install(
    app: FastAPI, wants_page: Callable[[Request], bool], show_problem: Callable[[Request, int, Sentence], Response]
) -> None:
    """Answer every error of the application with a problem document, or with a page where a person asks."""

    @app.exception_handler(LedgerError)
    def refused(request: Request, error: LedgerError) -> Response:
        if wants_page(request):
            if error.code == "auth.required":
                return RedirectResponse("/", 303, {"Set-Cookie": "clearance_buyer=; Max-Age=0; Path=/"})
            sentence = ERROR_TEXTS.get(error.code, ERROR_TEXTS["ledger.error"])
            return show_problem(request, STATUS.get(error.code, 422), sentence)
        retry_after = getattr(error, "retry_after", None)
        return problem(error.code, error.detail, error.hint, request_id=_id(request), retry_after=retry_after)

    @app.exception_handler(RequestValidationError)
    def malformed(request: Request, error: RequestValidationError) -> Response:
        found = [
            {"pointer": "/" + "/".join(str(part) for part in each["loc"][1:]), "in": str(each["loc"][0]),
             "detail": each["msg"]}
            for each in error.errors()[:20]
        ]  # fmt: skip
        return problem(
            "api.malformed", "The request does not have the shape this address takes.",
            "See errors, and the schema in /openapi.json.", request_id=_id(request), errors=found,
        )  # fmt: skip

    @app.exception_handler(HTTPException)
    def by_status(request: Request, error: HTTPException) -> Response:
        code = {404: "api.not-found", 405: "api.method", 413: "api.too-large"}.get(error.status_code, "api.malformed")
        hint = "Split it." if error.status_code == 413 else "See /openapi.json."
        found = problem(code, ERROR_TEXTS[code].en, hint, request_id=_id(request))
        if error.status_code == 405 and error.headers:
            found.headers["Allow"] = error.headers.get("Allow", "")
        return found

    @app.exception_handler(Exception)
    def broken(request: Request, error: Exception) -> Response:  # the caller learns nothing of what broke
        log.error("request %s failed", _id(request), exc_info=error)
        return problem("api.internal", "The service met a fault of its own.", "Try again.", request_id=_id(request))


def _id(request: Request) -> str:
    return str(request.scope.get("request_id", ""))
