"""Payloads open for those they were sealed to, only whole, and only as what stands on chain."""

from __future__ import annotations

from pathlib import Path

import pytest
import rlp
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.payloads import MAX_READERS, NotForYou, Payload, PayloadFault, Spool, open_payload

KEYS = [X25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in range(1, 5)]
READERS = [key.public_key() for key in KEYS[:3]]
SALT = b"\x07" * 32
PAYLOAD = Payload.of({"name": "Synthetic Person 7", "items": [1, 2]}, SALT)


def test_every_reader_opens_it_and_nobody_else() -> None:
    envelope = PAYLOAD.sealed(READERS)
    for key in KEYS[:3]:
        opened = open_payload(envelope, key, PAYLOAD.digest)
        assert (opened, opened.content["items"]) == (PAYLOAD, [1, 2])
    with pytest.raises(NotForYou):
        open_payload(envelope, KEYS[3], PAYLOAD.digest)


def test_two_envelopes_of_one_payload_differ() -> None:
    assert PAYLOAD.sealed(READERS) != PAYLOAD.sealed(READERS)


@settings(max_examples=200, deadline=None)
@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_one_flipped_bit_and_it_does_not_open(at: int, bit: int) -> None:
    envelope = bytearray(PAYLOAD.sealed(READERS[:1]))
    envelope[at % len(envelope)] ^= 1 << bit
    with pytest.raises(PayloadFault):
        open_payload(bytes(envelope), KEYS[0], PAYLOAD.digest)


@pytest.mark.parametrize("envelope", [b"", b"\xc0", b"not rlp at all", rlp.encode([b"\1", b"\2"]), rlp.encode(b"x")])
def test_bytes_that_are_no_envelope(envelope: bytes) -> None:
    with pytest.raises(PayloadFault) as refusal:
        open_payload(envelope, KEYS[0], PAYLOAD.digest)
    assert refusal.value.hint


def test_an_envelope_of_another_payload() -> None:
    other = Payload.of({"name": "Synthetic Person 8"}, SALT)
    with pytest.raises(PayloadFault, match="another payload"):
        open_payload(other.sealed(READERS), KEYS[0], PAYLOAD.digest)
    # nor one that claims the digest: the content is hashed again
    version, _, slots, body = rlp.decode(other.sealed(READERS))
    with pytest.raises(PayloadFault):
        open_payload(rlp.encode([version, PAYLOAD.digest, slots, body]), KEYS[0], PAYLOAD.digest)


def test_readers_and_size_are_bounded() -> None:
    for readers in ([], [KEYS[0].public_key()] * (MAX_READERS + 1)):
        with pytest.raises(PayloadFault):
            PAYLOAD.sealed(readers)
    with pytest.raises(PayloadFault):
        Payload.of({"text": "x" * 70_000}, SALT)


def test_the_digest_hides_behind_its_salt_and_does_not_hang_on_the_order_of_keys() -> None:
    assert Payload.of({"a": 1, "b": 2}, SALT) == Payload.of({"b": 2, "a": 1}, SALT)
    assert Payload.of({"a": 1}, SALT).digest != Payload.of({"a": 1}, b"\x08" * 32).digest
    assert "Synthetic" not in repr(PAYLOAD)


def test_the_spool_keeps_an_envelope_under_its_digest(tmp_path: Path) -> None:
    spool, envelope = Spool(tmp_path / "spool"), PAYLOAD.sealed(READERS)
    assert spool.get(PAYLOAD.digest) is None
    spool.put(PAYLOAD.digest, envelope)
    spool.put(PAYLOAD.digest, envelope)
    assert Spool(tmp_path / "spool").get(PAYLOAD.digest) == envelope
    for path in (tmp_path / "spool").rglob("*"):
        assert b"Synthetic" not in path.read_bytes() if path.is_file() else True
    for bad in (b"", b"\1" * 31, b"../../etc/passwd"):
        with pytest.raises(PayloadFault):
            spool.put(bad, envelope)
        with pytest.raises(PayloadFault):
            spool.get(bad)
