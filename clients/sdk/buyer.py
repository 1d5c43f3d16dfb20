"""The holder of a number at a gateway: sign-in by one-time code, the uses of the number, answers with receipts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any, Self

import httpx

from clients.device import DeviceKey
from clients.sdk.answers import Trust, check_receipt
from clients.sdk.problems import Problem, Unexpected, Unreachable
from ledger.answers import Mark, statement

Document = dict[str, Any]
MAX_PAGES = 500
"""Pages of a list that are asked for: a gateway must not keep a client busy for ever."""


class BuyerClient:
    """One holder at one gateway. Use it in `with`."""

    def __init__(
        self, url: str, token: str = "", device: DeviceKey | None = None, timeout: float = 30.0,
        trust: Trust | None = None,
    ) -> None:  # fmt: skip
        """Take the gateway's address, the session's token, and the device's key where something is signed.

        `trust` says who may sign receipts, from a reviewed genesis file; without it the gateway says so itself.
        """
        self._trust = trust
        self._http = httpx.Client(base_url=url, timeout=timeout, trust_env=False)
        self._device = device
        self.token = token

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close its connection."""
        self._http.close()

    # ----------------------------------------------------------------------------------------------------- signing in
    def send_code(self, number: str, phone: str) -> str:
        """Have a one-time code sent to the registered telephone; return a ticket, whether or not one is."""
        return str(self._told("POST", "/v1/buyer/codes", {"pccc": number, "phone": phone})["ticket"])

    def enter(self, ticket: str, code: str) -> str:
        """Trade ticket and code for a session of half an hour, binding the device's key; return its token.

        Raises:
            Problem: wrong code, too old, or too many tries.
        """
        body = {"ticket": ticket, "code": code}
        if self._device:
            body["device_key"] = "0x" + self._device.public.hex()
        self.token = str(self._told("POST", "/v1/buyer/sessions", body)["access_token"])
        return self.token

    # -------------------------------------------------------------------------------------------------------- reading
    def uses(self) -> Iterator[Document]:
        """Return the uses of the number, newest first."""
        query: dict[str, Any] = {"limit": 100}
        for _ in range(MAX_PAGES):
            page = self._told("GET", "/v1/buyer/uses", query=query)
            yield from page["data"]
            if not page["has_more"]:
                return
            query["cursor"] = page["next_cursor"]

    def use(self, name: str) -> Document:
        """Return one use with its time line."""
        return self._told("GET", f"/v1/buyer/uses/{_part(name)}")

    def number(self) -> Document:
        """Say how the number stands, and which parcels a freeze would meet."""
        return self._told("GET", "/v1/buyer/number")

    # -------------------------------------------------------------------------------------------------------- answers
    def answer(self, name: str, what: str) -> Document:
        """Say whose a parcel is: confirmed, gift, denied, consented. Return the answer with its receipt."""
        details = {"parcel": self.use(name)["parcel"]}
        return self._said(f"/v1/buyer/uses/{_part(name)}/answers", {"answer": what}, what, name, details)

    def freeze(self, exempt: Sequence[str] = ()) -> Document:
        """Freeze the number; parcels under way are stopped but for those let through."""
        parcels = {use["id"]: use["parcel"] for use in self.number()["under_way"]} if exempt else {}
        if not set(exempt) <= parcels.keys():
            raise Unexpected("That use is not under way.", hint="See `clearance buyer freeze --preview`.")
        details = {"exempt": sorted(parcels[name] for name in exempt)}
        return self._said("/v1/buyer/number/freeze", {"exempt": list(exempt)}, "frozen", "number", details)

    def thaw(self, until: dt.datetime) -> Document:
        """Let the number be used until a moment."""
        moment = until.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return self._said("/v1/buyer/number/thaw", {"until": moment}, "thawed", "number", {"until": moment})

    def consent_first(self, *, on: bool) -> Document:
        """Have nothing cleared that the holder has not agreed to, or take that back."""
        what = "consent_first" if on else "no_consent_first"
        return self._said("/v1/buyer/number/consent-first", {"on": on}, what, "number")

    def _said(self, path: str, body: Document, what: str, about: str, details: Document | None = None) -> Document:
        """Send an answer with the device's signature, and check the receipt before anybody relies on it.

        Raises:
            Unexpected: the receipt is not for what was said, or not signed by an identity authority.
        """
        mark = Mark.fresh()
        text, signature = statement(what, about, mark, details), None
        if self._device:
            signature = self._device.sign(text)
            body["signature"] = "0x" + signature.hex()
        found = self._told("POST", path, body | {"at": mark.at, "nonce": mark.nonce})
        trust = self._trust or Trust.of_chain(self._told("GET", "/v1/chain"))
        found["receipt_signer"] = "0x" + check_receipt(found["receipt"], text, signature, trust).hex()
        return found

    # -------------------------------------------------------------------------------------------------------- calling
    def _told(self, method: str, path: str, body: Document | None = None, query: Document | None = None) -> Document:
        own = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        try:
            answer = self._http.request(method, path, json=body, params=query, headers=own)
        except httpx.HTTPError as error:
            raise Unreachable(
                f"{self._http.base_url} does not answer ({type(error).__name__}).", hint="Check the address."
            ) from error
        if answer.status_code >= 400:
            raise Problem(answer)
        try:
            found = answer.json()
        except ValueError as error:
            raise Unexpected("The gateway answered with no JSON.", hint="Check that it is a gateway.") from error
        if not isinstance(found, dict):
            raise Unexpected("The gateway answered with no object.", hint="Check that it is a gateway.")
        return found


def _part(name: str) -> str:
    """Return an id as part of a path.

    Raises:
        Unexpected: it is none.
    """
    if not name.replace("_", "").isalnum() or len(name) > 60:
        raise Unexpected("That is no id of a use.", hint="Ids are listed by `clearance buyer uses`.")
    return name
