"""Whatever the published schema allows and much that it does not: never a 5xx, always a problem document."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error

from tests.api.world import World


@pytest.mark.slow
def test_no_answer_is_a_server_error(service: World) -> None:
    party = service.party("courier-4")
    schema = schemathesis.openapi.from_url(f"{service.url}/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) > 12
    statuses: set[int] = set()
    for operation in operations:
        if operation.method == "delete" and operation.path == "/v1/auth/tokens":
            continue  # it would sign the caller out of everything that follows
        if operation.path == "/v1/events":
            continue  # it never ends

        @given(case=operation.as_strategy())
        @settings(max_examples=60, deadline=None, derandomize=True, database=None,
                  suppress_health_check=list(HealthCheck))  # fmt: skip
        def one(case: schemathesis.Case) -> None:
            answer = case.call(headers={"Authorization": party.http.headers["Authorization"]}, timeout=30)
            case.validate_response(answer, checks=[not_a_server_error])
            statuses.add(answer.status_code)
            if answer.status_code >= 400:
                assert answer.headers["content-type"][0] == "application/problem+json", answer.text
                assert answer.json()["code"]

        one()
    assert {200, 404, 422} <= statuses
