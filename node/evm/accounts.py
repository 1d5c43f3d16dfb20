"""py-evm's account database replaced: accounts decoded once, one list to undo, both tries; same states, same roots.

Accounts are tuples in a dictionary; what a transaction changed of them, of their storage and of what is warm stands in
two lists, so that a snapshot is two numbers. Storage is `node.evm.slots`, both tries are `node.evm.trie`.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import rlp
from eth.db.account import AccountDB
from eth.db.journal import get_next_checkpoint
from eth.db.witness import MetaWitness
from eth.typing import JournalDBCheckpoint
from eth.validation import validate_uint64, validate_uint256
from eth.vm.interrupt import MissingAccountTrieNode, MissingBytecode

from node.blocks import EMPTY_ROOT
from node.evm.changes import EMPTY_CODE
from node.evm.hashing import keccak
from node.evm.nodes import list_of, string
from node.evm.slots import Caches, Slots, Undo
from node.evm.trie import Trie


class Account(NamedTuple):
    """An account as the trie keeps it (yellow paper, 4.1)."""

    nonce: int = 0
    balance: int = 0
    storage_root: bytes = EMPTY_ROOT
    code_hash: bytes = EMPTY_CODE

    def encode(self) -> bytes:
        """Return its RLP."""
        numbers = [number.to_bytes((number.bit_length() + 7) // 8, "big") for number in self[:2]]
        return list_of(b"".join([string(each) for each in (*numbers, *self[2:])]))

    @classmethod
    def decode(cls, raw: bytes) -> Account:
        """Read what :meth:`encode` gave."""
        nonce, balance, root, code = rlp.decode(raw)
        return cls(int.from_bytes(nonce, "big"), int.from_bytes(balance, "big"), root, code)


NEW: Final = Account()
"""What an account that is not there counts as."""


class FastAccountDB(AccountDB):  # type: ignore[misc]  # py-evm's classes are untyped
    """The account database of a state: py-evm's interface, none of its layers.

    Attributes:
        tries: the nodes that came and went.
        journal: what to undo of the transaction, for accounts and all storage.
        warmed: addresses and slots warmed in the transaction, in order.
    """

    def __init__(self, db: Any, state_root: bytes, caches: Caches) -> None:
        """Take py-evm's arguments and what is kept from block to block."""
        self.journal: list[Undo] = []
        self.warmed: list[tuple[set[Any], Any]] = []
        self.tries = Trie(db.__getitem__, caches.nodes)
        self._db = db
        self._caches = caches
        self._root = state_root
        self._accounts: dict[bytes, Account | None] = {}
        self._changed: set[bytes] = set()
        self._codes: dict[bytes, bytes] = {}
        self._warm: set[bytes] = set()
        self._marks: dict[JournalDBCheckpoint, tuple[int, int]] = {}
        self._account_stores: dict[bytes, Slots] = {}
        self._dirty_accounts: set[bytes] = set()

    @property
    def state_root(self) -> bytes:
        """Root of the state, as it was last computed."""
        return self._root

    @state_root.setter
    def state_root(self, value: bytes) -> None:
        if value != self._root:
            self._root = value
            self._accounts.clear()

    def has_root(self, state_root: bytes) -> bool:
        """Whether a state can be read."""
        return state_root in self._db

    # ---------------------------------------------------------------------------------------------------- accounts
    def _find(self, address: bytes) -> Account | None:
        try:
            return self._accounts[address]
        except KeyError:
            pass
        try:
            raw = self.tries.get(self._root, keccak(address).hex())
        except KeyError as error:
            raise MissingAccountTrieNode(error.args[0], self._root, keccak(address)) from error
        found = self._accounts[address] = Account.decode(raw) if raw else None
        return found

    def _get_account(self, address: bytes, from_journal: bool = True) -> Account:  # noqa: ARG002  # py-evm's parameter
        return self._find(address) or NEW

    def _set_account(self, address: bytes, account: Account | None) -> None:
        before = self._find(address)
        if before != account:
            self.journal.append((self, address, before))
            self._accounts[address] = account
            self._changed.add(address)

    def undo(self, address: bytes, before: Account | None) -> None:
        """Take back one entry of the journal."""
        self._accounts[address] = before
        self._changed.add(address)  # a root may have been computed since

    def account_exists(self, address: bytes) -> bool:
        """Whether an account is there, be it empty."""
        return self._find(address) is not None

    def touch_account(self, address: bytes) -> None:
        """Make an account that is not there (EIP-161 removes it if it stays empty)."""
        if self._find(address) is None:
            self._set_account(address, NEW)

    def delete_account(self, address: bytes) -> None:
        """Remove an account and its storage."""
        self._wipe_storage(address)
        self._set_account(address, None)

    def get_balance(self, address: bytes) -> int:
        """Return the balance, wei."""
        return self._get_account(address).balance

    def set_balance(self, address: bytes, balance: int) -> None:
        """Set the balance, wei."""
        validate_uint256(balance, title="Account Balance")
        self._set_account(address, self._get_account(address)._replace(balance=balance))

    def get_nonce(self, address: bytes) -> int:
        """Return the nonce."""
        return self._get_account(address).nonce

    def set_nonce(self, address: bytes, nonce: int) -> None:
        """Set the nonce."""
        validate_uint64(nonce, title="Nonce")
        self._set_account(address, self._get_account(address)._replace(nonce=nonce))

    def _set_storage_root(self, address: bytes, new_storage_root: bytes) -> None:
        self._set_account(address, self._get_account(address)._replace(storage_root=new_storage_root))

    # -------------------------------------------------------------------------------------------------------- code
    def get_code_hash(self, address: bytes) -> bytes:
        """Return the hash of an account's code."""
        return self._get_account(address).code_hash

    def get_code(self, address: bytes) -> bytes:
        """Return an account's code."""
        code_hash = self._get_account(address).code_hash
        if code_hash == EMPTY_CODE:
            return b""
        code = self._codes.get(code_hash)
        if code is None:
            try:
                code = self._caches.code(code_hash, self._db.__getitem__)
            except KeyError as error:
                raise MissingBytecode(code_hash) from error
        return code

    def set_code(self, address: bytes, code: bytes) -> None:
        """Give an account code."""
        code_hash = keccak(code)
        self._codes[code_hash] = code
        self._set_account(address, self._get_account(address)._replace(code_hash=code_hash))

    def delete_code(self, address: bytes) -> None:
        """Take an account's code away."""
        self._set_account(address, self._get_account(address)._replace(code_hash=EMPTY_CODE))

    # ----------------------------------------------------------------------------------------------- storage, warmth
    def slots(self, address: bytes) -> Slots:
        """Return the storage of an account."""
        slots = self._account_stores.get(address)
        if slots is None:
            root = self._get_account(address).storage_root
            slots = Slots(address, root, self.tries, self._caches.slots(address, root), self.journal)
            self._account_stores[address] = slots
        return slots

    _get_address_store = slots

    def is_storage_warm(self, address: bytes, slot: int) -> bool:
        """Whether the transaction touched a slot (EIP-2929)."""
        return slot in self.slots(address).warm

    def mark_storage_warm(self, address: bytes, slot: int) -> None:
        """Remember that the transaction touched a slot."""
        self._heat(self.slots(address).warm, slot)

    def is_address_warm(self, address: bytes) -> bool:
        """Whether the transaction touched an account (EIP-2929)."""
        return address in self._warm

    def mark_address_warm(self, address: bytes) -> None:
        """Remember that the transaction touched an account."""
        self._heat(self._warm, address)

    def _heat(self, warm: set[Any], what: Any) -> None:
        if what not in warm:
            warm.add(what)
            self.warmed.append((warm, what))

    # --------------------------------------------------------------------------------------------------- snapshots
    def record(self) -> JournalDBCheckpoint:
        """Take a snapshot."""
        checkpoint = get_next_checkpoint()
        self._marks[checkpoint] = len(self.journal), len(self.warmed)
        return checkpoint

    def commit(self, checkpoint: JournalDBCheckpoint) -> None:
        """Forget a snapshot."""
        self._marks.pop(checkpoint, None)

    def discard(self, checkpoint: JournalDBCheckpoint) -> None:
        """Go back to a snapshot; to one before the transaction: to its start."""
        written, warmed = self._marks.pop(checkpoint, (0, 0))
        while len(self.journal) > written:
            whose, what, before = self.journal.pop()
            whose.undo(what, before)
        self._cool(warmed)

    def _cool(self, count: int) -> None:
        while len(self.warmed) > count:
            warm, what = self.warmed.pop()
            warm.discard(what)

    def lock_changes(self) -> None:
        """End a transaction."""
        for _, slots in self._dirty_account_stores():
            slots.lock_changes()
        self._cool(0)
        self.journal.clear()
        self._marks.clear()

    # ------------------------------------------------------------------------------------------------------- roots
    def make_state_root(self) -> bytes:
        """Compute the root of what was changed."""
        for address, slots in self._dirty_account_stores():
            slots.make_storage_root()
            if slots.has_changed_root:
                root = slots.get_changed_root()
                if self.account_exists(address) or root != EMPTY_ROOT:
                    self._set_storage_root(address, root)
        encoded = [(address, self._accounts[address]) for address in self._changed]
        items = sorted((keccak(address).hex(), account.encode() if account else b"") for address, account in encoded)
        try:
            self._root = self.tries.update(self._root, items)
        except KeyError as error:
            raise MissingAccountTrieNode(error.args[0], self._root, b"") from error
        self._changed.clear()
        return self._root

    def persist(self) -> MetaWitness:
        """Write what came: the nodes of all tries, and the code that accounts have. Return an empty witness."""
        self.make_state_root()
        used = {account.code_hash for account in self._accounts.values() if account}
        for code_hash in used & self._codes.keys():
            if code_hash in self.tries.born:  # code whose bytes are a node's must outlive that node
                self.tries.again[code_hash] = self.tries.again.get(code_hash, 0) + 1
            self._db[code_hash] = self._codes[code_hash]
            self.tries.tips.add(code_hash)
        for key, raw in self.tries.born.items():
            self._db[key] = raw
        for address, slots in self._account_stores.items():
            self._caches.keep(address, slots.forwarded())
        self._account_stores = {}
        self._dirty_accounts = set()
        return MetaWitness(frozenset(), {})
