"""What every route of the gateway works with; the composition root puts it together once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from api.bells import Bells
from api.bounds import Bounds
from api.webhooks.guard import Guard
from ledger.chain.port import ChainPort, EvidencePort
from ledger.chain.state import LedgerState
from ledger.genesis import Genesis
from ledger.payloads import PayloadStore
from ledger.store.database import Database
from ledger.store.sealing import Seals


class GatewayNode(ChainPort, EvidencePort, Protocol):
    """The node behind the gateway."""

    def state(self) -> LedgerState:
        """Return the contract's state at the node's head."""
        ...


@dataclass(frozen=True, slots=True)
class Hooks:
    """What webhooks need: the seals of their secrets, whose key lies outside the database, and where they may go."""

    seals: Seals
    guard: Guard


@dataclass(frozen=True, slots=True)
class Gateway:
    """One customs gateway.

    Attributes:
        now: the service's own time, aware UTC.
        chain_time: the chain's time, seconds UTC: a replay's clock on a demo chain, else the machine's.
        secret: signs list cursors; 32 bytes.
        hooks: None if this gateway sends no webhooks.
        rates: how often one identity may ask, where that is not what `api.limits.LIMITS` says.
        bounds: beyond them callers are pushed back.
        bells: rung where work comes up, so that jobs need not look for it all the time.
    """

    database: Database
    node: GatewayNode
    genesis: Genesis
    genesis_hash: bytes
    payloads: PayloadStore
    secret: bytes
    now: Callable[[], dt.datetime]
    chain_time: Callable[[], int]
    hooks: Hooks | None = None
    rates: Mapping[str, str] = field(default_factory=dict)
    bounds: Bounds = field(default_factory=Bounds)
    bells: Bells = field(default_factory=Bells)

    def chain_now(self) -> dt.datetime:
        """Return the chain's time as an aware time: what people's wishes and rules are judged by."""
        return dt.datetime.fromtimestamp(self.chain_time(), dt.UTC)
