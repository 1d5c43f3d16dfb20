"""JSON-RPC 2.0 over HTTP behind an access token, with liveness and readiness."""

from __future__ import annotations

import hmac
import inspect
import json
import logging
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool

from ledger.domain.errors import LedgerError
from node.pool import PoolFull
from node.rpc.ethereum import BadParameters, CallReverted, EthereumMethods
from node.rpc.ledger import LedgerMethods
from node.service import NodeService

log = logging.getLogger("clearance.rpc")

MAX_BODY: Final = 4 << 20
MAX_CALLS: Final = 100
"""Calls in one JSON-RPC batch."""
PARSE_ERROR, INVALID_REQUEST, NO_METHOD, BAD_PARAMETERS, INTERNAL = -32700, -32600, -32601, -32602, -32603
REFUSED: Final = -32000
REVERTED: Final = 3
LIMIT_EXCEEDED: Final = -32005
CODES: Final = ((BadParameters, BAD_PARAMETERS), (PoolFull, LIMIT_EXCEEDED))


def create_app(service: NodeService, token: str) -> FastAPI:
    """Return the application that serves a node; every call needs the bearer token."""
    app = FastAPI(title="Clearance Ledger node", docs_url=None, redoc_url=None, openapi_url=None)
    methods = EthereumMethods(service).methods() | LedgerMethods(service).methods()
    expected = f"Bearer {token}".encode()

    @app.get("/livez")
    def livez() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz")
    def readyz(response: Response) -> dict[str, Any]:
        if service.trouble:
            response.status_code = 503
            return {"status": "trouble", "code": service.trouble.code}
        return {"status": "ok", "role": service.role, "height": service.chain.head.number}

    @app.post("/")
    async def rpc(request: Request) -> Response:
        given = request.headers.get("authorization", "").encode()
        if not hmac.compare_digest(given, expected):
            return _json({"error": "an access token is needed: Authorization: Bearer ..."}, 401)
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY:
                return _json(_error(None, INVALID_REQUEST, f"more than {MAX_BODY} bytes"), 413)
        return await run_in_threadpool(_answer_all, service, methods, bytes(body))

    return app


def _json(document: Any, status: int = 200) -> Response:
    return Response(json.dumps(document), status, media_type="application/json")


def _error(call: Any, code: int, message: str, data: Any = None) -> dict[str, Any]:
    error: dict[str, Any] = {"code": code, "message": message}
    if data is not None:
        error["data"] = data
    return {"jsonrpc": "2.0", "id": call, "error": error}


def _answer_all(service: NodeService, methods: dict[str, Any], body: bytes) -> Response:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return _json(_error(None, PARSE_ERROR, "the body is no JSON"), 400)
    if isinstance(document, list):
        if not 1 <= len(document) <= MAX_CALLS:
            return _json(_error(None, INVALID_REQUEST, f"1 to {MAX_CALLS} calls at once"), 400)
        return _json([_answer(service, methods, call) for call in document])
    return _json(_answer(service, methods, document))


def _answer(service: NodeService, methods: dict[str, Any], call: Any) -> dict[str, Any]:
    if not isinstance(call, dict) or not isinstance(call.get("method"), str):
        return _error(None, INVALID_REQUEST, "a call is an object with a method")
    name, number, parameters = call["method"], call.get("id"), call.get("params") or []
    if name not in methods:
        return _error(number, NO_METHOD, f"no method {name[:64]}")
    try:
        return {"jsonrpc": "2.0", "id": number, "result": _call(service, name, methods[name], parameters)}
    except CallReverted as error:
        return _error(number, REVERTED, error.detail, "0x" + error.output.hex())
    except LedgerError as error:
        code = next((code for kind, code in CODES if isinstance(error, kind)), REFUSED)
        return _error(number, code, str(error), error.as_dict())
    except Exception:  # the last resort: the caller learns nothing of what broke, the log does
        log.exception("method %s failed", name)
        return _error(number, INTERNAL, "internal error")


def _call(service: NodeService, name: str, method: Any, parameters: Any) -> Any:
    try:
        if not isinstance(parameters, list):
            raise TypeError
        inspect.signature(method).bind(*parameters)
    except TypeError as error:
        raise BadParameters("Wrong parameters.", hint="Send them by place, as a list.") from error
    if name.startswith("clearance_"):
        return method(*parameters)
    with service.locked():
        return method(*parameters)
