"""The receipts a client keeps: with them, a batch that was promised and left out can be shown to anybody."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ledger.chain.batch import Batch


class ReceiptFolder:
    """One file for each accepted batch: the sealer's receipt, and the signed batch it is for."""

    def __init__(self, folder: Path) -> None:
        """Use a folder; it is made if missing."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder

    def keep(self, batch: Batch, receipt: dict[str, Any]) -> None:
        """Keep a receipt; whole or not at all."""
        document = receipt | {
            "batch_signed": {
                "lane": hex(batch.lane),
                "seq": hex(batch.seq),
                "notAfter": hex(batch.not_after),
                "entries": "0x" + batch.entries.hex(),
                "signature": "0x" + batch.signature.hex(),
            }
        }
        path = self.folder / f"{receipt['batch'][2:]}.json"
        draft = path.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps(document, indent=1) + "\n")
        draft.replace(path)
