"""Both drivers on the same random blocks: the same results, roots, writes, and nodes that come and go."""

from __future__ import annotations

import random
from functools import partial
from typing import Any

import pytest
from eth.vm.forks.cancun.state import CancunState

from node.evm import loop
from node.evm.loop import FastState
from node.evm.slots import Caches
from node.evm.state import StateMaker
from tests.node.evm_programs import CONTRACTS, Ground, program, settle, transactions

pytestmark = pytest.mark.filterwarnings("ignore:SELFDESTRUCT opcode:DeprecationWarning")
HISTORIES = 400
"""Of four random contracts each, and of transactions of which some create what is as random."""
BLOCKS = 3
PARTS = 4


class Everywhere:
    """Every address: also of what a transaction creates."""

    def __contains__(self, address: bytes) -> bool:
        return True


@pytest.fixture(autouse=True)
def hot_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a place become a trace when it is met the second time, in the programs of these tests too."""
    monkeypatch.setattr(loop, "HOT", 2)
    monkeypatch.setattr(loop, "TRACED", Everywhere())


def history(seed: int, makers: list[StateMaker]) -> list[Any]:
    """Execute the blocks of a seed, block by block with the makers in turn; return all that came of them."""
    dice = random.Random(seed)
    ground = Ground()
    works = [settle({address: program(dice) for address in CONTRACTS}, dice)]
    works += [transactions(dice) for _ in range(BLOCKS)]
    return [ground.execute(makers[place % len(makers)], work) for place, work in enumerate(works)]


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_random_blocks_that_write_call_create_destroy_and_revert(part: int) -> None:
    """By one driver, by the other, and a store handed to and fro: all that can be seen is the same."""
    failed = done = 0
    for seed in range(part, HISTORIES, PARTS):
        plain = history(seed, [CancunState])
        assert history(seed, [partial(FastState, caches=Caches())]) == plain, seed
        if seed % 16 < PARTS:
            assert history(seed, [CancunState, partial(FastState, caches=Caches())]) == plain, seed
        told = [each for block in plain[1:] for each in block[0] if not isinstance(each, str)]
        failed += sum(each[0] for each in told)
        done += len(told)
    assert done * 0.05 < failed < done * 0.9, "both endings must occur"
