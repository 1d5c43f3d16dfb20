"""One fixed walk through the machine's own actions that reaches every rejection, effect, finding, kind and refusal.

The machine of `test_model_equals_contract.py` draws what it does, so what is rare comes up in some of its runs only.
Here model, contract and read model are compared on each of it every time.
"""

from __future__ import annotations

from collections import Counter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.domain.facts import Use
from ledger.domain.kinds import KindNumber as K
from tests.model.rulebook import Target
from tests.stateful.ledger_entries import Lie, Nudge, Sale, Travel
from tests.stateful.rules import CN, DAY, HEALTH_FOOD, HOUR, PERMIT_CLASS, PLAIN, UNKNOWN_CLASS, US
from tests.stateful.test_model_equals_contract import LAST, OFFICE, Ledger, everything


class Walk(Ledger):
    """The machine, led by hand; what it sees is its own."""

    def __init__(self, watched: str | None = None) -> None:
        super().__init__()
        self.seen = Counter()  # type: ignore[misc]  # of this walk, not of every run
        self.members(watched, OFFICE, courier_is_broker=False)

    def judged(self, sale: Sale | None = None, travel: Travel | None = None, *then: K) -> None:
        """Take a parcel from order to carry-in, checked and screened, and on."""
        self.whole_parcel(sale or Sale(), travel or Travel(), list(LAST), len(LAST), list(then))

    def says(self, kind: K, **flaws: int) -> None:
        """Write a kind about the newest parcel, by the member whose business it is unless told."""
        self.act(kind, 0, Nudge(**flaws))


def parcels(walk: Walk) -> None:
    walk.judged(None, None, K.RELEASED, K.CARRIED_IN)  # clears, leaves the yard, and comes in no more
    walk.judged(None, None, K.DECIDED_CLEAR, K.RECALLED)
    walk.judged(None, None, K.IDENTITY_STOPPED, K.DECIDED_REFUSE)
    walk.says(K.SCREENED_REFERRED)
    walk.file(Travel())
    for flaw in ({"stale": True}, {"claimed": 121}, {"other_lane": True}, {"stranger": 0}):
        walk.says(K.IDENTITY_CHECKED, **flaw)
    walk.says(K.RELEASED)
    walk.says(K.SCREENED_REFERRED)
    walk.says(K.CARRIED_IN)
    walk.says(K.DECIDED_CLEAR, number=7)
    walk.many_holds(0, 9, 4)
    walk.says(K.HOLD_LIFTED, number=200)
    walk.file(Travel(wrong_id=True))


def findings(walk: Walk) -> None:
    for sale in (Sale(price=20_001), Sale(goods_class=HEALTH_FOOD), Sale(goods_class=PERMIT_CLASS),
                 Sale(goods_class=UNKNOWN_CLASS), Sale(use=Use.COMPANY)):  # fmt: skip
        walk.judged(sale)
    for travel in (Travel(lie=Lie.PRICE), Travel(more=True), Travel(orders=0, dispatch=CN),
                   Travel(claimed=-72 * HOUR - 1)):  # fmt: skip
        walk.judged(None, travel)
    walk.correct(0, Travel())
    walk.box_of_orders(4, 2, unsorted=False, foreign=False)
    walk.late_order(Sale(), Sale(), Travel())
    walk.unchecked_parcel(Travel(), K.IDENTITY_CHECKED, 60)
    walk.wait(DAY)
    walk.says(K.SWEPT)
    walk.aim((Target.GOODS_CLASS, PLAIN), HOUR)
    walk.judged(None, Travel(origin=US))


def orders(walk: Walk) -> None:
    walk.judged()
    walk.file(Travel(foreign=True))  # consumed already
    walk.whole_parcel(Sale(), Travel(), list(LAST), 0, [])
    walk.correct(0, Travel(drop=True))
    walk.box_of_orders(2, 2, unsorted=True, foreign=False)
    walk.sell(Sale())
    walk.reassign(0, Nudge(number=1))
    walk.file(Travel(foreign=True))  # handed to another courier
    walk.sell(Sale(seller="sister_seller"))
    walk.file(Travel())
    walk.sell(Sale())
    walk.send("rival_seller", [walk.about(K.ORDER_REASSIGNED, walk.orders()[-1], Nudge())])


def masters(walk: Walk) -> None:
    walk.open_master("courier", Nudge())
    walk.judged(None, Travel(master=1))  # in the yard before its flight has arrived
    walk.report_master(K.MASTER_ARRIVED, 0, Nudge())
    walk.report_master(K.MASTER_UNLOADED, 0, Nudge())
    walk.file(Travel(master=4))
    walk.observe(Nudge(), [2, 7, 5, 200])


def batches(walk: Walk) -> None:
    walk.batch_out_of_order("courier", 1, 1, 1, 0)
    walk.batch_out_of_order("courier", 1, 0, -1, 0)
    walk.batch_out_of_order("courier", 1, 0, 1, 901)
    walk.batch_out_of_order("courier", 0, 0, 1, 0)
    walk.forged("stranger", 0, 1)
    walk.forged("courier", 0, 1)


@settings(max_examples=1, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.just("courier"))  # under Hypothesis, which shows the notes of what was done with a failure
def test_the_walk_reaches_everything(watched_org: str) -> None:
    seen = Counter[str]()
    for part in (parcels, findings, orders, masters, batches):
        walk = Walk()
        part(walk)
        walk.teardown()
        seen += walk.seen
    watched = Walk(watched_org)
    watched.judged()
    seen += watched.seen
    assert everything() - set(seen) == set()
