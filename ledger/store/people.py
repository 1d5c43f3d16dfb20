"""The register: people and the numbers they hold. Every look-up goes through the keyed index."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlmodel import Session, col, select

from ledger.store.sealing import Seals
from ledger.store.tables.identity import NumberRow, PersonRow


@dataclass(frozen=True, slots=True)
class Registered:
    """Who holds a number. What is personal is in no repr."""

    person: bytes
    retired: bool
    name: str = field(repr=False)
    phone: str = field(repr=False)

    def matches(self, told: Mapping[str, str]) -> bool:
        """Whether name and telephone are those of the register; all three must match since April 2022."""
        return _plain(str(told.get("name", ""))) == _plain(self.name) and self.has_phone(str(told.get("phone", "")))

    def has_phone(self, phone: str) -> bool:
        """Whether a telephone is the registered one, however it is written."""
        return _digits(phone) == _digits(self.phone)


def register(session: Session, seals: Seals, number: str, name: str, phone: str) -> bytes:
    """Put a person with a number into the register; a known number changes nothing. Return the person's id."""
    lookup = seals.number(number)
    known = session.get(NumberRow, lookup)
    if known is not None:
        return known.person
    person = os.urandom(16)
    session.add(PersonRow(id=person, sealed=seals.seal({"name": name, "phone": phone}, person)))
    session.flush()
    session.add(NumberRow(lookup=lookup, person=person))
    session.flush()
    return person


def reissue(session: Session, seals: Seals, old: str, new: str) -> None:
    """Give a person a new number (재발급): the old one is retired, the person's history stays his.

    Raises:
        KeyError: nobody holds the old number.
    """
    row = session.get(NumberRow, seals.number(old))
    if row is None:
        raise KeyError("nobody holds this number")
    row.retired = True
    session.add(row)
    session.add(NumberRow(lookup=seals.number(new), person=row.person, generation=row.generation + 1))
    session.flush()


def holder(session: Session, seals: Seals, number: str) -> Registered | None:
    """Return who holds a number, or None.

    Raises:
        InvalidPCCC: it is no number at all.
    """
    row = session.get(NumberRow, seals.number(number))
    if row is None:
        return None
    person = session.get(PersonRow, row.person)
    if person is None:
        return None
    told = seals.open(person.sealed, person.id)
    return Registered(person.id, row.retired, told["name"], told["phone"])


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
    row = session.exec(select(PersonRow).where(col(PersonRow.id) == identifier).with_for_update()).one_or_none()
    if row is None:
        raise KeyError("no such person")
    return row


def _plain(text: str) -> str:
    return "".join(text.split()).casefold()


def _digits(text: str) -> str:
    return "".join(letter for letter in text if letter.isdigit())
