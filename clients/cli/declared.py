"""JSON files in which a shop says what it sold, and a courier what it declares where there is no order."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ledger.domain.errors import LedgerError


@contextlib.contextmanager
def reading(file: Path) -> Iterator[Any]:
    """Yield the object in a file; whatever is missing or odd in it ends in one clear line that repeats nothing of it.

    Raises:
        LedgerError: it cannot be read, or a field is missing or not what it must be.
    """
    hint = "Give every field named in --help."
    try:
        yield json.loads(file.read_text())
    except OSError as error:
        raise LedgerError(f"{file}: {error.strerror}.", hint="Check the path.") from error
    except KeyError as error:
        raise LedgerError(f"{file}: {error.args[0]} is missing.", hint=hint) from error
    except (ValueError, TypeError, AttributeError, RecursionError) as error:  # its text may repeat what is personal
        raise LedgerError(f"{file}: a field is not what it must be ({type(error).__name__}).", hint=hint) from error


def goods_of(told: Any) -> Any:
    """Read price, currency, goods_class, quantity and use.

    Raises:
        KeyError: one is missing; also ValueError, TypeError, LedgerError.
    """
    from ledger.domain.facts import Goods, Use
    from ledger.domain.money import Money

    price = Money.parse(str(told["price"]), str(told["currency"]))
    use = Use[str(told.get("use", "personal")).upper()]
    goods = Goods(price.minor, price.currency.number, int(told["goods_class"]), int(told["quantity"]), use=use)
    goods.word()
    return goods


def person_of(told: Any) -> dict[str, str]:
    """Read a buyer or consignee: texts by name.

    Raises:
        TypeError: it is no object of texts.
    """
    if not isinstance(told, dict) or not all(isinstance(each, str) for each in told.values()):
        raise TypeError("no person")
    return told
