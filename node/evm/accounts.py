"""py-evm's account database with the storage of accounts and the tries below replaced; same states, same roots.

Accounts, code and their journals stay py-evm's. Storage is `node.evm.slots`, both tries are `node.evm.trie`. A snapshot
of the storage is two numbers: how long the list of undone words and that of warmed slots were.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from eth.db.account import AccountDB
from eth.db.backends.base import BaseDB
from eth.db.cache import CacheDB
from eth.db.journal import JournalDB
from eth.typing import JournalDBCheckpoint
from trie.exceptions import MissingTrieNode

from node.evm.hashing import keccak
from node.evm.slots import Caches, Slots, Undo
from node.evm.trie import Trie


class _Changes(dict[bytes, bytes]):
    """Accounts to write; a deleted one is empty."""

    def __delitem__(self, address: bytes) -> None:
        self[address] = b""


class AccountTrie(BaseDB):  # type: ignore[misc]  # py-evm's classes are untyped
    """The account trie as `AccountDB` uses it: reads by address, and all changes of a block at once."""

    def __init__(self, trie: Trie, root: bytes) -> None:
        """Take the tries of the block and the state root."""
        self._trie = trie
        self.root_hash = root

    def __getitem__(self, address: bytes) -> bytes:
        key = keccak(address)
        try:
            return self._trie.get(self.root_hash, key.hex())
        except KeyError as error:
            raise MissingTrieNode(error.args[0], self.root_hash, key) from error

    def _exists(self, address: bytes) -> bool:
        return self[address] != b""

    def __setitem__(self, address: bytes, account: bytes) -> None:
        raise NotImplementedError("changes go through squash_changes")

    def __delitem__(self, address: bytes) -> None:
        raise NotImplementedError("changes go through squash_changes")

    @contextmanager
    def squash_changes(self) -> Iterator[_Changes]:
        """Yield a mapping; what is put into it is written in one pass."""
        changes = _Changes()
        yield changes
        try:
            items = sorted((keccak(address).hex(), account) for address, account in changes.items())
            self.root_hash = self._trie.update(self.root_hash, items)
        except KeyError as error:
            raise MissingTrieNode(error.args[0], self.root_hash, b"") from error


class FastAccountDB(AccountDB):  # type: ignore[misc]  # py-evm's classes are untyped
    """The account database of a state, with fast storage and tries.

    Attributes:
        tries: the nodes that came and went.
        journal: undone words of the transaction, for all accounts.
        warmed: slots warmed in the transaction, in order.
    """

    def __init__(self, db: Any, state_root: bytes, caches: Caches) -> None:
        """Take py-evm's arguments and what is kept from block to block."""
        self.journal: list[Undo] = []
        self.warmed: list[tuple[set[int], int]] = []
        self._codes: set[bytes] = set()
        self._marks: dict[JournalDBCheckpoint, tuple[int, int]] = {}
        self._caches = caches
        super().__init__(db, state_root)
        self.tries = Trie(db.__getitem__, caches.nodes)
        self._trie = AccountTrie(self.tries, state_root)
        self._trie_cache = CacheDB(self._trie)
        self._journaltrie = JournalDB(self._trie_cache)

    def slots(self, address: bytes) -> Slots:
        """Return the storage of an account."""
        slots: Slots | None = self._account_stores.get(address)
        if slots is None:
            root = self._get_storage_root(address)
            slots = Slots(address, root, self.tries, self._caches.slots(address, root), self.journal)
            self._account_stores[address] = slots
        return slots

    _get_address_store = slots

    def is_storage_warm(self, address: bytes, slot: int) -> bool:
        """Whether the transaction touched a slot (EIP-2929)."""
        return slot in self.slots(address).warm

    def mark_storage_warm(self, address: bytes, slot: int) -> None:
        """Remember that the transaction touched a slot."""
        warm = self.slots(address).warm
        if slot not in warm:
            warm.add(slot)
            self.warmed.append((warm, slot))

    def record(self) -> JournalDBCheckpoint:
        """Take a snapshot."""
        checkpoint = super().record()
        self._marks[checkpoint] = len(self.journal), len(self.warmed)
        return checkpoint

    def discard(self, checkpoint: JournalDBCheckpoint) -> None:
        """Go back to a snapshot; to one before the transaction: to its start."""
        super().discard(checkpoint)
        written, warmed = self._marks.get(checkpoint, (0, 0))
        while len(self.journal) > written:
            slots, slot, before = self.journal.pop()
            slots.undo(slot, before)
        while len(self.warmed) > warmed:
            warm, slot = self.warmed.pop()
            warm.discard(slot)

    def lock_changes(self) -> None:
        """End a transaction."""
        super().lock_changes()
        self.journal.clear()
        self._marks.clear()

    def _reset_access_counters(self) -> None:
        super()._reset_access_counters()
        for warm, slot in self.warmed:
            warm.discard(slot)
        self.warmed.clear()

    def set_code(self, address: bytes, code: bytes) -> None:
        """Give an account code, which is kept for good."""
        super().set_code(address, code)
        self._codes.add(keccak(code))

    def persist(self) -> Any:
        """Write what came: the nodes of all tries, and code."""
        stores = dict(self._account_stores)
        self.make_state_root()
        for code in self._codes & self.tries.born.keys():  # code whose bytes are a node's must outlive that node
            self.tries.again[code] = self.tries.again.get(code, 0) + 1
        for key, raw in self.tries.born.items():
            self._raw_store_db[key] = raw
        witness = super().persist()
        for address, slots in stores.items():
            self._caches.keep(address, slots.forwarded())
        return witness
