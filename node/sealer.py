"""The sealer: takes batches, promises them, makes blocks, signs them.

One process, group commit, no empty blocks. A batch is wrapped into a transaction when its block is made, so nonces are
handed out in one place and `t` is never old.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ledger.chain.batch import Batch
from ledger.chain.calls import submit_data
from ledger.chain.transaction import sign_legacy
from ledger.commitments import batch_hash
from ledger.domain.errors import LedgerError
from ledger.domain.limits import STOP_LANE
from ledger.domain.roles import STOP_LANE_ROLES
from ledger.genesis import CONTRACT
from ledger.keys import BadSignature, LocalSigner, recover
from node.blocks import Block
from node.chain import Chain
from node.clock import Clock
from node.evm.executor import BlockBuilder, InvalidTransaction
from node.pool import Pool, PoolFull, Queued
from node.rules import is_stop
from node.statements import Inclusion, Receipt
from node.store import Space
from node.transactions import body_of, hash_of

INCLUDE_WITHIN: Final = 600
"""Seconds within which an accepted batch is promised to stand in a block."""
MAX_BLOCK_ITEMS: Final = 64
"""Batches and transactions in one block: bounds the time a block takes."""
MAX_RAW_BYTES: Final = 131_072
MAX_RAW_WAITING: Final = 64
"""Raw transactions that may wait at once: each new one is checked behind them."""
RAW_BLOCK_GAS: Final = 1 << 26
"""Gas that raw transactions of one block ask for, unless the first alone asks for more: an audit executes it too."""
FULL: Final = "The block is full."

REASONS: Final = {
    "batch: clock": "batch.clock",
    "batch: forwarded": "batch.forwarded",
    "batch: expired": "batch.expired",
    "batch: high s": "batch.signature",
    "batch: signature": "batch.signature",
    "batch: sequence": "batch.sequence",
    "batch: stop lane": "batch.stop-lane",
    "batch: entries": "batch.shape",
    "batch: size": "batch.shape",
    "batch: kind": "batch.shape",
    "batch: shape": "batch.shape",
    "members: not a member": "batch.not-a-member",
    "": "batch.shape",
}
"""Stable codes of what the contract refuses a whole batch for."""


class BatchRefused(LedgerError):
    """The node does not take the batch."""

    def __init__(self, code: str, detail: str, *, hint: str) -> None:
        """Keep the code too: it tells which fault."""
        super().__init__(detail, hint=hint)
        self.code = code


@dataclass(frozen=True, slots=True)
class SealerKeys:
    """Keys of a sealer: its own, and the relayer accounts of stops and of everything else."""

    sealer: LocalSigner
    relayer: LocalSigner
    stop_relayer: LocalSigner


@dataclass(slots=True)
class Intake:
    """Batches on their way into the queue, before the one write that keeps them."""

    batches: list[Batch] = field(default_factory=list)
    nexts: dict[tuple[bytes, int], int] = field(default_factory=dict)
    receipts: dict[bytes, Receipt] = field(default_factory=dict)
    notes: dict[bytes, bytes | None] = field(default_factory=dict)


class Sealer:
    """Accepts and seals. Calls must not overlap: the process that serves it holds one lock."""

    def __init__(self, chain: Chain, keys: SealerKeys, clock: Clock, pool: Pool | None = None) -> None:
        """Take the chain and load what an earlier run accepted.

        A restored store's queue may hold what stands in blocks that were taken from a follower since: it is dropped.

        Raises:
            BatchRefused: the key is not that of the genesis file's sealer.
        """
        if keys.sealer.hex_address != chain.genesis.sealer.lower():
            raise BatchRefused(
                "sealer.wrong-key",
                f"The genesis file names {chain.genesis.sealer} as sealer, the key is {keys.sealer.hex_address}.",
                hint="Start with the sealer's keystore, or with --follow.",
            )
        self.chain = chain
        self.clock = clock
        self.pool = Pool(chain.store) if pool is None else pool
        self._keys = keys
        self._domain = chain.domain
        self._drop_included()
        self._queued: dict[tuple[bytes, int], int] = {}
        for item in self.pool.in_order():
            if item.batch:
                key = recover(item.batch.digest(self._domain), item.batch.signature)
                self._queued[key, item.batch.lane] = item.batch.seq + 1

    def _drop_included(self) -> None:
        done = [item for item in self.pool.in_order() if self._stands(item)]
        if done:
            self.chain.store.commit({self.pool.key(item): None for item in done})
            self.pool.drop(done)

    def _stands(self, item: Queued) -> bool:
        if item.batch is None:
            return self.chain.place_of_transaction(hash_of(item.raw)) is not None
        return self.chain.place_of_batch(item.batch.hash(self._domain)) is not None

    # -------------------------------------------------------------------------------------------------- accepting
    def accept(self, batch: Batch) -> Receipt:
        """Queue a batch durably and sign the promise to include it. Sending it again gives the same receipt.

        A batch that was refused while it waited (one before it in its lane expired, say) is judged anew. One that
        stands in a block taken from a follower, whose promise a restored store has lost, is promised once more.

        Raises:
            BatchFault: malformed; visible without state.
            BatchRefused: signature, sequence, expiry, membership or lane.
            PoolFull: push-back.
        """
        (answer,) = self.accept_all([batch])
        if isinstance(answer, LedgerError):
            raise answer
        return answer

    def accept_all(self, batches: Sequence[Batch]) -> list[Receipt | LedgerError]:
        """Queue batches in order with one synced write; return the receipt of each, or why it is refused.

        After push-back none of those that follow is taken: their numbers would be out of sequence.

        Raises:
            StoreFault: nothing was kept.
        """
        intake, answers = Intake(), list[Receipt | LedgerError]()
        for batch in batches:
            try:
                answers.append(self._judge(batch, intake))
            except PoolFull as full:
                answers += [full] * (len(batches) - len(answers))
                break
            except LedgerError as refusal:
                answers.append(refusal)
        self.pool.add_all(intake.batches, intake.notes)
        self._queued |= intake.nexts
        return answers

    def _judge(self, batch: Batch, intake: Intake) -> Receipt:
        """Return a batch's receipt, and put the batch in if it is new."""
        batch.check()
        digest = batch.digest(self._domain)
        try:
            key = recover(digest, batch.signature)
        except BadSignature as error:
            raise BatchRefused("batch.signature", error.detail, hint=error.hint) from error
        name = batch_hash(digest, key)
        if name in intake.receipts:
            return intake.receipts[name]
        kept = self.chain.store.get(Space.PROMISE + name)
        if kept is not None and self.chain.store.get(Space.REFUSED + name) is None:
            return Receipt.decode(kept)
        now = self.clock.now()
        if self.chain.place_of_batch(name) is None:
            self._check_admission(batch, key, now, intake.nexts)
            self.pool.check_room(intake.batches, batch)
            intake.batches.append(batch)
            intake.nexts[key, batch.lane] = batch.seq + 1
        receipt = Receipt.signed(self._domain, self._keys.sealer, name, now, now + INCLUDE_WITHIN)
        intake.notes |= {Space.PROMISE + name: receipt.encode(), Space.REFUSED + name: None}
        intake.receipts[name] = receipt
        return receipt

    def _check_admission(self, batch: Batch, key: bytes, now: int, nexts: Mapping[tuple[bytes, int], int]) -> None:
        if batch.not_after < now:
            raise BatchRefused(
                "batch.expired", "Its notAfter lies in the past.", hint="Sign it again with a later notAfter."
            )
        state = self.chain.state()
        member = state.member(key)
        if member is None or not member.is_member_at(now):
            raise BatchRefused(
                "batch.not-a-member",
                f"0x{key.hex()} is no key of a member in standing now.",
                hint="Check which key signed, for which chain and contract, and whether it is suspended.",
            )
        if batch.lane == STOP_LANE and not member.roles & STOP_LANE_ROLES:
            raise BatchRefused(
                "batch.stop-lane",
                "Lane 0 is for stops of customs and the identity authority.",
                hint="Use another lane.",
            )
        lane = (key, batch.lane)
        expected = max(state.next_seq(*lane), self._queued.get(lane, 0), nexts.get(lane, 0))
        if batch.seq != expected:
            raise BatchRefused(
                "batch.sequence",
                f"The next number of this key in lane {batch.lane} is {expected}, not {batch.seq}.",
                hint="Fill a gap with an empty batch; if the number is used, ask what became of that batch.",
            )

    def accept_raw(self, raw: bytes) -> bytes:
        """Queue a raw transaction durably and return its hash.

        Raises:
            InvalidTransaction: it could not enter a block now.
            PoolFull: push-back.
        """
        if len(raw) > MAX_RAW_BYTES:
            raise InvalidTransaction(f"More than {MAX_RAW_BYTES} bytes.", hint="Send a smaller transaction.")
        digest = hash_of(raw)
        waiting = [item.raw for item in self.pool.in_order() if item.raw]
        if self.chain.place_of_transaction(digest) is None and raw not in waiting:
            if len(waiting) >= MAX_RAW_WAITING:
                raise PoolFull("Too many raw transactions wait for a block.", hint="Send it again in a second.")
            builder = self.chain.executor.build(self.chain.head, self.clock.now())
            for each in sorted([*waiting, raw], key=lambda one: not is_stop(one)):  # the order they will stand in
                builder.pass_over(each)
            self.pool.add(None, raw, {})
        return digest

    # ---------------------------------------------------------------------------------------------------- sealing
    def seal(self) -> Block | None:
        """Make one block of what waits, stops first, and keep it. Return None if nothing could go in."""
        if not len(self.pool):
            return None
        builder = self.chain.executor.build(self.chain.head, self.clock.now())
        taken: list[Queued] = []
        extra: dict[bytes, bytes | None] = {}
        raw_gas = 0
        for item in self.pool.in_order():
            gas = body_of(item.raw).gas if item.raw else 0
            if builder.size >= MAX_BLOCK_ITEMS or (raw_gas and raw_gas + gas > RAW_BLOCK_GAS):
                break
            raw_gas += gas
            refusal = self._put(builder, item)
            if refusal == FULL:
                break
            taken.append(item)
            extra[self.pool.key(item)] = None
            if refusal is not None and item.batch:
                key = recover(item.batch.digest(self._domain), item.batch.signature)
                code = REASONS.get(refusal, "batch.refused")
                record = {"code": code, "reason": refusal, "at": builder.header.timestamp}
                extra[Space.REFUSED + item.batch.hash(self._domain)] = json.dumps(record).encode()
                self._queued.pop((key, item.batch.lane), None)
        block = self._commit(builder, extra)
        self.pool.drop(taken)
        return block

    def _put(self, builder: BlockBuilder, item: Queued) -> str | None:
        """Put one thing into the block; return why not, or None."""
        try:
            if item.batch is None:
                builder.apply(item.raw)  # a raw transaction enters the block even if it reverts
                return None
            return builder.apply(self._wrap(builder, item.batch), keep_reverted=False).reason
        except InvalidTransaction as error:
            return error.detail

    def _wrap(self, builder: BlockBuilder, batch: Batch) -> bytes:
        relayer = self._keys.stop_relayer if batch.lane == STOP_LANE else self._keys.relayer
        return sign_legacy(
            relayer,
            nonce=builder.nonce(relayer.address),
            to=CONTRACT,
            data=submit_data(batch, builder.header.timestamp),
            chain_id=self.chain.genesis.chain_id,
        )

    def _commit(self, builder: BlockBuilder, extra: dict[bytes, bytes | None]) -> Block | None:
        if builder.size == 0:
            self.chain.store.commit(extra)
            return None
        executed = builder.close()
        block = executed.block
        digest = self._domain.seal_digest(self.chain.genesis_hash, block.height, block.hash)
        self.chain.append(executed, self._keys.sealer.sign_digest(digest), extra)
        return block

    # -------------------------------------------------------------------------------------------------- answering
    def status(self, batch: bytes) -> dict[str, Any]:
        """Say what became of a batch, by its hash: unknown, accepted, included or refused, with what was signed."""
        kept = self.chain.store.get(Space.PROMISE + batch)
        place = self.chain.place_of_batch(batch)
        if kept is None and place is None:
            return {"state": "unknown"}
        answer: dict[str, Any] = {"state": "accepted"}
        if kept is not None:  # a restored store has the blocks of its followers, not its own later promises
            answer["receipt"] = Receipt.decode(kept).as_dict()
        refused = self.chain.store.get(Space.REFUSED + batch)
        if place is not None:
            block_hash = self.chain.block(place[0]).hash
            inclusion = Inclusion.signed(self._domain, self._keys.sealer, batch, place[0], block_hash)
            answer |= {"state": "included", "inclusion": inclusion.as_dict(), "index": place[1]}
        elif refused is not None:
            answer |= {"state": "refused"} | json.loads(refused)
        return answer
