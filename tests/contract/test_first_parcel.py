"""One parcel from order to release, and the plainest ways it does not clear."""

from __future__ import annotations

from ledger.chain.batch import Entry
from ledger.domain.facts import Goods
from ledger.domain.findings import Finding
from ledger.domain.kinds import KindNumber as K
from ledger.domain.kinds import Status
from tests.contract.world import USD, World, digest_of


def test_the_completing_entry_clears_whichever_comes_last() -> None:
    last = {
        "carried": ("courier", K.CARRIED_IN),
        "identity": ("identity", K.IDENTITY_CHECKED),
        "screened": ("screening", K.SCREENED_PASSED),
    }
    for name, (who, kind) in last.items():
        world = World()
        parcel = world.filed()
        for other, (whose, earlier) in last.items():
            if other != name:
                assert world.send(whose, world.result(earlier, parcel)).codes == {}
                assert Status.CLEARED not in world.status(parcel)
        assert world.send(who, world.result(kind, parcel)).codes == {0: ["CLEARED"]}
        assert world.status(parcel) & (Status.CLEARED | Status.AUTO) == Status.CLEARED | Status.AUTO
        assert world.send("courier", Entry(parcel, K.RELEASED, world.now)).codes == {}


def test_a_lower_price_than_the_order_is_found_and_referred_at_carry_in() -> None:
    world = World()
    order = world.order(price=9_000)
    world.send("seller", order.entry)
    filing = world.filing(order, goods=Goods(4_000, USD, 1, 1))
    assert world.send("courier", filing).codes == {}
    assert world.findings(filing.subject) == (Finding.FACTS_MISMATCH,)
    assert world.send("courier", Entry(filing.subject, K.CARRIED_IN, world.now)).codes == {0: ["REFERRED"]}


def test_the_client_computes_the_filing_digest_the_contract_stores() -> None:
    world = World()
    order = world.order()
    filing = world.filing(order)
    world.send("seller", order.entry)
    world.send("courier", filing)
    assert world.view("filings", filing.subject) == digest_of(filing)
    correction = world.filing(order, kind=K.CORRECTED, subject=filing.subject)
    assert world.send("courier", correction).codes == {}
    assert world.view("filings", filing.subject) == digest_of(correction, 1)


def test_a_stop_goes_into_lane_zero_and_bars_the_clearance() -> None:
    world = World()
    parcel = world.filed()
    stop = Entry(parcel, K.IDENTITY_STOPPED, world.now)
    assert world.send("identity", stop).codes == {0: ["WRONG_LANE"]}
    assert world.send("identity", stop, lane=0).codes == {}
    for who, kind in (("identity", K.IDENTITY_CHECKED), ("screening", K.SCREENED_PASSED)):
        world.send(who, world.result(kind, parcel))
    assert world.send("courier", Entry(parcel, K.CARRIED_IN, world.now)).codes == {0: ["REFERRED"]}
    assert world.findings(parcel) == (Finding.IDENTITY_STOPPED,)
