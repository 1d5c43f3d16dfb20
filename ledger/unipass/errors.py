"""Why a UNI-PASS answer gives nothing."""

from __future__ import annotations

from ledger.domain.errors import LedgerError


class ProgressFault(LedgerError):
    """The answer cannot be read."""

    code = "unipass.unreadable"


class ProgressTooLarge(ProgressFault):
    """The answer is larger than the bounds allow."""

    code = "unipass.too-large"


class ProgressForbidden(ProgressFault):
    """The XML declares a document type or entities: they are how XML is made to explode or to read files."""

    code = "unipass.forbidden"


class ProgressIncomplete(ProgressFault):
    """Other rows arrived than the answer counts (tCnt): it was cut off or put together."""

    code = "unipass.incomplete"


class ProgressRefused(LedgerError):
    """The service answered with an error; the sentence is its own."""

    code = "unipass.refused"
