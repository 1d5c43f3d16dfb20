"""The vault on both databases: ciphertext only, openings noted, erased for good whatever is restored, keys change."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from sqlalchemy import text
from sqlmodel import SQLModel, select

from ledger.payloads import Payload, PayloadStore, open_payload
from ledger.store import backup, erasing, people, uses
from ledger.store.database import Database
from ledger.store.datakeys import DataKeys, Erased, KeyFiles, KeyMissing
from ledger.store.erasing import erase_payloads, erase_person, replay
from ledger.store.erasures import ErasureRegister, RegisterBroken
from ledger.store.migrations import migrate
from ledger.store.sealing import Seals
from ledger.store.tables.identity import NumberRow, PersonRow
from ledger.store.tables.screening import ScreeningRow
from ledger.store.tables.vault import EnvelopeRow, ErasureRow, VaultIndexRow
from ledger.store.vault import Held, Proof, Vault, VaultKeys, keys_in

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
        self.vault = self.opened()
        with database.write() as session:
            for each in (PERSON, OTHER):
                people.register(session, self.seals, each["pccc"], each["name"], each["phone"])

    def opened(self) -> Vault:
        """Return the vault as a new process opens it."""
        keys = keys_in(self.folder)
        self.seals = Seals(bytes(32), keys.index, keys.data)
        self.vault = Vault(self.database, keys, lambda: NOW)
        return self.vault

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


@pytest.fixture
def world(database: Database, tmp_path: Path) -> World:
    return World(database, tmp_path / "vault.key")


def everything(database: Database) -> bytes:
    """Every byte of every row."""
    with database.engine.connect() as connection:
        rows = [row for table in SQLModel.metadata.sorted_tables for row in connection.execute(table.select())]
    return repr(rows).encode() + b"".join(bytes(value) for row in rows for value in row if isinstance(value, bytes))


def test_an_envelope_comes_back_and_the_database_holds_none(world: World) -> None:
    told = payload("H1")
    envelope = told.sealed([READER.public_key()])
    store: PayloadStore = world.vault
    store.put(told.digest, envelope)
    store.put(told.digest, b"another")  # keeping it again changes nothing
    assert store.get(told.digest) == envelope
    assert store.get(bytes(32)) is None
    rows = everything(world.database)
    assert told.digest in rows
    assert envelope[40:80] not in rows
    assert READER.public_key().public_bytes_raw() not in rows, "not even whom it is for"


def test_nothing_in_database_or_keys_names_a_person(world: World) -> None:
    world.put(payload("H1"))
    rows = everything(world.database)
    beside = b"".join(path.read_bytes() for path in world.folder.rglob("*") if path.is_file())
    for each in (*PERSON.values(), *OTHER.values()):
        assert each.encode() not in rows
        assert each.encode() not in beside


def test_every_opening_is_noted_before_anything_is_opened(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = world.put(payload("H1"))
    assert world.vault.openings(digest) == []
    world.vault.reader("screening", "screen a filing").get(digest)
    world.vault.get(digest)
    world.vault.reader("screening", "screen a filing").get(bytes(32))  # nothing there, nothing opened
    noted = [(row.who, row.why, row.at) for row in world.vault.openings(digest)]
    assert noted == [
        ("screening", "screen a filing", NOW), ("gateway", "handed to a reader it names", NOW)
    ]  # fmt: skip

    def cannot(**_: object) -> None:
        raise OSError

    monkeypatch.setattr("ledger.store.vault.OpeningRow", cannot)
    with pytest.raises(OSError):  # noqa: PT011  what cannot be noted is not opened
        world.vault.get(digest)


def test_found_by_any_way_of_writing_a_number(world: World) -> None:
    mine = [world.put(payload(f"H{number}")) for number in range(3)]
    world.put(payload("H9", OTHER), OTHER["pccc"])
    with world.database.read() as session:
        assert sorted(world.vault.find(session, " p9900 0000 0001 ")) == sorted(mine)
        assert world.vault.find(session, "P990000000003") == []


def test_a_changed_row_is_no_payload(world: World) -> None:
    first, second = world.put(payload("H1")), world.put(payload("H2"))
    with world.database.write() as session:
        one, two = session.get(EnvelopeRow, (first, 0)), session.get(EnvelopeRow, (second, 0))
        assert one is not None
        assert two is not None
        one.sealed, two.sealed = two.sealed, one.sealed
        session.add_all([one, two])
    third = world.put(payload("H3"))
    found = world.vault.candidates(dict.fromkeys([first, second, third], 0), "a test", "to see")
    assert set(found) == {third}, "one row that was changed kept others from being opened"


def test_puts_that_meet_go_in_together_and_each_is_kept(database: Database, tmp_path: Path) -> None:
    vault = Vault(database, keys_in(tmp_path / "vault.key"), lambda: NOW)
    told = {os.urandom(32): os.urandom(50) for _ in range(24)}
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(vault.put, told, told.values()))
    assert {digest: vault.get(digest) for digest in told} == told


def test_payloads_whose_keys_are_lost_are_taken_again(world: World, tmp_path: Path) -> None:
    """The file of keys was restored from a copy that is older than the database."""
    told = payload("H1")
    shutil.copytree(world.folder, tmp_path / "old.key")
    digest = world.put(told)
    world.folder = tmp_path / "old.key"
    assert world.restart().get(digest) is None
    world.put(told)
    assert world.vault.get(digest) is not None


# --------------------------------------------------------------------------------------------------------- erasure
def test_an_erased_person_is_gone_and_his_proofs_verify_as_erased(world: World) -> None:
    told = payload("H1")
    digest, kept = world.put(told), world.put(payload("H2", OTHER), OTHER["pccc"])
    assert world.erase() == 1
    assert world.vault.get(digest) is None
    assert (world.vault.held(digest), world.vault.held(kept)) == (Held.ERASED, Held.HELD)
    assert world.vault.held(bytes(32)) is Held.UNKNOWN
    assert world.vault.proof(digest) is Proof.ERASED
    assert world.vault.proof(digest, told) is Proof.MATCHES  # who kept his own copy can still show it
    assert world.vault.proof(digest, payload("H1")) is Proof.DIFFERS
    assert world.vault.proof(kept) is Proof.UNKNOWN
    assert world.person() is None
    assert world.person(OTHER["pccc"]) is not None
    with world.database.read() as session:
        assert world.vault.find(session, PERSON["pccc"]) == []
        assert len(list(session.exec(select(NumberRow)))) == 1


def test_screening_forgets_whom_the_parcels_of_an_erased_person_were_sent_to(world: World) -> None:
    mine, anothers = b"m" * 32, b"a" * 32
    person = world.person()
    assert person is not None
    with world.database.write() as session:
        uses.note_use(session, world.seals, person, mine, {}, NOW, receiver_differs=False)
        for parcel in (mine, anothers):
            row = ScreeningRow(parcel=parcel, filing=bytes(20), opened_height=1, day=1, outcome="passed")
            row.number, row.phone, row.address, row.declared_at = bytes(32), bytes(32), bytes(32), NOW
            session.add(row)
    world.erase()
    with world.database.read() as session:
        kept = {row.parcel: (row.number, row.phone, row.address) for row in session.exec(select(ScreeningRow))}
    assert kept == {mine: (None,) * 3, anothers: (bytes(32),) * 3}


def test_what_was_erased_is_not_kept_again(world: World) -> None:
    told = payload("H1")
    digest = world.put(told)
    world.erase()
    world.put(told)  # the courier sends its copy again
    assert world.vault.get(digest) is None
    assert world.vault.held(digest) is Held.ERASED


def test_every_generation_of_a_number_is_erased(world: World) -> None:
    with world.database.write() as session:
        people.reissue(session, world.seals, PERSON["pccc"], "P990000000009")
    digests = [world.put(payload("H1")), world.put(payload("H2"), "P990000000009")]
    assert world.erase() == 2
    assert {world.vault.held(digest) for digest in digests} == {Held.ERASED}


@pytest.mark.parametrize("restored", ["database", "keys", "both"])
def test_a_backup_of_before_the_erasure_does_not_bring_the_person_back(
    world: World, restored: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    told = payload("H1")
    digest, kept = world.put(told), world.put(payload("H2", OTHER), OTHER["pccc"])
    person = world.person()
    assert person is not None
    backup.save(world.database, tmp_path / "old.db")
    shutil.copytree(world.folder, tmp_path / "old keys")
    world.erase()
    register = tmp_path / "register.jsonl"  # a copy kept elsewhere
    shutil.copyfile(world.folder / "erasures.jsonl", register)
    world.vault.keys.data.close()
    if restored != "keys":
        world.database = Database(f"sqlite:///{tmp_path / 'restored.db'}")
        request.addfinalizer(world.database.close)
        backup.load(tmp_path / "old.db", world.database)
    if restored != "database":
        shutil.rmtree(world.folder)
        shutil.copytree(tmp_path / "old keys", world.folder)
    vault = world.opened()
    if restored == "both":
        assert world.person() == person, "everything is old: only the register's copy knows better"
    elif restored == "database":  # even before the replay the rows open nothing
        assert vault.get(digest) is None
        with world.database.read() as session, pytest.raises(Erased):
            people.holder(session, world.seals, PERSON["pccc"])
    replay(world.database, vault, register if restored == "both" else None)
    assert vault.get(digest) is None
    assert vault.held(digest) is Held.ERASED
    assert world.person() is None
    assert vault.get(kept) is not None
    assert world.person(OTHER["pccc"]) is not None
    world.put(told)
    assert vault.held(digest) is Held.ERASED
    with world.database.read() as session:
        row = session.get(PersonRow, person)
        assert row is not None
        assert row.sealed == b""


def test_old_copies_of_keys_die_with_their_wrapping_key(world: World, tmp_path: Path) -> None:
    digest = world.put(payload("H1"))
    old = tmp_path / "data-keys.db"
    shutil.copyfile(world.folder / "data-keys.db", old)
    world.erase()
    files = KeyFiles(world.folder / "wrapping")
    assert files.add() == 2
    assert world.vault.keys.data.rewrap(files.all()) > 0
    files.destroy(1)
    assert sorted(files.all()) == [2]
    copied = DataKeys(old, files.all())
    with pytest.raises(KeyMissing):
        copied.get(world.vault.name(digest))
    copied.close()


def test_a_payload_erased_before_it_came_is_not_taken(world: World) -> None:
    told = payload("H1")
    erase_payloads(world.database, world.vault, [told.digest], NOW)
    world.put(told)
    assert world.vault.held(told.digest) is Held.ERASED
    with world.database.read() as session:
        assert session.get(EnvelopeRow, (told.digest, 0)) is None


def test_what_is_kept_too_long_is_found(world: World) -> None:
    digest = world.put(payload("H1"))
    assert erasing.older_than(world.database, NOW) == []
    late = NOW + dt.timedelta(days=1)
    assert erasing.older_than(world.database, late) == [digest]
    erase_payloads(world.database, world.vault, [digest], late)
    assert erasing.older_than(world.database, late) == []


class Killed(BaseException):
    """Stands for a process that ends here."""


@pytest.mark.parametrize("at", ["destroy", "rows"])
def test_an_erasure_that_was_cut_short_is_finished(world: World, at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = world.put(payload("H1"))

    def dies(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as broken:
        target = "ledger.store.datakeys.DataKeys.destroy" if at == "destroy" else "ledger.store.erasing.upsert"
        broken.setattr(target, dies)
        with pytest.raises(Killed):
            world.erase()
    assert replay(world.database, world.restart()) == 2
    assert world.vault.held(digest) is Held.ERASED
    assert world.person() is None


def test_an_erasure_that_was_never_registered_did_not_happen(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = world.put(payload("H1"))
    with monkeypatch.context() as broken:
        broken.setattr("ledger.store.erasures.os.fsync", lambda _: (_ for _ in ()).throw(Killed()))
        broken.setattr("ledger.store.erasures._line", lambda *_: (_ for _ in ()).throw(Killed()))
        with pytest.raises(Killed):
            world.erase()
    assert replay(world.database, world.restart()) == 0
    assert world.vault.held(digest) is Held.HELD


def test_replay_does_nothing_twice(world: World) -> None:
    world.put(payload("H1"))
    world.erase()
    before = everything(world.database)
    assert replay(world.database, world.restart()) == 2
    assert everything(world.database) == before


# -------------------------------------------------------------------------------------------------- register, keys
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
