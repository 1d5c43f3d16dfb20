"""The roles an organisation may hold, one bit each (design: Members)."""

from __future__ import annotations

from enum import IntFlag


class Role(IntFlag):
    """Bits of the 16-bit role mask that keys and organisations carry on chain."""

    SELLER = 1 << 0
    """Foreign web shop or marketplace (해외판매자, 사이버몰)."""
    COURIER = 1 << 1
    """Express carrier (탁송품 운송업자), Customs Act art. 254-2."""
    BROKER = 1 << 2
    """Licensed customs broker (관세사)."""
    WAREHOUSE = 1 << 3
    """Operator of a bonded area or express yard (보세구역, 특송물류센터)."""
    CUSTOMS_OFFICER = 1 << 4
    """Customs officer of one office (세관공무원)."""
    SCREENING = 1 << 5
    """Risk screening of customs (위험관리)."""
    IDENTITY_AUTHORITY = 1 << 6
    """Authority that checks identity numbers (개인통관고유부호 검증)."""
    AGENCY = 1 << 7
    """Other agency, and the importer of observed UNI-PASS traces (유관기관)."""
    OVERSIGHT = 1 << 8
    """Body that only reads and audits (감사기관)."""
    RELAYER = 1 << 9
    """Node account that carries batches into blocks; it can forge nothing."""
    GOVERNOR = 1 << 10
    """One of n who admit organisations, k at a time."""
    RULE_MAKER = 1 << 11
    """One of n who write rule rows, k at a time."""


ANY_ROLE = 0xFFFF
"""Role mask of the kinds that any member may write."""

STOP_LANE_ROLES = Role.CUSTOMS_OFFICER | Role.IDENTITY_AUTHORITY
"""Roles whose keys may use lane 0."""
