"""The follower: executes every block before it keeps it, refuses a bad or a second one, countersigns heads."""

from __future__ import annotations

from typing import Final, Protocol

from ledger.keys import LocalSigner
from node.blocks import Block, InvalidBlock
from node.chain import Chain, height_key
from node.clock import Clock
from node.rules import MAX_DRIFT, check_seal, check_stops_first
from node.statements import Head
from node.store import Space

PAGE: Final = 64
"""Blocks asked for at once."""


class SecondBlock(InvalidBlock):
    """Another block than the one kept, at a height known already: the sealer rewrote its past."""

    code = "block.second"


class FromFuture(InvalidBlock):
    """A block whose time lies ahead of this node's clock."""

    code = "block.future"


class Source(Protocol):
    """A node that blocks come from."""

    def blocks(self, start: int, count: int) -> list[tuple[Block, bytes]]:
        """Return up to `count` blocks and their seals from a height."""
        ...

    def send_head(self, head: Head) -> None:
        """Hand over a countersigned head."""
        ...


class Follower:
    """Follows one source. Calls must not overlap."""

    def __init__(self, chain: Chain, signer: LocalSigner | None, clock: Clock, max_drift: int = MAX_DRIFT) -> None:
        """Take the chain and the key that countersigns (None: only follow)."""
        self.chain = chain
        self._signer = signer
        self._clock = clock
        self._max_drift = max_drift

    def take(self, block: Block, seal: bytes) -> Head | None:
        """Execute a block on the head, keep it, countersign it.

        Raises:
            InvalidBlock: it is not kept; the subclass and the sentence say why.
        """
        chain = self.chain
        if block.height <= chain.head.number:
            if chain.block(block.height).hash != block.hash:
                raise SecondBlock(
                    f"block {block.height}: 0x{block.hash.hex()} is not the one kept here, "
                    f"0x{chain.block(block.height).hash.hex()}.",
                    hint="The sealer rewrote its past. Keep this node's store and report it.",
                )
            return None
        if block.height != chain.head.number + 1 or block.header.parent_hash != chain.head.hash:
            raise InvalidBlock(
                f"block {block.height} does not stand on the head {chain.head.number}.",
                hint="The sealer rewrote its past or left out a block. Keep this node's store and report it.",
            )
        check_seal(chain.genesis, chain.genesis_hash, block, seal)
        check_stops_first(block)
        if block.header.timestamp > self._clock.now() + self._max_drift:
            raise FromFuture(f"block {block.height} lies in the future.", hint="Check the clocks of both machines.")
        executed = chain.executor.validate(chain.head, block)
        head = self._countersign(block)
        own: dict[bytes, bytes | None] = {}
        if head and self._signer:
            own[Space.HEAD + height_key(block.height) + self._signer.address] = block.hash + head.signature
        chain.append(executed, seal, own)
        return head

    def _countersign(self, block: Block) -> Head | None:
        """Sign the head; it is written with the block in one synced commit and sent only after it."""
        if self._signer is None:
            return None
        return Head.signed(self.chain.domain, self._signer, self.chain.genesis_hash, block.height, block.hash)

    def own_heads(self, height: int) -> list[Head]:
        """Return what this follower countersigned at a height: one head, or none."""
        if self._signer is None:
            return []
        kept = self.chain.store.get(Space.HEAD + height_key(height) + self._signer.address)
        return [] if kept is None else [Head(self.chain.genesis_hash, height, kept[:32], kept[32:])]

    def sync(self, source: Source) -> int:
        """Take what the source has beyond our head; return how many blocks. The kept head is compared first.

        Raises:
            InvalidBlock: the source's chain is not ours, or not valid.
        """
        taken = 0
        while True:
            page = source.blocks(self.chain.head.number, PAGE)
            if not page:
                if taken == 0:
                    self.check_not_behind()
                return taken
            newest: Head | None = None
            before = self.chain.head.number
            for block, seal in page:
                newest = self.take(block, seal) or newest
            taken += self.chain.head.number - before
            if newest:
                source.send_head(newest)
            if self.chain.head.number == before:
                return taken

    def check_not_behind(self) -> None:
        """Report that the source does not have the block this node has.

        Raises:
            InvalidBlock: always; called when the source has nothing at our head.
        """
        raise InvalidBlock(
            f"The source has no block {self.chain.head.number}, which this node has kept.",
            hint="The sealer lost or rewrote its past; it must take the newer blocks from its followers.",
        )
