"""Entries and signed batches: how they are packed, signed, unpacked and checked without state.

`entries` bytes: one word with the number of entries, then each entry: id, header, digest and the extra words its
header names. Layout: `ledger.domain.words`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from ledger.commitments import LedgerDomain, batch_hash, word
from ledger.domain.errors import LedgerError
from ledger.domain.kinds import FILING_WORDS, KINDS, Flag, KindNumber
from ledger.domain.limits import MAX_BATCH_BYTES, MAX_ENTRIES, MAX_LANE, MAX_ORDERS, TRACE_LANE
from ledger.domain.words import DETAIL, HEADER
from ledger.keys import recover

ENTRY_BYTES: Final = 96
ASSIGNED: Final = {int(number): row for number, row in KINDS.items() if number is not KindNumber.TRACED}
MAX_SEQ: Final = (1 << 64) - 1


class BatchFault(LedgerError):
    """A fault that anyone can see without state: the whole batch is refused."""

    code = "batch.shape"


class Signer(Protocol):
    """Holds a key; see `ledger.keys`."""

    def sign_digest(self, digest: bytes) -> bytes:
        """Return the 65-byte signature r, s, v with v 27 or 28."""
        ...


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing an org says about one subject.

    Attributes:
        subject: id of the order, parcel or master.
        kind: number of the kind (or of the trace kind, in a trace lane).
        claimed: time it happened, seconds UTC.
        digest: digest of the private payload, or the commitment of an opening entry, 32 bytes.
        detail: the kind's own fields, in place inside the header (see :func:`detail`).
        names: filing named by a result or decision (low 160 bits of its digest).
        extra: extra words.
    """

    subject: int
    kind: int
    claimed: int
    digest: bytes = bytes(32)
    detail: int = 0
    names: int = 0
    extra: tuple[int, ...] = ()

    def header(self) -> int:
        """Return the header word.

        Raises:
            ValueError: a field does not fit.
        """
        return (
            HEADER["kind"].put(self.kind)
            | HEADER["claimed"].put(self.claimed)
            | HEADER["extra"].put(len(self.extra))
            | self.detail
            | HEADER["names"].put(self.names)
        )

    def packed(self) -> bytes:
        """Return the entry's bytes."""
        return word(self.subject) + word(self.header()) + self.digest + b"".join(map(word, self.extra))


def detail(kind: KindNumber, /, **values: int) -> int:
    """Return the kind's own fields in place, for example ``detail(ORDER_OPENED, handed=7)``."""
    return sum(DETAIL[f"{kind.name}.{name}"].put(value) for name, value in values.items())


def pack(entries: Iterable[Entry]) -> bytes:
    """Return the bytes that a batch signs.

    Raises:
        BatchFault: too many entries or bytes.
    """
    listed = list(entries)
    if len(listed) > MAX_ENTRIES:
        raise BatchFault(f"{len(listed)} entries, at most {MAX_ENTRIES}", hint="Send several batches.")
    data = word(len(listed)) + b"".join(entry.packed() for entry in listed)
    if len(data) > MAX_BATCH_BYTES:
        raise BatchFault(f"{len(data)} bytes, at most {MAX_BATCH_BYTES}", hint="Send several batches.")
    return data


_KIND, _CLAIMED, _EXTRA, _SPARE, _NAMES = (
    (field.shift, (1 << field.width) - 1)
    for field in (HEADER[name] for name in ("kind", "claimed", "extra", "spare", "names"))
)
_DETAIL: Final = HEADER["detail"].mask


def _field(header: int, place: tuple[int, int]) -> int:
    return header >> place[0] & place[1]


def _entry_at(data: bytes, at: int, header: int, extra: int) -> Entry:
    read, end = int.from_bytes, at + ENTRY_BYTES
    return Entry(
        read(data[at : at + 32], "big"),
        _field(header, _KIND),
        _field(header, _CLAIMED),
        data[at + 64 : end],
        header & _DETAIL,
        _field(header, _NAMES),
        tuple(read(data[i : i + 32], "big") for i in range(end, end + 32 * extra, 32)) if extra else (),
    )


def _check_words(kind: int, count: int) -> None:
    row = ASSIGNED.get(kind)
    if row is None:
        raise BatchFault(f"kind {kind} is not assigned", hint="See the table of kinds in docs/protocol.md.")
    if Flag.FILING in row.flags:
        if count != FILING_WORDS and (count % 4 != 1 or not 5 <= count <= 1 + 4 * MAX_ORDERS):
            raise BatchFault(
                f"a filing has 2 extra words, or 1 and 4 for each of at most {MAX_ORDERS} orders; this one has {count}",
                hint="Present transport word and, for each order, id, goods word, rest digest and salt.",
            )
    elif count != row.extra:
        raise BatchFault(f"{row.name} has {row.extra} extra words, not {count}", hint="Check the packing of the entry.")


def unpack(data: bytes, *, traces: bool = False) -> tuple[Entry, ...]:
    """Unpack and check what can be checked without state; equal to what the contract refuses a batch for.

    Args:
        data: the batch's entries bytes.
        traces: whether it stands in a trace lane, whose kinds are trace kinds and carry no extra words.

    Raises:
        BatchFault: size, count, missing words, unassigned kind or wrong number of extra words.
    """
    return tuple(_entry_at(data, at, header, extra) for at, header, extra in _places(data, traces))


def check(data: bytes, *, traces: bool = False) -> None:
    """Check what :func:`unpack` checks, and build nothing.

    Raises:
        BatchFault: as :func:`unpack`.
    """
    for _ in _places(data, traces):
        pass


def _places(data: bytes, traces: bool) -> Iterator[tuple[int, int, int]]:
    """Yield where each entry stands, its header and the number of its extra words."""
    if not 32 <= len(data) <= MAX_BATCH_BYTES:
        raise BatchFault(f"{len(data)} bytes, from 32 to {MAX_BATCH_BYTES}", hint="Split the batch.")
    count = int.from_bytes(data[:32], "big")
    if count > MAX_ENTRIES:
        raise BatchFault(f"the batch says it holds {count} entries, at most {MAX_ENTRIES}", hint="Split the batch.")
    at = 32
    for _ in range(count):
        if at + ENTRY_BYTES > len(data):
            raise BatchFault("the batch holds fewer entries than it says", hint="Check the count in the first word.")
        header = int.from_bytes(data[at + 32 : at + 64], "big")
        if _field(header, _SPARE):
            raise BatchFault("the spare bit of an entry's header is set", hint="Leave bit 55 of the header zero.")
        extra = _field(header, _EXTRA)
        end = at + ENTRY_BYTES + 32 * extra
        if end > len(data):
            raise BatchFault(
                "an entry names more words than the batch holds", hint="Check the packing of the last entry."
            )
        if not traces:
            _check_words(_field(header, _KIND), extra)
        yield at, header, extra
        at = end
    if at != len(data):
        raise BatchFault("bytes are left over after the last entry", hint="Check the count in the first word.")


@dataclass(frozen=True, slots=True)
class Batch:
    """Entries signed once.

    Attributes:
        lane: 0 stops, from 2**63 on traces.
        seq: next number of the key in the lane.
        not_after: time after which the batch is dead, seconds UTC.
        entries: packed entries.
        signature: 65 bytes r, s, v with v 27 or 28.
    """

    lane: int
    seq: int
    not_after: int
    entries: bytes
    signature: bytes

    def __post_init__(self) -> None:
        """Check the fields' ranges.

        Raises:
            BatchFault: a number does not fit or the signature has not 65 bytes.
        """
        if not (0 <= self.lane <= MAX_LANE and 0 <= self.seq < MAX_SEQ and 0 <= self.not_after <= MAX_SEQ):
            raise BatchFault("lane, seq and notAfter are 64-bit numbers", hint="Check the fields of the batch.")
        if len(self.signature) != 65:
            raise BatchFault("the signature has 65 bytes: r, s, v", hint="Sign the EIP-712 digest of the batch.")

    @classmethod
    def signed(
        cls, domain: LedgerDomain, signer: Signer, *, lane: int, seq: int, not_after: int, entries: Iterable[Entry]
    ) -> Batch:
        """Pack and sign entries."""
        data = pack(entries)
        return cls(lane, seq, not_after, data, signer.sign_digest(domain.batch_digest(lane, seq, not_after, data)))

    @property
    def is_trace(self) -> bool:
        """Whether it stands in a trace lane."""
        return self.lane >= TRACE_LANE

    def digest(self, domain: LedgerDomain) -> bytes:
        """Return the EIP-712 digest that its writer signs."""
        return domain.batch_digest(self.lane, self.seq, self.not_after, self.entries)

    def hash(self, domain: LedgerDomain) -> bytes:
        """Return the batch's name everywhere: digest and signer together.

        Raises:
            BadSignature: nobody signed it.
        """
        digest = self.digest(domain)
        return batch_hash(digest, recover(digest, self.signature))

    def check(self) -> None:
        """Check what can be checked without state.

        Raises:
            BatchFault: see :func:`unpack`.
        """
        check(self.entries, traces=self.is_trace)

    def unpacked(self) -> tuple[Entry, ...]:
        """Return the entries.

        Raises:
            BatchFault: see :func:`unpack`.
        """
        return unpack(self.entries, traces=self.is_trace)
