"""What the model and the contract once disagreed on, as plain cases."""

from __future__ import annotations

import pytest

from ledger.chain.batch import Entry, detail
from ledger.chain.calls import call_data
from ledger.domain.kinds import KindNumber as K
from tests.contract.world import COLD, HANDLES, World


@pytest.mark.parametrize("kind", [K.ORDER_OPENED, K.MASTER_OPENED])
def test_a_filing_under_the_id_of_an_order_or_master_leaves_it_as_it_was(kind: K) -> None:
    world = World()
    order = world.order()
    digest = bytes(31) + b"\1"
    identifier = world.domain.subject_id(K.MASTER_OPENED, HANDLES["courier"], digest)
    master = Entry(identifier, K.MASTER_OPENED, world.now, digest)
    subject = order.entry.subject if kind is K.ORDER_OPENED else master.subject
    world.send("seller", order.entry)
    world.send("courier", master)
    before = world.word(subject)
    assert before
    filing = world.filing(subject=subject)
    assert world.send("rival_courier", filing).codes == {0: ["STATE_BARRED"]}
    assert world.word(subject) == before


def test_an_agency_cannot_observe_a_filing_of_its_master() -> None:
    world = World()
    digest = bytes(31) + b"\1"
    master = world.domain.subject_id(K.MASTER_OPENED, HANDLES["agency"], digest)
    row = Entry(master, K.OBSERVED, world.now, detail=detail(K.OBSERVED, kind=K.FILED))
    sent = world.send("agency", Entry(master, K.MASTER_OPENED, world.now, digest), row)
    assert sent.codes == {0: ["MASTER_HANDLE"], 1: ["STATE_BARRED"]}


def test_a_broker_files_for_couriers_only() -> None:
    world = World()
    for owner in ("seller", "courier"):
        let = call_data("let", world.now, HANDLES[owner], HANDLES["broker"], 1 << K.FILED)
        assert world.call(let, COLD[owner].address).revert is None
    assert world.send("broker", world.filing(courier="seller", broker=True)).codes == {0: ["ROLE"]}
    assert world.send("broker", world.filing(broker=True)).codes == {}


def test_a_filing_with_orders_in_the_stop_lane_is_one_bad_entry_and_not_a_bad_batch() -> None:
    world = World()
    sent = world.send("identity", world.filing(world.order()), lane=0)
    assert (sent.revert, sent.codes) == (None, {0: ["WRONG_LANE"]})
