"""Protocol constants: bounds that are no legal figures and so stand in no rule row.

Times are seconds, sizes are bytes.
"""

from __future__ import annotations

from typing import Final

MAX_ENTRIES: Final = 500
"""Entries in one signed batch."""
MAX_BATCH_BYTES: Final = 65_536
"""Bytes of the packed entries of one batch."""
MAX_ORDERS: Final = 8
"""Orders one filing may name; more go to an officer (finding MANY_ORDERS)."""
MAX_HOLDS: Final = 8
"""Holds ever placed on one parcel; numbers are not used again."""
MAX_GENERATION: Final = 255
"""Filings and corrections of one parcel."""

CLOCK_BEHIND: Final = 900
"""How far the `t` of a wrapped batch may lie behind block time."""
WRAP_AGE: Final = 600
"""A wrapping older than this is made anew under the same nonce."""
CLAIM_AHEAD: Final = 120
"""How far a claimed time may lie ahead of `t`."""
LATE_ORDER_LEAD: Final = 1_800
"""An order that a correction adds must stand on chain this long before it."""
GOVERNANCE_DELAY: Final = 86_400
"""Delay between the k-th vote and the moment a grant or rule row can be carried out."""
OVERLAY_DAYS: Final = 30
"""Longest life of an office overlay, in days."""

STOP_LANE: Final = 0
"""Lane of stops; its batches stand before all others in every block."""
TRACE_LANE: Final = 1 << 63
"""First of the lanes that carry only trace entries."""
MAX_LANE: Final = (1 << 64) - 1

DOMAIN_NAME: Final = "Clearance Ledger"
DOMAIN_VERSION: Final = "1"
"""EIP-712 domain of batches and receipts."""
