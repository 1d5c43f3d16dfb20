"""The `clearance_` methods: signed batches in, blocks with seals, receipts and countersigned heads out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ledger.chain.batch import Batch
from ledger.domain.errors import LedgerError
from node.evidence import evidence_of
from node.rpc.ethereum import BadParameters, data, read_bytes, read_quantity
from node.service import NodeService
from node.statements import Head

MAX_PAGE: Final = 256
MAX_BATCHES: Final = 64
MAX_PROVEN: Final = 16
MAX_SUBJECTS: Final = 4_096
"""Subjects whose words are read in one call: bounds how long the node's lock is held."""


class LedgerMethods:
    """Answers from one node."""

    def __init__(self, service: NodeService) -> None:
        """Take the node."""
        self._service = service

    def methods(self) -> dict[str, Callable[..., Any]]:
        """Return the methods by name."""
        return {
            "clearance_sendBatch": self.send_batch,
            "clearance_sendBatches": self.send_batches,
            "clearance_batchStatus": self.batch_status,
            "clearance_getBlocks": self.get_blocks,
            "clearance_getWords": self.get_words,
            "clearance_getEvidence": self.get_evidence,
            "clearance_sendHead": self.send_head,
            "clearance_getHeads": self.get_heads,
            "clearance_status": self.status,
            "clearance_awaitStatus": self.await_status,
            "clearance_genesis": self.genesis,
            "clearance_moveClock": self.move_clock,
        }

    def send_batch(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Take a signed batch and return the sealer's receipt."""
        return self._service.send_batch(read_batch(batch))

    def send_batches(self, batches: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Take up to 64 signed batches in order, kept with one synced write.

        Return the receipt of each, or an object whose only member `error` says why it was refused.
        """
        if not isinstance(batches, list) or len(batches) > MAX_BATCHES:
            raise BadParameters(f"A list of at most {MAX_BATCHES} batches.", hint="Send them in pages.")
        answers = self._service.send_batches([read_batch(each) for each in batches])
        return [{"error": each.as_dict()} if isinstance(each, LedgerError) else each for each in answers]

    def batch_status(self, batch: str) -> dict[str, Any]:
        """Say what became of a batch: unknown, accepted, included (final or not), refused."""
        return self._service.batch_status(read_bytes(batch, 32))

    def get_blocks(self, start: Any, count: Any) -> list[dict[str, Any]]:
        """Return raw blocks with seals, and the receipts' logs for readers that trust this node."""
        found = []
        for block, seal in self._service.blocks(read_quantity(start), min(read_quantity(count), MAX_PAGE)):
            with self._service.locked() as chain:
                receipts = chain.receipts(block.height)
            logs = [
                [[data(log.address), [data(topic) for topic in log.topics], data(log.data)] for log in receipt.logs]
                for receipt in receipts
            ]
            found.append({"block": data(block.encode()), "seal": data(seal), "logs": logs})
        return found

    def get_words(self, subjects: list[Any]) -> dict[str, Any]:
        """Return words and newest filings of up to 4,096 subjects, all at the head."""
        if not isinstance(subjects, list) or len(subjects) > MAX_SUBJECTS:
            raise BadParameters(f"A list of at most {MAX_SUBJECTS} ids.", hint="Ask in pages.")
        ids = [int.from_bytes(read_bytes(each, 32), "big") for each in subjects]
        with self._service.locked() as chain:
            state = chain.state()
            return {
                "height": chain.head.number,
                "words": [hex(state.word(each)) for each in ids],
                "filings": [hex(state.filing(each)) for each in ids],
            }

    def get_evidence(self, slots: list[Any]) -> dict[str, Any]:
        """Return up to 16 of the contract's words at the newest final block, with proofs, seal and heads.

        The up to 256 headers that lead to the heads are read outside of the node's lock.
        """
        if not isinstance(slots, list) or len(slots) > MAX_PROVEN:
            raise BadParameters(f"A list of at most {MAX_PROVEN} slots.", hint="Ask in parts.")
        return evidence_of(self._service, [read_quantity(slot) for slot in slots]).as_dict()

    def send_head(self, head: dict[str, Any]) -> bool:
        """Take a follower's countersigned head."""
        try:
            self._service.take_head(Head.of(head))
        except (KeyError, ValueError, TypeError) as error:
            raise BadParameters("That is no head.", hint="Send what the follower signed.") from error
        return True

    def get_heads(self, height: Any) -> list[dict[str, Any]]:
        """Return the countersignatures under a height."""
        return [head.as_dict() for head in self._service.heads(read_quantity(height))]

    def status(self) -> dict[str, Any]:
        """Say who this node is and where it stands."""
        service = self._service
        with service.locked() as chain:
            trouble: LedgerError | None = service.trouble
            return {
                "role": service.role,
                "genesisHash": data(chain.genesis_hash),
                "height": chain.head.number,
                "blockHash": data(chain.head.hash),
                "final": service.final_height(),
                "time": service.sealer.clock.now() if service.sealer else chain.head.timestamp,
                "queued": len(service.sealer.pool) if service.sealer else 0,
                "trouble": trouble.as_dict() if trouble else None,
            }

    def await_status(self, height: Any, final: Any, milliseconds: Any) -> dict[str, Any]:
        """Answer as `clearance_status`, once head or final height (null: any) differ from these, or time is over."""
        seconds = read_quantity(milliseconds) / 1_000
        self._service.await_moved(read_quantity(height), None if final is None else read_quantity(final), seconds)
        return self.status()

    def move_clock(self, moment: Any) -> bool:
        """Move the logical clock of a demo chain's sealer."""
        self._service.move_clock(read_quantity(moment))
        return True

    def genesis(self) -> str:
        """Return the genesis file's text."""
        return self._service.chain.genesis.dumps()


def read_batch(document: dict[str, Any]) -> Batch:
    """Read a batch from JSON.

    Raises:
        BadParameters: fields are missing or malformed.
        BatchFault: they are out of range.
    """
    if not isinstance(document, dict):
        raise BadParameters("A batch is an object.", hint="Give lane, seq, notAfter, entries and signature.")
    try:
        lane, seq, not_after = (read_quantity(document[name]) for name in ("lane", "seq", "notAfter"))
        return Batch(lane, seq, not_after, read_bytes(document["entries"]), read_bytes(document["signature"], 65))
    except KeyError as error:
        raise BadParameters(
            f"The batch has no {error}.", hint="Give lane, seq, notAfter, entries, signature."
        ) from error


def batch_document(batch: Batch) -> dict[str, Any]:
    """Return a batch for JSON."""
    return {
        "lane": hex(batch.lane),
        "seq": hex(batch.seq),
        "notAfter": hex(batch.not_after),
        "entries": data(batch.entries),
        "signature": data(batch.signature),
    }
