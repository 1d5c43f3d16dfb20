"""The client: one member's key at one gateway, asynchronous, over one pool of connections."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Callable, Iterable
from types import TracebackType
from typing import Any, Final, Self, TypeVar
from urllib.parse import quote

import httpx

from clients.sdk.answers import ask, document, granted
from clients.sdk.events import EventStream
from clients.sdk.models import (
    Chain,
    Document,
    Entry,
    Order,
    Parcel,
    Submission,
    data,
    read_chain,
    read_entry,
    read_order,
    read_parcel,
    read_submission,
    shape,
)
from clients.sdk.office import OfficeParcel, read_office_parcel
from clients.sdk.problems import ForeignChain, Problem, Unexpected, Unreachable, seconds
from clients.sdk.webhooks import Delivery, Webhook, read_delivery, read_webhook
from ledger.certificate import Certificate
from ledger.chain.batch import Batch
from ledger.commitments import LedgerDomain
from ledger.keys import LocalSigner

TIMEOUT: Final = 30.0
LONGEST_CHALLENGE: Final = 600
"""Seconds into the future that a challenge may be good for: no signature is given that holds for long."""
MAX_WAIT: Final = 20
LONGEST_PAUSE: Final = 60.0
"""Seconds that a call waits at once when the gateway pushes back; told to wait longer, it gives up."""
Found = TypeVar("Found")


class Client:
    """A member at a gateway. Use it in `async with`; calls may overlap."""

    def __init__(
        self, url: str, signer: LocalSigner, *, domain: LedgerDomain | None = None, timeout: float = TIMEOUT,
        transport: httpx.AsyncBaseTransport | None = None, pushed_back: int = 0,
    ) -> None:  # fmt: skip
        """Take the gateway's address and the member's key.

        Args:
            url: address of the gateway.
            signer: the member's key.
            domain: chain and contract, where the caller knows them (from a genesis file): then the gateway's word is
                not taken for them, and a gateway of another chain gets no signature.
            timeout: seconds for each answer.
            transport: how requests travel, where it is not plain HTTP.
            pushed_back: how often a call that is pushed back (429, 503) waits as long as it is told to and is made
                again, before that is an error.
        """
        self.signer = signer
        self._pushed_back = pushed_back
        self._domain = domain
        self._http = httpx.AsyncClient(base_url=url, timeout=timeout, trust_env=False, transport=transport)
        self._signed_for: LedgerDomain | None = None
        self._token = ""
        self.org = 0
        """Handle of the key's org, once it is signed in."""
        self._signing_in = asyncio.Lock()

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
    async def chain(self) -> Chain:
        """Ask which chain the gateway serves.

        Raises:
            ForeignChain: another one than the caller named.
        """
        found = read_chain(await self._told("GET", "/v1/chain", public=True))
        if self._domain is not None and found.domain != self._domain:
            raise ForeignChain(
                f"The gateway serves chain {found.domain.chain_id}, contract 0x{found.domain.contract.hex()}.",
                hint="Check the gateway's address and your genesis file.",
            )
        return found

    async def sign_in(self) -> None:
        """Sign a challenge with the member's key and keep the token; calls do so by themselves.

        Raises:
            ForeignChain: the gateway serves another chain than the one the caller named.
            Problem: the key is no member's, or not in standing.
            Unexpected: the gateway asks for a signature that would hold for long.
        """
        domain = (await self.chain()).domain if self._signed_for is None else self._signed_for
        address = self.signer.hex_address
        asked = await self._told("POST", "/v1/auth/challenges", json={"address": address}, public=True)
        try:
            challenge, expires = data(asked["challenge"]), int(asked["typed_data"]["message"]["expires"])
            held = expires - dt.datetime.fromisoformat(asked["expires_at"]).timestamp()
        except (KeyError, TypeError, ValueError) as error:
            raise Unexpected("The gateway gave no challenge.", hint="Check that it is a gateway.") from error
        now = dt.datetime.now(dt.UTC).timestamp()
        if len(challenge) != 32 or abs(held) > 1 or expires > now + LONGEST_CHALLENGE:
            raise Unexpected("The gateway's challenge is none to be signed.", hint="Check the address and both clocks.")
        signature = self.signer.sign_digest(domain.sign_in_digest(self.signer.address, challenge, expires))
        body = {"address": address, "challenge": asked["challenge"], "signature": "0x" + signature.hex()}
        told = await self._told("POST", "/v1/auth/tokens", json=body, public=True)
        self._token, self.org, self._signed_for = str(told["access_token"]), int(told["org"]), domain

    async def sign_out(self) -> None:
        """End the session."""
        if self._token:
            await self._call("DELETE", "/v1/auth/tokens")
            self._token = ""

    async def authorization(self, *, used: str = "") -> dict[str, str]:
        """Return the header that says who calls, signing in first if need be.

        Args:
            used: a header value that the gateway does not take any more.
        """
        async with self._signing_in:  # of many calls that find the token over, one signs in
            if not self._token or used == f"Bearer {self._token}":
                await self.sign_in()
            return {"Authorization": f"Bearer {self._token}"}

    # -------------------------------------------------------------------------------------------------------- batches
    async def submit(self, batch: Batch, *, wait: int = 0) -> Submission:
        """Post a signed batch; it is accepted, durably, when this returns. Posting it again changes nothing.

        Args:
            batch: signed by this client's key.
            wait: seconds the answer may be held back until the batch is visible, 20 at most.

        Raises:
            Problem: refused at the door, or pushed back (`retry_after`).
            Unreachable: no answer: whether it was accepted is open, post the same batch again.
        """
        body = {
            "lane": str(batch.lane), "seq": str(batch.seq), "not_after": str(batch.not_after),
            "entries": "0x" + batch.entries.hex(), "signature": "0x" + batch.signature.hex(),
        }  # fmt: skip
        headers = {"Prefer": f"wait={min(wait, MAX_WAIT)}"} if wait else {}
        timeout = self._http.timeout.read or TIMEOUT
        told = await self._told("POST", "/v1/batches", json=body, headers=headers, timeout=timeout + wait)
        return read_submission(told)

    async def submission(self, name: str | bytes) -> Submission:
        """Ask how far a batch came, by the submission's id or the batch's hash."""
        spelled = name if isinstance(name, str) else "0x" + name.hex()
        return read_submission(await self._told("GET", f"/v1/submissions/{spelled}"))

    async def wait(self, name: str | bytes, *, patience: float = 60.0) -> Submission:
        """Wait until a submission is visible, refused or expired.

        Raises:
            TimeoutError: it takes longer than `patience` seconds.
        """
        pause = 0.02
        async with asyncio.timeout(patience):
            while True:
                try:
                    found = await self.submission(name)
                    if found.ended:
                        return found
                except (Problem, Unreachable) as error:
                    if isinstance(error, Problem) and error.status not in (429, 503):
                        raise
                    pause = max(pause, getattr(error, "retry_after", None) or 0.5)
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, 1.0)

    def submissions(self, state: str | None = None) -> AsyncIterator[Submission]:
        """Return the org's submissions, newest first."""
        return self._pages("/v1/submissions", {"state": state} if state else {}, read_submission)

    async def next_seq(self, lane: int) -> int:
        """Return the number the key must use next in a lane, after all that waits at this gateway."""
        return int((await self._told("GET", f"/v1/lanes/{lane}"))["next_seq"])

    # ------------------------------------------------------------------------------------------------------- payloads
    async def put_payload(self, digest: bytes, envelope: bytes) -> None:
        """Keep an envelope under its payload digest."""
        headers = {"Content-Type": "application/octet-stream"}
        await self._call("PUT", f"/v1/payloads/0x{digest.hex()}", content=envelope, headers=headers)

    async def payload(self, digest: bytes) -> bytes | None:
        """Return an envelope that was sealed to this org, None if there is none for it."""
        try:
            return (await self._call("GET", f"/v1/payloads/0x{digest.hex()}")).content
        except Problem as problem:
            if problem.code == "api.not-found":
                return None
            raise

    # -------------------------------------------------------------------------------------------------------- reading
    def parcels(self, clearance: Iterable[str] = ()) -> AsyncIterator[Parcel]:
        """Return the parcels this org may read, in the order they were opened."""
        return self._pages("/v1/parcels", {"clearance": list(clearance)}, read_parcel)

    async def parcel(self, number: int) -> Parcel:
        """Return a parcel with its orders and its time line."""
        return read_parcel(await self._told("GET", f"/v1/parcels/0x{number:064x}"))

    async def certificate(self, number: int) -> Certificate:
        """Return the clearance certificate of a parcel, unchecked: see :func:`ledger.certificate.verify`."""
        return Certificate.loads((await self._call("GET", f"/v1/parcels/0x{number:064x}/certificate")).content)

    def orders(self, state: str | None = None) -> AsyncIterator[Order]:
        """Return the orders this org recorded or was handed; of a state only: open, or bound to a parcel."""
        return self._pages("/v1/orders", {"state": state} if state else {}, read_order)

    def entries(self, cursor: str | None = None) -> AsyncIterator[Entry]:
        """Return the entries this org may read, in the order of the chain, up to now."""
        return self._pages("/v1/entries", {"cursor": cursor} if cursor else {}, read_entry)

    async def page(self, path: str, **query: Any) -> Document:
        """Return one page of a list as it is: `data`, `has_more`, `next_cursor`."""
        return await self._told("GET", path, params=query)

    async def _pages(self, path: str, query: dict[str, Any], read: Callable[[Document], Found]) -> AsyncIterator[Found]:
        cursor: str | None = None
        while True:
            page = await self._told(
                "GET", path, params={"limit": 100, **query} | ({"cursor": cursor} if cursor else {})
            )
            with shape():
                rows, more, after = list(page["data"]), page["has_more"], page["next_cursor"]
            for each in rows:
                yield read(each)
            if not more or after == cursor:
                return
            cursor = after

    def events(self, *, after: str = "", types: Iterable[str] = (), patience: float | None = None) -> EventStream:
        """Return the stream of events; it connects again and resumes by itself.

        Args:
            after: id of the last event that was handled, `start` for all there is, empty for from now on.
            types: only these.
            patience: seconds without a connection after which it gives up; None: never.
        """
        return EventStream(self._http, self.authorization, after, tuple(types), patience)

    # ------------------------------------------------------------------------------------------------------ an office
    def customs_parcels(self, clearance: Iterable[str] = (), *, denied: bool = False) -> AsyncIterator[OfficeParcel]:
        """Return the parcels that wait for the officer's office, or those of other states, with screening's reasons.

        `denied`: only those whose number's holder says that they are not his, in every state unless some are named.
        """
        query = {"clearance": list(clearance)} | ({"denied": "true"} if denied else {})
        return self._pages("/v1/customs/parcels", query, read_office_parcel)

    async def customs_parcel(self, number: int) -> OfficeParcel:
        """Return a parcel of the officer's office with its orders, its time line and screening's reasons."""
        return read_office_parcel(await self._told("GET", f"/v1/customs/parcels/0x{number:064x}"))

    # ------------------------------------------------------------------------------------------------------- webhooks
    async def register_webhook(self, url: str, types: Iterable[str] = ()) -> Webhook:
        """Have events sent to an address, of some types or all; the answer has the signing secret, this once."""
        return read_webhook(await self._told("POST", "/v1/webhooks", json={"url": url, "types": list(types)}))

    async def webhooks(self) -> tuple[Webhook, ...]:
        """Return the org's webhooks."""
        told = await self._told("GET", "/v1/webhooks")
        with shape():
            return tuple(map(read_webhook, told["data"]))

    async def webhook(self, name: str) -> Webhook:
        """Return a webhook by its id."""
        return read_webhook(await self._told("GET", f"/v1/webhooks/{_part(name)}"))

    async def delete_webhook(self, name: str) -> None:
        """Delete a webhook with all that waits for it."""
        await self._call("DELETE", f"/v1/webhooks/{_part(name)}")

    async def rotate_webhook(self, name: str, *, overlap_hours: int = 24) -> Webhook:
        """Make a new secret, told this once; the old one signs beside it for some hours."""
        body = {"overlap_hours": overlap_hours}
        return read_webhook(await self._told("POST", f"/v1/webhooks/{_part(name)}/secrets", json=body))

    def deliveries(self, name: str, state: str | None = None) -> AsyncIterator[Delivery]:
        """Return what was sent to a webhook, waits or was given up, newest first."""
        query = {"state": state} if state else {}
        return self._pages(f"/v1/webhooks/{_part(name)}/deliveries", query, read_delivery)

    async def resend(self, name: str, delivery: str) -> Delivery:
        """Send a delivery again under the same `webhook-id`."""
        path = f"/v1/webhooks/{_part(name)}/deliveries/{_part(delivery)}/resend"
        return read_delivery(await self._told("POST", path))

    # -------------------------------------------------------------------------------------------------------- calling
    async def _told(self, method: str, path: str, **options: Any) -> Document:
        return document(await self._call(method, path, **options))

    async def _call(
        self, method: str, path: str, *, public: bool = False, headers: dict[str, str] | None = None, **options: Any
    ) -> httpx.Response:
        for left in range(self._pushed_back, -1, -1):
            own = {} if public else await self.authorization()
            answer = await ask(self._http, method, path, headers=(headers or {}) | own, **options)
            if answer.status_code == 401 and not public:  # it ended early: the gateway forgot it, or signed us out
                own = await self.authorization(used=own["Authorization"])
                answer = await ask(self._http, method, path, headers=(headers or {}) | own, **options)
            pause = seconds(answer.headers.get("Retry-After"))
            if not left or answer.status_code not in (429, 503) or pause is None or pause > LONGEST_PAUSE:
                break
            await asyncio.sleep(pause)
        return granted(answer)


def _part(name: str) -> str:
    """Return an id as part of a path, whatever is in it."""
    return quote(name, safe="")
