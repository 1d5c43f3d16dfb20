"""A node's folder whose chain begins with parcels that were written, not executed: for benchmarks alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

from clients.sample.bench import BenchParcels
from clients.sample.members import Keyring, sample_genesis
from clients.sample.plan import DAYS, START
from ledger.genesis import Bench, Genesis
from node.chain import Chain
from node.evm.executor import Driver
from node.genesis import contract
from node.home import SEALER_KEYS, Home
from node.prefill import Progress, write_storage
from node.store import RocksStore, Store


def make_home(path: Path, parcels: int, seed: int, progress: Progress) -> Genesis:
    """Lay out a sealer's folder with so many parcels in its state; return its genesis.

    Raises:
        NotEmpty, HomeFault: something lies there.
        StoreFault: no room.
    """
    keyring, folder = Keyring(seed), Home(path)
    folder.check_free()
    store = RocksStore(folder.store)
    try:
        genesis = fill(store, keyring, parcels, path, progress)
        Chain(store, genesis, Driver.FAST)
        store.compact()
    finally:
        store.close()
    word = os.urandom(16).hex()
    folder.make(genesis, {key: keyring.signer(key) for key in SEALER_KEYS}, word)
    folder.write_secret(folder.passphrase_file, word)
    return genesis


def fill(store: Store, keyring: Keyring, parcels: int, scratch: Path, progress: Progress) -> Genesis:
    """Write the contract's storage with so many parcels into an empty store; return the genesis that names it."""
    genesis = sample_genesis(keyring, START, DAYS)
    words = chain(contract(genesis)[1].items(), words_of(BenchParcels(keyring, genesis.domain), parcels))
    root = write_storage(store, words, scratch, progress)
    return replace(genesis, bench=Bench(parcels, root.hex()))


def words_of(made: BenchParcels, parcels: int) -> Iterator[tuple[int, int]]:
    """Yield slots and words of all parcels."""
    for number in range(parcels):
        yield from made.words(number)
