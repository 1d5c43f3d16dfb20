"""The mix of entries that every benchmark sends: the sample day's, from some twenty writers.

For each parcel an order, a filing, identity check, screening, carry-in, release and six traces. Shops, couriers, yards,
identity authority and screening write; what must come first comes in an earlier stage.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from clients.sample.bench import BenchParcels
from clients.sample.members import COURIERS, HANDLES, OFFICES, Keyring, sample_genesis
from clients.sample.plan import START
from ledger.chain.batch import Batch, Entry
from ledger.chain.calls import call_data
from ledger.chain.transaction import sign_legacy
from ledger.commitments import LedgerDomain, filing_digest
from ledger.domain.kinds import KindNumber
from ledger.domain.limits import MAX_BATCH_BYTES, MAX_ENTRIES, TRACE_LANE
from ledger.genesis import CONTRACT

K = KindNumber
TRACES: Final = 6
SEED: Final = 1
ENTRIES_A_PARCEL: Final = 6 + TRACES
LARGEST: Final = MAX_ENTRIES
COHORTS: Final = 4
"""Parts of a busy day's parcels: while one is carried in, the next is checked and the one after is filed."""
NOT_AFTER: Final = START + 86_400


@dataclass(frozen=True, slots=True)
class Stage:
    """Entries of one kind by writer, in the order they must come."""

    name: str
    lane: int
    entries: dict[str, list[Entry]]


def stages(
    parcels: int,
    keyring: Keyring,
    start: int = 0,
    there: Sequence[int] | None = None,
    domain: LedgerDomain | None = None,
) -> Iterator[Stage]:
    """Yield the stages of so many parcels, spread over the writers.

    Args:
        parcels: how many.
        keyring: keys of the sample members.
        start: number of the first that is opened and filed.
        there: numbers of parcels, as many, that are filed already: what comes after filing is said about them instead.
        domain: chain and contract, the sample's unless told.
    """
    made = BenchParcels(keyring, domain or sample_genesis(keyring, START, 1).domain)
    numbers = range(start, start + parcels)
    orders: dict[str, list[Entry]] = {}
    filings: dict[str, list[Entry]] = {}
    for number in numbers:
        orders.setdefault(made.shop(number), []).append(made.opened(number))
        filings.setdefault(made.courier(number), []).append(made.filed(number))
    yield Stage("order", 1, orders)
    yield Stage("filed", 1, filings)
    filed = [(number, made.filed(number)) for number in (numbers if there is None else there)]
    results = [(entry.subject, filing_digest(0, entry.packed())) for _, entry in filed]
    for name, kind in (("identity", K.IDENTITY_CHECKED), ("screening", K.SCREENED_PASSED)):
        yield Stage(name, 1, {name: [Entry(parcel, kind, START, names=names) for parcel, names in results]})
    for name, kind in (("carried", K.CARRIED_IN), ("released", K.RELEASED)):
        yards: dict[str, list[Entry]] = {}
        for number, (parcel, _) in enumerate(results):
            yards.setdefault(f"yard-{OFFICES[number % 3]:03}", []).append(Entry(parcel, kind, START))
        yield Stage(name, 1, yards)
    traces: dict[str, list[Entry]] = {}
    for number, entry in filed:
        listed = traces.setdefault(made.courier(number), [])
        listed.extend(Entry(entry.subject, trace, START) for trace in range(1, TRACES + 1))
    yield Stage("trace", TRACE_LANE, traces)


def one_by_one(parcels: int, keyring: Keyring, domain: LedgerDomain | None = None) -> Iterator[list[Stage]]:
    """Yield rounds of one stage each, all parcels at once: shows what each kind costs."""
    return ([stage] for stage in stages(parcels, keyring, domain=domain))


def busy_day(parcels: int, keyring: Keyring, domain: LedgerDomain | None = None) -> Iterator[list[Stage]]:
    """Yield rounds that carry every kind, each of another part of the parcels: what blocks are like under load."""
    size = max(1, parcels // COHORTS)
    return stream([stages(size, keyring, start, domain=domain) for start in range(0, size * COHORTS, size)])


def stream(cohorts: Sequence[Iterable[Stage]]) -> Iterator[list[Stage]]:
    """Yield rounds that carry every kind, each of another cohort, as blocks of a busy day do; whole cohorts only."""
    waiting = [iter(cohort) for cohort in cohorts]
    under_way: list[Iterator[Stage]] = []
    while waiting or under_way:
        under_way += waiting[:1]
        waiting = waiting[1:]
        found = [(cohort, next(cohort, None)) for cohort in under_way]
        under_way = [cohort for cohort, stage in found if stage is not None]
        if stages_now := [stage for _, stage in found if stage is not None]:
            yield stages_now


def cut(entries: Sequence[Entry], size: int) -> Iterator[Sequence[Entry]]:
    """Cut a writer's entries into batches of at most `size` entries that are not too long in bytes."""
    at = 0
    while at < len(entries):
        count, room = 0, MAX_BATCH_BYTES - 32
        for entry in entries[at : at + min(size, MAX_ENTRIES)]:
            room -= 96 + 32 * len(entry.extra)
            if room < 0:
                break
            count += 1
        yield entries[at : at + count]
        at += count


class Signer:
    """Signs a mix's batches with the keys of its writers, each lane counted."""

    def __init__(
        self,
        keyring: Keyring,
        domain: LedgerDomain,
        not_after: int = NOT_AFTER,
        next_seq: Callable[[bytes, int], int] = lambda _key, _lane: 0,
    ) -> None:
        """Start at the number that `next_seq` says for a key and a lane; every batch is good until `not_after`."""
        self._keyring = keyring
        self._domain = domain
        self._not_after = not_after
        self._next_seq = next_seq
        self._seqs: dict[tuple[str, int], int] = {}

    def batches(self, stage: Stage, size: int) -> dict[str, list[Batch]]:
        """Return a stage's batches of at most `size` entries, by writer."""
        return {
            name: [self.sign(name, stage.lane, part) for part in cut(entries, size)]
            for name, entries in stage.entries.items()
        }

    def sign(self, name: str, lane: int, entries: Sequence[Entry]) -> Batch:
        """Sign one batch under the next number of a writer's lane."""
        signer = self._keyring.signer(name)
        if (name, lane) not in self._seqs:
            self._seqs[name, lane] = self._next_seq(signer.address, lane)
        seq = self._seqs[name, lane]
        self._seqs[name, lane] = seq + 1
        return Batch.signed(self._domain, signer, lane=lane, seq=seq, not_after=self._not_after, entries=list(entries))


def grants(keyring: Keyring, chain_id: int, begins: int = START) -> Iterator[bytes]:
    """Yield the raw transactions by which couriers let the yards carry in and release for them, from a moment on."""
    for name in COURIERS:
        cold = keyring.cold(name)
        for nonce, office in enumerate(OFFICES):
            data = call_data("let", begins, HANDLES[name], HANDLES[f"yard-{office:03}"], 1 << 7 | 1 << 17)
            yield sign_legacy(cold, nonce=nonce, to=CONTRACT, data=data, chain_id=chain_id, gas=10**6)
