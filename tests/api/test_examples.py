"""The OpenAPI document is true: each example is sent to a running service, each answer compared with its shape."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from api.documented.document import ANSWERS, examples, operations
from api.problems import STATUS
from tests.api.scene import LIVE, STREAM, Scene, in_order, scene

SILENT = {
    "DELETE /v1/auth/tokens", "DELETE /v1/webhooks/{name}", "PUT /v1/payloads/{digest}",
    "GET /v1/payloads/{digest}", STREAM,
}  # fmt: skip
"""Operations that answer with nothing, with bytes, or with a stream that never ends."""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with scene(tmp_path_factory.mktemp("examples")) as made:
        yield made


@pytest.fixture(scope="module")
def told(stage: Scene) -> dict[str, Any]:
    """The document as it is published."""
    found: dict[str, Any] = stage.service.client().get("/openapi.json").json()
    return found


def schema_errors(told: dict[str, Any], schema: dict[str, Any], value: object, *, strict: bool) -> list[str]:
    """Return where a value differs from a schema of the document; `strict`: fields it does not name too."""
    components = copy.deepcopy(told["components"])
    for each in components["schemas"].values():
        if strict and "properties" in each:
            each["additionalProperties"] = False
    validator = jsonschema_rs.validator_for({"components": components, **schema})
    return [f"{error.instance_path}: {error.message}" for error in validator.iter_errors(value)]


def answer_schema(operation: dict[str, Any]) -> dict[str, Any]:
    status = next(each for each in operation["responses"] if each.startswith("2"))
    schema: dict[str, Any] = operation["responses"][status]["content"]["application/json"]["schema"]
    return schema


def test_every_operation_has_its_shape_and_its_example(told: dict[str, Any]) -> None:
    named = dict(operations(told))
    assert set(ANSWERS) == set(named) - SILENT, "put it into api/documented/document.py"
    missing = [name for name in ANSWERS if "answer" not in examples().get(name, {})]
    assert missing == [], "record them: python -m tests.api.scene"
    for name, operation in named.items():
        body = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if body:
            assert schema_errors(told, body["schema"], body["example"], strict=True) == [], name
        if name in ANSWERS:
            content = next(iter(operation["responses"].values()))["content"]["application/json"]
            assert schema_errors(told, content["schema"], content["example"], strict=True) == [], name
        assert "422" not in operation["responses"]
        assert "application/problem+json" in operation["responses"]["default"]["content"]


def test_every_example_is_taken_and_answered_as_the_document_says(stage: Scene, told: dict[str, Any]) -> None:
    named = dict(operations(told))
    differ: dict[str, list[str]] = {}
    for name in in_order(told):
        body = stage.body(name) if name in LIVE else examples()[name].get("body")
        answer = stage.ask(name, stage.path(name), body)
        assert str(answer.status_code) in named[name]["responses"], (name, answer.text)
        assert answer.is_success, (name, answer.text)
        if name in ANSWERS:
            found = schema_errors(told, answer_schema(named[name]), answer.json(), strict=True)
            differ |= {name: found} if found else {}
    assert differ == {}


def test_a_refusal_has_the_shape_of_a_problem(stage: Scene, told: dict[str, Any]) -> None:
    schema = {"$ref": "#/components/schemas/Problem"}
    http = stage.service.client()
    for answer in (
        http.get("/v1/orders"), http.get("/errors/nothing"), http.post("/v1/auth/challenges", json={"address": 1}),
        http.patch("/livez"),
    ):  # fmt: skip
        assert answer.is_error
        assert schema_errors(told, schema, answer.json(), strict=True) == []


def test_every_code_that_the_document_names_has_its_page(stage: Scene, told: dict[str, Any]) -> None:
    http = stage.service.client()
    named = {*told["components"]["schemas"]["Problem"]["properties"]["code"]["examples"], *STATUS, *codes_of(told)}
    assert len(named) > 60
    pages = {each["code"]: each for each in http.get("/errors").json()["data"]}
    assert named == set(pages)
    for code in sorted(STATUS):
        page = http.get(f"/errors/{code}").json()
        assert page == pages[code]
        assert page["status"] == STATUS[code]
    assert all(page["ko"] and page["en"] for page in pages.values())


def codes_of(told: Any) -> Iterator[str]:
    """Yield the codes of errors and rejections in the examples of a document."""
    if isinstance(told, dict):
        if isinstance(told.get("code"), str) and "." in told["code"]:
            yield told["code"]
        for value in told.values():
            yield from codes_of(value)
    elif isinstance(told, list):
        for value in told:
            yield from codes_of(value)


def test_a_field_that_the_document_does_not_name_is_noticed(told: dict[str, Any]) -> None:
    """The comparison itself can fail."""
    schema = {"$ref": "#/components/schemas/Live"}
    assert schema_errors(told, schema, {"status": "ok"}, strict=True) == []
    assert schema_errors(told, schema, {"status": "ok", "more": 1}, strict=True)
    assert schema_errors(told, schema, {}, strict=True)
    assert schema_errors(told, {"$ref": "#/components/schemas/Uses"}, {"object": "list"}, strict=True)
