"""The batches of executed blocks, as every audit that reads what was said looks at them."""

from __future__ import annotations

from collections.abc import Iterator

from ledger.chain.calls import Change
from ledger.chain.included import IncludedBatch, read_batch, read_changes
from ledger.genesis import CONTRACT
from node.blocks import ExecutedBlock
from node.transactions import body_of


def batches_of(executed: ExecutedBlock) -> Iterator[IncludedBatch]:
    """Yield the batches that a block recorded, in order."""
    block = executed.block
    for index, raw in enumerate(block.transactions):
        body = body_of(raw)
        if body.to == CONTRACT and executed.receipts[index].status:
            logs = [(log.topics, log.data) for log in executed.receipts[index].logs]
            found = read_batch(block.height, index, body.data, logs)
            if found:
                yield found


def changes_of(executed: ExecutedBlock) -> tuple[tuple[int, Change], ...]:
    """Return the changes of members and rules in a block, each with the place of its transaction."""
    return read_changes(
        [[(log.topics, log.data) for log in each.logs if log.address == CONTRACT] for each in executed.receipts]
    )
