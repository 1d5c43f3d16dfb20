"""Fills the register of a demo's gateway with the sample day's made-up people and their wishes."""

from __future__ import annotations

from collections.abc import Iterable

from clients.sample.people import Holder
from ledger.store import people
from ledger.store.database import Database
from ledger.store.sealing import Seals


def fill(database: Database, seals: Seals, holders: Iterable[Holder]) -> None:
    """Register people with their numbers, old and new, in an empty register: who was erased must not come back."""
    with database.write() as session:
        if people.is_filled(session):
            return
        known = list(holders)
        told = {
            each.former or each.person.pccc: {
                "name": each.person.name, "phone": each.person.phone, "zip": each.person.zip
            }
            for each in known
        }  # fmt: skip
        ids = people.register_all(session, seals, told)
        for holder, identifier in zip(known, ids, strict=True):
            if holder.former:
                people.reissue(session, seals, holder.former, holder.person.pccc)
            if holder.consent_first:
                row = people.person(session, identifier)
                row.consent_first = True
                session.add(row)
