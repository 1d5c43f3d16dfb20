"""A node behind JSON-RPC: what followers, auditors and clients ask of it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import httpx

from ledger.chain.batch import Batch
from ledger.chain.evidence import Evidence
from ledger.chain.included import IncludedBatch, IncludedBlock, Words, read_batch, read_changes
from ledger.chain.state import LedgerState
from ledger.domain.errors import LedgerError
from ledger.genesis import CONTRACT, Genesis, loads
from node.blocks import Block, MalformedBlock
from node.statements import Head
from node.transactions import body_of

TIMEOUT: Final = 60.0
PAGE: Final = 64


class Unreachable(LedgerError):
    """The node does not answer."""

    code = "node.unreachable"


class NodeRefused(LedgerError):
    """The node answered with an error; `code` is the one it gave."""

    def __init__(self, document: dict[str, Any]) -> None:
        """Take the JSON-RPC error."""
        data = document.get("data")
        told: dict[str, Any] = data if isinstance(data, dict) else {}
        super().__init__(told.get("detail") or str(document.get("message")), hint=told.get("hint", ""))
        self.code = told.get("code", f"rpc.{document.get('code')}")


class RemoteNode:
    """Speaks JSON-RPC with one node."""

    def __init__(self, url: str, token: str) -> None:
        """Take its address and access token."""
        self.url = url
        self._http = httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=TIMEOUT, trust_env=False)
        self._numbers = itertools.count(1)
        self._slots: Mapping[str, int] = {}

    def call(self, method: str, *parameters: Any) -> Any:
        """Call a method and return its result.

        Raises:
            Unreachable: no answer, or none in JSON.
            NodeRefused: the node answered with an error.
        """
        request = {"jsonrpc": "2.0", "id": next(self._numbers), "method": method, "params": list(parameters)}
        try:
            response = self._http.post(self.url, json=request)
            document = response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise Unreachable(
                f"{self.url} does not answer ({type(error).__name__}).", hint="Check the address and that it runs."
            ) from error
        if response.status_code == 401:
            raise Unreachable(f"{self.url} does not take the token.", hint="Give the token of that node.")
        if "error" in document:
            raise NodeRefused(document["error"])
        return document["result"]

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def genesis(self) -> Genesis:
        """Return the genesis file of the node."""
        return loads(self.call("clearance_genesis"))

    def status(self) -> dict[str, Any]:
        """Return who the node is and where it stands."""
        found: dict[str, Any] = self.call("clearance_status")
        return found

    def await_status(self, height: int, final: int | None, seconds: float) -> dict[str, Any]:
        """Return where the node stands once head or final height differ from these, or when the time is over."""
        milliseconds = hex(int(seconds * 1_000))
        found: dict[str, Any] = self.call(
            "clearance_awaitStatus", hex(height), None if final is None else hex(final), milliseconds
        )
        return found

    def blocks(self, start: int, count: int) -> list[tuple[Block, bytes]]:
        """Return up to `count` blocks and seals from a height."""
        page = self.call("clearance_getBlocks", hex(start), hex(count))
        try:
            return [(Block.decode(_bytes(each["block"])), _bytes(each["seal"])) for each in page]
        except (KeyError, TypeError, ValueError) as error:
            raise MalformedBlock("The node sent no blocks.", hint="Check that it is a clearance node.") from error

    def send_head(self, head: Head) -> None:
        """Hand over a countersigned head."""
        self.call("clearance_sendHead", head.as_dict())

    def heads(self, height: int) -> list[Head]:
        """Return the countersignatures under a height."""
        return [Head.of(each) for each in self.call("clearance_getHeads", hex(height))]

    def send_batch(self, batch: Batch) -> dict[str, Any]:
        """Send a signed batch; return the sealer's receipt."""
        receipt: dict[str, Any] = self.call("clearance_sendBatch", _document(batch))
        return receipt

    def send_batches(self, batches: Sequence[Batch]) -> list[dict[str, Any] | LedgerError]:
        """Send up to 64 signed batches, 1 MiB in all; return the sealer's receipt or refusal for each.

        Raises:
            LedgerError: no answer; some of them may have been taken. Send them again.
        """
        answers = self.call("clearance_sendBatches", [_document(each) for each in batches])
        return [NodeRefused({"data": each["error"]}) if "error" in each else each for each in answers]

    def send_raw(self, raw: bytes) -> bytes:
        """Send a raw transaction; return its hash."""
        return _bytes(self.call("eth_sendRawTransaction", "0x" + raw.hex()))

    def batch_status(self, batch: bytes) -> dict[str, Any]:
        """Ask what became of a batch."""
        found: dict[str, Any] = self.call("clearance_batchStatus", "0x" + batch.hex())
        return found

    # ------------------------------------------------------------------------------------- what a party's program asks
    def send(self, batch: Batch) -> dict[str, Any]:
        """Hand a signed batch over; return the sealer's receipt."""
        return self.send_batch(batch)

    def included(self, start: int) -> Iterator[IncludedBatch]:
        """Yield the batches of the blocks from a height to the head, as this node tells them."""
        while page := self.pages(start, PAGE):
            for block in page:
                yield from block.batches
            start += len(page)

    def pages(self, start: int, count: int) -> list[IncludedBlock]:
        """Return up to `count` blocks from a height with their batches, as this node tells them."""
        found = []
        for each in self.call("clearance_getBlocks", hex(start), hex(count)):
            block = Block.decode(_bytes(each["block"]))
            logs = [_own(listed) for listed in each["logs"]]
            header = block.header
            found.append(
                IncludedBlock(
                    block.height, block.hash, header.parent_hash, header.timestamp, tuple(_batches(block, logs)),
                    read_changes(logs),
                )
            )  # fmt: skip
        return found

    def words(self, subjects: Sequence[int]) -> Words:
        """Return what the contract stores of some subjects, all at one height."""
        found = self.call("clearance_getWords", [f"0x{subject:064x}" for subject in subjects])
        words, filings = (tuple(int(each, 16) for each in found[name]) for name in ("words", "filings"))
        return Words(int(found["height"]), words, filings)

    def evidence(self, slots: Sequence[int]) -> Evidence:
        """Return the contract's words in some slots at the newest final block, with what proves them."""
        return Evidence.of(self.call("clearance_getEvidence", [hex(slot) for slot in slots]))

    def state(self) -> LedgerState:
        """Return the contract's state at the node's head, read slot by slot."""
        self._slots = self._slots or self.genesis().code.slots
        return LedgerState(self._slot, self._slots)

    def _slot(self, slot: int) -> int:
        return int(self.call("eth_getStorageAt", "0x" + CONTRACT.hex(), hex(slot), "latest"), 16)

    def next_seq(self, key: bytes, lane: int) -> int:
        """Return the next sequence number of a key in a lane."""
        return self.state().next_seq(key, lane)

    def word(self, subject: int) -> int:
        """Return the packed word of a subject."""
        return self.state().word(subject)

    def filing(self, parcel: int) -> int:
        """Return the low 160 bits of the newest filing's digest."""
        return self.state().filing(parcel)


def _document(batch: Batch) -> dict[str, str]:
    return {
        "lane": hex(batch.lane),
        "seq": hex(batch.seq),
        "notAfter": hex(batch.not_after),
        "entries": "0x" + batch.entries.hex(),
        "signature": "0x" + batch.signature.hex(),
    }


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


Logs = list[tuple[tuple[bytes, ...], bytes]]


def _own(logs: list[list[Any]]) -> Logs:
    """Return the contract's own logs of one transaction, as topics and data."""
    return [
        (tuple(_bytes(topic) for topic in topics), _bytes(data))
        for address, topics, data in logs
        if _bytes(address) == CONTRACT
    ]


def _batches(block: Block, logs: list[Logs]) -> Iterator[IncludedBatch]:
    for index, raw in enumerate(block.transactions):
        body = body_of(raw)
        carries = logs[index] and body.to == CONTRACT  # what reverted left no log and may be anything
        found = read_batch(block.height, index, body.data, logs[index]) if carries else None
        if found:
            yield found
