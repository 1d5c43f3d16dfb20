"""The authority of a real chain: keys from encrypted files, checked before anything is judged; codes by a program."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

import ledger.keys
from api.identity.senders import CommandSender
from clients.cli.authority import (
    KEYSTORE,
    MASTER,
    OPEN_KEY,
    AuthorityFiles,
    AuthorityKeyFault,
    desk,
    master_of,
    opener_of,
)
from ledger.domain.errors import LedgerError
from ledger.keys import LocalSigner
from node.service import wait_until
from tests.api.journey import SYNTHETIC, Journey
from tests.api.world import KEYRING, World, world
from tests.e2e.test_sample_day import clearance

WORD = "a passphrase for tests"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> AuthorityFiles:
    folder = tmp_path_factory.mktemp("keys")
    work, ledger.keys.SCRYPT_WORK = ledger.keys.SCRYPT_WORK, 2  # type: ignore[misc]
    try:
        KEYRING.signer("identity").save(folder / KEYSTORE, WORD)
        KEYRING.signer("courier-1").save(folder / "courier.json", WORD)
    finally:
        ledger.keys.SCRYPT_WORK = work  # type: ignore[misc]
    write_opener(folder / OPEN_KEY, KEYRING.opener("identity"))
    write_opener(folder / "other.pem", KEYRING.opener("screening"))
    private(folder / MASTER, bytes(range(32)).hex())
    private(folder / "word", WORD)
    (folder / "code").write_text(f"#!/bin/sh\numask 077; cat > {folder}/sent.new; mv {folder}/sent.new {folder}/sent\n")
    (folder / "code").chmod(0o700)
    return AuthorityFiles(folder / KEYSTORE, folder / OPEN_KEY, folder / MASTER, folder / "word", folder / "code")


def private(path: Path, text: str) -> None:
    path.write_text(text + "\n")
    path.chmod(0o600)


def write_opener(path: Path, key: X25519PrivateKey) -> None:
    sealed = BestAvailableEncryption(WORD.encode())
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, sealed))
    path.chmod(0o600)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, files: AuthorityFiles) -> Iterator[World]:
    home = tmp_path_factory.mktemp("gateway")
    people = home / "people.csv"
    people.write_text("number,name,phone\n{pccc},{name},{phone}\n".format(**SYNTHETIC))
    done = clearance("api", "register", str(people), "--home", str(home), "--identity-master", str(files.master))
    assert (done.returncode, done.stdout) == (0, "1 numbers read\n"), done.stderr
    with world(home, files=files) as made:
        yield made


def test_it_checks_filings_by_its_register(service: World) -> None:
    Journey(service, "by files").ordered().filed().settled("IDENTITY_CHECKED")
    stranger = SYNTHETIC | {"name": "다른 사람"}
    Journey(service, "not his", stranger).ordered().filed().settled("IDENTITY_STOPPED")


def test_a_holder_signs_in_by_the_code_that_the_program_sent(service: World, files: AuthorityFiles) -> None:
    http = service.client()
    told = {"pccc": SYNTHETIC["pccc"], "phone": SYNTHETIC["phone"]}
    ticket = http.post("/v1/buyer/codes", json=told).json()["ticket"]
    sent = files.keystore.parent / "sent"
    assert wait_until(sent.exists, 10)
    message = json.loads(sent.read_text())
    assert message["phone"] == SYNTHETIC["phone"]
    answer = http.post("/v1/buyer/sessions", json={"ticket": ticket, "code": message["code"]})
    assert answer.status_code == 201, answer.text


def test_a_program_that_fails_is_told_without_the_person(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    script = tmp_path / "fails"
    script.write_text("#!/bin/sh\nexit 3\n")
    script.chmod(0o700)
    with caplog.at_level(logging.ERROR):
        CommandSender(script).send("01012345678", "123456")
        CommandSender(tmp_path / "missing").send("01012345678", "123456")
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]
    assert "5678" not in caplog.text
    assert "123456" not in caplog.text


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"keystore": "courier.json"}, "no key of an identity authority"),
        ({"open_key": "other.pem"}, "not sealed to the opening key"),
        ({"open_key": "courier.json"}, "no PEM key"),
        ({"keystore": "nothing.json"}, "No such file"),
    ],
)
def test_a_wrong_key_is_refused_before_anything_is_judged(
    service: World, files: AuthorityFiles, changes: dict[str, str], match: str
) -> None:
    folder = files.keystore.parent
    given = replace(files, **{name: folder / value for name, value in changes.items()})
    with pytest.raises(LedgerError, match=match):
        desk(service.gateway, service.home, given)


def test_another_master_key_is_refused_where_the_register_would_look_empty(
    files: AuthorityFiles, tmp_path: Path
) -> None:
    assert master_of(files.master, tmp_path) == master_of(files.master, tmp_path) == bytes(range(32))
    other = tmp_path / "other"
    private(other, "11" * 32)
    with pytest.raises(AuthorityKeyFault, match="not the master key"):
        master_of(other, tmp_path)
    other.chmod(0o644)
    with pytest.raises(AuthorityKeyFault, match="other users"):
        master_of(other, tmp_path)
    private(other, "no hex")
    with pytest.raises(AuthorityKeyFault, match="64 hex digits"):
        master_of(other, tmp_path / "fresh")


def test_keys_are_made_once_encrypted_and_open_again(tmp_path: Path) -> None:
    private(tmp_path / "word", WORD)
    made = clearance("api", "keys", str(tmp_path / "keys"), "--passphrase-file", str(tmp_path / "word"))
    assert made.returncode == 0, made.stderr
    folder = tmp_path / "keys"
    assert {(folder / name).stat().st_mode & 0o777 for name in (KEYSTORE, OPEN_KEY, MASTER)} == {0o600}
    assert f"ledger key {LocalSigner.load(folder / KEYSTORE, WORD).hex_address}" in made.stdout
    public = opener_of(folder / OPEN_KEY, WORD).public_key().public_bytes_raw().hex()
    assert f"payload key {public}" in made.stdout
    with pytest.raises(AuthorityKeyFault, match="does not open"):
        opener_of(folder / OPEN_KEY, "another passphrase")
    again = clearance("api", "keys", str(folder), "--passphrase-file", str(tmp_path / "word"))
    assert again.returncode == 1
    assert "exists already" in again.stderr
