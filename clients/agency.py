"""The importer of real traces: UNI-PASS rows become OBSERVED entries on parcels the contract never clears."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import rfc8785
from eth_hash.auto import keccak

from ledger.chain.batch import Entry, detail
from ledger.chain.writer import Writer
from ledger.domain.kinds import KindNumber
from ledger.payloads import derive
from ledger.unipass.progress import Cargo, Row

K = KindNumber
VOYAGE_KINDS: Final = (K.MASTER_ARRIVED, K.MASTER_UNLOADED)
"""Rows that tell of the whole flight or voyage: they go to the master."""


@dataclass(frozen=True, slots=True)
class ObservedRow:
    """A row, and the cargo it tells of."""

    cargo: Cargo
    row: Row


class Observer:
    """Acts for an agency: opens observed masters and parcels, and records their rows."""

    def __init__(self, writer: Writer, secret: bytes) -> None:
        """Take the writer and the secret salts derive from."""
        self.writer = writer
        self._secret = secret
        self.masters: dict[str, int] = {}
        self.parcels: dict[str, int] = {}

    def open(self, cargo: Cargo, at: int) -> None:
        """Open a cargo's master and parcel, each once."""
        if cargo.master_bill and cargo.master_bill not in self.masters:
            self.masters[cargo.master_bill] = self._open(K.MASTER_OPENED, {"master": cargo.master_bill}, at)
        name = cargo.number or cargo.house_bill
        if name not in self.parcels:
            numbers = {"cargo": cargo.number, "house": cargo.house_bill, "master": cargo.master_bill}
            self.parcels[name] = self._open(K.OBSERVED_OPENED, numbers, at)

    def _open(self, kind: KindNumber, numbers: dict[str, str], at: int) -> int:
        plaintext = rfc8785.dumps(dict(numbers))
        digest = keccak(derive(self._secret, f"{kind.name} {plaintext.hex()}") + plaintext)
        subject = self.writer.domain.subject_id(kind, self.writer.org, digest)
        self.writer.write(Entry(subject, kind, at, digest))
        return subject

    def record(self, observed: ObservedRow) -> int:
        """Record a row; return the subject it went to."""
        cargo, row = observed.cargo, observed.row
        at = int(row.at.timestamp())
        self.open(cargo, at)
        voyage = row.kind in VOYAGE_KINDS and cargo.master_bill
        subject = self.masters[cargo.master_bill] if voyage else self.parcels[cargo.number or cargo.house_bill]
        fields = detail(K.OBSERVED, kind=row.kind, trace=row.trace)
        self.writer.write(Entry(subject, K.OBSERVED, at, detail=fields))
        return subject


def in_time(cargos: list[Cargo]) -> Iterator[tuple[int, list[ObservedRow]]]:
    """Yield rows by the second they happened, each cargo's own order kept within it."""
    moments: dict[int, list[ObservedRow]] = {}
    for cargo in cargos:
        for row in cargo.rows:
            moments.setdefault(int(row.at.timestamp()), []).append(ObservedRow(cargo, row))
    for moment in sorted(moments):
        yield moment, moments[moment]


def replay(observer: Observer, cargos: list[Cargo], start: int, step: Callable[[int], None], limit: int = 400) -> None:
    """Record cargos and their rows; `step` sends what waits at a time and moves on."""
    for number, cargo in enumerate(cargos, 1):
        observer.open(cargo, start)
        if number % limit == 0:
            step(start)
    step(start)
    for moment, rows in in_time(cargos):
        for observed in rows:
            observer.record(observed)
        step(moment)
