"""Erasure of a person or of payloads, and its replay: nothing that is restored brings anybody back.

The order is register, keys, rows, and each step can be done again: a crash between them is finished by the replay that
every start begins with, and so is a restore of the database, of the file of keys, or of both.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from sqlalchemy import ColumnElement, delete, update
from sqlmodel import Session, col, select

from ledger.domain.kinds import KindNumber
from ledger.store.database import Database
from ledger.store.datakeys import Erased
from ledger.store.rows import upsert
from ledger.store.sealing import PERSON, Seals
from ledger.store.tables.chain import EntryRow, OrderRow
from ledger.store.tables.history import DeclarationRow, DeclaredGoodsRow, PurchaseRow, ResaleRow
from ledger.store.tables.identity import (
    AnswerRow,
    BuyerSessionRow,
    CodeRow,
    DeviceRow,
    NumberRow,
    PersonRow,
    UseRow,
)
from ledger.store.tables.screening import ScreeningRow
from ledger.store.tables.vault import EnvelopeRow, ErasureRow, VaultIndexRow
from ledger.store.vault import Vault

FILINGS: Final = (int(KindNumber.FILED), int(KindNumber.CORRECTED))
REASSIGNED: Final = int(KindNumber.ORDER_REASSIGNED)
CHUNK: Final = 500
"""Names in one statement: SQLite takes 32,766 parameters, PostgreSQL 65,535."""


def erase_person(database: Database, vault: Vault, seals: Seals, person: bytes, at: dt.datetime) -> int:
    """Erase a person: the register's entry, every use, every payload that declares one of his numbers.

    Return how many payloads went. What the chain holds stays, and opens nothing.

    Raises:
        KeyError: there is no such person.
    """
    with database.read() as session:
        if session.get(PersonRow, person) is None:
            raise KeyError("no such person")
        digests = payloads_of(session, seals, person)
    names = [vault.name(digest) for digest in digests]
    _erase(database, vault, [vault.keys.data.name(PERSON, person), *sorted(names)], at)
    return len(names)


def erase_payloads(database: Database, vault: Vault, digests: Iterable[bytes], at: dt.datetime) -> None:
    """Erase payloads, whoever they are about; a digest that never came is not taken later either."""
    _erase(database, vault, sorted(vault.name(digest) for digest in digests), at)


def older_than(database: Database, moment: dt.datetime, limit: int = CHUNK) -> list[bytes]:
    """Return payloads that were kept before a moment: what to erase when the time to keep them is over."""
    with database.read() as session:
        chosen = select(EnvelopeRow.digest).where(EnvelopeRow.kept_at < moment, col(EnvelopeRow.sealed).isnot(None))
        return list(dict.fromkeys(session.exec(chosen.order_by(col(EnvelopeRow.kept_at)).limit(limit))))


def replay(database: Database, vault: Vault, copy: Path | None = None) -> int:
    """Carry out every erasure that was ever registered; return how many there are.

    Register and table take from each other what one of them has more, and both take from `copy`, another copy of the
    register. Run this at every start, and after every restore with the newest copy there is.

    Raises:
        RegisterBroken: the copy was changed.
    """
    register = vault.keys.register
    if copy is not None:
        register.merge(copy)
    with database.read() as session:
        told = {row.name: row.at for row in session.exec(select(ErasureRow))}
    for name in told.keys() - {each.name for each in register.read()}:
        register.append([name], told[name])
    entries = register.read()
    for at in sorted({each.at for each in entries}):
        _apply(database, vault, [each.name for each in entries if each.at == at], at)
    return len(entries)


def _erase(database: Database, vault: Vault, names: Sequence[bytes], at: dt.datetime) -> None:
    vault.keys.register.append(names, at)  # from here on it happens, whatever dies
    _apply(database, vault, names, at)


def _apply(database: Database, vault: Vault, names: Sequence[bytes], at: dt.datetime) -> None:
    vault.keys.data.destroy(names, at)
    with database.write() as session:
        for person in session.exec(select(PersonRow).where(col(PersonRow.key_name).is_(None))).all():
            person.key_name = vault.keys.data.name(PERSON, person.id)  # of before people had keys of their own
            session.add(person)
        session.flush()
        for some in _chunks(names):
            upsert(session, ErasureRow, [{"name": name, "at": at} for name in some], update=[])
            gone = select(EnvelopeRow.digest).where(col(EnvelopeRow.name).in_(some))
            _run(session, delete(VaultIndexRow).where(col(VaultIndexRow.digest).in_(gone)))
            _run(
                session,
                update(EnvelopeRow)
                .where(col(EnvelopeRow.name).in_(some), col(EnvelopeRow.sealed).isnot(None))
                .values(sealed=None, erased_at=at),
            )
            people = select(PersonRow).where(col(PersonRow.key_name).in_(some), col(PersonRow.erased_at).is_(None))
            for person in session.exec(people).all():
                _empty(session, person, at)


def _empty(session: Session, person: PersonRow, at: dt.datetime) -> None:
    """Empty a person's rows. His answers stay without signature: they name nobody, and their receipts were given."""
    used = col(ScreeningRow.parcel).in_(select(UseRow.parcel).where(UseRow.person == person.id))
    _run(session, update(ScreeningRow).where(used).values(number=None, phone=None, address=None))
    own = select(DeclarationRow.parcel).where(DeclarationRow.person == person.id)
    _run(session, delete(DeclaredGoodsRow).where(col(DeclaredGoodsRow.parcel).in_(own)))
    for table, owner in (
        (PurchaseRow, PurchaseRow.person), (DeclarationRow, DeclarationRow.person), (ResaleRow, ResaleRow.person),
        (BuyerSessionRow, BuyerSessionRow.person), (DeviceRow, DeviceRow.person), (CodeRow, CodeRow.person),
        (UseRow, UseRow.person), (NumberRow, NumberRow.person),
    ):  # fmt: skip
        _run(session, delete(table).where(_equal(owner, person.id)))
    _run(session, update(AnswerRow).where(_equal(AnswerRow.person, person.id)).values(signature=None))
    person.sealed, person.erased_at = b"", at
    person.state, person.thawed_until, person.consent_first = "active", None, False
    session.add(person)


def payloads_of(session: Session, seals: Seals, person: bytes) -> list[bytes]:
    """Return the digests of all payloads about a person: by the index of his numbers, and by the parcels he is in."""
    found: dict[bytes, None] = {}
    for row in session.exec(select(NumberRow).where(NumberRow.person == person)):
        lookups = [row.lookup]
        if row.sealed is not None:
            try:
                lookups = seals.index.every(seals.open(row.sealed, row.person, person)["number"])
            except Erased:
                continue
        found |= dict.fromkeys(session.exec(select(VaultIndexRow.digest).where(col(VaultIndexRow.lookup).in_(lookups))))
    parcels = list(session.exec(select(UseRow.parcel).where(UseRow.person == person)))
    for some in _chunks(parcels):
        filed = select(EntryRow.digest).where(col(EntryRow.subject).in_(some), col(EntryRow.kind).in_(FILINGS))
        found |= dict.fromkeys(session.exec(filed.where(col(EntryRow.trace).is_(False))))
        bound = col(OrderRow.parcel).in_(some)
        found |= dict.fromkeys(session.exec(select(OrderRow.payload).where(bound)))
        anew = select(EntryRow.digest).join(OrderRow, col(OrderRow.id) == col(EntryRow.subject)).where(
            bound, EntryRow.kind == REASSIGNED, EntryRow.digest != bytes(32), col(EntryRow.trace).is_(False)
        )  # fmt: skip
        found |= dict.fromkeys(session.exec(anew))
    return list(found)


def _equal(column: object, value: bytes) -> ColumnElement[bool]:
    return col(column) == value


def _run(session: Session, statement: object) -> None:
    session.connection().execute(statement)  # type: ignore[call-overload]


def _chunks(values: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(values), CHUNK):
        yield values[start : start + CHUNK]
