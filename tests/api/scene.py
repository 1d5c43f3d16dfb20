"""Everything the examples of the OpenAPI document are about, on a real service: a parcel, its holder, a webhook.

`python -m tests.api.scene` records the examples anew: what is sent here, and what the service answers.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from api.documented import document
from api.documented.document import operations
from clients.sample.members import HANDLES
from ledger.chain.batch import Entry
from ledger.domain.kinds import KindNumber as K
from node.service import wait_until
from tests.api.journey import Journey
from tests.api.receiver import receiving
from tests.api.test_buyer import Buyer, filed, person
from tests.api.world import KEYRING, World, world
from tests.e2e.services import document as posted

HOLDER = 31
COURIER = "courier-1"
SECRETS = {"access_token": "clt_" + "A" * 43, "secret": "whsec_" + "A" * 44, "ticket": "A" * 43}
"""What stands in the document in place of what opens something."""
ADDRESS = "https://courier.example/hooks"
LIVE = frozenset(
    {
        "POST /v1/auth/tokens", "POST /v1/batches", "POST /v1/buyer/sessions", "POST /v1/buyer/number/freeze",
        "POST /v1/buyer/number/thaw", "POST /v1/buyer/number/consent-first",
    }
)  # fmt: skip
"""Bodies that hold what only one service at one time takes: a signature, a number, an id. They are made anew."""
LAST = ("DELETE /v1/webhooks/{name}", "DELETE /v1/auth/tokens")
STREAM = "GET /v1/events"


@dataclass
class Scene:
    """A service on which every operation has something to work on."""

    service: World
    receiver: str
    journey: Journey = field(init=False)
    webhook: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        told = self.service.party(COURIER).http.post("/v1/webhooks", json={"url": self.receiver})
        self.webhook = told.json()
        self.journey = filed(self.service, "an example", HOLDER).checked()
        self.journey.carried_in()
        self.buyer = Buyer(self.service, HOLDER)
        self.use = self.buyer.use(self.journey)
        self.answered = self.buyer.answer(self.use, "confirmed", signed=True).json()
        self.under_way = self.buyer.use(filed(self.service, "another", HOLDER).settled("IDENTITY_CHECKED"))
        assert wait_until(lambda: bool(self._delivered()), 60)

    def _delivered(self) -> list[dict[str, Any]]:
        told = self.service.party(COURIER).http.get(f"/v1/webhooks/{self.webhook['id']}/deliveries").json()["data"]
        return [each for each in told if each["state"] == "delivered"]

    def path(self, name: str) -> dict[str, str]:
        """Return the parameters of an operation's path."""
        known: dict[str, Callable[[], str]] = {
            "name": lambda: self._name(name),
            "lane": lambda: "1",
            "code": lambda: "batch.sequence",
            "number": lambda: self._parcel()["id"],
            "digest": lambda: self._parcel()["payload"],
            "message": lambda: self._delivered()[0]["id"],
            "link": lambda: self.buyer.http.get(f"/v1/buyer/uses/{self.use['id']}").json()["link"].removeprefix("/p/"),
        }
        return {each: value() for each, value in known.items() if "{" + each + "}" in name}

    def _parcel(self) -> dict[str, Any]:
        return self.service.party(COURIER).parcel(self.journey.parcel)

    def _name(self, name: str) -> str:
        named = {
            "/v1/submissions/": self._submission, "/v1/webhooks/": lambda: self.webhook["id"],
            "/v1/buyer/uses/": lambda: self.use["id"], "/v1/buyer/answers/": lambda: self.answered["id"],
        }  # fmt: skip
        return str(next(value() for start, value in named.items() if start in name))

    def _submission(self) -> str:
        listed = self.service.party(COURIER).http.get("/v1/submissions").json()["data"]
        return str(listed[-1]["id"])

    def body(self, name: str) -> dict[str, Any] | None:
        """Return the body of a request, made by the functions that clients make theirs with."""
        made = {
            "POST /v1/auth/challenges": lambda: {"address": KEYRING.signer(COURIER).hex_address},
            "POST /v1/auth/tokens": self._signed_challenge,
            "POST /v1/batches": self._batch,
            "POST /v1/webhooks": lambda: {"url": ADDRESS, "types": ["parcel.cleared"]},
            "POST /v1/webhooks/{name}/secrets": lambda: {"overlap_hours": 24},
            "POST /v1/buyer/codes": lambda: {each: person(HOLDER)[each] for each in ("pccc", "phone")},
            "POST /v1/buyer/sessions": self._code,
            "POST /v1/buyer/uses/{name}/answers": lambda: {"answer": "denied"},
            "POST /v1/buyer/number/freeze": lambda: {"exempt": [self.under_way["id"]]},
            "POST /v1/buyer/number/thaw": self._thaw,
            "POST /v1/buyer/number/consent-first": self._consent,
        }.get(name)
        return made() if made else None

    def _batch(self) -> dict[str, Any]:
        """A master opened by the courier, in a lane that nobody else uses here."""
        party, digest = self.service.party(COURIER), b"an example's master".ljust(32, b"\0")
        master = self.service.genesis.domain.subject_id(K.MASTER_OPENED, HANDLES[COURIER], digest)
        return posted(party.batch([Entry(master, K.MASTER_OPENED, party.now(), digest)], lane=7))

    def _thaw(self) -> dict[str, Any]:
        until = "2025-12-01T00:00:00Z"
        return {"until": until} | self.buyer.said("thawed", "number", {"until": until})

    def _consent(self) -> dict[str, Any]:
        return {"on": True} | self.buyer.said("consent_first", "number")

    def _signed_challenge(self) -> dict[str, str]:
        signer = KEYRING.signer(COURIER)
        asked = self.service.client().post("/v1/auth/challenges", json={"address": signer.hex_address}).json()
        digest = self.service.genesis.domain.sign_in_digest(
            signer.address, bytes.fromhex(asked["challenge"][2:]), asked["typed_data"]["message"]["expires"]
        )
        signature = "0x" + signer.sign_digest(digest).hex()
        return {"address": signer.hex_address, "challenge": asked["challenge"], "signature": signature}

    def _code(self) -> dict[str, str]:
        told, desk = person(HOLDER), self.service.desk.sign_in
        asked = {"pccc": told["pccc"], "phone": told["phone"]}
        desk._post.submit(lambda: None).result()  # codes of before have been sent
        desk._sender.newest.clear()
        ticket = self.service.client().post("/v1/buyer/codes", json=asked).json()["ticket"]
        desk._post.submit(lambda: None).result()
        return {"ticket": ticket, "code": desk._sender.newest.pop(told["phone"])}

    def client(self, name: str) -> httpx.Client:
        """Return who asks: the holder, an officer, or the courier."""
        if "/v1/buyer/" in name:
            return self.buyer.http
        if "/v1/customs/" in name:
            return self.service.party("office-040").http
        return self.service.party({"GET /v1/payloads/{digest}": "identity"}.get(name, COURIER)).http

    def ask(self, name: str, path: dict[str, str], body: dict[str, Any] | None) -> httpx.Response:
        """Send a request; a payload's bytes are the parcel's own."""
        method, _, address = name.partition(" ")
        for each, value in path.items():
            address = address.replace("{" + each + "}", value)
        if name == "PUT /v1/payloads/{digest}":
            envelope = self.service.gateway.payloads.get(bytes.fromhex(path["digest"][2:]))
            return self.client(name).put(
                address, content=envelope, headers={"Content-Type": "application/octet-stream"}
            )
        return self.client(name).request(method, address, json=body)


@contextmanager
def scene(home: Path) -> Iterator[Scene]:
    """Set the scene."""
    with receiving() as receiver, world(home) as service:
        yield Scene(service, receiver.url)


def in_order(told: dict[str, Any]) -> list[str]:
    """Return the operations of a document in an order in which each still finds what it works on."""
    names = [name for name, _ in operations(told) if name not in (STREAM, *LAST)]
    return [*names, *LAST]


def record(home: Path) -> dict[str, dict[str, Any]]:
    """Return an example of every operation."""
    found: dict[str, dict[str, Any]] = {}
    with scene(home) as stage:
        for name in in_order(stage.service.client().get("/openapi.json").json()):
            path, body = stage.path(name), stage.body(name)
            answer = stage.ask(name, path, body)
            assert answer.is_success, (name, answer.text)
            found[name] = ({"path": path} if path else {}) | ({"body": body} if body is not None else {})
            if answer.headers.get("content-type") == "application/json":
                found[name]["answer"] = short(answer.json())
    return found


def short(told: Any) -> Any:
    """Return a document with its lists cut to two and its secrets replaced."""
    if isinstance(told, str) and told.startswith("http://127.0.0.1"):
        return ADDRESS
    if isinstance(told, dict):
        return {name: SECRETS.get(name) or short(value) for name, value in told.items()}
    return [short(each) for each in told[:2]] if isinstance(told, list) else told


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        made = record(Path(folder))
    target = Path(document.__file__).with_name("examples.json")
    target.write_text(json.dumps(made, indent=1, ensure_ascii=False, sort_keys=True) + "\n")
