"""Renders pages: language by query, cookie or the browser's wish; Korean time with UTC beside; always escaped."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from fastapi import Request, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from api.pages.texts import TEXTS
from ledger.answers import parcel_text
from ledger.domain.findings import Sentence

KST: Final = ZoneInfo("Asia/Seoul")
LANGUAGES: Final = ("ko", "en")
COOKIE: Final = "clearance_language"
FOLDER: Final = Path(__file__).parent
_ENVIRONMENT: Final = Environment(
    loader=FileSystemLoader(FOLDER / "templates"),
    autoescape=select_autoescape(),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.globals["parcel_text"] = parcel_text


def language_of(request: Request) -> str:
    """Return the language to answer in: what was asked for, else what the browser prefers, else Korean."""
    for wish in (request.query_params.get("lang"), request.cookies.get(COOKIE)):
        if wish in LANGUAGES:
            return wish
    for part in request.headers.get("accept-language", "").lower().split(","):
        if part.strip()[:2] in LANGUAGES:
            return part.strip()[:2]
    return "ko"


def said(sentence: Sentence, language: str) -> str:
    """Return a sentence in a language."""
    return sentence.ko if language == "ko" else sentence.en


def shown_time(moment: dt.datetime | None) -> Markup:
    """Return a time for people: Korean time, with UTC in the title and for machines."""
    if moment is None:
        return Markup("")
    utc = moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    korean = moment.astimezone(KST).strftime("%Y-%m-%d %H:%M")
    return Markup('<time datetime="{0}" title="{0}">{1}</time>').format(utc, korean)


def page(request: Request, template: str, *, status: int = 200, **values: Any) -> Response:
    """Return a rendered page; nothing of it is kept by any cache."""
    language = language_of(request)
    other = "en" if language == "ko" else "ko"
    html = _ENVIRONMENT.get_template(template).render(
        language=language,
        t=lambda key: said(TEXTS[key], language),
        say=lambda sentence: said(sentence, language),
        time=shown_time,
        other_language=str(request.url.include_query_params(lang=other).replace(scheme="", netloc="")),
        now=int(request.app.state.gateway.now().timestamp()),
        demo=request.app.state.gateway.genesis.demo,
        **values,
    )
    response = Response(html, status, {"Cache-Control": "private, no-store", "Vary": "Cookie, Accept-Language"},
                        "text/html; charset=utf-8")  # fmt: skip
    if request.query_params.get("lang") in LANGUAGES:
        response.set_cookie(COOKIE, language, max_age=31_536_000, httponly=True, samesite="strict")
    return response
