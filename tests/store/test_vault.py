"""The vault on both databases: ciphertext only, openings noted, erased for good whatever is restored."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlmodel import select

from ledger.payloads import PayloadStore
from ledger.store import backup, erasing, people, uses
from ledger.store.database import Database
from ledger.store.datakeys import DataKeys, Erased, KeyFiles, KeyMissing
from ledger.store.erasing import erase_payloads, replay
from ledger.store.tables.identity import NumberRow, PersonRow
from ledger.store.tables.screening import ScreeningRow
from ledger.store.tables.vault import EnvelopeRow
from ledger.store.vault import Held, Proof
from tests.store.vaults import NOW, OTHER, PERSON, READER, World, everything, payload


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


def test_puts_that_meet_go_in_together_and_each_is_kept(world: World) -> None:
    vault = world.vault
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


def test_holders_of_many_numbers_are_found_together_however_they_are_written(world: World) -> None:
    written = [PERSON["pccc"], PERSON["pccc"].lower(), OTHER["pccc"], "P999999999998", "no number"]
    with world.database.read() as session:
        found = people.holders(session, world.seals, written)
        assert {number: each.name for number, each in found.items()} == {
            written[0]: PERSON["name"], written[1]: PERSON["name"], written[2]: OTHER["name"],
        }  # fmt: skip
        assert found[written[0]] == people.holder(session, world.seals, PERSON["pccc"])
    world.erase()
    with world.database.read() as session:
        assert set(people.holders(session, world.seals, written)) == {OTHER["pccc"]}
