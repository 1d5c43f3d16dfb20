"""The register: people and the numbers they hold. Every look-up goes through the keyed index."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import bindparam
from sqlmodel import Session, col, select

from ledger.domain.errors import InvalidPCCC
from ledger.domain.identifiers import PCCC
from ledger.store.sealing import PERSON, Seals
from ledger.store.tables.identity import NumberRow, PersonRow

# built once: building a statement takes longer than running it
_NUMBERS: Final = select(NumberRow).where(col(NumberRow.lookup).in_(bindparam("lookups", expanding=True)))
_HOLDERS: Final = (
    select(NumberRow, PersonRow)
    .join(PersonRow, col(PersonRow.id) == col(NumberRow.person))
    .where(col(NumberRow.lookup).in_(bindparam("lookups", expanding=True)))
)
_LOCKED: Final = (
    select(PersonRow)
    .where(col(PersonRow.id).in_(bindparam("people", expanding=True)))
    .order_by(col(PersonRow.id))
    .with_for_update()
)


@dataclass(frozen=True, slots=True)
class Registered:
    """Who holds a number. What is personal is in no repr."""

    person: bytes
    retired: bool
    name: str = field(repr=False)
    phone: str = field(repr=False)
    zip: str = field(repr=False, default="")

    def has_name(self, name: str) -> bool:
        """Whether a name is the registered one, however it is spaced."""
        return bool(name) and _plain(name) == _plain(self.name)

    def has_phone(self, phone: str) -> bool:
        """Whether a telephone is the registered one, however it is written."""
        return bool(phone) and _digits(phone) == _digits(self.phone)


def register(session: Session, seals: Seals, number: str, name: str, phone: str, postcode: str = "") -> bytes:
    """Put a person with a number into the register; a known number changes nothing. Return the person's id."""
    return register_all(session, seals, {number: {"name": name, "phone": phone, "zip": postcode}})[0]


def register_all(session: Session, seals: Seals, told: Mapping[str, Mapping[str, str]]) -> list[bytes]:
    """Put people into the register: name, phone and zip by number; a known number changes nothing. Return their ids.

    Raises:
        InvalidPCCC: one is no number at all.
    """
    found: list[bytes] = []
    fresh = {number: os.urandom(16) for number in told if _row(session, seals, number) is None}
    if seals.people:
        seals.people.make_all(seals.people.name(PERSON, person) for person in fresh.values())
    for number, each in told.items():
        known = _row(session, seals, number)
        if known is None:
            person = fresh[number]
            content = {key: each.get(key, "") for key in ("name", "phone", "zip")}
            sealed = seals.seal(content, person, person)
            session.add(PersonRow(id=person, sealed=sealed, key_name=seals.name_of(person)))
            session.flush()
            session.add(_number(seals, number, person, 0))
            session.flush()
        found.append(known.person if known else fresh[number])
    return found


def reissue(session: Session, seals: Seals, old: str, new: str) -> None:
    """Give a person a new number (재발급): the old one is retired, the person's history stays his.

    Raises:
        KeyError: nobody holds the old number.
    """
    row = _row(session, seals, old)
    if row is None:
        raise KeyError("nobody holds this number")
    row.retired = True
    session.add(row)
    session.add(_number(seals, new, row.person, row.generation + 1))
    session.flush()


def is_filled(session: Session) -> bool:
    """Whether the register holds anybody, or ever did."""
    return session.exec(select(PersonRow.id).limit(1)).first() is not None


def holder(session: Session, seals: Seals, number: str) -> Registered | None:
    """Return who holds a number, or None.

    Raises:
        InvalidPCCC: it is no number at all.
    """
    found = session.exec(_HOLDERS, params={"lookups": seals.index.every(number)}).first()
    if found is None or found[1].erased_at is not None:
        seals.look_for_nobody()  # as many steps whether somebody holds it or nobody: strangers may be asking
        return None
    return _registered(seals, *found)


def holders(session: Session, seals: Seals, numbers: Iterable[str]) -> dict[str, Registered]:
    """Return who holds each of some numbers; one that nobody holds, or that is none at all, is left out.

    For the authority's own work: how long it takes tells whether a number is known, unlike that of :func:`holder`.
    """
    spelled: dict[bytes, set[str]] = {}
    for number in numbers:
        with contextlib.suppress(InvalidPCCC):
            for lookup in seals.index.every(number):
                spelled.setdefault(lookup, set()).add(number)
    rows = session.exec(_HOLDERS, params={"lookups": list(spelled)}).all() if spelled else ()
    known = [(row.lookup, _registered(seals, row, person)) for row, person in rows if person.erased_at is None]
    return {number: holder for lookup, holder in known for number in spelled[lookup]}


def _registered(seals: Seals, row: NumberRow, person: PersonRow) -> Registered:
    told = seals.open(person.sealed, person.id, person.id)
    return Registered(person.id, row.retired, told["name"], told["phone"], told.get("zip", ""))


def who_holds(session: Session, seals: Seals, number: str) -> bytes | None:
    """Return the id of the person who holds or held a number, or None; nothing is opened.

    Raises:
        InvalidPCCC: it is no number at all.
    """
    row = _row(session, seals, number)
    return row.person if row else None


def reindex(session: Session, seals: Seals, limit: int = 1_000) -> int:
    """Write numbers anew that stand under an older key of the index; return how many. At 0 the older key can go."""
    chosen = select(NumberRow).where(NumberRow.key != seals.index.newest, col(NumberRow.sealed).isnot(None))
    rows = list(session.exec(chosen.limit(limit)))
    for row in rows:
        number = seals.open(row.sealed or b"", row.person, row.person)["number"]
        fresh = _number(seals, number, row.person, row.generation)
        fresh.retired = row.retired
        session.delete(row)
        session.flush()
        session.add(fresh)
    session.flush()
    return len(rows)


def _number(seals: Seals, number: str, person: bytes, generation: int) -> NumberRow:
    plain = PCCC.parse(number).value
    sealed = seals.seal({"number": plain}, person, person)
    return NumberRow(
        lookup=seals.number(plain), key=seals.index.newest, sealed=sealed, person=person, generation=generation
    )


def _row(session: Session, seals: Seals, number: str) -> NumberRow | None:
    return session.exec(_NUMBERS, params={"lookups": seals.index.every(number)}).first()


def read_person(session: Session, identifier: bytes) -> PersonRow:
    """Return a person's row, for reading.

    Raises:
        KeyError: there is none.
    """
    row = session.get(PersonRow, identifier)
    if row is None:
        raise KeyError("no such person")
    return row


def person(session: Session, identifier: bytes) -> PersonRow:
    """Return a person's row, locked for this transaction.

    Raises:
        KeyError: there is none.
    """
    row = locked(session, [identifier]).get(identifier)
    if row is None:
        raise KeyError("no such person")
    return row


def locked(session: Session, identifiers: Iterable[bytes]) -> dict[bytes, PersonRow]:
    """Return people's rows by id, locked for this transaction: in order, so that no two wait for each other."""
    wanted = list(set(identifiers))
    return {row.id: row for row in session.exec(_LOCKED, params={"people": wanted})} if wanted else {}


def _plain(text: str) -> str:
    return "".join(text.split()).casefold()


def _digits(text: str) -> str:
    return "".join(letter for letter in text if letter.isdigit())
