"""From everything public nobody is found, over a space of 10^6 identity numbers; weaker schemes fall to the same hand.

The attacker (`pccc_attacker.py`) takes a whole sample day: calldata with the revealed salts, rest digests, ids and
payload digests, logs, state, the node's store, the ciphertexts in the spool. Hashing each of 10^6 numbers under each
public salt would take hours and prove no more than a part of it that holds the true numbers: a wrong number is never
found, so only the true ones matter. So all 10^6 are tried without salt, 10^4 (the true ones among them) under the
values of the filings and orders, and 100 in whole payloads of which the attacker knows everything else. That the
attacker is able is shown by planting, in the same public bytes, what a careless design would write: the naive hash of
the number, and a payload digest under the one salt that the filing reveals for the match; each of those also falls with
the whole 10^6 tried, under the values of the careless batch itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from eth_hash.auto import keccak

from clients.cli.demo import run_day
from clients.sample.members import Keyring
from ledger.chain.batch import MAX_SEQ, Batch, Entry
from ledger.chain.calls import read_submit, submit_data
from ledger.commitments import word
from ledger.domain.kinds import KindNumber as K
from ledger.genesis import CONTRACT
from ledger.payloads import open_payload, payload_digest
from node.store import Space
from node.transactions import body_of
from tests.property.pccc_attacker import Effort, Public, find_people, pccc

SEED, PARCELS = 3, 8
QUICK = Effort(plain=10_000, salted=200, guessed=20)
FULL = Effort(plain=1_000_000, salted=10_000, guessed=100)
MILLION = 1_000_000
HIGH = 2**128
"""Words below it are counts, prices and flags, no hashes or salts."""


@dataclass(frozen=True)
class SampleDay:
    """A replayed day: what is public of it, and what the test alone knows."""

    public: Public
    people: tuple[str, ...]
    names: tuple[str, ...]
    entries: tuple[Entry, ...]
    domain: object


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> SampleDay:
    home = tmp_path_factory.mktemp("day")
    plan, sealer, _ = run_day(home, PARCELS, SEED, quiet=True)
    chain = sealer.chain
    entries = [
        entry
        for height in range(1, chain.head.number + 1)
        for raw in chain.block(height).transactions
        if body_of(raw).to == CONTRACT and (submitted := read_submit(body_of(raw).data))
        for entry in submitted[0].unpacked()
    ]
    spaces = [value for name, value in vars(Space).items() if name.isupper()]
    blobs = [key + value for space in spaces for key, value in chain.store.scan(space)]
    sealer.chain.store.close()
    blobs += [
        file.read_bytes() + bytes(8) + _name(file) for file in sorted((home / "spool").rglob("*")) if file.is_file()
    ]
    numbers = [holder.person.pccc for holder in plan.holders]
    texts = [(each.encode(), plaintext) for each, plaintext in _payloads(home / "spool", numbers)]
    templates = [plaintext.partition(person)[::2] for person, plaintext in texts]
    words = {value for entry in entries for value in (entry.subject, int.from_bytes(entry.digest, "big"), *entry.extra)}
    salts = sorted(word(value) for value in words if value >= HIGH)
    people = tuple(sorted({person.decode() for person, _ in texts}))
    names = tuple(holder.person.name for holder in plan.holders)
    public = Public(tuple(blobs), tuple(salts), tuple((head, tail) for head, tail in templates))
    return SampleDay(public, people, names, tuple(entries), chain.domain)


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file())


def _name(file: Path) -> bytes:
    return bytes.fromhex(file.name)


def _payloads(spool: Path, numbers: list[str]) -> Iterator[tuple[str, bytes]]:
    """Yield identity number and plaintext of every payload: what the parties that may open them would read."""
    opener = Keyring(SEED).opener("identity")
    for file in _files(spool):
        plaintext = open_payload(file.read_bytes(), opener, _name(file)).plaintext
        yield next(person for person in numbers if person.encode() in plaintext), plaintext


def careless(day: SampleDay, variant: str, person: str) -> Public:
    """Return the day's public bytes and an order with its filing, as a careless client would have written them."""
    rest, order_salt = keccak(b"rest of the order"), keccak(b"salt of the order")
    order = int.from_bytes(keccak(b"order"), "big")
    head, tail = day.public.templates[0]
    plaintext = head + person.encode() + tail
    digest = {
        "naive keccak": keccak(person.encode()),
        "naive sha256": hashlib.sha256(person.encode()).digest(),
        "salted with the order's id": keccak(word(order) + person.encode()),
        "one salt for order and payload": payload_digest(order_salt, plaintext),
        "random salt": payload_digest(keccak(b"never revealed"), plaintext),
    }[variant]
    goods = 5_000
    opened = Entry(order, K.ORDER_OPENED, 0, extra=(int.from_bytes(digest, "big"),))
    presented = (order, goods, int.from_bytes(rest, "big"), int.from_bytes(order_salt, "big"))
    filed = Entry(int.from_bytes(keccak(b"parcel"), "big"), K.FILED, 0, extra=(1, *presented))
    signer = Keyring(SEED).signer("courier-1")
    batch = Batch.signed(day.domain, signer, lane=9, seq=0, not_after=MAX_SEQ, entries=[opened, filed])  # type: ignore[arg-type]
    return day.public.with_batch(submit_data(batch, 0), (word(order), rest, order_salt, digest))


def test_the_day_gives_the_attacker_something_to_work_on(day: SampleDay) -> None:
    assert len(day.people) >= 3
    assert {int(person[3:]) for person in day.people} <= set(range(QUICK.guessed))
    assert len(day.public.templates) >= 2 * PARCELS - 2
    assert len(day.public.salts) >= 5 * PARCELS
    kinds = {entry.kind for entry in day.entries}
    assert kinds >= {K.ORDER_OPENED, K.FILED, K.IDENTITY_CHECKED}


def test_no_identity_number_or_name_stands_in_anything_public(day: SampleDay) -> None:
    everything = b"\0".join(day.public.blobs)
    for text in (*day.people, *(person[1:] for person in day.people), *day.names):
        assert text.encode() not in everything
        assert text.encode().hex().encode() not in everything


def test_nobody_is_found(day: SampleDay) -> None:
    assert find_people(day.public, QUICK) == set()


@pytest.mark.parametrize(
    ("variant", "falls"),
    [
        ("naive keccak", True),
        ("naive sha256", True),
        ("salted with the order's id", True),
        ("one salt for order and payload", True),
        ("random salt", False),
    ],
)
def test_careless_variants_fall_to_the_same_attacker(day: SampleDay, variant: str, falls: bool) -> None:
    person = pccc(QUICK.guessed - 3)
    assert find_people(careless(day, variant, person), QUICK) == ({person} if falls else set())


@pytest.mark.slow
def test_nobody_is_found_among_a_million_and_the_naive_hash_is(day: SampleDay) -> None:
    last = pccc(FULL.plain - 1)
    assert find_people(careless(day, "naive keccak", last), FULL) == {last}
    assert last not in day.people


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variant", "effort", "falls"),
    [
        ("naive keccak", Effort(MILLION, 0, 0), True),
        ("naive sha256", Effort(MILLION, 0, 0), True),
        ("salted with the order's id", Effort(0, MILLION, 0), True),
        ("one salt for order and payload", Effort(0, 0, MILLION), True),
        ("random salt", Effort(0, 0, MILLION), False),
    ],
)
def test_each_careless_variant_falls_among_all_of_a_million(
    day: SampleDay, variant: str, effort: Effort, falls: bool
) -> None:
    """The last of all 10^6 numbers, under the values that the careless batch itself shows."""
    last = pccc(MILLION - 1)
    whole = careless(day, variant, last)
    shown = Public(whole.blobs[-1:], whole.salts[len(day.public.salts) :][:3], day.public.templates[:1])
    assert find_people(shown, effort) == ({last} if falls else set())


def test_two_parcels_share_no_random_value(day: SampleDay) -> None:
    """A value that stands in two parcels would link them: salts, rests, payload digests are each used for one."""
    owners: dict[int, set[int]] = {}
    parcel_of_order = {
        entry.extra[at]: entry.subject
        for entry in day.entries if entry.kind in (K.FILED, K.CORRECTED) for at in range(1, len(entry.extra) - 1, 4)
    }  # fmt: skip
    for entry in day.entries:
        for value in (int.from_bytes(entry.digest, "big"), *entry.extra, entry.names):
            if value >= HIGH:
                owners.setdefault(value, set()).add(parcel_of_order.get(entry.subject, entry.subject))
    assert [hex(value) for value, parcels in owners.items() if len(parcels) > 1] == []
