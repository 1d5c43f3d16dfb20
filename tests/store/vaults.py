"""A vault with its database and its keys, for whoever wants to break it."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from sqlmodel import SQLModel

from ledger.payloads import Payload
from ledger.store import people
from ledger.store.database import Database
from ledger.store.datakeys import DataKeys
from ledger.store.erasing import erase_person
from ledger.store.sealing import Seals
from ledger.store.vault import Vault, keys_in

NOW = dt.datetime(2026, 11, 23, 3, tzinfo=dt.UTC)
READER = X25519PrivateKey.generate()
PERSON = {"pccc": "P990000000001", "name": "표본인 00001", "phone": "01000000001"}
OTHER = {"pccc": "P990000000002", "name": "표본인 00002", "phone": "01000000002"}


def payload(house: str, person: dict[str, str] | None = None) -> Payload:
    return Payload.of({"house_bill": house, "consignee": person or PERSON}, os.urandom(32))


class World:
    """A vault with its database, its keys beside it, and two people."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database, self.folder = database, folder
        self._keys: list[DataKeys] = []
        self.vault = self.opened()
        with database.write() as session:
            for each in (PERSON, OTHER):
                people.register(session, self.seals, each["pccc"], each["name"], each["phone"])

    def opened(self) -> Vault:
        """Return the vault as a new process opens it."""
        keys = keys_in(self.folder)
        self._keys.append(keys.data)
        self.seals = Seals(bytes(32), keys.index, keys.data)
        self.vault = Vault(self.database, keys, lambda: NOW)
        return self.vault

    def close(self) -> None:
        for keys in self._keys:
            keys.close()

    def restart(self) -> Vault:
        self.vault.keys.data.close()
        return self.opened()

    def put(self, told: Payload, number: str = PERSON["pccc"]) -> bytes:
        self.vault.put(told.digest, told.sealed([READER.public_key()]))
        with self.database.write() as session:
            self.vault.note_numbers(session, {told.digest: number})
        return told.digest

    def person(self, number: str = PERSON["pccc"]) -> bytes | None:
        with self.database.read() as session:
            found = people.holder(session, self.seals, number)
        return found.person if found else None

    def erase(self) -> int:
        person = self.person()
        assert person is not None
        return erase_person(self.database, self.vault, self.seals, person, NOW)


def everything(database: Database) -> bytes:
    """Every byte of every row."""
    with database.engine.connect() as connection:
        rows = [row for table in SQLModel.metadata.sorted_tables for row in connection.execute(table.select())]
    return repr(rows).encode() + b"".join(bytes(value) for row in rows for value in row if isinstance(value, bytes))
