"""The vault: private payloads as ciphertext, found by a blind index, every opening noted, erased for good.

An envelope is sealed by its writer to its readers, who keep their keys; copies of the database last. So the vault wraps
each envelope once more under a data key of its own that is in no copy of the database (ADR 0013).
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from sqlmodel import Session, col, select

from ledger.payloads import Payload, PayloadFault, PayloadStore, open_payload
from ledger.store.database import Database
from ledger.store.datakeys import DataKeys, Erased, KeyFiles, seal, unseal
from ledger.store.erasures import ErasureRegister
from ledger.store.rows import upsert
from ledger.store.sealing import BlindIndex
from ledger.store.tables.vault import EnvelopeRow, ErasureRow, OpeningRow, VaultIndexRow

log = logging.getLogger("clearance.vault")

PAYLOAD: Final = "payload"
OWN: Final = ("gateway", "handed to a reader it names")
ASKED: Final = "asked for it: handed over only if it is a reader"
NOBODY: Final = 0
"""In the place of an org: it is not known who put an envelope."""
MAX_LOOKED_AT: Final = 8
"""Envelopes under one digest that are looked at, the awaited org's first, then the oldest."""


class Held(StrEnum):
    """What the vault has of a digest."""

    HELD = "held"
    ERASED = "erased"
    UNKNOWN = "unknown"


class Proof(StrEnum):
    """What comes of checking a payload against a digest on chain."""

    MATCHES = "matches"
    DIFFERS = "differs"
    ERASED = "erased"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class VaultKeys:
    """What lies outside the database: data keys, register of erasures, key of the index."""

    data: DataKeys
    register: ErasureRegister
    index: BlindIndex


@dataclass(frozen=True, slots=True)
class Candidate:
    """An envelope under a digest, and the org that put it there."""

    org: int
    envelope: bytes = field(repr=False)


@dataclass(slots=True)
class _Put:
    digest: bytes
    org: int
    envelope: bytes = field(repr=False)
    done: bool = False
    fault: BaseException | None = None


def keys_in(folder: Path, *, alone: bool = False) -> VaultKeys:
    """Open a folder of keys; it is made if missing. `alone`: no other process may work with it meanwhile.

    It holds wrapping/ and index/ (keys by id), data-keys.db and erasures.jsonl. In production the wrapping keys come
    from a hardware module instead: put :class:`VaultKeys` together from its parts.

    Raises:
        RegisterBroken: the register of erasures was changed.
        InUse: another process works with it.
    """
    wrapping = KeyFiles(folder / "wrapping").all()
    index = BlindIndex(KeyFiles(folder / "index").all())
    register = ErasureRegister(folder / "erasures.jsonl")
    return VaultKeys(DataKeys(folder / "data-keys.db", wrapping, alone=alone), register, index)


class Vault:
    """Keeps envelopes under their payload digests; a :class:`ledger.payloads.PayloadStore`."""

    def __init__(self, database: Database, keys: VaultKeys, now: Callable[[], dt.datetime]) -> None:
        """Take the database, the keys and a clock of aware UTC. Call `ledger.store.erasing.replay` before serving."""
        self._database, self._now = database, now
        self.keys = keys
        self._waiting: list[_Put] = []
        self._turn, self._writing = threading.Condition(), False

    # ------------------------------------------------------------------------------------------------------- keeping
    def put(self, digest: bytes, envelope: bytes, org: int = NOBODY) -> None:
        """Keep an org's envelope. Keeping it again changes nothing, and what was erased is not kept again.

        Threads that come while another one writes go in together: two synced commits for all of them, not for each.
        """
        mine = _Put(digest, org, envelope)
        with self._turn:
            self._waiting.append(mine)
            self._turn.wait_for(lambda: mine.done or not self._writing)
            together: list[_Put] = []
            if not mine.done:
                together, self._waiting, self._writing = self._waiting, together, True
        if together:
            self._keep_all(together)
        if mine.fault is not None:
            raise mine.fault

    def _keep_all(self, puts: Sequence[_Put]) -> None:
        fault: BaseException | None = None
        try:
            self._keep(puts)
        except BaseException as error:
            fault = error
        with self._turn:
            for each in puts:
                each.done, each.fault = True, fault
            self._writing = False
            self._turn.notify_all()

    def _keep(self, puts: Sequence[_Put]) -> None:
        names = {each.digest: self.name(each.digest) for each in puts}
        with self._database.read() as session:
            place = col(EnvelopeRow.digest).in_(names)
            rows = session.exec(select(EnvelopeRow.digest, EnvelopeRow.org).where(place))
            there = set(rows) & {(each.digest, each.org) for each in puts}
        if there:  # their data keys may be gone with an older copy of the keys: then they are kept anew
            living = self.keys.data.living(names[digest] for digest, _ in there)
            there = {(digest, org) for digest, org in there if names[digest] in living}
        new = [each for each in puts if (each.digest, each.org) not in there]
        keys = self.keys.data.make_living(names[each.digest] for each in new)  # before the rows: none without a key
        rows_by_place = {
            (each.digest, each.org): {
                "digest": each.digest, "org": each.org, "name": names[each.digest],
                "sealed": seal(keys[names[each.digest]], each.envelope, _about(each.digest, each.org)),
                "kept_at": self._now(),
            }
            for each in new
            if names[each.digest] in keys
        }  # fmt: skip
        if not rows_by_place:
            return
        with self._database.write() as session:  # what was erased since stays erased: the register is the later word
            gone = set(session.exec(select(ErasureRow.name).where(col(ErasureRow.name).in_(keys))))
            upsert(
                session, EnvelopeRow, [row for row in rows_by_place.values() if row["name"] not in gone],
                update=["sealed", "kept_at"],
            )  # fmt: skip

    def get(self, digest: bytes) -> bytes | None:
        """Return the oldest envelope of a digest, or None; noted as handed to one of its readers."""
        found = self.candidates({digest: NOBODY}, *OWN).get(digest)
        return found[0].envelope if found else None

    def reader(self, who: str, why: str) -> PayloadStore:
        """Return the vault as a program sees it whose openings are noted under its own name."""
        return VaultReader(self, who, why)

    def candidates(self, wanted: Mapping[bytes, int], who: str, why: str) -> dict[bytes, list[Candidate]]:
        """Return the envelopes that are here, each opening noted and committed before.

        Do not call this within a write session: the note has a transaction of its own.

        Args:
            wanted: digests, each with the org whose envelope comes first.
            who: takes them.
            why: it does.

        Raises:
            KeyMissing: the wrapping keys are not those of this database.
        """
        with self._database.read() as session:
            chosen = select(EnvelopeRow.digest, EnvelopeRow.org, EnvelopeRow.name, EnvelopeRow.sealed).where(
                col(EnvelopeRow.digest).in_(wanted), col(EnvelopeRow.sealed).isnot(None)
            )
            rows = list(session.exec(chosen.order_by(col(EnvelopeRow.kept_at), col(EnvelopeRow.org))))
        if not rows:
            return {}
        with self._database.write() as session:
            at = self._now()
            noted = dict.fromkeys(digest for digest, *_ in rows)
            session.add_all(OpeningRow(digest=digest, who=who, why=why, at=at) for digest in noted)
        keys = self.keys.data.living(name for _, _, name, _ in rows)
        found: dict[bytes, list[Candidate]] = {}
        for digest, org, name, sealed in sorted(rows, key=lambda row: row[1] != wanted[row[0]]):
            if name not in keys:
                log.warning("an envelope's data key is missing: the file of data keys is older than the database")
                continue
            if len(found.get(digest, ())) == MAX_LOOKED_AT:
                continue
            try:
                envelope = unseal(keys[name], sealed or b"", _about(digest, org))
            except InvalidTag:  # one row must not keep everybody else's from being opened
                log.error("an envelope was changed in the database: restore it from a backup")
                continue
            found.setdefault(digest, []).append(Candidate(org, envelope))
        return found

    def name(self, digest: bytes) -> bytes:
        """Return the name of a payload's data key."""
        return self.keys.data.name(PAYLOAD, digest)

    # ------------------------------------------------------------------------------------------------------- finding
    def note_numbers(self, session: Session, numbers: Mapping[bytes, str]) -> None:
        """Note whose numbers opened payloads declare; the identity authority does, in the transaction it judges in.

        A payload that is not here, or was erased meanwhile, is not noted.

        Args:
            session: that transaction's.
            numbers: declared numbers by payload digest.

        Raises:
            InvalidPCCC: one is no number.
        """
        places = {(digest, self.keys.index.of(number)): number for digest, number in numbers.items()}
        kept = col(EnvelopeRow.digest).in_(numbers), col(EnvelopeRow.sealed).isnot(None)
        named = dict(session.exec(select(EnvelopeRow.digest, EnvelopeRow.name).where(*kept)).all())
        held = select(VaultIndexRow.digest, VaultIndexRow.lookup).where(col(VaultIndexRow.digest).in_(numbers))
        known = set(session.exec(held))
        new = {place: number for place, number in places.items() if place[0] in named and place not in known}
        keys = self.keys.data.living(named[digest] for digest, _ in new)
        rows = [
            {
                "digest": digest, "lookup": lookup, "key": self.keys.index.newest,
                "sealed": seal(keys[named[digest]], number.encode(), digest + lookup),
            }
            for (digest, lookup), number in new.items()
            if named[digest] in keys
        ]  # fmt: skip
        upsert(session, VaultIndexRow, rows, update=[])

    def find(self, session: Session, number: str) -> list[bytes]:
        """Return the digests of the payloads that declare a number.

        Raises:
            InvalidPCCC: it is no number.
        """
        chosen = select(VaultIndexRow.digest).where(col(VaultIndexRow.lookup).in_(self.keys.index.every(number)))
        return list(dict.fromkeys(session.exec(chosen)))

    def reindex(self, limit: int = 1_000) -> int:
        """Write rows of the index anew that stand under an older key; return how many. At 0 the older key can go."""
        with self._database.write() as session:
            chosen = select(VaultIndexRow).where(VaultIndexRow.key != self.keys.index.newest).limit(limit)
            rows = list(session.exec(chosen))
            for row in rows:
                sealed, digest, lookup = row.sealed, row.digest, row.lookup
                session.delete(row)
                session.flush()
                try:
                    key = self.keys.data.get(self.name(digest))
                except Erased:
                    continue
                if key is not None:
                    self.note_numbers(session, {digest: unseal(key, sealed, digest + lookup).decode()})
            return len(rows)

    # -------------------------------------------------------------------------------------------------------- asking
    def held(self, digest: bytes) -> Held:
        """Say whether a payload is here, was erased, or never came."""
        with self._database.read() as session:
            rows = session.exec(select(EnvelopeRow.erased_at).where(EnvelopeRow.digest == digest)).all()
            if session.get(ErasureRow, self.name(digest)) or any(rows):
                return Held.ERASED
            return Held.HELD if rows else Held.UNKNOWN

    def erased(self, digest: bytes) -> bool:
        """Whether a payload was here and was erased for good."""
        return self.held(digest) is Held.ERASED

    def proof(self, digest: bytes, shown: Payload | None = None) -> Proof:
        """Check a payload that somebody shows against a digest on chain.

        Nothing shown of an erased payload is a proof that verifies as erased, not one that fails.
        """
        if shown is not None:
            return Proof.MATCHES if shown.digest == digest else Proof.DIFFERS
        return Proof.ERASED if self.erased(digest) else Proof.UNKNOWN

    def openings(self, digest: bytes) -> Sequence[OpeningRow]:
        """Return who opened a payload, oldest first."""
        with self._database.read() as session:
            rows = list(session.exec(select(OpeningRow).where(OpeningRow.digest == digest).order_by("number")))
            session.expunge_all()
            return rows


def _about(digest: bytes, org: int) -> bytes:
    return digest + org.to_bytes(8, "big")


class VaultReader:
    """The vault as one program sees it."""

    def __init__(self, vault: Vault, who: str, why: str) -> None:
        """Take the vault, and what its openings are noted as."""
        self._vault, self._who, self._why = vault, who, why

    def put(self, digest: bytes, envelope: bytes) -> None:
        """Keep an envelope."""
        self._vault.put(digest, envelope)

    def get(self, digest: bytes) -> bytes | None:
        """Return an envelope, or None."""
        found = self._vault.candidates({digest: NOBODY}, self._who, self._why).get(digest)
        return found[0].envelope if found else None


# ------------------------------------------------------------------------------------- a vault, or any other store
def keep(store: PayloadStore, digest: bytes, envelope: bytes, org: int) -> None:
    """Keep an org's envelope; another store than a vault has one place for all."""
    if isinstance(store, Vault):
        store.put(digest, envelope, org)
    else:
        store.put(digest, envelope)


def candidates(store: PayloadStore, wanted: Mapping[bytes, int], who: str, why: str) -> dict[bytes, list[Candidate]]:
    """Return the envelopes under digests; a vault notes the openings."""
    if isinstance(store, Vault):
        return store.candidates(wanted, who, why)
    found = {digest: store.get(digest) for digest in wanted}
    return {digest: [Candidate(NOBODY, envelope)] for digest, envelope in found.items() if envelope is not None}


def open_all(
    store: PayloadStore, wanted: Mapping[bytes, int], key: X25519PrivateKey, who: str, why: str
) -> dict[bytes, Payload | None]:
    """Open payloads; None for one that its own org put and that cannot be opened.

    Of several envelopes under a digest the one counts that opens and holds what the digest says. What others put there
    and nobody can open counts as not there: the right one may still come.

    Args:
        store: a vault, which notes the openings, or another store.
        wanted: digests, each with the org that answers for it.
        key: opens them.
        who: opens them.
        why: it does.
    """
    found: dict[bytes, Payload | None] = {}
    for digest, some in candidates(store, wanted, who, why).items():
        opened = next((payload for each in some if (payload := _opened(each.envelope, key, digest))), None)
        if opened is not None or any(each.org in (wanted[digest], NOBODY) for each in some):
            found[digest] = opened
    return found


def _opened(envelope: bytes, key: X25519PrivateKey, digest: bytes) -> Payload | None:
    try:
        return open_payload(envelope, key, digest)
    except PayloadFault:
        return None


def is_erased(store: PayloadStore, digest: bytes) -> bool:
    """Whether a payload was erased; other stores than a vault know nothing of that."""
    return isinstance(store, Vault) and store.erased(digest)


def was_put_by(session: Session, digest: bytes, org: int) -> bool:
    """Whether an org put an envelope under a digest, erased or not."""
    return session.get(EnvelopeRow, (digest, org)) is not None


def note_numbers(store: PayloadStore, session: Session, numbers: Iterable[tuple[bytes | None, str]]) -> None:
    """Note in a vault whose numbers opened payloads declare; other stores have no index."""
    if isinstance(store, Vault):
        store.note_numbers(session, {digest: number for digest, number in numbers if digest is not None})
