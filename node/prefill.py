"""Writes a state that was never executed into an empty store: what a benchmark starts from.

Words come in any order. They are spread over files by the first two digits of their hashed slots, each file is sorted
and built into its part of the trie, so memory does not grow with the number of words.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from ledger.domain.errors import LedgerError
from node.evm.building import Keep, join, part, root
from node.evm.hashing import keccak
from node.evm.nodes import Node, string
from node.store import Space, Store

WORD: Final = 32
PARTS: Final = 256
PAGE: Final = 20_000
"""Nodes or words that are held before they are written."""
Progress = Callable[[int], None]
"""Takes how many words are done."""


class NotEmpty(LedgerError):
    """The store holds something already."""

    code = "store.not-empty"


def write_storage(store: Store, words: Iterable[tuple[int, int]], scratch: Path, progress: Progress) -> bytes:
    """Write the storage trie of an account; return its root.

    Args:
        store: an empty store.
        words: slots, each once, and what lies in them, never zero.
        scratch: folder on a disk with 64 bytes for each word.
        progress: told how many words are spread, then how many are built.

    Raises:
        NotEmpty: something lies in the store.
        StoreFault: no room.
    """
    if next(store.scan(Space.META, limit=1), None) or next(store.scan(Space.NODE, limit=1), None):
        raise NotEmpty("A state is written into an empty store only.", hint="Choose another --home.")
    with tempfile.TemporaryDirectory(prefix="prefill-", dir=scratch) as folder:
        _spread(words, Path(folder), progress)
        return _built(store, Path(folder), progress)


def _spread(words: Iterable[tuple[int, int]], folder: Path, progress: Progress) -> None:
    """Append each word to the file of its part: hashed slot and word, 64 bytes."""
    held: list[list[bytes]] = [[] for _ in range(PARTS)]
    for count, (slot, value) in enumerate(words, 1):
        key = keccak(slot.to_bytes(WORD, "big"))
        held[key[0]].append(key + value.to_bytes(WORD, "big"))
        if count % (PAGE * 10) == 0:
            _append(held, folder)
            progress(count)
    _append(held, folder)


def _append(held: list[list[bytes]], folder: Path) -> None:
    for number, records in enumerate(held):
        with (folder / f"{number:02x}").open("ab") as file:
            file.write(b"".join(records))
        records.clear()


def _built(store: Store, folder: Path, progress: Progress) -> bytes:
    """Build the trie of all parts, digit by digit; return its root."""
    kept: dict[bytes, bytes | None] = {}
    done = 0

    def keep(raw: bytes) -> bytes:
        # no node can come twice, and need counting: a leaf holds the rest of its hashed slot
        key = keccak(raw)
        kept[Space.NODE + key] = raw
        if len(kept) >= PAGE:
            store.commit(kept, sync=False)
            kept.clear()
        return key

    def read(number: int) -> Node | None:
        nonlocal done
        file = folder / f"{number:02x}"
        items = list(_items(file.read_bytes()))
        file.unlink()
        done += len(items)
        progress(done)
        return part(items, 2, keep)

    made = _top(read, keep)
    store.commit(kept)  # synced: with it everything before it is on disk
    return made


def _top(read: Callable[[int], Node | None], keep: Keep) -> bytes:
    return root(
        join([join([read(16 * first + second) for second in range(16)], keep) for first in range(16)], keep), keep
    )


def _items(records: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield keys in digits and values as leaves hold them, sorted."""
    for record in sorted(records[at : at + 2 * WORD] for at in range(0, len(records), 2 * WORD)):
        yield record[:WORD].hex(), string(record[WORD:].lstrip(b"\0"))
