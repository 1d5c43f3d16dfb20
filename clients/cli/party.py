"""A party at work: its key, its writer, and the way to the ledger, through a gateway's API or straight to a node."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import typer

from clients.cli.console import FINDING, out, say_json
from ledger.domain.errors import LedgerError

PATIENCE: Final = 30.0
"""Seconds after which a batch that was accepted is left to itself."""
PUSHED_BACK: Final = 5
"""Times a call to the gateway waits as long as it is told to."""
STANDS: Final = "entry.state-barred"
"""Why an order is rejected that is recorded again."""


class Vault:
    """The gateway's vault as a place for payloads: what the party puts there, customs can open."""

    def __init__(self, gate: Any) -> None:
        """Take the gateway."""
        self._gate = gate

    def put(self, digest: bytes, envelope: bytes) -> None:
        """Keep an envelope."""
        self._gate.call(self._gate.client.put_payload(digest, envelope))

    def get(self, digest: bytes) -> bytes | None:
        """Return an envelope sealed to this party, or None."""
        found: bytes | None = self._gate.call(self._gate.client.payload(digest))
        return found


@dataclass
class Party:
    """A party with its key, at a gateway or at a node.

    Attributes:
        gate: takes batches.
        look: returns a parcel in the shape of the API's documents.
        keys: X25519 public keys that payloads are sealed to, by org handle.
        readers: orgs that every payload is sealed to.
        payloads: where payloads go: the gateway's vault, or the folder named with a node; None where none was named.
        client: of the gateway; node: the node. One of them is None.
        note: told of a signed batch before it goes out.
    """

    gate: Any
    look: Any
    demo: bool
    keys: Mapping[int, bytes]
    readers: tuple[int, ...]
    payloads: Any
    client: Any = None
    node: Any = None
    writer: Any = None
    sent: list[Any] = field(default_factory=list)
    note: Callable[[Any], None] = lambda _: None

    # what a writer asks of a node
    def send(self, batch: Any) -> dict[str, Any]:
        """Hand a batch over, noted before; remember it."""
        self.note(batch)
        receipt: dict[str, Any] = self.gate.send(batch)
        self.sent.append(batch)
        return receipt

    def next_seq(self, key: bytes, lane: int) -> int:
        """Return the next number in a lane."""
        return int(self.gate.next_seq(key, lane))

    def public(self, *orgs: int) -> dict[int, Any]:
        """Return the public keys that payloads for orgs are sealed to, those of who reads all among them.

        Raises:
            LedgerError: an org has none.
        """
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

        for org in orgs:
            if org not in self.keys:
                raise LedgerError(f"Org {org} has no key for payloads.", hint="Check the handle of the org.")
        return {org: X25519PublicKey.from_public_bytes(self.keys[org]) for org in (*self.readers, *orgs)}

    def now(self) -> int:
        """Return the time to claim: the machine's, or a demo chain's own."""
        return int(self.gate.time()) if self.demo else int(time.time())


@contextlib.contextmanager
def party(api: str, node: str, token: str, signer: Any, spool: Path | None = None) -> Iterator[Party]:
    """Open the way to the ledger: the node, where one is named, else the gateway.

    Payloads go to the gateway's vault; at a node, which takes none, into the folder `spool`.

    Raises:
        LedgerError: nobody answers, or the key is no member's.
    """
    with contextlib.ExitStack() as stack:
        yield _at_node(stack, node, token, signer, spool) if node else _at_gateway(stack, api, signer)


def _at_gateway(stack: contextlib.ExitStack, url: str, signer: Any) -> Party:
    from clients.sdk.client import Client
    from clients.sdk.gate import ApiGate
    from ledger.chain.writer import Writer

    client = Client(url, signer, pushed_back=PUSHED_BACK)
    gate = stack.enter_context(ApiGate(client))
    chain = gate.call(client.chain())
    gate.call(client.sign_in())
    found = Party(
        gate, lambda number: gate.call(client.page(f"/v1/parcels/0x{number:064x}")), chain.demo,
        chain.payload_keys, chain.payload_readers, Vault(gate), client=client,
    )  # fmt: skip
    found.writer = Writer(signer, client.org, chain.domain, found)  # type: ignore[arg-type]  # it only sends
    return found


def _at_node(stack: contextlib.ExitStack, url: str, token: str, signer: Any, spool: Path | None) -> Party:
    from clients.gate import NodeGate
    from ledger.chain.writer import Writer
    from ledger.payloads import Spool
    from node.remote import RemoteNode

    node = RemoteNode(url, token)
    stack.callback(node.close)
    genesis = node.genesis()
    member = node.state().member(signer.address)
    if member is None:
        raise NotAMember(f"{signer.hex_address} is no key of a member.", hint="Let the org's cold key enrol it.")
    keys = {org: bytes.fromhex(key) for org, key in genesis.encryption.items()}
    found = Party(
        NodeGate(node), lambda number: parcel_at(node, number), genesis.demo,
        keys, genesis.payload_readers, Spool(spool) if spool else None, node=node,
    )  # fmt: skip
    found.writer = Writer(signer, member.org, genesis.domain, found)  # type: ignore[arg-type]
    return found


class NotAMember(LedgerError):
    """The key may not write."""

    code = "batch.not-a-member"


def parcel_at(node: Any, number: int) -> dict[str, Any]:
    """Return a parcel as a node's state has it, in the shape of the API's document."""
    from ledger.domain.findings import FINDING_TEXTS

    found = node.state().parcel(number)
    holds = found.field("holds_open")
    return {
        "id": f"0x{number:064x}",
        "clearance": found.clearance,
        "status": [status.name for status in found.status],
        "findings": [
            {"code": each.name, "ko": FINDING_TEXTS[each].ko, "en": FINDING_TEXTS[each].en} for each in found.findings
        ],
        "absences": [status.name for status in found.absences] if found.clearance == "pending" else [],
        "office": found.field("office"),
        "stops": found.field("stops"),
        "open_holds": [each for each in range(8) if holds >> each & 1],
        "filing": f"0x{node.filing(number):040x}",
    }


def ended(at: Party) -> Iterator[tuple[Any, Any]]:
    """Send what the writer holds, wait for the end of every batch; yield each entry with what it came to.

    Raises:
        LedgerError: a batch came to nothing, or waits longer than is waited for.
    """
    at.writer.flush(at.now())
    for batch in at.sent:
        outcomes = {each.number: each for each in _ended(at, batch)}
        yield from ((entry, outcomes[number]) for number, entry in enumerate(batch.unpacked()))
    at.sent.clear()


def write(at: Party, *, as_json: bool) -> list[dict[str, Any]]:
    """Send what the writer holds and say what became of every entry; ends the command with 1 if one was rejected.

    An order recorded again stands already: its id says who opened it and with which facts, so it is no fault.
    """
    from clients.convert.taking import explained
    from ledger.domain.kinds import KindNumber

    rows: list[dict[str, Any]] = []
    for entry, found in ended(at):
        value = {} if found.value is None else {"value": found.value}
        kind, code = KindNumber(entry.kind), found.code
        stands = kind is KindNumber.ORDER_OPENED and code == STANDS
        rows.append(
            {"subject": f"0x{entry.subject:064x}", "kind": kind.name,
             "outcome": "stands already" if stands else "rejected" if code else "recorded",
             "effects": list(found.effects), "reason": explained(code) if code and not stands else None, **value}
        )  # fmt: skip
    if as_json:
        say_json({"entries": rows})
    else:
        for row in rows:
            show(row)
    if any(row["reason"] for row in rows):
        raise typer.Exit(FINDING)
    return rows


def show(row: dict[str, Any]) -> None:
    """Show what became of an entry."""
    effects = f" ({', '.join(row['effects'])})" if row["effects"] else ""
    effects += f", number {row['value']}" if "value" in row else ""
    out.print(f"{row['kind']} {row['subject']}: {row['outcome']}{effects}", highlight=False, soft_wrap=True)
    if reason := row["reason"]:
        text = f"  {reason['code']}: {reason['ko']} {reason['en']} {reason['hint']}"
        out.print(text, highlight=False, soft_wrap=True)


def _ended(at: Party, batch: Any) -> tuple[Any, ...]:
    """Wait until a batch is final; return what its entries came to.

    Raises:
        LedgerError: it was refused after it was accepted, or waits longer than is waited for.
    """
    from clients.gate import State

    name = batch.hash(at.writer.domain)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        fate = at.gate.status(name)
        if fate.state is State.VISIBLE:
            return tuple(fate.outcomes)
        if fate.state in (State.REFUSED, State.EXPIRED):
            raise Dead(fate.code or "batch.refused", fate.reason)
        time.sleep(0.1)
    raise LedgerError(f"Batch 0x{name.hex()} was accepted and is not final yet.", hint="Ask again later.")


class Dead(LedgerError):
    """A batch came to nothing."""

    def __init__(self, code: str, reason: str) -> None:
        """Keep the code it ended with."""
        super().__init__(reason or "The batch was refused.", hint="Run the command again.")
        self.code = code
