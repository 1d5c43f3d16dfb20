"""The indicators that screening scores by: one table, each with what it finds, its points, and where it comes from.

Points add up to a score of at most 100; from `REFERS` on an officer looks. Some refer by themselves, because no other
rule finds what they find. One denial at an address does not: lockers, mail rooms and dormitories are one address too.
Weights are customs' own to set: these are examples that a test holds within their bounds.
What touches the person (a wrong number, frequency, split orders) is the identity authority's, see `api/identity`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from api.screening.signals import Signals
from api.screening.words import is_vague, restricted_classes
from ledger.domain.classes import BY_CODE
from ledger.domain.facts import Track
from ledger.domain.findings import Sentence

MAX_POINTS: Final = 100
REFERS: Final = 50
"""Points from which an officer looks at a parcel."""
MANY_NUMBERS: Final = 5
"""Identity numbers at one telephone or address: a household has fewer."""
DENIERS: Final = 2
"""Holders who said of a parcel to an address that it is not theirs, from which misuse is likelier than a mail room."""
CONTACT_DAYS: Final = 90
POOR_SHARE: Final = 0.2
"""Smoothed share of refusals that counts as a poor record: ten times what is expected."""
TRADE_QUANTITY: Final = 30
"""Pieces of one class in a box that look like goods for sale."""
FALL: Final = 0.8
"""A correction that leaves less than this of the price lowers it."""
OFTEN: Final = 3

LOWEST_CENTS: Final = {1: 100, 2: 300, 3: 300, 4: 200, 5: 100, 8: 50, 10: 50, 11: 200, 13: 30, 14: 200, 601: 100}
"""US cents for one piece below which goods of a class are not sold at retail: figures of this project's own, in place
of the price tables customs keeps. Classes counted in grams have none."""


@dataclass(frozen=True, slots=True)
class Indicator:
    """Something that speaks for a closer look.

    Attributes:
        code: stable slug, part of what an officer is shown and of what a trained scorer knows.
        points: what it adds, 1 to 100.
        text: what it found, in words an officer can use.
        source: row of the published list of risk indicators, or the rule it carries out.
        refers: whether it refers a parcel by itself.
    """

    code: str
    points: int
    text: Sentence
    source: str
    found: Callable[[Signals], bool]
    refers: bool = False


def _order_withheld(seen: Signals) -> bool:
    return seen.shop_is_member and not seen.has_order


def _low_price(seen: Signals) -> bool:
    priced = zip(seen.goods, seen.cents, strict=False)
    return any(
        cents is not None and goods.quantity > 0 and cents < LOWEST_CENTS.get(goods.goods_class, 0) * goods.quantity
        for goods, cents in priced
    )


def _restricted(seen: Signals) -> bool:
    """Whether a description names a class off the list that was not declared."""
    if seen.transport.track is not Track.LIST:
        return False
    return bool(restricted_classes(seen.descriptions) - {goods.goods_class for goods in seen.goods})


def _trade(seen: Signals) -> bool:
    return any(
        goods.quantity >= TRADE_QUANTITY and not (goods.goods_class in BY_CODE and BY_CODE[goods.goods_class].unit)
        for goods in seen.goods
    )


def _price_fell(seen: Signals) -> bool:
    currencies = {goods.currency for goods in seen.goods}
    if seen.before is None or currencies != {seen.before.currency}:
        return False
    return sum(goods.price for goods in seen.goods) < FALL * seen.before.price


INDICATORS: Final = (
    Indicator(
        "order-withheld", 100,
        Sentence("회원 쇼핑몰의 물품인데 주문을 밝히지 않았습니다.", "The shop is a member, and no order is named."),
        "three-way match", _order_withheld, refers=True,
    ),
    Indicator(
        "house-bill-twice", 100,
        Sentence("같은 하우스 B/L 번호가 다른 화물로 이미 제출되었습니다.",
                 "The house bill was filed before, as another parcel."),
        "R4, three-way match", lambda seen: seen.bill_elsewhere, refers=True,
    ),
    Indicator(
        "unreadable", 100,
        Sentence("신고 내용을 열 수 없어 심사하지 못했습니다.",
                 "The private part does not open, so nothing could be scored."),
        "X11", lambda seen: not seen.readable, refers=True,
    ),
    Indicator(
        "many-numbers-at-one-contact", 60,
        Sentence("같은 전화번호나 주소로 여러 사람의 통관부호가 쓰였습니다.",
                 "Many people's numbers were used with one telephone or address."),
        "R6", lambda seen: seen.numbers_at_contact >= MANY_NUMBERS,
    ),
    Indicator(
        "denied-at-address", 30,
        Sentence("이 주소로 온 다른 화물을 번호의 주인이 자기 물건이 아니라고 했습니다.",
                 "Of another parcel to this address the number's holder said that it is not his."),
        "R6, misuse reports", lambda seen: seen.deniers_at_address >= 1,
    ),
    Indicator(
        "several-denied-at-address", 20,
        Sentence("이 주소로 온 화물을 여러 사람이 자기 물건이 아니라고 했습니다.",
                 "Several holders said of parcels to this address that they are not theirs."),
        "R6, misuse reports", lambda seen: seen.deniers_at_address >= DENIERS,
    ),
    Indicator(
        "restricted-words", 50,
        Sentence("품명이 신고한 분류와 다른 목록통관 배제대상을 가리킵니다.",
                 "The description names goods off the list that were not declared."),
        "R7", _restricted,
    ),
    Indicator(
        "watched-route", 30,
        Sentence("집중 감시 대상 국가에서 왔습니다.", "It comes from a country that is watched at the moment."),
        "R8", lambda seen: seen.transport.dispatch in seen.watched_countries,
    ),
    Indicator(
        "price-lowered", 30,
        Sentence("정정하면서 가격을 크게 낮췄습니다.", "A correction lowered the price by more than a fifth."),
        "R10", _price_fell,
    ),
    Indicator(
        "quantity-like-trade", 25,
        Sentence("판매용으로 보이는 수량입니다.", "The quantity looks like goods for sale."), "R9", _trade,
    ),
    Indicator(
        "unit-price-low", 20,
        Sentence("단가가 소매가격보다 지나치게 낮습니다.", "The price of one piece is below any retail price."),
        "R1", _low_price,
    ),
    Indicator(
        "consignee-changed", 20,
        Sentence("정정하면서 받는 사람이 바뀌었습니다.", "A correction changed the consignee."),
        "R10", lambda seen: seen.before is not None and not seen.before.same_consignee,
    ),
    Indicator(
        "shop-record", 20,
        Sentence("이 쇼핑몰의 물품이 자주 거부되었습니다.", "Parcels of this shop were often refused."),
        "R5", lambda seen: seen.shop.share >= POOR_SHARE,
    ),
    Indicator(
        "vague-name", 15,
        Sentence("품명이 무엇인지 알 수 없습니다.", "The description does not say what the goods are."),
        "R7, X11", lambda seen: any(map(is_vague, seen.descriptions)),
    ),
    Indicator(
        "corrected-often", 15,
        Sentence("여러 번 정정했습니다.", "It was corrected several times."),
        "R10", lambda seen: seen.generation > OFTEN,
    ),
    Indicator(
        "detour", 10,
        Sentence("원산지와 적출국이 다릅니다.", "It was dispatched from another country than its origin."),
        "R8", lambda seen: seen.transport.origin not in (0, seen.transport.dispatch),
    ),
    Indicator(
        "courier-record", 5,
        Sentence("이 특송업체의 물품이 자주 거부되었습니다.", "Parcels of this courier were often refused."),
        "R12", lambda seen: seen.courier.share >= POOR_SHARE,
    ),
)  # fmt: skip
BY_CODE_OF_INDICATOR: Final = {each.code: each for each in INDICATORS}


def found(seen: Signals) -> tuple[Indicator, ...]:
    """Return the indicators that a filing shows; one that cannot be read shows nothing else."""
    if not seen.readable:
        return (BY_CODE_OF_INDICATOR["unreadable"],)
    return tuple(each for each in INDICATORS if each.found(seen))


def points(shown: Iterable[Indicator]) -> int:
    """Return the sum of points, at most 100."""
    return min(MAX_POINTS, sum(each.points for each in shown))
