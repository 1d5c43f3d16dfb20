"""What lists show of orders that were opened, kept in the courier's folder: a payload is fetched once, not each time.

It is the courier's own trade data: goods, price, reference. Nothing of the buyer is in it.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
from pathlib import Path
from typing import Final

from clients.inbox import Listed
from ledger.domain.errors import LedgerError
from ledger.domain.facts import Goods
from ledger.domain.identifiers import PCCC

_PERSONAL: Final = re.compile(PCCC.SHAPE.pattern, re.IGNORECASE)
"""A seller may have written a number into his texts: such an order is not kept, and opened each time."""


class Opened:
    """A file of orders by id."""

    def __init__(self, path: Path) -> None:
        """Open or make the file, for its owner only.

        Raises:
            LedgerError: it cannot be used.
        """
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._db = sqlite3.connect(path, timeout=30, isolation_level=None)
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS opened (id BLOB PRIMARY KEY, told TEXT NOT NULL) WITHOUT ROWID"
            )
        except (OSError, sqlite3.Error) as error:
            raise LedgerError(f"{path} cannot be used: {error}.", hint="Remove it; it is written again.") from error

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def get(self, order: int) -> Listed | None:
        """Return what was kept of an order, None where it cannot be read: then it is opened again."""
        try:
            row = self._db.execute("SELECT told FROM opened WHERE id = ?", (_key(order),)).fetchone()
            if row is None:
                return None
            told = json.loads(row[0])
            goods = Goods.of(int(told["goods"], 16))
            return Listed(order, int(told["signed_by"]), str(told["reference"]), goods, str(told["description"]))
        except (sqlite3.Error, ValueError, KeyError, TypeError):
            return None

    def keep(self, found: Listed) -> None:
        """Keep what a list shows of an order; what cannot be written is opened again another time."""
        told = {"signed_by": found.signed_by, "reference": found.reference, "description": found.description}
        text = json.dumps(told | {"goods": f"{found.goods.word():x}"})
        if _PERSONAL.search(text):
            return
        try:
            self._db.execute("INSERT OR REPLACE INTO opened VALUES (?, ?)", (_key(found.order), text))
        except sqlite3.Error:
            return


def _key(order: int) -> bytes:
    return order.to_bytes(32, "big")
