"""The drill: back up, go on, lose all but a follower, restore the old backup: nothing countersigned is missing."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from clients.cli.processes import free_port, start, wait_ready
from clients.cli.up import lay_out_demo
from ledger.chain.receipts import ReceiptFolder
from node.home import Home
from node.remote import RemoteNode
from tests.e2e.services import Shop, Trade, Up, eventually, once_on_chain
from tests.e2e.test_sample_day import clearance
from tests.e2e.test_up import ports, read_model_is_right

pytestmark = pytest.mark.slow
SEED = 6


@contextmanager
def following(home: Path, url: str, token: str) -> Iterator[tuple[RemoteNode, str]]:
    """Run a follower by itself; yield it and its address."""
    port = free_port()
    process = start(home, port, "--follow", url, "--follow-token", token, "--driver", "fast")
    node = RemoteNode(f"http://127.0.0.1:{port}", Home(home).token())
    try:
        wait_ready(node, process, home)
        yield node, f"http://127.0.0.1:{port}"
    finally:
        node.close()
        process.terminate()
        process.wait(30)


def told(*arguments: str) -> dict[str, Any]:
    """Run a command that must succeed; return what it says as JSON."""
    done = clearance(*arguments, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_restored_from_an_old_backup_with_a_follower_that_survived(tmp_path: Path) -> None:
    old = Up(tmp_path / "old", ("--demo", "--seed", str(SEED), *ports()))
    shops = [Shop(old, name, SEED) for name in ("shop-01", "shop-02")] if old.start() else []
    receipts = ReceiptFolder(tmp_path / "receipts")
    try:
        saved, final, parcels = before_the_loss(old, shops, receipts, tmp_path)
        lose_everything(old, shops, receipts)
        new = Up(tmp_path / "new", ("--sealer-port", str(free_port()), "--gateway-port", str(free_port())))
        told("restore", "--from", str(tmp_path / "backup.tar"), "--home", str(new.home))
        (new.home / "sealer" / "passphrase").write_text((old.home / "sealer" / "passphrase").read_text())
        put_back(old.home, new.home)
        alone = clearance("up", "--home", str(new.home), *new.options)
        assert alone.returncode == 1
        assert "ends at block" in alone.stderr, "a restored sealer sealed without asking a follower"
        after_the_loss(old, new, shops, receipts, saved, final, parcels)
    finally:
        old.kill_all()


def before_the_loss(
    old: Up, shops: list[Shop], receipts: ReceiptFolder, folder: Path
) -> tuple[dict[str, Any], dict[int, str], list[int]]:
    """Trade, back up under load, trade on; return the backup, blocks that were final, and parcels."""
    trade = Trade(old, SEED)
    trade.parcel("PARCEL-1")
    for shop in shops:
        shop.start()
        shop.go_on()
    saved = told("backup", "--home", str(old.home), "--to", str(folder / "backup.tar"), "--with-keys")
    for shop in shops:
        shop.go_on()
        shop.finish()
        shop.wait_visible(receipts)
    trade.parcel("PARCEL-2")
    trade.close()
    sealer = old.node("sealer")
    height = sealer.status()["final"]
    final = hashes(sealer, height)
    sealer.close()
    assert height > saved["chain"]["height"] > 0, "the backup is not an old one"
    return saved, final, trade.parcels


def hashes(node: RemoteNode, height: int) -> dict[int, str]:
    """Return the hashes of a node's blocks up to a height."""
    pages = (node.pages(at, 64) for at in range(1, height + 1, 64))
    return {block.height: block.hash.hex() for page in pages for block in page if block.height <= height}


def lose_everything(old: Up, shops: list[Shop], receipts: ReceiptFolder) -> None:
    """Kill everything -9 under load."""
    for shop in shops:
        shop.start()
        shop.go_on()
        shop.keep_receipts(receipts)
    old.kill_all()
    for shop in shops:
        shop.finish()


def after_the_loss(
    old: Up, new: Up, shops: list[Shop], receipts: ReceiptFolder,
    saved: dict[str, Any], final: dict[int, str], parcels: list[int],
) -> None:  # fmt: skip
    """Start the restored sealer with the surviving follower, send everything again, go on, compare, audit."""
    url = f"http://127.0.0.1:{new.options[1]}"
    with following(old.home / "follower", url, Home(new.home / "sealer").token()) as (follower, peer):
        survived = follower.status()["height"]
        assert survived >= max(final) > saved["chain"]["height"]
        new.options += ("--peer", peer, "--peer-token", Home(old.home / "follower").token())
        new.start()
        try:
            sealer = new.node("sealer")
            assert sealer.status()["height"] >= survived
            before = {shop.name: dict(shop.accepted) for shop in shops}
            for shop in shops:
                assert shop.move_to(new) > 3, "the gateway lost nothing: the backup is not an old one"
                shop.start(3)
                shop.finish(now=False)
                shop.wait_visible(receipts)
                shop.close()
                assert before[shop.name].keys() <= shop.accepted.keys()
            once_on_chain(sealer, shops)
            eventually(lambda: sealer.status()["blockHash"] == follower.status()["blockHash"], "both have one head")
            assert sealer.status()["final"] == follower.status()["height"]
            kept = {
                block.height: block.hash.hex() for at in range(1, max(final) + 1, 64) for block in sealer.pages(at, 64)
            }
            assert {height: kept[height] for height in final} == final, "a final block is missing"
            assert all(sealer.word(parcel) for parcel in parcels)
            read_model_is_right(new)
            sealer.close()
        finally:
            new.kill_all()
    for home in (new.home / "sealer", old.home / "follower"):
        told("audit", "chain", "--home", str(home), "--receipts", str(receipts.folder))


def put_back(old: Path, new: Path) -> None:
    """Put the gateway's keys back, which an operator keeps apart from backups."""
    for key in (old / "gateway").glob("*.key"):
        subprocess.run(["cp", "-r", str(key), str(new / "gateway")], check=True)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stopped service with some blocks, and a backup of it without keys, as a folder."""
    folder = tmp_path_factory.mktemp("saved")
    up = Up(folder / "home", ("--demo", "--seed", str(SEED), *ports()))
    up.start()
    try:
        shop = Shop(up, "shop-01", SEED)
        shop.start(3)
        shop.finish(now=False)
        shop.wait_visible()
        shop.close()
        assert up.stop() == 0
    finally:
        up.kill_all()
    told("backup", "--home", str(up.home), "--to", str(folder / "backup"))
    return folder


def refused(*arguments: str) -> str:
    """Run a command that must be refused with one clear line; return it."""
    done = clearance(*arguments)
    assert done.returncode in (1, 3), done.stdout + done.stderr
    assert done.stderr.startswith("error "), done.stderr
    assert done.stderr.count("\n") == 2, done.stderr
    return done.stderr


def test_a_backup_without_keys_holds_no_secret(saved: Path) -> None:
    names = [path.name for path in (saved / "backup").rglob("*")]
    assert {"genesis.json", "gateway.db", "chain", "manifest.json"} <= set(names)
    assert not [name for name in names if name in ("token", "passphrase", "keys") or name.endswith(".key")]
    word = (saved / "home" / "sealer" / "passphrase").read_text().strip().encode()
    assert not [path for path in (saved / "backup").rglob("*") if path.is_file() and word in path.read_bytes()]


def test_a_backup_that_was_touched_is_refused_and_nothing_is_left(saved: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-r", str(saved / "backup"), str(copy)], check=True)
    database = copy / "gateway.db"
    whole = database.read_bytes()
    home = tmp_path / "home"
    asked = ("restore", "--from", str(copy), "--home", str(home))
    database.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert "gateway.db was changed" in refused(*asked)
    database.unlink()
    assert "gateway.db is missing" in refused(*asked)
    database.write_bytes(whole)
    (copy / "gateway" / "more").write_text("x")
    assert "more is not in the manifest" in refused(*asked)
    assert "is no backup" in refused("restore", "--from", str(tmp_path / "nothing"), "--home", str(home))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy"]


def test_a_folder_in_use_is_never_written_over(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "mine").write_text("x")
    assert "is not empty" in refused("restore", "--from", str(saved / "backup"), "--home", str(tmp_path / "home"))
    assert "exists already" in refused("backup", "--home", str(saved / "home"), "--to", str(saved / "backup"))


def test_newer_blocks_are_taken_while_restoring_and_only_from_a_follower_of_the_chain(
    saved: Path, tmp_path: Path
) -> None:
    asked = ("restore", "--from", str(saved / "backup"), "--home", str(tmp_path / "home"))
    lay_out_demo(tmp_path / "other", SEED + 1)
    with following(tmp_path / "other" / "follower", "http://127.0.0.1:9", "none") as (stranger, url):
        token = Home(tmp_path / "other" / "follower").token()
        assert "another genesis file" in refused(*asked, "--peer", url, "--peer-token", token)
        assert stranger.status()["height"] == 0
    with following(saved / "home" / "follower", "http://127.0.0.1:9", "none") as (follower, url):
        token = Home(saved / "home" / "follower").token()
        done = told(*asked, "--peer", url, "--peer-token", token)
        assert done["follower_heard"]
        assert done["height"] == follower.status()["height"]
    assert not (tmp_path / "home" / "sealer" / "restored").exists()
    gone = refused(*asked[:-1], str(tmp_path / "again"), "--peer", url, "--peer-token", token)
    assert "node.unreachable" in gone


def test_when_no_follower_is_left_a_new_one_starts_from_the_first_block(saved: Path, tmp_path: Path) -> None:
    up = Up(tmp_path / "home", ports())
    told("restore", "--from", str(saved / "backup"), "--home", str(up.home), "--no-follower-left")
    missing = refused("up", "--home", str(up.home))
    assert "restored without sealer/keys/relayer.json" in missing
    assert "identity.key" in missing, "a gateway would make another key and read nothing of people with it"
    put_back(saved / "home", up.home)
    for name in ("sealer", "follower"):
        subprocess.run(["cp", "-r", str(saved / "home" / name / "keys"), str(up.home / name)], check=True)
        (up.home / name / "passphrase").write_text((saved / "home" / name / "passphrase").read_text())
    up.start()
    try:
        sealer, follower = up.node("sealer"), up.node("follower")
        eventually(lambda: sealer.status()["final"] == sealer.status()["height"] > 0, "the new follower has signed")
        shop = Shop(up, "shop-02", SEED)
        shop.start(2)
        shop.finish(now=False)
        shop.wait_visible()
        shop.close()
        read_model_is_right(up)
        sealer.close()
        follower.close()
    finally:
        up.kill_all()


def test_the_read_model_of_another_chain_is_refused(saved: Path, tmp_path: Path) -> None:
    """Database of one chain, node of another: the gateway serves, and says that its read model cannot go on."""
    up = Up(tmp_path / "home", ("--demo", "--seed", str(SEED + 1), *ports()))
    up.start()
    up.stop()
    for beside in (up.home / "gateway").glob("gateway.db*"):
        beside.unlink()
    (up.home / "gateway" / "gateway.db").write_bytes((saved / "backup" / "gateway.db").read_bytes())
    refusal = refused("backup", "--home", str(up.home), "--to", str(tmp_path / "b"))
    assert "is not in the chain" in refusal
    up.start()
    try:
        log = up.home / "gateway.log"
        eventually(lambda: "projector stops" in log.read_text(), "the projector refuses the chain")
        assert "another genesis file" in log.read_text()
    finally:
        up.kill_all()
