"""Every table of the gateway's database; importing this package registers them all with SQLModel's metadata."""

from __future__ import annotations

from ledger.store.tables import access, chain, history, identity, outbox, screening, vault, webhooks

__all__ = ["access", "chain", "history", "identity", "outbox", "screening", "vault", "webhooks"]
