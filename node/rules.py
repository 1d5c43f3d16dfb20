"""Rules of this chain beyond Ethereum's, checked by sealer, follower and audit alike."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from eth_abi.exceptions import DecodingError
from rlp.exceptions import RLPException

from ledger.chain.batch import Batch, BatchFault
from ledger.chain.calls import read_submit
from ledger.commitments import LedgerDomain
from ledger.domain.limits import STOP_LANE
from ledger.genesis import CONTRACT, Genesis
from ledger.keys import BadSignature, recover
from node.blocks import Block, InvalidBlock
from node.transactions import body_of

MAX_DRIFT: Final = 60
"""Seconds a block may lie ahead of a follower's clock."""


class StopsOutOfOrder(InvalidBlock):
    """A stop stands behind another transaction of its block."""

    code = "block.stops-first"


class BadSeal(InvalidBlock):
    """The seal is not the sealer's."""

    code = "block.seal"


def batch_of(raw: bytes) -> tuple[Batch, int] | None:
    """Return the batch (and its `t`) that a transaction carries to the ledger's contract, if any.

    Anyone may send raw transactions, and blocks are looked at before they are executed: bytes that are no transaction
    and calldata that is no batch carry none, and must not stop a node.
    """
    try:
        body = body_of(raw)
        return read_submit(body.data) if body.to == CONTRACT else None
    except (BatchFault, DecodingError, RLPException, LookupError, ValueError, TypeError):
        return None


def is_stop(raw: bytes) -> bool:
    """Whether a transaction carries a batch of lane 0."""
    carried = batch_of(raw)
    return carried is not None and carried[0].lane == STOP_LANE


def check_stops_first(block: Block) -> None:
    """Check that batches of lane 0 stand before everything else.

    Raises:
        StopsOutOfOrder: one does not.
    """
    stops = [is_stop(raw) for raw in block.transactions]
    for index, (before, stop) in enumerate(pairwise(stops), 1):
        if stop and not before:
            raise StopsOutOfOrder(
                f"block {block.height}: the stop at {index} stands behind another transaction.",
                hint="The sealer put stops last; report it.",
            )


def check_seal(genesis: Genesis, genesis_hash: bytes, block: Block, seal: bytes) -> None:
    """Check that the sealer of the genesis file signed the block.

    Raises:
        BadSeal: it did not.
    """
    domain: LedgerDomain = genesis.domain
    try:
        signer = recover(domain.seal_digest(genesis_hash, block.height, block.hash), seal)
    except BadSignature as error:
        raise BadSeal(f"block {block.height}: {error.detail}", hint="Ask another node for the block.") from error
    if signer != bytes.fromhex(genesis.sealer[2:]):
        raise BadSeal(
            f"block {block.height}: sealed by 0x{signer.hex()}, not by the sealer of the genesis file.",
            hint="Ask another node for the block.",
        )
