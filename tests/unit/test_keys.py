"""Keystores are encrypted and their owner's alone; signatures are Ethereum's, low s only."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from eth_account import Account
from eth_keys import keys
from hypothesis import given
from hypothesis import strategies as st

from ledger.keys import BadSignature, KeyFault, LocalSigner, WrongPassphrase, recover

SECRET, DIGEST = b"\x11" * 32, b"\x22" * 32
HALF_N = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


@given(secret=st.binary(min_size=32, max_size=32).filter(lambda b: 0 < int.from_bytes(b, "big") < HALF_N),
       digest=st.binary(min_size=32, max_size=32))  # fmt: skip
def test_it_signs_as_ethereum_does(secret: bytes, digest: bytes) -> None:
    signer, reference = LocalSigner(secret), keys.PrivateKey(secret)
    signature = signer.sign_digest(digest)
    assert signer.address == reference.public_key.to_canonical_address()
    theirs = reference.sign_msg_hash(digest)
    assert signature == theirs.to_bytes()[:64] + bytes([27 + theirs.v])
    assert int.from_bytes(signature[32:64], "big") <= HALF_N
    assert recover(digest, signature) == signer.address


@pytest.mark.parametrize(
    "bad",
    [b"", bytes(65), bytes(64) + b"\x1b", LocalSigner(SECRET).sign_digest(DIGEST)[:64],
     LocalSigner(SECRET).sign_digest(DIGEST)[:64] + b"\0", b"\xff" * 64 + b"\x1b"],
)  # fmt: skip
def test_what_is_no_signature(bad: bytes) -> None:
    with pytest.raises(BadSignature) as refusal:
        recover(DIGEST, bad)
    assert refusal.value.hint


def test_a_high_s_is_refused() -> None:
    signature = LocalSigner(SECRET).sign_digest(DIGEST)
    n = 2 * HALF_N + 1
    high = signature[:32] + (n - int.from_bytes(signature[32:64], "big")).to_bytes(32, "big")
    with pytest.raises(BadSignature, match="upper half"):
        recover(DIGEST, high + bytes([55 - signature[64]]))


def test_a_keystore_opens_with_its_passphrase_here_and_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    LocalSigner(SECRET).save(path, "열쇠 말 🔑")
    assert LocalSigner.load(path, "열쇠 말 🔑").address == LocalSigner(SECRET).address
    assert bytes(Account.decrypt(path.read_text(), "열쇠 말 🔑")) == SECRET
    assert path.stat().st_mode & 0o777 == 0o600
    assert SECRET.hex() not in path.read_text()
    assert json.loads(path.read_text())["version"] == 3


def test_a_keystore_is_not_overwritten_nor_read_by_others(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    LocalSigner(SECRET).save(path, "word")
    before = path.read_bytes()
    with pytest.raises(KeyFault, match="exists already"):
        LocalSigner(b"\x33" * 32).save(path, "word")
    assert path.read_bytes() == before
    with pytest.raises(WrongPassphrase):
        LocalSigner.load(path, "Word")
    path.chmod(0o640)
    with pytest.raises(KeyFault, match="other users"):
        LocalSigner.load(path, "word")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: "",
        lambda text: text[:-9],
        lambda text: "[]",
        lambda text: "{}",
        lambda text: text.replace("3", "2"),
    ],
)
def test_a_file_that_is_no_keystore(tmp_path: Path, spoil: Callable[[str], str]) -> None:
    path = tmp_path / "key.json"
    LocalSigner(SECRET).save(path, "word")
    path.write_text(spoil(path.read_text()))
    with pytest.raises(KeyFault):
        LocalSigner.load(path, "word")
    with pytest.raises(KeyFault):
        LocalSigner.load(tmp_path / "none.json", "word")


def test_a_key_is_in_no_repr() -> None:
    for text in (repr(LocalSigner(SECRET)), str(LocalSigner(SECRET))):
        assert SECRET.hex() not in text
        assert repr(SECRET)[2:-1] not in text
