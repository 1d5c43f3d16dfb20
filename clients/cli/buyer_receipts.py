"""Receipts of a holder's answers, in files that only their owner reads."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ledger.domain.errors import LedgerError


class Receipts:
    """The folder of receipts. An answer is kept as it came, and again once its receipt was checked."""

    def __init__(self, home: Path) -> None:
        """Use the folder `receipts` of a home."""
        self._folder = home / "receipts"
        self.path: Path | None = None
        """The file that was written last."""

    def keep(self, answer: Mapping[str, Any]) -> None:
        """Keep an answer under its id.

        Raises:
            LedgerError: the file cannot be written.
        """
        text, name = json.dumps(answer, ensure_ascii=False, indent=2), str(answer.get("id", ""))
        if not name.replace("_", "").isalnum() or len(name) > 60:  # a gateway must not choose the path
            name = hashlib.sha256(text.encode()).hexdigest()[:32]
        self.path = self._folder / f"{name}.json"
        self._folder.mkdir(mode=0o700, exist_ok=True)
        keep(self.path, text)


def keep(path: Path, text: str) -> None:
    """Write a file that only its owner reads, whole or not at all.

    Raises:
        LedgerError: it cannot be written.
    """
    draft = path.with_name(path.name + ".draft")
    try:
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text + "\n")
        draft.replace(path)
    except OSError as error:
        raise LedgerError(f"{path}: {error.strerror}.", hint="Give another folder with --home.") from error
