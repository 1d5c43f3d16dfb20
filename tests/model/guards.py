"""Who may write what and when, in the model: one sentence of Python for each condition."""

from __future__ import annotations

from typing import Final

from ledger.domain.kinds import KindNumber as K
from ledger.domain.rejections import Rejection
from ledger.domain.roles import Role
from tests.model.subjects import Master, Order, Parcel, Subject

STOPS: Final = {K.IDENTITY_STOPPED, K.HELD, K.RECALLED}
BY_OPENER: Final = {
    K.ORDER_REASSIGNED, K.CORRECTED, K.MASTER_ARRIVED, K.MASTER_UNLOADED, K.CARRIED_IN, K.RELEASED, K.OBSERVED,
}  # fmt: skip
"""The opener, or whom it let."""
CUSTOMS_TOO: Final = {K.MASTER_ARRIVED, K.MASTER_UNLOADED}
BY_OFFICE: Final = {K.HELD, K.HOLD_LIFTED, K.DECIDED_CLEAR, K.DECIDED_REFUSE, K.RECALLED}

NAME_A_GROUND: Final = {K.HELD, K.DECIDED_CLEAR, K.DECIDED_REFUSE, K.RECALLED}

_EVERYONE: Final = Role(0xFFFF)
ROLES: Final[dict[K, Role]] = {
    K.ORDER_OPENED: Role.SELLER,
    K.ORDER_REASSIGNED: Role.SELLER,
    K.FILED: Role.COURIER | Role.BROKER,
    K.CORRECTED: Role.COURIER | Role.BROKER,
    K.MASTER_OPENED: Role.COURIER | Role.CUSTOMS_OFFICER | Role.AGENCY,
    K.MASTER_ARRIVED: Role.COURIER | Role.CUSTOMS_OFFICER,
    K.MASTER_UNLOADED: Role.COURIER | Role.CUSTOMS_OFFICER,
    K.CARRIED_IN: Role.WAREHOUSE | Role.COURIER,
    K.IDENTITY_CHECKED: Role.IDENTITY_AUTHORITY,
    K.IDENTITY_STOPPED: Role.IDENTITY_AUTHORITY,
    K.SCREENED_PASSED: Role.SCREENING,
    K.SCREENED_REFERRED: Role.SCREENING,
    K.HELD: Role.CUSTOMS_OFFICER,
    K.HOLD_LIFTED: Role.CUSTOMS_OFFICER,
    K.DECIDED_CLEAR: Role.CUSTOMS_OFFICER,
    K.DECIDED_REFUSE: Role.CUSTOMS_OFFICER,
    K.RECALLED: Role.CUSTOMS_OFFICER,
    K.RELEASED: Role.WAREHOUSE | Role.COURIER,
    K.SWEPT: _EVERYONE,
    K.OBSERVED_OPENED: Role.AGENCY,
    K.OBSERVED: Role.AGENCY,
}

OBSERVABLE: Final = {K.FILED, K.MASTER_ARRIVED, K.MASTER_UNLOADED, K.CARRIED_IN, K.DECIDED_CLEAR, K.RELEASED, K.TRACED}
"""What a row of somebody else's record may report."""


def lacks(kind: K, subject: Subject | None) -> bool:
    """Whether something that must come first is not there."""
    match kind:
        case K.ORDER_OPENED | K.MASTER_OPENED | K.OBSERVED_OPENED | K.FILED | K.TRACED:
            return False
        case K.ORDER_REASSIGNED:
            return not isinstance(subject, Order)
        case K.MASTER_ARRIVED | K.MASTER_UNLOADED:
            return not isinstance(subject, Master)
        case K.OBSERVED:
            return subject is None or not subject.observed
    return not isinstance(subject, Parcel) or _parcel_lacks(kind, subject)


def _parcel_lacks(kind: K, parcel: Parcel) -> bool:
    match kind:
        case K.CARRIED_IN | K.IDENTITY_STOPPED | K.HELD | K.RECALLED:
            return False
        case K.HOLD_LIFTED:
            return not parcel.holds_open
        case K.DECIDED_CLEAR:
            return not (parcel.filed and parcel.carried_in)
        case K.RELEASED:
            return not (parcel.cleared and parcel.carried_in)
        case K.SWEPT:
            return not (parcel.filed and parcel.carried_in and parcel.duty_ok)
    return not parcel.filed


def is_barred(kind: K, subject: Subject | None) -> bool:
    """Whether the state rules it out, observation apart."""
    match subject:
        case None:
            return False
        case Order():
            return kind in (K.ORDER_OPENED, K.FILED) or (kind == K.ORDER_REASSIGNED and subject.parcel is not None)
        case Master():
            return kind in (K.MASTER_OPENED, K.FILED)
    return _parcel_bars(kind, subject)


def _parcel_bars(kind: K, parcel: Parcel) -> bool:  # noqa: C901  (one case for each kind)
    held = bool(parcel.holds_open)
    match kind:
        case K.OBSERVED_OPENED:
            return True
        case K.FILED:
            return parcel.filed
        case K.CORRECTED:
            return parcel.cleared or parcel.refused or parcel.released
        case K.CARRIED_IN:
            return parcel.carried_in
        case K.IDENTITY_CHECKED:
            return parcel.identity_ok
        case K.SCREENED_PASSED:
            return parcel.screened
        case K.SCREENED_REFERRED:
            return parcel.cleared or parcel.decided
        case K.HELD | K.DECIDED_REFUSE:
            return parcel.released
        case K.DECIDED_CLEAR:
            return parcel.released or parcel.recalled or held
        case K.RELEASED:
            return parcel.released or parcel.stop_open or parcel.recalled or held or parcel.refused
        case K.SWEPT:
            decided = parcel.cleared or parcel.decided or parcel.referred or parcel.refused
            return decided or parcel.recalled or held
    return False


def is_observed_only(kind: K, subject: Subject | None) -> bool:
    """Whether the subject stands for somebody else's record, on which parties cannot act."""
    openings = (K.ORDER_OPENED, K.MASTER_OPENED, K.OBSERVED_OPENED, K.ORDER_REASSIGNED)
    return subject is not None and subject.observed and kind not in openings


def observed_kind(number: int, subject: Subject) -> K | Rejection:
    """Return the kind that an observed row reports, under the guards of that kind."""
    if number not in {int(kind) for kind in OBSERVABLE}:
        return Rejection.NOT_OBSERVABLE
    kind = K(number)
    if lacks(kind, subject):
        return Rejection.STATE_MISSING
    if is_barred(kind, subject):
        return Rejection.STATE_BARRED
    return kind
