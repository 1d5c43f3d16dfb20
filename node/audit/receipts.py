"""`audit receipts`: what was promised and is not there, stops that came too late, and a re-sealed past.

For each receipt it establishes (1) the sealer signed it, (2) the batch stands in the chain, in a block no later than
promised; a missing batch is excused by a rival batch of the same key, lane and sequence, by the key's suspension, or by
the batch's own expiry. For each countersigned head, (3) the block of that height is the one that was signed. For each
stop, (4) no batch accepted later stands before it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ledger.chain.batch import Batch
from ledger.chain.calls import What
from ledger.commitments import LedgerDomain
from ledger.domain.errors import LedgerError
from ledger.domain.limits import STOP_LANE
from ledger.domain.words import KEY
from ledger.genesis import Genesis
from ledger.keys import BadSignature, recover
from node.audit.batches import batches_of
from node.audit.members import MemberHistory
from node.audit.report import Found
from node.blocks import ExecutedBlock
from node.statements import Head, Receipt


@dataclass(slots=True)
class ChainIndex:
    """Where every batch of an audited chain stands."""

    genesis: Genesis
    hashes: dict[int, bytes] = field(default_factory=dict)
    times: dict[int, int] = field(default_factory=dict)
    places: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    slots: dict[tuple[bytes, int, int], bytes] = field(default_factory=dict)

    def add(self, executed: ExecutedBlock) -> None:
        """Take an executed block."""
        block = executed.block
        self.hashes[block.height] = block.hash
        self.times[block.height] = block.header.timestamp
        for found in batches_of(executed):
            name = found.hash(self.genesis.domain)
            self.places[name] = (found.height, found.index)
            self.slots[found.key, found.batch.lane, found.batch.seq] = name


@dataclass(frozen=True, slots=True)
class Promised:
    """A receipt with the batch it is for, as the client kept both."""

    receipt: Receipt
    batch: Batch | None


def load_receipts(folder: Path) -> Iterator[Promised]:
    """Read the receipts a client kept, one JSON object a file.

    Raises:
        LedgerError: a file is no receipt.
    """
    for path in sorted(folder.glob("*.json")):
        try:
            document = json.loads(path.read_text())
            told = document.get("batch_signed")
            batch = _batch(told) if told else None
            yield Promised(Receipt.of(document), batch)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LedgerError(f"{path} is no receipt.", hint="Give the folder the client keeps receipts in.") from error


def _batch(document: Mapping[str, Any]) -> Batch:
    return Batch(
        int(document["lane"], 16), int(document["seq"], 16), int(document["notAfter"], 16),
        bytes.fromhex(document["entries"][2:]), bytes.fromhex(document["signature"][2:]),
    )  # fmt: skip


def load_heads(path: Path) -> list[Head]:
    """Read countersigned heads, one JSON object a line.

    Raises:
        LedgerError: a line is no head.
    """
    try:
        return [Head.of(json.loads(line)) for line in path.read_text().splitlines() if line.strip()]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LedgerError(f"{path} holds no heads.", hint="Give a file with one countersigned head a line.") from error


def suspensions(index: ChainIndex, members: MemberHistory) -> dict[bytes, int]:
    """Return since when (block time, seconds UTC) each suspended key is, by itself or with its org."""
    found: dict[bytes, int] = {}
    for height, change in members.changes:
        moment = index.times.get(height, 0)
        if change.what is What.KEY_SUSPENDED:
            found.setdefault(change.key, moment)
        elif change.what is What.ORG_SUSPENDED:
            for key, word in members.keys.items():
                if KEY["org"].get(word) == change.a:
                    found.setdefault(key, moment)
    return found


def check_receipts(
    index: ChainIndex, promised: Iterable[Promised], suspended: Mapping[bytes, int] | None = None
) -> Iterator[Found]:
    """Compare promises with the chain; `suspended` says since when a key is."""
    domain = index.genesis.domain
    sealer = bytes.fromhex(index.genesis.sealer[2:])
    kept: list[tuple[Receipt, Batch | None, tuple[int, int] | None]] = []
    for each in promised:
        receipt, batch = each.receipt, each.batch
        name = f"batch 0x{receipt.batch.hex()}"
        try:
            if receipt.signer(domain) != sealer:
                yield Found("receipt.signer", None, f"{name}: the receipt is not signed by the sealer.")
                continue
        except BadSignature:
            yield Found("receipt.signer", None, f"{name}: the receipt is not signed by anybody.")
            continue
        place = index.places.get(receipt.batch)
        if batch is not None and not _is_for(receipt, batch, domain):
            yield Found("receipt.batch", None, f"{name}: the batch kept with the receipt is another one.")
            continue
        kept.append((receipt, batch, place))
        if place is None and not _excused(index, receipt, batch, suspended or {}):
            yield Found("receipt.missing", None, f"{name}: promised, and not in the chain.")
        elif place is not None and index.times[place[0]] > receipt.include_by:
            yield Found("receipt.late", place[0], f"{name}: stands in block {place[0]}, later than promised.")
    yield from _stops_late(kept)


def _is_for(receipt: Receipt, batch: Batch, domain: LedgerDomain) -> bool:
    try:
        return batch.hash(domain) == receipt.batch
    except BadSignature:
        return False


def _excused(index: ChainIndex, receipt: Receipt, batch: Batch | None, suspended: Mapping[bytes, int]) -> bool:
    newest = max(index.times.values(), default=0)
    if newest < receipt.include_by:
        return True  # the promise has not fallen due on this chain
    if batch is None:
        return False
    key = recover(batch.digest(index.genesis.domain), batch.signature)
    rival = index.slots.get((key, batch.lane, batch.seq))
    if batch.seq and (key, batch.lane, batch.seq - 1) not in index.slots:
        return True  # the one before it is not in the chain: if that was promised too, it is what is missing
    return rival is not None or batch.not_after < receipt.include_by or suspended.get(key, newest) < receipt.include_by


def _stops_late(kept: list[tuple[Receipt, Batch | None, tuple[int, int] | None]]) -> Iterator[Found]:
    placed = [(receipt, batch, place) for receipt, batch, place in kept if place is not None]
    for stop, stop_batch, stop_place in placed:
        if stop_batch is None or stop_batch.lane != STOP_LANE:
            continue
        for other, _, place in placed:
            if other.accepted_at > stop.accepted_at and place < stop_place:
                yield Found(
                    "receipt.stop-late",
                    stop_place[0],
                    f"stop 0x{stop.batch.hex()} stands behind 0x{other.batch.hex()}, which was accepted later.",
                )
                break


def check_heads(index: ChainIndex, genesis_hash: bytes, heads: Iterable[Head]) -> Iterator[Found]:
    """Compare countersigned heads with the chain."""
    known = {bytes.fromhex(address[2:]) for address in index.genesis.followers}
    for head in heads:
        try:
            signer = head.signer(index.genesis.domain)
        except BadSignature:
            signer = b""
        if signer not in known or head.genesis_hash != genesis_hash:
            yield Found("head.signer", head.height, f"head {head.height}: not signed by a follower of this chain.")
        elif index.hashes.get(head.height) != head.block_hash:
            yield Found(
                "head.differs",
                head.height,
                f"block {head.height}: a follower countersigned 0x{head.block_hash.hex()}; the past was rewritten.",
            )
