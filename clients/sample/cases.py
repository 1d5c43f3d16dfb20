"""Kinds of planted cases, and what must be found of each. Truth is made from this table, and only `score` reads it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ledger.domain.findings import Finding
from ledger.domain.rejections import Rejection


class Case(StrEnum):
    """What is wrong with a parcel, if anything."""

    CLEAN = "clean"
    PRICE_BELOW_ORDER = "price_below_order"
    QUANTITY_BELOW_ORDER = "quantity_below_order"
    CLASS_BELOW_ORDER = "class_below_order"
    OVER_LIMIT = "over_limit"
    EXCLUDED_CLASS = "excluded_class"
    OVER_PERSONAL_USE = "over_personal_use"
    COMPANY_AS_PERSONAL = "company_as_personal"
    LATE_ORDER = "late_order"
    LATE_FILING = "late_filing"
    CORRECTED_AFTER_ARRIVAL = "corrected_after_arrival"
    SOMEONE_ELSES_ORDER = "someone_elses_order"
    SUSPENDED_COURIER = "suspended_courier"
    ORDER_MISSING = "order_missing"
    ORDER_WITHHELD = "order_withheld"
    IDENTITY_MISMATCH = "identity_mismatch"
    PAYLOAD_MISSING = "payload_missing"
    STOLEN_NUMBER = "stolen_number"
    FROZEN_NUMBER = "frozen_number"
    REISSUED_NUMBER = "reissued_number"
    DENIED_USE = "denied_use"
    CONSENT_WITHHELD = "consent_withheld"
    SPLIT_ORDERS = "split_orders"
    AGENT_REUSE = "agent_reuse"


@dataclass(frozen=True, slots=True)
class Expected:
    """What must be found of a kind: a finding of the parcel, or a rejection of its filing."""

    finding: Finding | None = None
    rejection: Rejection | None = None


EXPECTED: Final[dict[Case, Expected]] = {
    Case.PRICE_BELOW_ORDER: Expected(Finding.FACTS_MISMATCH),
    Case.QUANTITY_BELOW_ORDER: Expected(Finding.FACTS_MISMATCH),
    Case.CLASS_BELOW_ORDER: Expected(Finding.FACTS_MISMATCH),
    Case.OVER_LIMIT: Expected(Finding.VALUE_OVER_LIMIT),
    Case.EXCLUDED_CLASS: Expected(Finding.CLASS_EXCLUDED),
    Case.OVER_PERSONAL_USE: Expected(Finding.QUANTITY_OVER_PERSONAL_USE),
    Case.COMPANY_AS_PERSONAL: Expected(Finding.COMMERCIAL_USE),
    Case.LATE_ORDER: Expected(Finding.LATE_ORDER),
    Case.LATE_FILING: Expected(Finding.LATE),
    Case.CORRECTED_AFTER_ARRIVAL: Expected(Finding.CORRECTED_AFTER_ARRIVAL),
    Case.SOMEONE_ELSES_ORDER: Expected(rejection=Rejection.ORDER_NOT_HANDED),
    Case.SUSPENDED_COURIER: Expected(Finding.WATCHED_PARTY),
    Case.ORDER_MISSING: Expected(Finding.ORDER_MISSING),
    Case.ORDER_WITHHELD: Expected(Finding.SCREENING_REFERRED),
    Case.IDENTITY_MISMATCH: Expected(Finding.IDENTITY_STOPPED),
    Case.PAYLOAD_MISSING: Expected(Finding.NOT_CHECKED_IN_TIME),
    Case.STOLEN_NUMBER: Expected(Finding.IDENTITY_STOPPED),
    Case.FROZEN_NUMBER: Expected(Finding.IDENTITY_STOPPED),
    Case.REISSUED_NUMBER: Expected(Finding.IDENTITY_STOPPED),
    Case.DENIED_USE: Expected(Finding.IDENTITY_STOPPED),
    Case.CONSENT_WITHHELD: Expected(Finding.NOT_CHECKED_IN_TIME),
    Case.SPLIT_ORDERS: Expected(Finding.SCREENING_REFERRED),
    Case.AGENT_REUSE: Expected(Finding.SCREENING_REFERRED),
}
PLANTED: Final = tuple(EXPECTED)
SHARE: Final = 80
"""One parcel in so many is planted with each kind, at least what makes one case of it."""
TOGETHER: Final = {Case.SPLIT_ORDERS: 2, Case.AGENT_REUSE: 4}
"""Kinds that are only seen in several parcels together, and in how many."""


def planted(case: Case, parcels: int) -> int:
    """Return how many cases of a kind a day of so many parcels has."""
    return max(TOGETHER.get(case, 2), parcels // SHARE)
