"""The random sample of screening, as anybody can recompute it from the chain (design: random inspection is verifiable).

Screening commits to a key for each day (KST) before the first filing of the day stands in a block, and reveals it once
the parcels it picked are decided. A parcel is picked if HMAC-SHA256(day key, parcel | hash of the block that holds its
first filing) lies below the rate of the day. Both statements are entries of screening's trace lane: they touch no
decision, and where they stand in the chain is what makes the one come before and the other after.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from eth_hash.auto import keccak

from ledger.chain.batch import Entry
from ledger.chain.included import IncludedBatch
from ledger.commitments import LedgerDomain, word
from ledger.domain.crosswalk import DAY_COMMITTED, DAY_REVEALED
from ledger.domain.words import HEADER

KEYS_SAID: Final = (DAY_COMMITTED, DAY_REVEALED)
DAY_TAG: Final = keccak(b"clearance.sampling-day/v1")
COMMITMENT_TAG: Final = keccak(b"clearance.sampling-commitment/v1")
PICKED_TAG: Final = keccak(b"clearance.picked-by-sample/v1")
ONE: Final = 1_000_000
"""Rates are parts per million."""
DAY: Final = 86_400
KST_AHEAD: Final = 32_400
REVEAL_AFTER: Final = 3_600
"""Seconds after a day's end before its key is revealed: `t` of a filing may lie 900 behind the clock."""
REVEAL_LATEST: Final = 30 * DAY
"""Seconds after a day's end by which its key is revealed, decided or not: an open case must not hide the others."""


def day_of(t: int) -> int:
    """Return the number of the day (KST) of a time in seconds UTC."""
    return (t + KST_AHEAD) // DAY


def day_end(day: int) -> int:
    """Return the second (UTC) with which a day ends."""
    return (day + 1) * DAY - KST_AHEAD


def day_subject(domain: LedgerDomain, day: int) -> int:
    """Return the subject of the statements about a day: a tag of the chain, and the day's number in the low 64 bits."""
    return _tag(domain) | day


def _tag(domain: LedgerDomain) -> int:
    return int.from_bytes(keccak(DAY_TAG + domain.self_hash())[:24], "big") << 64


def commitment(domain: LedgerDomain, day: int, rate: int, key: bytes) -> bytes:
    """Return what stands on chain before a day: it binds to key and rate, and tells neither."""
    return keccak(COMMITMENT_TAG + domain.self_hash() + word(day) + word(rate) + key)


def picked(key: bytes, rate: int, parcel: int, block_hash: bytes) -> bool:
    """Whether the sample picks a parcel.

    Args:
        key: of the day of its first filing.
        rate: parts per million.
        parcel: its id.
        block_hash: of the block that holds its first filing.
    """
    drawn = hmac.new(key, word(parcel) + block_hash, hashlib.sha256).digest()
    return int.from_bytes(drawn, "big") * ONE < rate << 256


def picked_digest(key: bytes, parcel: int, filing: int) -> bytes:
    """Return the digest of the entry that refers a parcel because the sample picked it.

    Until the key is revealed it is as random as any other reason's; from then on nobody can pass a suspicion off as the
    sample, or the sample as a suspicion.
    """
    return keccak(PICKED_TAG + key + word(parcel) + word(filing))


def commit_entry(domain: LedgerDomain, day: int, rate: int, key: bytes, now: int) -> Entry:
    """Return the entry that commits to a day's key: the commitment is its digest."""
    return Entry(day_subject(domain, day), DAY_COMMITTED, now, commitment(domain, day, rate, key))


def reveal_entry(domain: LedgerDomain, day: int, rate: int, key: bytes, now: int) -> Entry:
    """Return the entry that reveals a day's key: it is the digest, the rate its detail."""
    return Entry(day_subject(domain, day), DAY_REVEALED, now, key, rate << HEADER["detail"].shift)


@dataclass(frozen=True, slots=True)
class DayStatement:
    """A commitment to a day's key, or the key itself, as it stands in a block.

    Attributes:
        revealed: whether `digest` is the key, with its `rate`.
    """

    height: int
    org: int
    day: int
    revealed: bool
    digest: bytes
    rate: int

    def fits(self, domain: LedgerDomain, committed: bytes) -> bool:
        """Whether a revealed key is the one that was committed to."""
        return commitment(domain, self.day, self.rate, self.digest) == committed


def day_statements(domain: LedgerDomain, batch: IncludedBatch, roles: int) -> Iterator[DayStatement]:
    """Yield what a batch says of day keys; nothing, unless it is screening's (`roles`: those of its key then)."""
    if not batch.batch.is_trace:
        return
    for each in batch.entries(roles):
        entry = each.entry
        if each.rejection is None and entry.kind in KEYS_SAID and entry.subject >> 64 << 64 == _tag(domain):
            yield DayStatement(
                batch.height, batch.org, entry.subject & (1 << 64) - 1, entry.kind == DAY_REVEALED, entry.digest,
                HEADER["detail"].get(entry.detail),
            )  # fmt: skip
