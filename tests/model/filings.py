"""Filings and corrections, in the model: the three-way match, the rules, and what is found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ledger.chain.batch import Entry
from ledger.commitments import filing_digest, order_commitment
from ledger.domain.findings import Finding
from ledger.domain.kinds import KindNumber as K
from ledger.domain.rejections import Rejection
from ledger.domain.roles import Role
from ledger.domain.words import DETAIL, GOODS, TRANSPORT
from tests.model.members import GOOD, Writer
from tests.model.rulebook import Target, in_force
from tests.model.subjects import Order, Parcel

if TYPE_CHECKING:
    from tests.model.ledger_model import LedgerModel

LATE_ORDER_LEAD: Final = 30 * 60
MAX_GENERATION: Final = 255
US_DOLLAR: Final = 840
RECOMPUTED: Final = {
    Finding.VALUE_OVER_LIMIT, Finding.CLASS_EXCLUDED, Finding.PERMIT_MISSING, Finding.QUANTITY_OVER_PERSONAL_USE,
    Finding.COMMERCIAL_USE, Finding.FACTS_MISMATCH, Finding.ORDER_MISSING, Finding.RULE_UNKNOWN, Finding.MANY_ORDERS,
}  # fmt: skip
"""What comes from facts and match: every filing says it anew."""


@dataclass(frozen=True)
class Declared:
    """Goods as one filing declares them; `order` is None where it names no order."""

    price: int
    currency: int
    goods_class: int
    quantity: int
    company: bool
    order: int | None = None
    commitment: bytes = b""


@dataclass
class Filing:
    """A filing, read."""

    dispatch: int
    origin: int
    mode: int
    office: int
    on_list: bool
    master: int
    box: list[Declared]
    more: bool
    findings: set[Finding] = field(default_factory=set)
    bound: list[int] = field(default_factory=list)

    @property
    def orders(self) -> list[int]:
        """The orders it names, as they stand."""
        return [goods.order for goods in self.box if goods.order is not None]


def _declared(word: int, order: int | None = None, commitment: bytes = b"") -> Declared:
    told = {name: place.get(word) for name, place in GOODS.items()}
    return Declared(
        told["price"], told["currency"], told["goods_class"], told["quantity"], told["use"] != 0, order, commitment
    )


def read_filing(entry: Entry) -> Filing:
    """Read the words of a filing."""
    travel, *rest = entry.extra
    told = {name: place.get(travel) for name, place in TRANSPORT.items()}
    if len(rest) == 1:
        box = [_declared(rest[0])]
    else:
        box = []
        for i in range(0, len(rest), 4):
            order, goods, digest, salt = rest[i : i + 4]
            committed = order_commitment(goods, digest.to_bytes(32, "big"), salt.to_bytes(32, "big"))
            box.append(_declared(goods, order, committed))
    return Filing(
        dispatch=told["dispatch"], origin=told["origin"], mode=told["mode"], office=told["office"],
        on_list=told["track"] == 0, master=told["master"], box=box,
        more=bool(DETAIL["FILED.more"].get(entry.detail)),
    )  # fmt: skip


def open_by_filing(model: LedgerModel, entry: Entry, writer: Writer, t: int) -> Rejection | None:
    """Open a parcel with its first filing."""
    opener = DETAIL["FILED.opener"].get(entry.detail) or writer.org.handle
    if opener == writer.org.handle:
        if not writer.roles & Role.COURIER:
            return Rejection.ROLE
    elif not model.members.lets_write(opener, writer.org.handle, K.FILED):
        return Rejection.NOT_YOURS
    elif not model.members.orgs[opener].roles & Role.COURIER:
        return Rejection.ROLE
    if entry.subject != model.domain.subject_id(K.FILED, opener, entry.digest):
        return Rejection.BAD_ID
    parcel = Parcel(opener, filed=True, first_filing=t)
    refused = correct(model, parcel, entry, t)
    if refused is None:
        model.subjects[entry.subject] = parcel
    return refused


def correct(model: LedgerModel, parcel: Parcel, entry: Entry, t: int) -> Rejection | None:
    """Take the facts of a filing; a refused one changes nothing."""
    filing = read_filing(entry)
    if parcel.generation == MAX_GENERATION:
        return Rejection.LIMIT
    if filing.master and model.master(filing.master) is None:
        return Rejection.MASTER_UNKNOWN
    refused = _match(model, parcel, filing, entry.subject, t)
    if refused:
        return refused
    for number in filing.bound:
        order = model.subjects[number]
        if isinstance(order, Order):
            order.parcel = entry.subject
    _judge_goods(model, parcel, filing)
    _judge_track(model, parcel, filing)
    if filing.more:
        filing.findings.add(Finding.MANY_ORDERS)
    if model.rules.is_late(entry.claimed, t):
        filing.findings.add(Finding.LATE)
    if parcel.generation and (_has_arrived(model, parcel) or _is_arrived(model, filing.master)):
        filing.findings.add(Finding.CORRECTED_AFTER_ARRIVAL)
    _replace_facts(parcel, filing, entry)
    if _aims_at_a_seller(model, parcel, t) or (parcel.carried_in and model.is_target(parcel, t)):
        filing.findings.add(Finding.OFFICE_TARGET)
    parcel.findings = (parcel.findings - RECOMPUTED) | filing.findings
    return None


def _replace_facts(parcel: Parcel, filing: Filing, entry: Entry) -> None:
    """The new filing stands for the old one; the results that named the old one are void."""
    parcel.identity_ok = parcel.screened = False
    parcel.filing = filing_digest(parcel.generation, entry.packed())
    parcel.generation += 1
    parcel.orders = set(filing.orders)
    parcel.master, parcel.origin = filing.master, filing.origin
    if not parcel.carried_in and not parcel.holds_open:
        parcel.office = filing.office


def _has_arrived(model: LedgerModel, parcel: Parcel) -> bool:
    return parcel.carried_in or _is_arrived(model, parcel.master)


def _is_arrived(model: LedgerModel, handle: int) -> bool:
    master = model.master(handle)
    return master is not None and master.arrived


def _aims_at_a_seller(model: LedgerModel, parcel: Parcel, t: int) -> bool:
    """Sellers are looked up when a filing names their orders, not at carry-in."""
    sellers = {model.subjects[number].opener for number in parcel.orders}
    return any(model.rules.targets(parcel.office, Target.SELLER, seller, t) for seller in sellers)


def _match(model: LedgerModel, parcel: Parcel, filing: Filing, subject: int, t: int) -> Rejection | None:
    """Compare what the courier presents with what the sellers recorded; bind nothing yet."""
    last = 0
    for goods in filing.box:
        if goods.order is None:
            break
        if goods.order <= last:
            return Rejection.ORDERS_UNSORTED
        last = goods.order
        order = model.subjects.get(goods.order)
        if not isinstance(order, Order) or order.parcel not in (None, subject):
            return Rejection.ORDER_NOT_OPEN
        if order.parcel is None and order.handed != parcel.opener:
            return Rejection.ORDER_NOT_HANDED
        if model.members.orgs[order.opener].group == model.members.orgs[parcel.opener].group:
            return Rejection.ORDER_SAME_GROUP
        _compare(model, parcel, filing, goods, order, t)
    if not parcel.orders <= set(filing.orders):
        return Rejection.ORDER_DROPPED
    return None


def _compare(model: LedgerModel, parcel: Parcel, filing: Filing, goods: Declared, order: Order, t: int) -> None:
    if model.members.orgs[order.opener].standing != GOOD:
        filing.findings.add(Finding.WATCHED_PARTY)
    if model.domain.subject_id(K.ORDER_OPENED, order.opener, goods.commitment) != goods.order:
        filing.findings.add(Finding.FACTS_MISMATCH)
    if order.parcel is None and goods.order is not None:
        filing.bound.append(goods.order)
        if parcel.generation and _comes_late(order, parcel, t):
            filing.findings.add(Finding.LATE_ORDER)


def _comes_late(order: Order, parcel: Parcel, t: int) -> bool:
    return parcel.carried_in or order.claimed >= parcel.first_filing or t - order.recorded < LATE_ORDER_LEAD


def _judge_goods(model: LedgerModel, parcel: Parcel, filing: Filing) -> None:
    """Apply the rules of each class; the main class is that of the dearest goods, the first of equals."""
    when = parcel.first_filing
    totals: dict[int, int] = {}
    for goods in filing.box:
        totals[goods.goods_class] = totals.get(goods.goods_class, 0) + goods.quantity
        rule = model.rules.class_at(goods.goods_class, when)
        if rule is None or model.rules.rate_at(goods.currency, when) is None:
            filing.findings.add(Finding.RULE_UNKNOWN)
        if rule is None:
            continue
        if rule.permit:
            filing.findings.add(Finding.PERMIT_MISSING)
        if rule.personal_use and totals[goods.goods_class] > rule.personal_use:
            filing.findings.add(Finding.QUANTITY_OVER_PERSONAL_USE)
    parcel.goods_class = max(filing.box, key=lambda goods: _value(model, goods, when)).goods_class


def _value(model: LedgerModel, goods: Declared, when: int) -> int:
    return goods.price * (model.rules.rate_at(goods.currency, when) or 0)


def _judge_track(model: LedgerModel, parcel: Parcel, filing: Filing) -> None:
    """Check the track that the courier claims; the limits are those of the first filing's time."""
    when = parcel.first_filing
    parcel.on_list = parcel.general = parcel.duty_ok = False
    dollar = model.rules.rate_at(US_DOLLAR, when)
    limits = model.rules.dispatch_at(filing.dispatch, filing.mode, when)
    if limits is None or dollar is None:
        filing.findings.add(Finding.RULE_UNKNOWN)
        return
    value = sum(_value(model, goods, when) for goods in filing.box)
    company = any(goods.company for goods in filing.box)
    if limits.order_required and not filing.orders:
        filing.findings.add(Finding.ORDER_MISSING)
    if filing.on_list:
        parcel.on_list = parcel.duty_ok = True
        rules = [model.rules.class_at(goods.goods_class, when) for goods in filing.box]
        if any(rule is not None and rule.excluded for rule in rules):
            filing.findings.add(Finding.CLASS_EXCLUDED)
        if value > limits.list_limit * dollar:
            filing.findings.add(Finding.VALUE_OVER_LIMIT)
        if company:
            filing.findings.add(Finding.COMMERCIAL_USE)
        return
    personal = not company and Finding.QUANTITY_OVER_PERSONAL_USE not in filing.findings
    if personal and value <= limits.exempt_limit * dollar:
        parcel.duty_ok = True
        return
    simplified = in_force(model.rules.simplified, when)
    if simplified is None:
        filing.findings.add(Finding.RULE_UNKNOWN)
    else:
        parcel.general = value > simplified * dollar
