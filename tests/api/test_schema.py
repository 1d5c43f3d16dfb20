"""Whatever the published schema allows and much that it does not: never a 5xx, always a problem document.

As a courier, an officer, a holder and nobody, so that what lies behind each door is reached.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error

from api.limits import LIMITS
from tests.api.test_buyer import Buyer
from tests.api.world import World, world

CASES = {"courier": 60, "officer": 10, "buyer": 10, "nobody": 10}
"""Cases of each operation for each caller: most behind the door that most go through."""
WHO = {"courier": {200, 404, 422}, "officer": {200, 404, 422}, "buyer": {200, 404, 422}, "nobody": {200, 401, 422}}
"""Callers, and what each must at least have been answered."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("schema"), rates=dict.fromkeys(LIMITS, "1000000/minute")) as made:
        yield made


def header(service: World, who: str) -> dict[str, str]:
    if who == "nobody":
        return {}
    party = {"courier": "courier-4", "officer": "office-040"}.get(who)
    http = service.party(party).http if party else Buyer(service, 52).http
    return {"Authorization": http.headers["Authorization"]}


@pytest.mark.slow
@pytest.mark.parametrize("who", WHO)
def test_no_answer_is_a_server_error(service: World, who: str) -> None:
    headers = header(service, who)
    schema = schemathesis.openapi.from_url(f"{service.url}/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) > 12
    statuses: set[int] = set()
    own: set[int] = set()
    for operation in operations:
        if operation.method == "delete" and operation.path == "/v1/auth/tokens":
            continue  # it would sign the caller out of everything that follows
        if operation.path == "/v1/events":
            continue  # it never ends

        @given(case=operation.as_strategy())
        @settings(max_examples=CASES[who], deadline=None, derandomize=True, database=None,
                  suppress_health_check=list(HealthCheck))  # fmt: skip
        def one(case: schemathesis.Case) -> None:
            answer = case.call(headers=headers, timeout=30)
            case.validate_response(answer, checks=[not_a_server_error])
            statuses.add(answer.status_code)
            if case.path.startswith("/v1/buyer/number"):
                own.add(answer.status_code)
            if answer.status_code >= 400:
                assert answer.headers["content-type"][0] == "application/problem+json", answer.text
                assert answer.json()["code"]

        one()
    assert WHO[who] <= statuses
    assert (401 in own) is (who != "buyer"), "only a holder comes to what is a holder's"
