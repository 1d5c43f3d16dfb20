"""How clients ask a gateway, and read what it answers."""

from __future__ import annotations

from typing import Any

import httpx

from clients.sdk.problems import Problem, Unexpected, Unreachable


async def ask(http: httpx.AsyncClient, method: str, path: str, **options: Any) -> httpx.Response:
    """Send a request; return the answer, whatever it says.

    Raises:
        Unreachable: there is none.
    """
    try:
        return await http.request(method, path, **options)
    except httpx.HTTPError as error:
        raise Unreachable(
            f"{http.base_url} does not answer ({type(error).__name__}).", hint="Check the address and that it runs."
        ) from error


def granted(answer: httpx.Response) -> httpx.Response:
    """Return an answer that is no refusal.

    Raises:
        Problem: it is one.
    """
    if answer.status_code >= 400:
        raise Problem(answer)
    return answer


def document(answer: httpx.Response) -> dict[str, Any]:
    """Return the JSON object of an answer.

    Raises:
        Unexpected: there is none.
    """
    try:
        found = answer.json()
    except ValueError as error:
        raise Unexpected("The gateway answered with no JSON.", hint="Check that it is a gateway.") from error
    if not isinstance(found, dict):
        raise Unexpected("The gateway answered with no object.", hint="Check that it is a gateway.")
    return found
