"""What a node reads for a certificate while it holds its lock, and what when others go on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from node.blocks import Block
from node.evidence import evidence_of
from node.service import NodeService
from tests.node.audit_world import AuditWorld
from tests.node.test_certificate import FIRST, SECOND, countersign

FINAL, HIGHEST = 2, 5


@pytest.fixture
def service(tmp_path: Path) -> NodeService:
    """A sealer on disk whose two followers countersigned up to different heights."""
    world = AuditWorld(tmp_path / "node")
    for number in range(HIGHEST + 1):
        world.trace("courier-1", number, "PICKED_UP")
        world.seal()
    world.chain.genesis = replace(world.genesis, followers=(FIRST.hex_address, SECOND.hex_address))
    made = NodeService(world.chain, sealer=world.node.sealer)
    countersign(made, FIRST, FINAL)
    countersign(made, SECOND, HIGHEST)
    return made


def test_the_headers_between_are_read_while_the_node_goes_on(
    service: NodeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = service.chain.header_bytes
    locked = []

    def watched(height: int) -> bytes:
        locked.append(service._lock._is_owned())  # type: ignore[attr-defined]
        return read(height)

    def decoded(data: bytes) -> Block:
        raise AssertionError("a whole block is decoded")

    monkeypatch.setattr(service.chain, "header_bytes", watched)
    monkeypatch.setattr(Block, "decode", decoded)
    shown = evidence_of(service, [])
    monkeypatch.undo()
    assert locked == [True] + [False] * (HIGHEST - FINAL)
    expected = [service.chain.block(height).header.rlp for height in range(FINAL, HIGHEST + 1)]
    assert [shown.header, *shown.later] == expected
    assert {head.follower: head.height for head in shown.heads} == {FIRST.address: FINAL, SECOND.address: HIGHEST}
