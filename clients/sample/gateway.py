"""The sample day through a gateway: every party is signed in with its own key and posts its own batches."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final

import httpx

from clients.sample.members import ROSTER, Keyring
from ledger.chain.batch import Batch
from ledger.chain.included import IncludedBatch
from ledger.chain.receipts import ReceiptFolder
from ledger.commitments import LedgerDomain
from ledger.domain.errors import LedgerError
from ledger.keys import LocalSigner, recover

PATIENCE: Final = 60.0
"""Seconds after which a batch that is not visible is a fault."""
POLL: Final = 0.02


class Refused(LedgerError):
    """The gateway answered with a problem; `code` is the one it gave."""

    def __init__(self, answer: httpx.Response) -> None:
        """Take the answer."""
        told: dict[str, Any] = answer.json()
        super().__init__(told.get("detail", ""), hint=told.get("hint", ""))
        self.code = told.get("code", "api.internal")


class Session:
    """One party, signed in."""

    def __init__(self, url: str, signer: LocalSigner, domain: LedgerDomain) -> None:
        """Sign in."""
        self._http = httpx.Client(base_url=url, trust_env=False, timeout=60)
        self._signer, self._domain = signer, domain
        self._sign_in()

    def _sign_in(self) -> None:
        address = self._signer.hex_address
        asked = self.told(self._http.post("/v1/auth/challenges", json={"address": address}))
        challenge, expires = asked["challenge"], asked["typed_data"]["message"]["expires"]
        digest = self._domain.sign_in_digest(self._signer.address, bytes.fromhex(challenge[2:]), expires)
        body = {
            "address": address, "challenge": challenge, "signature": "0x" + self._signer.sign_digest(digest).hex()
        }  # fmt: skip
        token = self.told(self._http.post("/v1/auth/tokens", json=body))["access_token"]
        self._http.headers["Authorization"] = f"Bearer {token}"

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Call the gateway; an expired session is opened anew, once."""
        answer = self._http.request(method, path, **options)
        if answer.status_code == 401:
            self._sign_in()
            answer = self._http.request(method, path, **options)
        return answer

    @staticmethod
    def told(answer: httpx.Response) -> dict[str, Any]:
        """Return the document of an answer.

        Raises:
            Refused: it is a problem.
        """
        if answer.status_code >= 400:
            raise Refused(answer)
        found: dict[str, Any] = answer.json()
        return found

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    # -------------------------------------------------------------------------------- where this party keeps payloads
    def put(self, digest: bytes, envelope: bytes) -> None:
        """Keep an envelope."""
        headers = {"Content-Type": "application/octet-stream"}
        answer = self.call("PUT", f"/v1/payloads/0x{digest.hex()}", content=envelope, headers=headers)
        if answer.status_code != 204:
            raise Refused(answer)

    def get(self, digest: bytes) -> bytes | None:
        """Return an envelope this party can open, or None."""
        answer = self.call("GET", f"/v1/payloads/0x{digest.hex()}")
        return answer.content if answer.status_code == 200 else None


class GatewayReplay:
    """The replay's node: batches go through the gateway, the clock and governance to the sealer itself."""

    def __init__(
        self, url: str, sealer: Any, keyring: Keyring, domain: LedgerDomain, receipts: ReceiptFolder | None = None
    ) -> None:
        """Sign every member in; `sealer` is the sealer behind RPC, whose logical clock the replay moves."""
        self._sealer, self._domain, self._receipts = sealer, domain, receipts
        self._sessions = {name: Session(url, keyring.signer(name), domain) for name, _, _ in ROSTER}
        self._by_key = {keyring.signer(name).address: session for name, session in self._sessions.items()}
        self._public = httpx.Client(base_url=url, trust_env=False, timeout=60)
        self._waiting: list[tuple[Session, str, Batch]] = []
        self._seen = int(sealer.status()["height"])
        self.word, self.filing, self.included = sealer.word, sealer.filing, sealer.included

    def payloads(self, name: str) -> Session:
        """Return where a party keeps payloads."""
        return self._sessions[name]

    def close(self) -> None:
        """Sign nobody out, close every connection."""
        self._public.close()
        for session in self._sessions.values():
            session.close()

    def send(self, batch: Batch) -> dict[str, Any]:
        """Post a batch as its signer."""
        session = self._by_key[recover(batch.digest(self._domain), batch.signature)]
        document = {
            "lane": str(batch.lane), "seq": str(batch.seq), "not_after": batch.not_after,
            "entries": "0x" + batch.entries.hex(), "signature": "0x" + batch.signature.hex(),
        }  # fmt: skip
        found = session.told(session.call("POST", "/v1/batches", json=document))
        self._waiting.append((session, found["id"], batch))
        return found

    def next_seq(self, key: bytes, lane: int) -> int:
        """Return the next number of a key in a lane, after all that waits."""
        session = self._by_key[key]
        return int(session.told(session.call("GET", f"/v1/lanes/{lane}"))["next_seq"])

    def seal_all(self) -> Iterator[IncludedBatch]:
        """Wait until everything posted is visible; yield what came in."""
        end = time.monotonic() + PATIENCE
        for session, name, batch in self._waiting:
            self._wait_visible(session, name, batch, end)
        self._waiting.clear()
        self._wait_judged(end)
        self._rest()
        for batch in self._sealer.included(self._seen + 1):
            self._seen = max(self._seen, batch.height)
            yield batch

    def _wait_visible(self, session: Session, name: str, batch: Batch, end: float) -> None:
        while time.monotonic() < end:
            found = session.told(session.call("GET", f"/v1/submissions/{name}"))
            if found["state"] == "visible" and found["receipt"]:  # its block may be faster than the note of its receipt
                if self._receipts:
                    self._receipts.keep(batch, found["receipt"])
                return
            if found["error"]:
                raise LedgerError(f"{name}: {found['error']['code']}.", hint="See the gateway's log.")
            time.sleep(POLL)
        raise LedgerError(f"{name} does not become visible.", hint="See the logs of gateway and nodes.")

    def _wait_judged(self, end: float) -> None:
        """Wait until the gateway's own authority has acted on what is visible, and all of that is visible too."""
        while time.monotonic() < end:
            told = self._public.get("/readyz").json()
            if not told.get("judging") and not told.get("waiting") and not told.get("lag"):
                return
            time.sleep(POLL)
        raise LedgerError("The gateway does not come to rest.", hint="See its log.")

    def _rest(self) -> None:
        while self._sealer.status()["queued"]:
            time.sleep(0.002)

    def send_raw(self, raw: bytes) -> None:
        """Hand a governance transaction to the sealer."""
        self._sealer.send_raw(raw)

    def nonce(self, address: bytes) -> int:
        """Return the next nonce of an account, after all that waits."""
        self._rest()
        return int(self._sealer.call("eth_getTransactionCount", "0x" + address.hex(), "latest"), 16)

    def move_to(self, moment: int) -> None:
        """Move the sealer's clock."""
        self._sealer.call("clearance_moveClock", hex(moment))
