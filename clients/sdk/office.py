"""What the gateway shows an officer: parcels of the office, with what screening said of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from clients.sdk.models import Document, Parcel, Text, coded, data, number, read_parcel, shape


@dataclass(frozen=True, slots=True)
class ScreeningResult:
    """What screening said of a filing.

    Attributes:
        kind: SCREENED_PASSED or SCREENED_REFERRED.
        filing: low 160 bits of the filing's digest, None where none was named.
        score: thousandths, None where no score was asked for.
        reasons: without sentences where another part of customs found them.
        digest: on chain; with the salt the reasons can be checked against it.
    """

    kind: str
    filing: int | None
    score: int | None
    scorer: str
    reasons: tuple[Text, ...]
    digest: bytes
    salt: bytes | None


@dataclass(frozen=True, slots=True)
class OfficeParcel:
    """A parcel to an officer of its office.

    Attributes:
        filing: low 160 bits of the newest filing's digest, which a decision names; 0: never filed.
        stops: stops that stand on it, which a decision names.
        open_holds: numbers of its open holds.
    """

    parcel: Parcel
    filing: int
    stops: int
    open_holds: tuple[int, ...]
    screening: tuple[ScreeningResult, ...]
    document: Document = field(repr=False, compare=False)


def read_office_parcel(told: Document) -> OfficeParcel:
    """Read a parcel of GET /v1/customs/parcels."""
    with shape():
        return OfficeParcel(
            read_parcel(told), 0 if told["filing"] is None else number(told["filing"]), int(told["stops"]),
            tuple(map(int, told["open_holds"])), tuple(map(_read_result, told["screening"])), told,
        )  # fmt: skip


def _read_result(told: Document) -> ScreeningResult:
    return ScreeningResult(
        str(told["kind"]), None if told["filing"] is None else number(told["filing"]),
        None if told["score"] is None else int(told["score"]), str(told["scorer"] or ""),
        tuple(map(coded, told["reasons"])), data(told["digest"]),
        None if told["salt"] is None else data(told["salt"]),
    )  # fmt: skip
