"""The one root of errors: a stable code for machines, a sentence for people, and what to do."""

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
