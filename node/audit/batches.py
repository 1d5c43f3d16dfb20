"""The batches of executed blocks, as every audit that reads what was said looks at them."""

from __future__ import annotations

from collections.abc import Iterator

from ledger.chain.included import IncludedBatch, read_batch
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
