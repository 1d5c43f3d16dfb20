"""What a node shows to those who do not believe it: words of the newest final block, and who stands for the block."""

from __future__ import annotations

from collections.abc import Sequence

import rlp

from ledger.chain.evidence import MOST_LATER, Evidence, NotFinal, ProvenWord, SignedHead
from ledger.genesis import CONTRACT
from node.blocks import Header
from node.chain import Chain, height_key
from node.evm.proofs import prove
from node.service import NodeService
from node.store import Space

HEIGHT_BYTES = 8
HASH_BYTES = 32


def evidence_of(service: NodeService, slots: Sequence[int]) -> Evidence:
    """Return the contract's words in some slots at the newest final block, with what proves them.

    Under the node's lock it reads the proofs, one header, and the heads of 257 heights at most; the headers that
    follow, 256 at most, are read when the lock is free again. No transaction is decoded.

    Raises:
        NotFinal: no block after block 0 is final.
        StatePruned: the state of that block is no longer kept.
    """
    with service.locked() as chain:
        height = service.final_height()
        if height == 0:
            raise NotFinal("No block is final yet.", hint="Wait until the followers have countersigned a block.")
        header = Header.of(rlp.decode(chain.header_bytes(height)))
        proof = prove(chain.nodes, header, CONTRACT, slots)
        heads = _heads_from(chain, height)
        seal = chain.seal(height)
    highest = max((head.height for head in heads), default=height)
    return Evidence(
        header.rlp,
        seal,
        tuple(chain.header_bytes(later) for later in range(height + 1, highest + 1)),
        heads,
        proof.nodes,
        tuple(ProvenWord(each.value, each.nodes) for each in proof.storage),
    )


def _heads_from(chain: Chain, height: int) -> tuple[SignedHead, ...]:
    """Return for each follower the first head of this chain that it countersigned from a height on, by address."""
    missing = {bytes.fromhex(address[2:]) for address in chain.genesis.followers}
    found: list[SignedHead] = []
    for key, value in chain.store.scan(Space.HEAD, height_key(height)):
        at, signer = int.from_bytes(key[:HEIGHT_BYTES], "big"), key[HEIGHT_BYTES:]
        if not missing or at > min(height + MOST_LATER, chain.head.number):
            break
        if signer in missing and chain.height_of(value[:HASH_BYTES]) == at:
            missing.remove(signer)
            found.append(SignedHead(signer, at, value[HASH_BYTES:]))
    return tuple(sorted(found, key=lambda head: head.follower))
