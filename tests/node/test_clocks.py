"""Clocks that differ: a follower whose clock is slow waits for a block's time to come; it does not give up."""

from __future__ import annotations

import pytest

from clients.sample.members import Keyring, sample_genesis
from clients.sample.plan import DAYS, START
from ledger.chain.batch import Batch
from node import service as module
from node.chain import Chain
from node.clock import LogicalClock
from node.evm.executor import Driver
from node.follower import Follower
from node.remote import RemoteNode
from node.rules import MAX_DRIFT
from node.sealer import Sealer
from node.service import NodeService, wait_until
from node.store import MemoryStore
from tests.node.days import SEED, follower_key, sealer_keys
from tests.node.serving import TOKEN, served


def test_a_slow_clock_delays_a_follower_and_stops_it_not(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "RETRY_PAUSE", 0.05)
    genesis = sample_genesis(Keyring(SEED), START, DAYS)
    ahead, behind = LogicalClock(START + MAX_DRIFT + 30), LogicalClock(START)
    sealing, following = (Chain(MemoryStore(), genesis, Driver.FAST) for _ in range(2))
    with served(NodeService(sealing, sealer=Sealer(sealing, sealer_keys(), ahead))) as sealer:
        upstream = RemoteNode(sealer.url, TOKEN)
        follower = Follower(following, follower_key(), behind, MAX_DRIFT)
        with served(NodeService(following, follower=follower, upstream=upstream)) as node:
            signer = Keyring(SEED).signer("shop-01")
            batch = Batch.signed(genesis.domain, signer, lane=1, seq=0, not_after=START + 7_200, entries=[])
            sealer.send_batch(batch)
            assert wait_until(lambda: "lies in the future" in caplog.text, 20)
            told = node.status()
            assert (told["height"], told["trouble"]) == (0, None)
            assert sealer.status()["final"] == 0, "nothing is final that the follower has not signed"
            behind.move_to(START + 31)
            assert wait_until(lambda: bool(node.status()["height"] == sealer.status()["final"] == 1), 20)
        upstream.close()
