"""Takes signed batches into the outbox: what can be refused at the door is refused there, all else waits durably."""

from __future__ import annotations

from typing import Final

from api.gateway import Gateway
from api.problems import APIError
from ledger.chain.batch import Batch
from ledger.commitments import batch_hash
from ledger.domain.limits import STOP_LANE
from ledger.domain.roles import STOP_LANE_ROLES
from ledger.keys import BadSignature, recover
from ledger.store import submissions
from ledger.store.access import Caller
from ledger.store.tables.outbox import SubmissionRow

NEAREST_EXPIRY: Final = 1_800
"""Seconds that a batch must still be good for when it is accepted."""
FULL_RETRY: Final = 2
"""Seconds after which a writer tries again when the outbox is full."""


def accept(gateway: Gateway, caller: Caller, batch: Batch) -> SubmissionRow:
    """Check a batch at the door and put it into the outbox; accepting it again returns the same submission.

    One that stands in a block, of which a restored database knows nothing, becomes a submission that stands there.

    Raises:
        BatchFault: its shape.
        APIError: signature, expiry, lane, sequence, or push-back.
    """
    batch.check()
    digest = batch.digest(gateway.genesis.domain)
    _check_signer(batch, digest, caller)
    name = batch_hash(digest, caller.key)
    with gateway.database.read() as session:
        known = submissions.by_hash(session, name)
        if known is not None and known.state not in submissions.DEAD:
            session.expunge(known)
            return known
        # The last one may become visible before this writes: by then the chain's number is the batch's own.
        follows = batch.seq > 0 and submissions.next_seq(session, caller.key, batch.lane) == batch.seq
    on_chain = batch.seq if follows else gateway.node.state().next_seq(caller.key, batch.lane)
    place = _place(gateway, name) if batch.seq < on_chain else None
    if place is None and batch.not_after < gateway.chain_time() + NEAREST_EXPIRY:
        raise APIError(
            "batch.near-expiry", f"Its notAfter is nearer than {NEAREST_EXPIRY // 60} minutes.",
            hint="Sign it again with a later notAfter.",
        )  # fmt: skip
    with gateway.database.write() as session:
        _check_room(gateway, submissions.waiting(session), batch)
        again = submissions.by_hash(session, name)
        new = again is None or again.state in submissions.DEAD  # else another request of the same batch was faster
        if new and place is None:
            _check_sequence(max(on_chain, submissions.next_seq(session, caller.key, batch.lane)), batch)
        row = submissions.put(session, again, batch, name, caller.key, caller.org, gateway.now())
        if place:
            submissions.note_place(session, name, *place)
            session.refresh(row)
        session.expunge(row)
    gateway.bells.accepted.ring()
    return row


def next_seq(gateway: Gateway, key: bytes, lane: int) -> int:
    """Return the number a key must use next in a lane, after all that waits."""
    with gateway.database.read() as session:
        waiting = submissions.next_seq(session, key, lane)
    return max(waiting, gateway.node.state().next_seq(key, lane))


def _place(gateway: Gateway, name: bytes) -> tuple[int, int] | None:
    """Return height and place of a batch in the chain."""
    answer = gateway.node.batch_status(name)
    return (int(answer["inclusion"]["height"]), int(answer["index"])) if answer["state"] == "included" else None


def _check_signer(batch: Batch, digest: bytes, caller: Caller) -> None:
    try:
        key = recover(digest, batch.signature)
    except BadSignature as error:
        raise APIError("batch.signature", error.detail, hint=error.hint) from error
    if key != caller.key:
        raise APIError(
            "batch.signature", f"The signature recovers to 0x{key.hex()}, not to the key you signed in with.",
            hint="Sign the EIP-712 digest under the domain of GET /v1/chain, with that key.",
        )  # fmt: skip
    if batch.lane == STOP_LANE and not caller.roles & STOP_LANE_ROLES:
        raise APIError(
            "batch.stop-lane", "Lane 0 is for stops of customs and the identity authority.", hint="Use another lane."
        )


def _check_room(gateway: Gateway, waiting: int, batch: Batch) -> None:
    reserve = gateway.bounds.stops if batch.lane == STOP_LANE else 0
    if waiting >= gateway.bounds.batches + reserve:
        raise APIError(
            "outbox.full", "Too many batches are on their way.", hint="Send it again a little later.",
            retry_after=FULL_RETRY,
        )  # fmt: skip


def _check_sequence(expected: int, batch: Batch) -> None:
    if batch.seq != expected:
        raise APIError(
            "batch.sequence", f"The next number of this key in lane {batch.lane} is {expected}, not {batch.seq}.",
            hint="Fill a gap with an empty batch; if the number is used, ask what became of that batch.",
        )  # fmt: skip
