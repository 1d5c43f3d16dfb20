"""What can be wrong with a folder, port, key or disk gives one clear line; a cut after any commit loses nothing."""

from __future__ import annotations

import json
import os
import resource
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from clients.cli.run import free_port, lay_out, wait_ready
from clients.sample.members import Keyring
from clients.sample.plan import START
from ledger.chain.batch import Batch, Entry, detail
from ledger.commitments import order_commitment
from ledger.domain.errors import ERROR_TEXTS
from ledger.domain.kinds import KindNumber as K
from ledger.genesis import Genesis, loads
from ledger.keys import LocalSigner
from node.chain import Chain
from node.clock import LogicalClock
from node.home import Home
from node.remote import NodeRefused, RemoteNode
from node.sealer import Sealer, SealerKeys
from node.statements import Receipt
from node.store import MemoryStore, RocksStore, Space

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


def test_after_a_cut_at_any_commit_the_node_goes_on_and_ends_at_the_same_state(tmp_path: Path) -> None:
    keyring, genesis = lay_out(tmp_path, 4)
    batches = [orders(genesis, keyring, f"shop-{1 + at % 3:02}", at // 3) for at in range(12)]
    store = CutStore()
    sealer = sealer_on(store, genesis, keyring)
    promised: list[tuple[int, bytes]] = []
    for at, batch in enumerate(batches):
        sealer.accept(batch)
        promised.append((len(store.commits), batch.digest(genesis.domain)))
        if at % 4 == 3:
            sealer.seal()
    seal_all(sealer)
    assert len(store.commits) > 15
    for cut in range(len(store.commits) + 1):
        back = sealer_on(store.after(cut), genesis, keyring)
        for commits, digest in promised:
            if commits <= cut:
                assert back.status(digest)["state"] in {"accepted", "included"}, f"lost by a cut after {cut}"
        for batch in batches:  # writers send again what they have no receipt for, or everything
            back.accept(batch)
        seal_all(back)
        assert back.chain.head.state_root == sealer.chain.head.state_root


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


def run(home: Path, port: int = 0, limit: int | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "clients.cli", "node", "run", "--home", str(home), "--port", str(port)]
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
    torn_store: "store.corrupt",
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_what_is_wrong_with_the_folder(home: Path, fault: Callable[[Path], None]) -> None:
    fault(home)
    check_one_clear_line(run(home), FAULTS[fault])


def test_a_taken_port(home: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        check_one_clear_line(run(home, other.getsockname()[1]), "port.taken")


def test_a_store_in_use(home: Path) -> None:
    store = RocksStore(Home(home).store)
    check_one_clear_line(run(home), "store.locked")
    store.close()


def test_no_room_at_the_start(home: Path) -> None:
    shutil.rmtree(Home(home).store)
    check_one_clear_line(run(home, limit=4096), "store.full")


@pytest.fixture
def small_disk(home: Path) -> Iterator[tuple[RemoteNode, Callable[[], RemoteNode]]]:
    """A running sealer whose files may not grow above 400 kB, and how to start it again without that limit."""
    port, started = free_port(), []

    def start(limit: int | None) -> RemoteNode:
        command = [sys.executable, "-m", "clients.cli", "node", "run", "--home", str(home), "--port", str(port)]
        before = (lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))) if limit else None
        with (home / "log").open("ab") as log:
            started.append(subprocess.Popen(
                [*command, "--logical-clock"], stdout=log, stderr=log, preexec_fn=before, cwd=ROOT, env=os.environ,
            ))  # fmt: skip
        node = RemoteNode(f"http://127.0.0.1:{port}", Home(home).token())
        wait_ready(node, started[-1], home)
        return node

    def again() -> RemoteNode:
        started[-1].kill()
        started[-1].wait()
        return start(None)

    yield start(400_000), again
    for process in started:
        process.kill()
        process.wait()


def test_a_disk_that_fills_while_it_runs(home: Path, small_disk: tuple[RemoteNode, Callable[[], RemoteNode]]) -> None:
    node, again = small_disk
    keyring, genesis = Keyring(6), Home(home).genesis()
    receipts: list[Receipt] = []
    refusal: NodeRefused | None = None
    for seq in range(400):
        try:
            receipts.append(Receipt.of(node.send_batch(orders(genesis, keyring, "shop-01", seq))))
        except NodeRefused as error:
            refusal = error
            break
    assert refusal is not None
    assert (refusal.code, bool(refusal.hint)) == ("store.full", True)
    assert receipts
    node.close()
    node = again()
    while node.status()["queued"]:
        pass
    assert node.status()["trouble"] is None
    assert {node.batch_status(receipt.batch)["state"] for receipt in receipts} == {"included"}
    node.close()
