"""Register of erasures, data keys and keys of the index: they only grow, change, and are of no use alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import select

from ledger.payloads import open_payload
from ledger.store import people
from ledger.store.database import Database
from ledger.store.datakeys import DataKeys, KeyFiles, KeyMissing
from ledger.store.erasing import erase_person
from ledger.store.erasures import ErasureRegister, RegisterBroken
from ledger.store.migrations import migrate
from ledger.store.sealing import Seals
from ledger.store.tables.identity import NumberRow, PersonRow
from ledger.store.tables.vault import ErasureRow, VaultIndexRow
from ledger.store.vault import Vault, VaultKeys, keys_in
from tests.store.vaults import NOW, PERSON, READER, World, payload


def test_the_register_only_grows(tmp_path: Path) -> None:
    path = tmp_path / "erasures.jsonl"
    register = ErasureRegister(path)
    names = [os.urandom(32) for _ in range(3)]
    assert [each.name for each in register.append(names, NOW)] == names
    assert register.append(names, NOW) == []
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"number":4,"na')  # a crash in the middle of a line
    assert [each.name for each in ErasureRegister(path).read()] == names
    assert path.read_bytes() == whole
    lines = whole.splitlines(keepends=True)
    for broken in (
        lines[1:],
        [lines[0], lines[2]],
        [lines[0], lines[1].replace(b'"number":2', b'"number":3'), lines[2]],
    ):
        path.write_bytes(b"".join(broken))
        with pytest.raises(RegisterBroken):
            ErasureRegister(path)


def test_registers_take_what_the_other_has_more(tmp_path: Path) -> None:
    one, two = ErasureRegister(tmp_path / "1"), ErasureRegister(tmp_path / "2")
    names = [os.urandom(32) for _ in range(3)]
    one.append(names[:2], NOW)
    two.append(names[1:], NOW)
    assert one.merge(tmp_path / "2") == 1
    assert one.merge(tmp_path / "2") == 0
    assert {each.name for each in one.read()} == set(names)


def test_the_index_is_made_anew_under_another_key(world: World) -> None:
    digest = world.put(payload("H1"))
    person = world.person()
    files = KeyFiles(world.folder / "index")
    files.add()
    world.restart()
    assert world.person() == person, "both keys find"
    assert world.vault.reindex() == 1
    with world.database.write() as session:
        assert people.reindex(session, world.seals) == 2
        assert people.reindex(session, world.seals) == 0
    assert world.vault.reindex() == 0
    files.destroy(1)
    world.restart()
    assert world.person() == person
    with world.database.read() as session:
        assert world.vault.find(session, PERSON["pccc"]) == [digest]
        assert {row.key for row in session.exec(select(VaultIndexRow))} == {2}
    assert world.erase() == 1


def test_wrong_wrapping_keys_open_nothing(world: World) -> None:
    digest = world.put(payload("H1"))
    keys = world.vault.keys
    keys.data.close()
    for wrapping in ({1: os.urandom(32)}, {2: os.urandom(32)}):
        data = DataKeys(world.folder / "data-keys.db", wrapping)
        with pytest.raises(KeyMissing):
            Vault(world.database, VaultKeys(data, keys.register, keys.index), lambda: NOW).get(digest)
        data.close()


def test_a_database_without_its_keys_opens_nothing(world: World, tmp_path: Path) -> None:
    digest = world.put(payload("H1"))
    world.folder = tmp_path / "other.key"
    assert world.opened().get(digest) is None
    with world.database.read() as session:
        row = session.exec(select(PersonRow)).first()
    assert row is not None
    with pytest.raises(KeyMissing):
        world.seals.open(row.sealed, row.id, row.id)


def test_the_newest_key_is_not_destroyed(tmp_path: Path) -> None:
    files = KeyFiles(tmp_path)
    with pytest.raises(KeyMissing):
        files.destroy(1)
    assert (tmp_path / "1.key").stat().st_mode & 0o077 == 0


def test_what_was_erased_is_zeroed_in_the_file_of_keys(world: World) -> None:
    digest = world.put(payload("H1"))
    name = world.vault.name(digest)
    row = world.vault.keys.data._file.execute("SELECT wrapped FROM data_key WHERE name = ?", (name,)).fetchone()
    assert row[0] in (world.folder / "data-keys.db").read_bytes()
    world.erase()
    left = b"".join(path.read_bytes() for path in world.folder.rglob("*") if path.is_file())
    assert row[0] not in left


def test_rows_of_before_the_vault_still_open(database: Database, tmp_path: Path) -> None:
    old = Seals(bytes(32))
    with database.write() as session:
        person = people.register(session, old, PERSON["pccc"], PERSON["name"], PERSON["phone"])
    keys = keys_in(tmp_path / "vault.key")
    seals = Seals(bytes(32), people=keys.data)
    with database.read() as session:
        found = people.holder(session, seals, PERSON["pccc"])
    assert found is not None
    assert found.person == person
    vault = Vault(database, keys, lambda: NOW)
    assert erase_person(database, vault, seals, person, NOW) == 0
    with database.read() as session:
        assert people.holder(session, seals, PERSON["pccc"]) is None
        assert len(list(session.exec(select(ErasureRow)))) == 1
    keys.data.close()


def test_numbers_of_before_the_vault_stay_through_the_migration(empty: Database) -> None:
    migrate(empty)
    migrate(empty, "0003")
    with empty.engine.begin() as connection:
        connection.execute(
            text("INSERT INTO person (id, sealed, state, consent_first) VALUES (:i, :i, 'active', false)"),
            {"i": bytes(16)},
        )
        connection.execute(
            text("INSERT INTO person_number (lookup, person, generation, retired) VALUES (:l, :i, 0, false)"),
            {"l": bytes(32), "i": bytes(16)},
        )
    migrate(empty)
    with empty.read() as session:
        assert session.exec(select(NumberRow)).one().key == 0


def test_an_envelope_opens_to_what_was_sealed(world: World) -> None:
    told = payload("H1")
    envelope = world.vault.get(world.put(told))
    assert envelope is not None
    assert open_payload(envelope, READER, told.digest).plaintext == told.plaintext
