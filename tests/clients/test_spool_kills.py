"""A courier's process is killed with SIGKILL before and after each of its steps, and started again: on a real node
every entry stands once, in order."""

from __future__ import annotations

import multiprocessing
import signal
from collections import defaultdict
from pathlib import Path

import pytest

from clients.spool import SCAN_LANE, SCAN_TRACE_LANE
from tests.clients.dying import ENTRIES, courier, digest
from tests.clients.worlds import Network

PROCESSES = multiprocessing.get_context("forkserver")


def run(net: Network, folder: Path, number: int, die_at: int) -> bool:
    """Run a courier in a process of its own; return whether it was killed."""
    PROCESSES.set_forkserver_preload(["tests.clients.dying"])
    process = PROCESSES.Process(target=courier, args=(net.node.url, str(folder), number, die_at))
    process.start()
    process.join(90)
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


def check(net: Network, folder: Path, runs: list[int]) -> None:
    stands: dict[tuple[int, int], list[bytes]] = defaultdict(list)
    for batch in net.node.included(1):
        for each in batch.entries():
            stands[batch.batch.lane, int.from_bytes(each.entry.digest, "big") >> 32].append(each.entry.digest)
    for number in runs:
        wanted = [digest(number, each) for each in range(ENTRIES)]
        assert stands[SCAN_LANE, number] == wanted, number
        assert stands[SCAN_TRACE_LANE, number] == wanted, number
        assert (folder / f"{number}.steps").read_text().split()[1] == str(2 * ENTRIES)


def test_killed_at_some_steps(net: Network, tmp_path: Path) -> None:
    deaths = (2, 9, 17, 26)
    for number, die_at in enumerate(deaths, 1):
        assert run(net, tmp_path, number, die_at)
        assert not run(net, tmp_path, number, 0)
    check(net, tmp_path, list(range(1, len(deaths) + 1)))


@pytest.mark.slow
def test_killed_at_every_step(net: Network, tmp_path: Path) -> None:
    number = 0
    while True:  # each run dies one step later, until one comes to its end
        number += 1
        if not run(net, tmp_path, number, number):
            break
        run(net, tmp_path, number, 12 + number % 29)  # and once more, elsewhere
        run(net, tmp_path, number, 0)
    assert number > 40
    check(net, tmp_path, list(range(1, number + 1)))
