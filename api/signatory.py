"""A party of the gateway itself that signs entries: one process at a time, in cuts of the clock, through the outbox.

What it signs is durable before it is sent: batch, place in the outbox and the note of what it carries commit together.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Final

from api.gateway import Gateway
from ledger.chain.batch import Batch, Entry
from ledger.keys import LocalSigner
from ledger.store import leases, submissions
from ledger.store.database import Session

BATCH_LIFE: Final = 7_200
"""Seconds for which a batch is good."""
LEASE: Final = dt.timedelta(seconds=10)


class Signatory:
    """Holds a key, the lease of its job, and the time of its next cut."""

    def __init__(self, gateway: Gateway, job: str, signer: LocalSigner, org: int, pause: dt.timedelta) -> None:
        """Take the gateway, the job that one process may do at a time, the key, and the time between two cuts."""
        self._gateway, self._signer, self.org, self._pause = gateway, signer, org, pause
        self._lease = leases.Lease(gateway.database, job, LEASE)
        self._next_cut = dt.datetime.min.replace(tzinfo=dt.UTC)

    def hold(self) -> bool:
        """Take or keep the lease; False while another process holds it."""
        return self._lease.hold(self._gateway.now())

    def check(self, session: Session) -> None:
        """Check within a transaction that the lease is still held.

        Raises:
            LeaseLost: it is not.
        """
        self._lease.check(session)

    @property
    def may_cut(self) -> bool:
        """Whether the pause after the last cut is over."""
        return self._gateway.now() >= self._next_cut

    def begin_cut(self, lanes: Sequence[int]) -> dict[int, int]:
        """Begin a cut; return the chain's next number of each lane, which is asked outside of any transaction."""
        self._next_cut = self._gateway.now() + self._pause
        state = self._gateway.node.state()
        return {lane: state.next_seq(self._signer.address, lane) for lane in lanes}

    def put(self, session: Session, lane: int, on_chain: int, entries: Sequence[Entry]) -> bytes:
        """Sign one batch and put it into the outbox; return its name. `on_chain` is what :meth:`begin_cut` gave."""
        domain, t = self._gateway.genesis.domain, self._gateway.chain_time()
        seq = max(on_chain, submissions.next_living(session, self._signer.address, lane))
        batch = Batch.signed(domain, self._signer, lane=lane, seq=seq, not_after=t + BATCH_LIFE, entries=entries)
        name = batch.hash(domain)
        submissions.accept(session, batch, name, self._signer.address, self.org, self._gateway.now())
        return name
