"""The holder of a number at a gateway: sign-in by one-time code, the uses of the number, answers with receipts."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Callable, Sequence
from types import TracebackType
from typing import Any, Self

import httpx

from clients.device import DeviceKey
from clients.sdk.answers import ask, document, granted
from clients.sdk.models import Document, shape
from clients.sdk.problems import Unexpected
from clients.sdk.receipts import Authorities, check_receipt
from clients.sdk.uses import Answer, Number, Use, read_answer, read_number, read_use
from ledger.answers import Mark, statement
from ledger.certificate import Certificate

MAX_PAGES = 500
"""Pages of a list that are asked for: a gateway must not keep a client busy for ever."""


class BuyerClient:
    """One holder at one gateway. Use it in `async with`; calls may overlap."""

    def __init__(
        self, url: str, token: str = "", device: DeviceKey | None = None, *, timeout: float = 30.0,
        transport: httpx.AsyncBaseTransport | None = None, authorities: Authorities | None = None,
        keep: Callable[[Document], None] = lambda _: None,
    ) -> None:  # fmt: skip
        """Take the gateway's address, the session's token, and the device's key where something is signed.

        Args:
            url: address of the gateway.
            token: of a session that is open.
            device: signs what is said.
            timeout: seconds for each answer.
            transport: how requests travel, where it is not plain HTTP.
            authorities: who may sign receipts, from a reviewed genesis file; without it the gateway says so itself.
            keep: given each answer before its receipt is checked: one that is wrong is evidence.
        """
        self._authorities = authorities
        self._keep = keep
        self._http = httpx.AsyncClient(base_url=url, timeout=timeout, trust_env=False, transport=transport)
        self._device = device
        self.token = token

    async def __aenter__(self) -> Self:
        """Return the client."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close its connections."""
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    # ----------------------------------------------------------------------------------------------------- signing in
    async def send_code(self, number: str, phone: str) -> str:
        """Have a one-time code sent to the registered telephone; return a ticket, whether or not one is."""
        told = await self._told("POST", "/v1/buyer/codes", {"pccc": number, "phone": phone})
        with shape():
            return str(told["ticket"])

    async def enter(self, ticket: str, code: str) -> str:
        """Trade ticket and code for a session of half an hour, binding the device's key; return its token.

        Raises:
            Problem: wrong code, too old, or too many tries.
        """
        body = {"ticket": ticket, "code": code}
        if self._device:
            body["device_key"] = "0x" + self._device.public.hex()
        told = await self._told("POST", "/v1/buyer/sessions", body)
        with shape():
            self.token = str(told["access_token"])
        return self.token

    # -------------------------------------------------------------------------------------------------------- reading
    async def uses(self) -> AsyncIterator[Use]:
        """Return the uses of the number, newest first."""
        query: dict[str, Any] = {"limit": 100}
        for _ in range(MAX_PAGES):
            page = await self._told("GET", "/v1/buyer/uses", query=query)
            with shape():
                rows, more, query["cursor"] = list(page["data"]), page["has_more"], page["next_cursor"]
            for each in rows:
                yield read_use(each)
            if not more:
                return

    async def use(self, name: str) -> Use:
        """Return one use with its time line."""
        return read_use(await self._told("GET", f"/v1/buyer/uses/{_part(name)}"))

    async def certificate(self, name: str) -> Certificate:
        """Return the clearance certificate of a use's parcel, unchecked: see :func:`ledger.certificate.verify`."""
        told = await self._call("GET", f"/v1/buyer/uses/{_part(name)}/certificate")
        return Certificate.loads(told.content)

    async def number(self) -> Number:
        """Say how the number stands, and which parcels a freeze would meet."""
        return read_number(await self._told("GET", "/v1/buyer/number"))

    # -------------------------------------------------------------------------------------------------------- answers
    async def answer(self, name: str, what: str) -> Answer:
        """Say whose a parcel is: confirmed, gift, denied, consented. Return the answer with its receipt."""
        details = {"parcel": (await self.use(name)).parcel}
        return await self._said(f"/v1/buyer/uses/{_part(name)}/answers", {"answer": what}, what, name, details)

    async def freeze(self, exempt: Sequence[str] = ()) -> Answer:
        """Freeze the number; parcels under way are stopped but for those let through.

        Raises:
            Unexpected: one to be let through is not under way.
        """
        parcels = {use.id: use.parcel for use in (await self.number()).under_way} if exempt else {}
        if not set(exempt) <= parcels.keys():
            raise Unexpected("That use is not under way.", hint="See `clearance buyer freeze --preview`.")
        details = {"exempt": sorted(parcels[name] for name in exempt)}
        return await self._said("/v1/buyer/number/freeze", {"exempt": list(exempt)}, "frozen", "number", details)

    async def thaw(self, until: dt.datetime) -> Answer:
        """Let the number be used until a moment."""
        moment = until.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return await self._said("/v1/buyer/number/thaw", {"until": moment}, "thawed", "number", {"until": moment})

    async def consent_first(self, *, on: bool) -> Answer:
        """Have nothing cleared that the holder has not agreed to, or take that back."""
        what = "consent_first" if on else "no_consent_first"
        return await self._said("/v1/buyer/number/consent-first", {"on": on}, what, "number")

    async def _said(
        self, path: str, body: dict[str, Any], what: str, about: str, details: dict[str, Any] | None = None
    ) -> Answer:
        """Send an answer with the device's signature; keep what comes, and check it before anybody relies on it.

        Raises:
            Unexpected: the receipt is not for what was said, or not signed by an identity authority.
        """
        mark = Mark.fresh()
        text, signature = statement(what, about, mark, details), None
        if self._device:
            signature = self._device.sign(text)
            body["signature"] = "0x" + signature.hex()
        told = await self._told("POST", path, body | {"at": mark.at, "nonce": mark.nonce})
        self._keep(told)
        with shape():
            receipt = dict(told["receipt"])
        authorities = self._authorities or Authorities.of_chain(await self._told("GET", "/v1/chain"))
        return read_answer(told, check_receipt(receipt, text, signature, authorities))

    # -------------------------------------------------------------------------------------------------------- calling
    async def _told(
        self, method: str, path: str, body: dict[str, Any] | None = None, query: dict[str, Any] | None = None
    ) -> Document:
        return document(await self._call(method, path, body, query))

    async def _call(
        self, method: str, path: str, body: dict[str, Any] | None = None, query: dict[str, Any] | None = None
    ) -> httpx.Response:
        own = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return granted(await ask(self._http, method, path, json=body, params=query, headers=own))


def _part(name: str) -> str:
    """Return an id as part of a path.

    Raises:
        Unexpected: it is none.
    """
    if not name.replace("_", "").isalnum() or len(name) > 60:
        raise Unexpected("That is no id of a use.", hint="Ids are listed by `clearance buyer uses`.")
    return name
