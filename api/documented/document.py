"""Puts shapes and examples into the OpenAPI document: one table says what each operation answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any, Final

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api.documented import buyer_shapes as buyer
from api.documented import shapes
from api.documented.certificate_shapes import Certificate
from api.problems import MEDIA_TYPE

ANSWERS: Final[dict[str, type[BaseModel]]] = {
    "GET /livez": shapes.Live,
    "GET /readyz": shapes.Ready,
    "GET /v1/chain": shapes.Chain,
    "GET /errors": shapes.ErrorPages,
    "GET /errors/{code}": shapes.ErrorPage,
    "POST /v1/auth/challenges": shapes.Challenge,
    "POST /v1/auth/tokens": shapes.Token,
    "POST /v1/batches": shapes.Submission,
    "GET /v1/lanes/{lane}": shapes.Lane,
    "GET /v1/submissions/{name}": shapes.Submission,
    "GET /v1/submissions": shapes.Submissions,
    "GET /v1/parcels": shapes.Parcels,
    "GET /v1/customs/parcels": shapes.OfficeParcels,
    "GET /v1/customs/parcels/{number}": shapes.OfficeParcel,
    "GET /v1/parcels/{number}": shapes.Parcel,
    "GET /v1/parcels/{number}/certificate": Certificate,
    "GET /v1/orders": shapes.Orders,
    "GET /v1/entries": shapes.Entries,
    "GET /v1/event-types": shapes.EventTypes,
    "GET /v1/webhooks": shapes.Webhooks,
    "POST /v1/webhooks": shapes.WebhookWithSecret,
    "GET /v1/webhooks/{name}": shapes.Webhook,
    "POST /v1/webhooks/{name}/secrets": shapes.WebhookWithSecret,
    "GET /v1/webhooks/{name}/deliveries": shapes.Deliveries,
    "POST /v1/webhooks/{name}/deliveries/{message}/resend": shapes.Delivery,
    "POST /v1/buyer/codes": buyer.Code,
    "POST /v1/buyer/sessions": buyer.Session,
    "GET /v1/buyer/uses": buyer.Uses,
    "GET /v1/buyer/uses/{name}": buyer.Use,
    "GET /v1/buyer/uses/{name}/certificate": Certificate,
    "POST /v1/buyer/uses/{name}/answers": buyer.Answer,
    "GET /v1/buyer/answers/{name}": buyer.Answer,
    "GET /v1/buyer/number": buyer.Number,
    "POST /v1/buyer/number/freeze": buyer.Answer,
    "POST /v1/buyer/number/thaw": buyer.Answer,
    "POST /v1/buyer/number/consent-first": buyer.Answer,
    "GET /v1/parcel-links/{link}": buyer.ParcelStatus,
}
"""What each operation that answers with JSON answers with when all is well."""
JSON: Final = "application/json"
REFERENCE: Final = "#/components/schemas/{model}"


@cache
def examples() -> dict[str, dict[str, Any]]:
    """Return the recorded examples by operation: parameters of the path, body and answer."""
    found: dict[str, dict[str, Any]] = json.loads(files("api.documented").joinpath("examples.json").read_text())
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the operations of a document by name, for example `GET /livez`."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def describe(app: FastAPI) -> None:
    """Make the application's document say what is answered, with an example of each request and answer."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _described(plain())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI's manual does it


def _described(document: dict[str, Any]) -> dict[str, Any]:
    models: list[type[BaseModel]] = [*ANSWERS.values(), shapes.Problem]
    _, made = models_json_schema([(model, "serialization") for model in models], ref_template=REFERENCE)
    document["components"]["schemas"] |= made["$defs"]
    for unused in ("HTTPValidationError", "ValidationError"):  # malformed requests too are answered with problems
        document["components"]["schemas"].pop(unused, None)
    for name, operation in operations(document):
        _describe(operation, ANSWERS.get(name), examples().get(name, {}))
    return document


def _describe(operation: dict[str, Any], model: type[BaseModel] | None, example: dict[str, Any]) -> None:
    responses = operation["responses"]
    responses.pop("422", None)
    responses["default"] = {
        "description": "Refused: a problem document with a stable code.",
        "content": {MEDIA_TYPE: {"schema": _reference(shapes.Problem)}},
    }
    if model:
        answered = {"schema": _reference(model)}
        if "answer" in example:
            answered["example"] = example["answer"]
        responses[next(iter(responses))]["content"] = {JSON: answered}
    if "body" in example:
        operation["requestBody"]["content"][JSON]["example"] = example["body"]
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path" and parameter["name"] in example.get("path", {}):
            parameter["example"] = example["path"][parameter["name"]]


def _reference(model: type[BaseModel]) -> dict[str, Any]:
    return {"$ref": REFERENCE.format(model=model.__name__)}
