"""The gateway's web application. Everything it works with is handed in; it opens nothing by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from anyio import CapacityLimiter
from fastapi import FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.staticfiles import StaticFiles

from api import problems
from api.auth import PUBLIC
from api.bounds import WRITERS, Places
from api.documented.document import describe
from api.gateway import Gateway
from api.identity.desk import Desk
from api.limits import RateLimits
from api.loops import Loops
from api.metrics import REGISTRY
from api.middleware import Frame
from api.pages import routes as pages
from api.pages.rendering import FOLDER
from api.routes import batches, buyer, events, parcels, payloads, service, sign_in, webhooks
from api.screening.screening import Screening
from api.streams import Streams

DESCRIPTION: Final = """
Couriers, sellers, warehouses and customs post **signed batches** and read their own parcels; buyers see every use of
their identity number and can stop it. A batch is *accepted* (durably queued), *included* (in a block), *final* (cannot
be undone) and *visible* (in this API), or refused, or expired.
"""


def create_app(
    gateway: Gateway, loops: Loops | None = None, desk: Desk | None = None, screening: Screening | None = None
) -> FastAPI:
    """Return the application; `loops` start and stop with it; without a `desk` it serves members only.

    With `screening`, which works in this process then, officers are shown its reasons.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if loops:
            loops.start()
        yield
        if loops:
            loops.stop()

    app = FastAPI(
        title="Clearance Ledger", version="1", description=DESCRIPTION, lifespan=lifespan, docs_url=None, redoc_url=None
    )
    app.state.gateway = gateway
    app.state.screening = screening
    app.state.limits = RateLimits(gateway.rates)
    app.state.streams = Streams(everybody=gateway.bounds.streams)
    app.state.waits = Places(gateway.bounds.waits)
    app.state.writers = CapacityLimiter(WRITERS)
    problems.install(app, pages.wants_page, pages.problem_page)
    for module in (service, sign_in, batches, parcels, payloads, events):
        app.include_router(module.router)
    app.include_router(events.streaming)
    if gateway.hooks:
        app.include_router(webhooks.router)
        webhooks.document(app)
    if desk:
        app.state.desk = desk
        app.include_router(buyer.router)
        app.include_router(pages.router)
        app.mount("/static", StaticFiles(directory=FOLDER / "static"), name="static")

    @app.get("/metrics", openapi_extra=PUBLIC, include_in_schema=False)
    def metrics() -> Response:
        return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)

    describe(app)
    app.add_middleware(Frame, bounds=gateway.bounds)
    return app
