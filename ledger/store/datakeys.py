"""Keys outside the database: what keeps a copy of the database from saying anything of people.

Every payload and every person has a data key of its own. It lies in a file beside the database, wrapped under a
wrapping key that lies elsewhere again (a file here, a hardware module in production). Erasing is destroying the data
key, whatever copies of the ciphertext there are. A key that was destroyed is never made again.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from ledger.domain.errors import LedgerError

NONCE: Final = 12
TABLES: Final = """
CREATE TABLE IF NOT EXISTS naming (id INTEGER PRIMARY KEY CHECK (id = 1), key BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS data_key (name BLOB PRIMARY KEY, wrapped BLOB, wrapping INTEGER, destroyed_at TEXT)
  WITHOUT ROWID;
"""


class KeyMissing(LedgerError):
    """A key that data needs is not here."""

    code = "vault.key-missing"


class Erased(LedgerError):
    """The data key was destroyed; what it opened is gone for good."""

    code = "vault.erased"


def mac(key: bytes, data: bytes) -> bytes:
    """Return HMAC-SHA256."""
    made = HMAC(key, SHA256())
    made.update(data)
    return made.finalize()


def seal(key: bytes, content: bytes, about: bytes) -> bytes:
    """Seal bytes under a key, bound to what they are about."""
    nonce = os.urandom(NONCE)
    return nonce + ChaCha20Poly1305(key).encrypt(nonce, content, about)


def unseal(key: bytes, sealed: bytes, about: bytes) -> bytes:
    """Open what :func:`seal` gave.

    Raises:
        InvalidTag: another key, another row, or damage.
    """
    return ChaCha20Poly1305(key).decrypt(sealed[:NONCE], sealed[NONCE:], about)


class InUse(LedgerError):
    """Another process works with these keys."""

    code = "vault.in-use"


class KeyFiles:
    """Keys of one purpose as files `1.key`, `2.key`, ...: the newest is used, older ones until nothing needs them."""

    def __init__(self, folder: Path) -> None:
        """Use a folder; a first key is made if it holds none."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        if not self.all():
            self.add()

    def all(self) -> dict[int, bytes]:
        """Return every key by id."""
        return {int(path.stem): bytes.fromhex(path.read_text().strip()) for path in self._folder.glob("*.key")}

    def add(self) -> int:
        """Make the next key; return its id."""
        number = max((int(path.stem) for path in self._folder.glob("*.key")), default=0) + 1
        draft = self._folder / f"{number}.draft"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(os.urandom(32).hex() + "\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._folder / f"{number}.key")
        _sync(self._folder)
        return number

    def destroy(self, number: int) -> None:
        """Destroy an older key for good.

        Raises:
            KeyMissing: it is the newest.
        """
        if number >= max(self.all()):
            raise KeyMissing("The newest key cannot be destroyed.", hint="Make the next one first.")
        path = self._folder / f"{number}.key"
        if path.exists():
            with path.open("r+b") as file:
                file.write(bytes(path.stat().st_size))
                file.flush()
                os.fsync(file.fileno())
            path.unlink()
            _sync(self._folder)


class DataKeys:
    """Data keys by name, in an SQLite file of their own.

    A name is a keyed hash of what the key is for, so that neither this file nor the register of erasures names a
    parcel or a person to others.
    """

    def __init__(self, path: Path, wrapping: Mapping[int, bytes], *, alone: bool = False) -> None:
        """Open the file; it is made if missing.

        Args:
            path: of the file.
            wrapping: the wrapping keys by id, the highest id wraps.
            alone: let no other process work with it: who changes keys must not leave others with older ones.

        Raises:
            InUse: another process works with it, or works with it alone.
        """
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._use = (path.parent / "in-use").open("a")
        try:
            fcntl.flock(self._use, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._use.close()
            raise InUse("Another process works with the vault's keys.", hint="Stop the gateway first.") from error
        self._wrapping = dict(wrapping)
        self._lock = threading.RLock()
        self._file = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=15)
        path.chmod(0o600)
        for pragma in ("journal_mode=DELETE", "synchronous=FULL", "secure_delete=ON"):  # no copy is left in a log
            self._file.execute(f"PRAGMA {pragma}").fetchall()
        with self._transaction():
            for statement in TABLES.split(";"):
                self._file.execute(statement)
            self._file.execute("INSERT OR IGNORE INTO naming VALUES (1, ?)", (os.urandom(32),))
            self._naming = bytes(self._file.execute("SELECT key FROM naming").fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        self._use.close()

    def copy(self, path: Path) -> None:
        """Copy the file as it stands at one moment, whoever works with it."""
        with self._lock:
            made = sqlite3.connect(path)
            path.chmod(0o600)
            self._file.backup(made)
            made.close()

    def name(self, kind: str, identifier: bytes) -> bytes:
        """Return the name of the data key of a payload or a person."""
        return mac(self._naming, kind.encode() + b"\0" + identifier)

    def make(self, name: bytes) -> bytes:
        """Return the key of a name; it is made if there is none.

        Raises:
            Erased: there was one.
        """
        return self.make_all([name])[0]

    def make_all(self, names: Iterable[bytes]) -> list[bytes]:
        """Return the keys of names, with one commit for all that are new.

        Raises:
            Erased: one of them was destroyed.
        """
        wanted = list(names)
        found = self.make_living(wanted)
        if len(found) < len(set(wanted)):
            raise Erased("It was erased.", hint="Nothing brings it back; its digest stays on chain.")
        return [found[name] for name in wanted]

    def make_living(self, names: Iterable[bytes]) -> dict[bytes, bytes]:
        """Return keys by name, with one commit for all that are new; what was destroyed is left out."""
        wanted = list(dict.fromkeys(names))
        found, missing = self._look(wanted)
        if missing:
            with self._transaction():
                again, missing = self._look(missing)  # another process may have been faster
                found |= again | {name: self._new(name) for name in missing}
        return found

    def living(self, names: Iterable[bytes]) -> dict[bytes, bytes]:
        """Return the keys that are here by name; none is made, and what was destroyed is left out."""
        return self._look(dict.fromkeys(names))[0]

    def _look(self, names: Iterable[bytes]) -> tuple[dict[bytes, bytes], list[bytes]]:
        """Return keys by name, and the names that never had one."""
        found, missing = {}, []
        for name in names:
            try:
                key = self.get(name)
            except Erased:
                continue
            if key is None:
                missing.append(name)
            else:
                found[name] = key
        return found, missing

    def _new(self, name: bytes) -> bytes:
        key, newest = os.urandom(32), max(self._wrapping)
        wrapped = seal(self._wrapping[newest], key, name)
        self._file.execute("INSERT INTO data_key VALUES (?, ?, ?, NULL)", (name, wrapped, newest))
        return key

    def get(self, name: bytes) -> bytes | None:
        """Return a key, None if there never was one.

        Raises:
            Erased: it was destroyed.
            KeyMissing: the wrapping key it needs is not here, or is another one.
        """
        with self._lock:
            statement = "SELECT wrapped, wrapping FROM data_key WHERE name = ?"
            row = self._file.execute(statement, (name,)).fetchone()
        if row is None:
            return None
        if row[0] is None:
            raise Erased("It was erased.", hint="Nothing brings it back; its digest stays on chain.")
        missing = KeyMissing(f"Wrapping key {row[1]} is missing or another one.", hint="Put the right key back.")
        if row[1] not in self._wrapping:
            raise missing
        try:
            return unseal(self._wrapping[row[1]], row[0], name)
        except InvalidTag as error:
            raise missing from error

    def destroy(self, names: Iterable[bytes], at: dt.datetime) -> None:
        """Destroy keys for good; a name stays, so that no key is ever made for it again."""
        rows = [(name, at.isoformat()) for name in names]
        with self._transaction():
            self._file.executemany(
                "INSERT INTO data_key VALUES (?, NULL, NULL, ?) ON CONFLICT (name) DO UPDATE "
                "SET wrapped = NULL, wrapping = NULL, destroyed_at = excluded.destroyed_at WHERE wrapped IS NOT NULL",
                rows,
            )

    def rewrap(self, wrapping: Mapping[int, bytes]) -> int:
        """Wrap every living key under the newest of these wrapping keys; return how many. Then destroy older ones.

        With an older wrapping key goes whatever old copies of this file still hold.

        Raises:
            KeyMissing: a wrapping key that is still needed is not among them.
        """
        with self._transaction():
            self._wrapping = dict(wrapping)
            newest, done = max(wrapping), 0
            found = self._file.execute(
                "SELECT name FROM data_key WHERE wrapped IS NOT NULL AND wrapping <> ?", (newest,)
            ).fetchall()
            for (name,) in found:
                key = self.get(name)
                wrapped = seal(wrapping[newest], key or b"", name)
                self._file.execute(
                    "UPDATE data_key SET wrapped = ?, wrapping = ? WHERE name = ?", (wrapped, newest, name)
                )
                done += 1
            return done

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock:
            if self._file.in_transaction:
                yield
                return
            self._file.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._file.execute("ROLLBACK")
                raise
            self._file.execute("COMMIT")


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
