"""The one root of errors: a stable code for machines, a sentence for people, and what to do.

Those of the domain stand here, all others beside what raises them; `ledger.domain.error_texts` names the codes of all.
Why single entries are rejected stands in `ledger.domain.rejections`.
"""

from __future__ import annotations


class LedgerError(Exception):
    """A refusal that the caller can act on.

    Attributes:
        code: stable slug, the same for ever.
        detail: what is wrong, in English, without personal data.
        hint: what to do about it.
    """

    code = "ledger.error"

    def __init__(self, detail: str, *, hint: str = "") -> None:
        """Keep the sentence and the hint."""
        super().__init__(detail)
        self.detail = detail
        self.hint = hint

    def __str__(self) -> str:
        """Return one clear line."""
        return f"{self.code}: {self.detail}" + (f" {self.hint}" if self.hint else "")

    def as_dict(self) -> dict[str, str]:
        """Return the error for machines."""
        return {"code": self.code, "detail": self.detail, "hint": self.hint}


class InvalidIdentifier(LedgerError):
    """A text is no identifier of its kind. Its own code tells which kind."""

    code = "identifier.invalid"


class InvalidPCCC(InvalidIdentifier):
    """No 개인통관고유부호. The detail never repeats it: it names a person."""

    code = "identifier.pccc"


class InvalidS10(InvalidIdentifier):
    """No postal item identifier."""

    code = "identifier.s10"


class WrongS10Check(InvalidS10):
    """A postal item identifier whose check digit is wrong: a digit was misread."""

    code = "identifier.s10-check"


class InvalidMRN(InvalidIdentifier):
    """No manifest reference number (적하목록관리번호)."""

    code = "identifier.mrn"


class InvalidCargoNumber(InvalidIdentifier):
    """No 화물관리번호."""

    code = "identifier.cargo-number"


class InvalidListNumber(InvalidIdentifier):
    """No 통관목록번호."""

    code = "identifier.list-number"


class InvalidDeclarationNumber(InvalidIdentifier):
    """No 수입신고번호."""

    code = "identifier.declaration-number"


class InvalidHSCode(InvalidIdentifier):
    """No code of the Harmonized System."""

    code = "identifier.hs-code"


class InvalidCountryCode(InvalidIdentifier):
    """No country of ISO 3166-1."""

    code = "identifier.country"


class InvalidShedCode(InvalidIdentifier):
    """No 장치장부호."""

    code = "identifier.shed-code"


class InvalidOffice(InvalidIdentifier):
    """No 세관부호."""

    code = "identifier.office"


class InvalidMoney(LedgerError):
    """A text or number is no amount of its currency."""

    code = "money.invalid"


class UnknownCurrency(InvalidMoney):
    """A currency that is not in the table."""

    code = "money.currency"
