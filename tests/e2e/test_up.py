"""`clearance up`: what dies comes back on the same port, a killed supervisor is taken over from, nothing is lost."""

from __future__ import annotations

import json
import random
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from clients.cli.node import bind
from clients.cli.processes import free_port
from clients.cli.supervision import GRACE, PidFile, started
from clients.cli.up import NoHome, check_home, lay_out_demo
from clients.sample.members import Keyring
from ledger.chain.receipts import ReceiptFolder
from ledger.genesis import load
from node.home import FOLLOWER_KEYS, SEALER_KEYS, Home
from node.remote import RemoteNode, Unreachable
from tests.e2e.services import Shop, Up, eventually, once_on_chain
from tests.e2e.test_sample_day import clearance

pytestmark = pytest.mark.slow
KILLS = 12
SEED = 5


def ports() -> tuple[str, ...]:
    """Ports of this test's own: the usual ones may be in use on this machine."""
    named = [(name, str(free_port())) for name in ("gateway", "sealer", "follower")]
    return tuple(part for name, port in named for part in (f"--{name}-port", port))


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    made = Up(tmp_path / "home", ("--demo", "--seed", str(SEED), *ports()))
    yield made
    made.kill_all()


def test_kills_at_random_moments_under_load_lose_and_double_nothing(up: Up, tmp_path: Path) -> None:
    dice = random.Random(4)
    up.start()
    shops = [Shop(up, name, SEED) for name in ("shop-01", "shop-02")]
    for shop in shops:
        shop.start()
    victims = ["sealer", "follower", "gateway", "up"] * (KILLS // 4)
    dice.shuffle(victims)
    for victim in victims:
        time.sleep(dice.uniform(0.2, 2.5))
        eventually(lambda victim=victim: up.kill(victim), f"{victim} runs")  # type: ignore[misc]
        if victim == "up":
            time.sleep(dice.choice([0, 1]))
            up.start()
    for shop in shops:
        shop.go_on()
        shop.finish()
    assert sum(shop.again for shop in shops), "no post failed: the kills did not matter"
    receipts = ReceiptFolder(tmp_path / "receipts")
    for shop in shops:
        shop.wait_visible(receipts)
        shop.close()
    sealer, follower = up.node("sealer"), up.node("follower")
    once_on_chain(sealer, shops)
    once_on_chain(follower, shops)
    assert sealer.status()["blockHash"] == follower.status()["blockHash"]
    assert [node.status()["trouble"] for node in (sealer, follower)] == [None, None]
    read_model_is_right(up)
    sealer.close()
    follower.close()
    assert up.stop() == 0
    for name in ("sealer", "follower"):
        done = clearance(
            "audit", "chain", "--json", "--home", str(up.home / name), "--receipts", str(tmp_path / "receipts")
        )
        assert done.returncode == 0, done.stdout + done.stderr


def read_model_is_right(up: Up) -> None:
    """Check that the rows are those of a read model made anew."""
    token = (up.home / "sealer" / "token").read_text().strip()
    gateway = str(up.home / "gateway")
    done = clearance("audit", "projection", "--rpc", up.urls["sealer"], "--token", token, "--home", gateway, "--json")
    assert done.returncode == 0, done.stdout + done.stderr


def said(up: Up) -> str:
    """Return what `clearance up` said to its operator."""
    return up.home.with_suffix(".err").read_text()


def test_a_full_disk_loses_nothing_and_heals_when_there_is_room(up: Up) -> None:
    up.start()
    shop = Shop(up, "shop-01", SEED)
    shop.start()
    shop.go_on()
    for name in ("sealer", "follower"):
        up.limit(name, 20_000)
        eventually(lambda name=name: f"{name} has stopped working" in said(up), f"the disk of the {name} is full")  # type: ignore[misc]
    shop.go_on()
    again = shop.again
    up.limit("gateway", 4_096)
    eventually(lambda: shop.again > again + 3, "the gateway takes nothing")
    up.limit("gateway", resource.RLIM_INFINITY)
    shop.go_on()
    shop.finish()
    shop.wait_visible()
    shop.close()
    sealer = up.node("sealer")
    once_on_chain(sealer, [shop])
    sealer.close()
    read_model_is_right(up)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_all_in_order_within_seconds(up: Up, number: signal.Signals) -> None:
    up.start()
    pids = {name: up.pid(name) for name in ("gateway", "follower", "sealer")}
    began = time.monotonic()
    assert up.stop(number) == 0
    assert time.monotonic() - began < 3 * GRACE, "one had to be killed"
    assert all(pid is not None and started(pid) is None for pid in pids.values())
    assert json.loads((up.home / "addresses.json").read_text()).keys() == pids.keys()
    assert "ended" not in said(up), "one of them was missed by another before it was stopped"


def test_only_one_runs_on_a_folder_and_a_taken_port_is_said_in_one_line(up: Up, tmp_path: Path) -> None:
    up.start()
    second = clearance("up", "--home", str(up.home))
    assert second.returncode == 1
    assert "home.in-use" in second.stderr
    assert second.stderr.count("\n") == 2
    port = up.urls["gateway"].rpartition(":")[2]
    other = clearance("up", "--demo", "--home", str(tmp_path / "other"), "--gateway-port", port)
    assert other.returncode == 1
    assert f"port.taken: gateway: 127.0.0.1:{port} is taken" in other.stderr
    assert up.stop() == 0
    with bind("127.0.0.1", int(port)) as listener:  # the port of the last run, taken by a stranger meanwhile
        listener.listen()
        again = clearance("up", "--home", str(up.home))
    assert "port.taken" in again.stderr


def test_a_missing_home_and_a_wrong_passphrase_are_one_line(up: Up, tmp_path: Path) -> None:
    missing = clearance("up", "--home", str(tmp_path / "nothing"))
    assert (missing.returncode, missing.stderr.splitlines()[0][:18]) == (1, "error home.missing")
    assert not (tmp_path / "nothing").exists()
    up.start()
    up.stop()
    for name in ("sealer", "follower"):
        (up.home / name / "passphrase").unlink()
    (tmp_path / "word").write_text("not the passphrase\n")
    wrong = clearance("up", "--home", str(up.home), "--passphrase-file", str(tmp_path / "word"))
    assert wrong.returncode == 1
    assert "key.wrong-passphrase" in wrong.stderr
    assert wrong.stderr.count("\n") == 2
    assert not list(up.home.glob("*.pid"))


def test_one_passphrase_opens_every_keystore_again_after_a_kill(up: Up, tmp_path: Path) -> None:
    lay_out_demo(up.home, SEED)
    for name, keys in (("sealer", SEALER_KEYS), ("follower", FOLLOWER_KEYS)):
        home = Home(up.home / name)
        home.passphrase_file.unlink()
        for key in keys:
            home.keystore(key).unlink()
            Keyring(SEED).signer(key).save(home.keystore(key), "a passphrase for a test")
    (tmp_path / "word").write_text("a passphrase for a test\n")
    up.options += ("--passphrase-file", str(tmp_path / "word"))
    up.start()
    before = up.pid("sealer")
    (tmp_path / "word").unlink()
    up.kill("sealer")
    sealer = up.node("sealer")
    eventually(lambda: up.pid("sealer") not in (None, before), "the sealer is started again")
    eventually(lambda: answers(sealer), "the sealer serves again")
    sealer.close()
    command = Path(f"/proc/{up.pid('sealer')}/cmdline")
    environment = Path(f"/proc/{up.pid('sealer')}/environ")
    if command.exists():
        assert b"a passphrase" not in command.read_bytes() + environment.read_bytes()


def test_a_demo_that_was_killed_while_it_was_laid_out_is_laid_out_again(tmp_path: Path) -> None:
    lay_out_demo(tmp_path, SEED)
    shutil.rmtree(tmp_path / "sealer")
    check_home(tmp_path, demo=True, seed=SEED)
    assert load(tmp_path / "sealer" / "genesis.json") == load(tmp_path / "follower" / "genesis.json")
    shutil.rmtree(tmp_path / "sealer")
    (tmp_path / "follower" / "chain").mkdir()
    with pytest.raises(NoHome):
        check_home(tmp_path, demo=True, seed=SEED)


def answers(node: RemoteNode) -> bool:
    try:
        return bool(node.status())
    except Unreachable:
        return False


def test_a_reused_pid_is_no_stale_process(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as bystander:
        file = PidFile(tmp_path / "x.pid")
        file.write(bystander.pid)
        assert file.pid() == bystander.pid
        file.path.write_text(f"{bystander.pid} {started(1)}\n")  # the same pid, started at another time
        assert not file.end()
        assert bystander.poll() is None
        file.write(bystander.pid)
        assert file.end()
        assert bystander.wait(5) == -signal.SIGTERM
