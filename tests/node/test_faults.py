"""What can be wrong with a folder, port, key or disk gives one clear line; a cut after any commit loses nothing."""

from __future__ import annotations

import json
import os
import resource
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from clients.cli.run import lay_out
from clients.sample.members import Keyring
from clients.sample.plan import START
from ledger.chain.batch import Batch, Entry, detail
from ledger.commitments import order_commitment
from ledger.domain.error_texts import ERROR_TEXTS
from ledger.domain.kinds import KindNumber as K
from ledger.genesis import Genesis, loads
from ledger.keys import LocalSigner
from node.audit.chain import audit_chain, blocks_of_store
from node.chain import Chain
from node.clock import LogicalClock
from node.follower import Follower
from node.home import Home
from node.remote import NodeRefused
from node.sealer import Sealer, SealerKeys
from node.service import wait_until
from node.statements import Receipt
from node.store import MemoryStore, RocksStore, Space
from tests.node.days import Copy
from tests.node.processes import NodeProcess

ROOT = Path(__file__).parents[2]


# ------------------------------------------------------------------------------------------ a cut after any commit
class CutStore(MemoryStore):
    """Remembers every commit; what was not synced when the power went is not in what comes back."""

    def __init__(self) -> None:
        super().__init__()
        self.commits: list[tuple[dict[bytes, bytes | None], bool]] = []

    def commit(self, writes: Mapping[bytes, bytes | None], *, sync: bool = True) -> None:
        self.commits.append((dict(writes), sync))
        super().commit(writes, sync=sync)

    def after(self, count: int) -> MemoryStore:
        """Return what is on the disk when the power goes after so many commits."""
        synced = max((at + 1 for at in range(count) if self.commits[at][1]), default=0)
        store = MemoryStore()
        for writes, _ in self.commits[:synced]:
            store.commit(writes)
        return store


def orders(genesis: Genesis, keyring: Keyring, shop: str, seq: int, count: int = 3) -> Batch:
    """Sign a batch of made-up orders."""
    org = next(org.handle for org in genesis.orgs if org.name == shop)
    entries = []
    for number in range(count):
        commitment = order_commitment(org, seq.to_bytes(32, "big"), number.to_bytes(32, "big"))
        subject = genesis.domain.subject_id(K.ORDER_OPENED, org, commitment)
        handed = detail(K.ORDER_OPENED, handed=1)
        entries.append(Entry(subject, K.ORDER_OPENED, START, commitment, handed, extra=(1,)))
    signer = keyring.signer(shop)
    return Batch.signed(genesis.domain, signer, lane=1, seq=seq, not_after=START + 86_400, entries=entries)


def sealer_on(store: MemoryStore, genesis: Genesis, keyring: Keyring) -> Sealer:
    keys = SealerKeys(*(keyring.signer(name) for name in ("sealer", "relayer", "stop-relayer")))
    return Sealer(Chain(store, genesis), keys, LogicalClock(START))


def seal_all(sealer: Sealer) -> None:
    while len(sealer.pool):
        sealer.seal()


def seal_a_day(genesis: Genesis, keyring: Keyring) -> tuple[CutStore, list[Batch], list[tuple[int, bytes]]]:
    """Seal batches of three shops; return the store, the batches, and after how many commits each was promised."""
    batches = [orders(genesis, keyring, f"shop-{1 + at % 3:02}", at // 3) for at in range(12)]
    store = CutStore()
    sealer = sealer_on(store, genesis, keyring)
    promised: list[tuple[int, bytes]] = []
    for at, batch in enumerate(batches):
        sealer.accept(batch)
        promised.append((len(store.commits), batch.hash(genesis.domain)))
        if at % 4 == 3:
            sealer.seal()
    seal_all(sealer)
    return store, batches, promised


def kept_height(store: CutStore, count: int) -> int:
    """Return the height in the last of so many commits that names one."""
    named = [writes[Space.META + b"height"] for writes, _ in store.commits[:count] if Space.META + b"height" in writes]
    return int.from_bytes(named[-1] or b"", "big") if named else 0


def test_after_a_cut_at_any_commit_the_sealer_goes_on_and_ends_at_the_same_state(tmp_path: Path) -> None:
    keyring, genesis = lay_out(tmp_path, 4)
    store, batches, promised = seal_a_day(genesis, keyring)
    whole = Chain(store, genesis)
    assert len(store.commits) > 15
    for cut in range(len(store.commits) + 1):
        disk = store.after(cut)
        back = sealer_on(disk, genesis, keyring)
        assert back.chain.head.number == kept_height(store, cut)
        assert back.chain.head.hash == whole.block(back.chain.head.number).hash
        report = audit_chain(genesis, blocks_of_store(disk), store=disk)
        assert report.ok, report.findings
        for commits, digest in promised:
            if commits <= cut:
                assert back.status(digest)["state"] in {"accepted", "included"}, f"lost by a cut after {cut}"
        for batch in batches:  # writers send again what they have no receipt for, or everything
            back.accept(batch)
        seal_all(back)
        assert {back.status(digest)["state"] for _, digest in promised} == {"included"}
        assert back.chain.head.state_root == whole.head.state_root


def test_after_a_cut_at_any_commit_the_follower_goes_on_and_signs_no_second_head(tmp_path: Path) -> None:
    keyring, genesis = lay_out(tmp_path, 4)
    source = Copy(Chain(seal_a_day(genesis, keyring)[0], genesis))
    key, clock = keyring.signer("follower"), LogicalClock(START)
    store = CutStore()
    Follower(Chain(store, genesis), key, clock, 1 << 40).sync(source)
    assert len(store.commits) == 1 + source.chain.head.number
    for cut in range(len(store.commits) + 1):
        disk = store.after(cut)
        back = Follower(Chain(disk, genesis), key, clock, 1 << 40)
        assert back.chain.head.number == kept_height(store, cut)
        assert back.chain.head.hash == source.chain.block(back.chain.head.number).hash
        report = audit_chain(genesis, blocks_of_store(disk), store=disk)
        assert report.ok, report.findings
        back.sync(source)
        assert back.chain.head.hash == source.chain.head.hash
    assert len({(head.height, head.block_hash) for head in source.heads}) == len({head.height for head in source.heads})


def test_what_was_not_synced_is_gone_after_a_cut() -> None:
    store = CutStore()
    for number, sync in enumerate((True, False, True, False, False)):
        store.commit({bytes([number]): b"x"}, sync=sync)
    kept = [[number for number in range(5) if store.after(cut).get(bytes([number]))] for cut in range(6)]
    assert kept == [[], [0], [0], [0, 1, 2], [0, 1, 2], [0, 1, 2]]


# ------------------------------------------------------------------------------------------------ one clear line
@pytest.fixture(scope="module")
def sealer_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("faults")
    _, genesis = lay_out(home, 6)
    Chain(RocksStore(home / "sealer" / "chain"), genesis).store.close()
    return home / "sealer"


@pytest.fixture
def home(sealer_home: Path, tmp_path: Path) -> Path:
    shutil.copytree(sealer_home, tmp_path / "home")
    return tmp_path / "home"


def run(home: Path, *options: str, port: int = 0, limit: int | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "clients.cli", "node", "run", "--home", str(home), "--port", str(port), *options]
    before = (lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))) if limit else None
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, preexec_fn=before, cwd=ROOT
    )  # fmt: skip


def check_one_clear_line(done: subprocess.CompletedProcess[str], code: str) -> None:
    assert done.returncode in {1, 2, 3}
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 2, done.stderr
    assert lines[0].startswith(f"error {code}: ")
    assert lines[1].strip(), "a hint"
    assert code in ERROR_TEXTS


def another_key(home: Path) -> None:
    word = Home(home).passphrase_file.read_text().strip()
    Home(home).keystore("sealer").unlink()
    LocalSigner(b"\7" * 32).save(Home(home).keystore("sealer"), word)


def another_passphrase(home: Path) -> None:
    Home(home).passphrase_file.write_text("not the passphrase\n")


def open_keystore(home: Path) -> None:
    Home(home).keystore("relayer").chmod(0o644)


def no_keystore(home: Path) -> None:
    Home(home).keystore("relayer").unlink()


def another_chain_id(home: Path) -> None:
    genesis = loads(Home(home).genesis_file.read_text())
    Home(home).genesis_file.write_text(replace(genesis, chain_id=genesis.chain_id + 1).dumps())


def cut_genesis(home: Path) -> None:
    text = Home(home).genesis_file.read_text()
    Home(home).genesis_file.write_text(text[: len(text) // 2])


def wrong_genesis(home: Path) -> None:
    document = json.loads(Home(home).genesis_file.read_text())
    document.pop("chainId", None) or document.pop(sorted(document)[0])
    Home(home).genesis_file.write_text(json.dumps(document))


def no_genesis(home: Path) -> None:
    Home(home).genesis_file.unlink()


def no_token(home: Path) -> None:
    Home(home).token_file.unlink()


def older_store(home: Path) -> None:
    store = RocksStore(Home(home).store)
    store.commit({Space.META + b"schema": b"0"})
    store.close()


def newer_store(home: Path) -> None:
    store = RocksStore(Home(home).store)
    store.commit({Space.META + b"schema": b"99"})
    store.close()


def another_first_second(home: Path) -> None:
    genesis = loads(Home(home).genesis_file.read_text())
    Home(home).genesis_file.write_text(replace(genesis, timestamp=genesis.timestamp + 1).dumps())


def no_current(home: Path) -> None:
    (Home(home).store / "CURRENT").unlink()


def torn_table(home: Path) -> None:
    tables = list(Home(home).store.glob("*.sst"))
    assert tables
    for table in tables:
        os.truncate(table, table.stat().st_size // 2)


def torn_store(home: Path) -> None:
    for manifest in Home(home).store.glob("MANIFEST*"):
        manifest.write_bytes(manifest.read_bytes()[:7])


FAULTS: dict[Callable[[Path], None], str] = {
    another_key: "sealer.wrong-key",
    another_passphrase: "key.wrong-passphrase",
    open_keystore: "key.unusable",
    no_keystore: "key.unusable",
    another_chain_id: "store.foreign-chain",
    cut_genesis: "genesis.invalid",
    wrong_genesis: "genesis.invalid",
    no_genesis: "genesis.invalid",
    no_token: "home.unusable",
    older_store: "store.version",
    newer_store: "store.version",
    another_first_second: "store.foreign-chain",
    no_current: "store.corrupt",
    torn_table: "store.corrupt",
    torn_store: "store.corrupt",
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_what_is_wrong_with_the_folder(home: Path, fault: Callable[[Path], None]) -> None:
    fault(home)
    check_one_clear_line(run(home), FAULTS[fault])


def test_a_followers_key_that_the_genesis_file_does_not_name(tmp_path: Path) -> None:
    lay_out(tmp_path, 6)
    folder = Home(tmp_path / "follower")
    folder.keystore("follower").unlink()
    LocalSigner(b"\7" * 32).save(folder.keystore("follower"), folder.passphrase_file.read_text().strip())
    check_one_clear_line(run(folder.path, "--follow", "http://127.0.0.1:9"), "home.unusable")
    assert not folder.store.exists(), "refused before anything is written"


def test_a_taken_port(home: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        check_one_clear_line(run(home, port=other.getsockname()[1]), "port.taken")


def test_a_store_in_use(home: Path) -> None:
    store = RocksStore(Home(home).store)
    check_one_clear_line(run(home), "store.locked")
    store.close()


def test_no_room_at_the_start(home: Path) -> None:
    shutil.rmtree(Home(home).store)
    check_one_clear_line(run(home, limit=4096), "store.full")


def test_a_disk_that_fills_while_it_runs(home: Path) -> None:
    """Its files may not grow above 400 kB: it refuses by the code of a full disk; with room it keeps every promise."""
    process = NodeProcess(home, ("--logical-clock",), file_limit=400_000)
    keyring, genesis = Keyring(6), Home(home).genesis()
    receipts: list[Receipt] = []
    try:
        node = process.start()
        refusal: NodeRefused | None = None
        while refusal is None and len(receipts) < 400:
            try:
                receipts.append(Receipt.of(node.send_batch(orders(genesis, keyring, "shop-01", len(receipts)))))
            except NodeRefused as error:
                refusal = error
        assert refusal
        assert (refusal.code, bool(refusal.hint)) == ("store.full", True)
        assert receipts
        assert "Traceback" not in (home / "log").read_text()
        node.close()
        process.kill()
        process.file_limit = None
        node = process.start()
        assert wait_until(lambda: node.status()["queued"] == 0, 60)
        assert node.status()["trouble"] is None
        assert {node.batch_status(receipt.batch)["state"] for receipt in receipts} == {"included"}
        node.close()
        assert process.stop() == 0
    finally:
        process.kill()
    store = RocksStore(Home(home).store, read_only=True)
    assert audit_chain(genesis, blocks_of_store(store), store=store).ok
    store.close()
