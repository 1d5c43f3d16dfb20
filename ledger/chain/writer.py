"""Signs what a party says and sends it in batches, in sequence."""

from __future__ import annotations

from typing import Final

from ledger.chain.batch import Batch, Entry
from ledger.chain.port import NodePort
from ledger.chain.receipts import ReceiptFolder
from ledger.commitments import LedgerDomain
from ledger.domain.limits import MAX_BATCH_BYTES, MAX_ENTRIES, STOP_LANE, TRACE_LANE
from ledger.keys import LocalSigner

MAIN_LANE: Final = 1
BATCH_LIFE: Final = 7_200
"""Seconds after which a batch that was not included is dead."""


class Writer:
    """One key of one org: collects entries by lane and sends them signed."""

    def __init__(
        self,
        signer: LocalSigner,
        org: int,
        domain: LedgerDomain,
        node: NodePort,
        receipts: ReceiptFolder | None = None,
    ) -> None:
        """Act for an org with a key; keep the sealer's receipts if a folder is given."""
        self.signer = signer
        self.org = org
        self.domain = domain
        self.node = node
        self._receipts = receipts
        self._waiting: dict[int, list[Entry]] = {}
        self._seqs: dict[int, int] = {}

    def write(self, entry: Entry, lane: int = MAIN_LANE) -> None:
        """Put an entry into the next batch of the main lane (or another)."""
        self._waiting.setdefault(lane, []).append(entry)

    def stop(self, entry: Entry) -> None:
        """Put a stop into the next batch of lane 0."""
        self.write(entry, STOP_LANE)

    def trace(self, entry: Entry) -> None:
        """Put a trace into the next batch of the trace lane."""
        self.write(entry, TRACE_LANE)

    def flush(self, now: int) -> int:
        """Sign and send what waits; return how many entries went out.

        Raises:
            LedgerError: the node refused a batch; what was not sent still waits.
        """
        sent = 0
        for lane in sorted(self._waiting):
            while self._waiting[lane]:
                sent += self._send_one(lane, now)
        return sent

    def _send_one(self, lane: int, now: int) -> int:
        entries = self._waiting[lane]
        size, count = 32, 0
        for entry in entries[:MAX_ENTRIES]:
            size += 96 + 32 * len(entry.extra)
            if size > MAX_BATCH_BYTES:
                break
            count += 1
        seq = self._seqs.get(lane)
        if seq is None:
            seq = self.node.next_seq(self.signer.address, lane)
        batch = Batch.signed(
            self.domain, self.signer, lane=lane, seq=seq, not_after=now + BATCH_LIFE, entries=entries[:count]
        )
        receipt = self.node.send(batch)
        if self._receipts:
            self._receipts.keep(batch, receipt)
        self._seqs[lane] = seq + 1
        del entries[:count]
        return count
