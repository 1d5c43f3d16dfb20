"""What names no ground is rejected; nothing clears by rule from a flight that nobody reported as arrived."""

from __future__ import annotations

import pytest

from ledger.chain.batch import Entry
from ledger.domain.findings import Finding
from ledger.domain.kinds import KindNumber as K
from tests.contract.steps import CLEARED, REFERRED, carry, check, decide, ready, release, stop
from tests.contract.world import HANDLES, World


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize("kind", [K.DECIDED_CLEAR, K.DECIDED_REFUSE, K.HELD, K.RECALLED])
def test_what_names_no_ground_is_rejected_and_changes_nothing(world: World, kind: K) -> None:
    parcel = ready(world)
    stop(world, parcel)
    assert carry(world, parcel) == REFERRED
    before, lane = world.word(parcel), 0 if kind in (K.HELD, K.RECALLED) else 1
    entry = world.result(kind, parcel, ground=0)
    assert world.send("officer", entry, lane=lane).codes == {0: ["GROUND_MISSING"]}
    assert world.word(parcel) == before
    for ground in (1, 255):
        trial = world.fork()
        named = trial.result(kind, parcel, ground=ground)
        assert "GROUND_MISSING" not in trial.send("officer", named, lane=lane).codes.get(0, [])
        assert trial.word(parcel) != before


def master(world: World) -> tuple[int, int]:
    """Open a master; return its id and handle."""
    digest = bytes([7]) * 32
    number = world.domain.subject_id(K.MASTER_OPENED, HANDLES["courier"], digest)
    world.send("courier", Entry(number, K.MASTER_OPENED, world.now, digest))
    return number, world.view("master_count")


@pytest.mark.parametrize("reported", [None, K.MASTER_ARRIVED, K.MASTER_UNLOADED])
def test_nothing_clears_from_a_flight_that_nobody_reported_as_arrived(world: World, reported: K | None) -> None:
    number, handle = master(world)
    order = world.order()
    filing = world.filing(order, master=handle)
    world.send("seller", order.entry)
    world.send("courier", filing)
    check(world, filing.subject)
    if reported is not None:
        assert world.send("officer", Entry(number, reported, world.now)).codes == {}
        assert carry(world, filing.subject) == CLEARED
        return
    assert carry(world, filing.subject) == REFERRED
    assert world.findings(filing.subject) == (Finding.ARRIVAL_UNREPORTED,)
    assert world.send("courier", Entry(number, K.MASTER_ARRIVED, world.now)).codes == {}
    assert decide(world, filing.subject) == {}
    assert release(world, filing.subject) == {}
