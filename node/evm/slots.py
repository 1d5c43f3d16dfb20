"""The storage of one account while a block is executed: words by slot, what a transaction changed, what is warm.

Takes the place of py-evm's `AccountStorageDB`, which passes every word through five layers of encoded keys and values.
Undoing is the account database's work (`node.evm.accounts`): it keeps one list for all accounts.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

from eth.abc import AccountStorageDatabaseAPI, DatabaseAPI
from eth.typing import JournalDBCheckpoint
from eth.vm.interrupt import MissingStorageTrieNode

from node.blocks import EMPTY_ROOT
from node.evm.generations import Generations
from node.evm.hashing import keccak
from node.evm.nodes import NodeCache, string
from node.evm.trie import Trie

SLOTS_KEPT: Final = 65_536
"""Words of an account in one of the two generations kept from block to block; a word takes about 250 bytes."""
ACCOUNTS_KEPT: Final = 8
"""Accounts whose words are kept; the ledger has one contract."""


class KeptSlots(Generations[int, int]):
    """Words of one account's storage under one root, kept between blocks."""

    __slots__ = ("root",)

    def __init__(self, root: bytes) -> None:
        """Start empty."""
        super().__init__(SLOTS_KEPT)
        self.root = root


class Caches:
    """What an executor remembers from block to block: decoded nodes and code by hash, words by account and root.

    All of it is named by hashes, so none of it can be wrong for a state, whatever became of the block it came from.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.nodes = NodeCache()
        self._slots: OrderedDict[bytes, KeptSlots] = OrderedDict()
        self._codes: OrderedDict[bytes, bytes] = OrderedDict()

    def slots(self, address: bytes, root: bytes) -> KeptSlots:
        """Return the words known of an account's storage under a root: of another root, none."""
        kept = self._slots.get(address)
        return kept if kept is not None and kept.root == root else KeptSlots(root)

    def keep(self, address: bytes, slots: KeptSlots) -> None:
        """Keep an account's words."""
        self._slots[address] = slots
        self._slots.move_to_end(address)
        if len(self._slots) > ACCOUNTS_KEPT:
            self._slots.popitem(last=False)

    def code(self, code_hash: bytes, read: Callable[[bytes], bytes]) -> bytes:
        """Return code, by `read` if it is not here; what that raises passes through."""
        code = self._codes.get(code_hash)
        if code is None:
            code = self._codes[code_hash] = read(code_hash)
            if len(self._codes) > ACCOUNTS_KEPT:
                self._codes.popitem(last=False)
        return code


Undo = tuple[Any, Any, Any]
"""Whose, slot, word before (slot -1: the whole content before it was cleared); or whose, address, account before."""
CLEARED: Final = -1


class Slots(AccountStorageDatabaseAPI):  # type: ignore[misc]  # py-evm's classes are untyped
    """The storage of one account in one block.

    Attributes:
        values: words read or written, by slot.
        originals: words at the start of the transaction, of the slots it wrote.
        warm: slots the transaction touched (EIP-2929).
        dirty: slots written since the root was computed.
    """

    __slots__ = (
        "_address", "_base", "_changed", "_journal", "_kept", "_start", "_touched", "_trie", "dirty", "originals",
        "values", "warm",
    )  # fmt: skip

    def __init__(self, address: bytes, root: bytes, trie: Trie, kept: KeptSlots, journal: list[Undo]) -> None:
        """Take the account, its storage root, the tries, the words known under it and the account database's list."""
        self._address = address
        self._base = self._start = root
        self._trie = trie
        self._kept: KeptSlots | None = kept
        self._journal = journal
        self._changed = False
        self._touched: set[int] = set()
        self.values: dict[int, int] = {}
        self.originals: dict[int, int] = {}
        self.dirty: set[int] = set()
        self.warm: set[int] = set()

    def load(self, slot: int) -> int:
        """Return a word that the block has not touched yet."""
        kept = self._kept
        value = kept.get(slot) if kept is not None and kept.root == self._base else None
        if value is None:
            key = keccak(slot.to_bytes(32, "big"))
            try:
                found = self._trie.get(self._base, key.hex())
            except KeyError as error:
                raise MissingStorageTrieNode(error.args[0], self._base, key, None, self._address) from error
            value = _number(found)
            if kept is not None and kept.root == self._base:
                kept.put(slot, value)
        self.values[slot] = value
        return value

    def get(self, slot: int, from_journal: bool = True) -> int:
        """Return a word, or the one at the start of the transaction."""
        if not from_journal and slot in self.originals:
            return self.originals[slot]
        value = self.values.get(slot)
        return self.load(slot) if value is None else value

    def set(self, slot: int, value: int) -> None:
        """Write a word."""
        before = self.values.get(slot)
        if before is None:
            before = self.load(slot)
        if before != value:
            self.write(slot, before, value)

    def write(self, slot: int, before: int, value: int) -> None:
        """Write a word that differs from the one before it."""
        self._journal.append((self, slot, before))
        if slot not in self.originals:
            self.originals[slot] = before
        self.values[slot] = value
        self.dirty.add(slot)

    def delete(self) -> None:
        """Clear the whole storage."""
        content = (self._base, self._kept, self._changed, self._touched, self.values, self.originals, self.dirty)
        self._journal.append((self, CLEARED, content))
        self._base, self._kept, self._changed = EMPTY_ROOT, None, True
        self._touched, self.values, self.originals, self.dirty = set(), {}, {}, set()

    def undo(self, slot: int, before: Any) -> None:
        """Take back one entry of the journal."""
        if slot != CLEARED:
            self.values[slot] = before
            self.dirty.add(slot)  # a root may have been computed since
            return
        self._base, self._kept, self._changed, self._touched, self.values, self.originals, self.dirty = before

    def lock_changes(self) -> None:
        """End a transaction: its words become the originals of the next."""
        self.originals.clear()

    def make_storage_root(self) -> None:
        """Compute the root of what was written."""
        self.lock_changes()
        if not self.dirty:
            return
        values = self.values
        items = [
            (keccak(slot.to_bytes(32, "big")).hex(), _encoded(values[slot]) if values[slot] else b"")
            for slot in self.dirty
        ]
        items.sort()
        try:
            self._base = self._trie.update(self._base, items)
        except KeyError as error:
            raise MissingStorageTrieNode(error.args[0], self._start, b"", None, self._address) from error
        self._changed = True
        self._touched |= self.dirty
        self.dirty.clear()

    @property
    def has_changed_root(self) -> bool:
        """Whether a root was computed since the block began."""
        return self._changed

    def get_changed_root(self) -> bytes:
        """Return the new root."""
        return self._base

    def persist(self, db: DatabaseAPI) -> None:
        """Do nothing: the account database writes the nodes of all tries."""

    def forwarded(self) -> KeptSlots:
        """Return the words to keep for the next block, under the new root."""
        kept = self._kept
        if kept is None or kept.root != self._start:
            kept = KeptSlots(self._base)
        for slot in self._touched:
            kept.put(slot, self.values[slot])
        kept.root = self._base
        return kept

    def get_accessed_slots(self) -> frozenset[int]:
        """Return nothing: no witness is made from it."""
        return frozenset()

    def record(self, checkpoint: JournalDBCheckpoint) -> None:
        """Do nothing: the account database remembers how long its journal was."""

    def discard(self, checkpoint: JournalDBCheckpoint) -> None:
        """Do nothing, see `record`."""

    def commit(self, checkpoint: JournalDBCheckpoint) -> None:
        """Do nothing, see `record`."""


def _number(found: bytes) -> int:
    """Return the number that a leaf holds: RLP of its bytes without leading zeros."""
    if not found:
        return 0
    return found[0] if len(found) == 1 else int.from_bytes(found[1:], "big")


def _encoded(value: int) -> bytes:
    return string(value.to_bytes((value.bit_length() + 7) // 8, "big"))
