"""Signed transactions: which are taken, and how a refusal reads."""

from __future__ import annotations

from typing import Final

import rlp
from eth.abc import SignedTransactionAPI
from eth.exceptions import UnrecognizedTransactionType
from eth.vm.forks.cancun.transactions import CancunTransactionBuilder
from eth_utils.exceptions import ValidationError

from ledger.domain.errors import LedgerError
from node.blocks import LIST, items_of

BLOB_TYPE: Final = b"\x03"
ACCESS_LIST: Final = {1: 7, 2: 8}
"""Place of the only field that is a list, by transaction type (EIP-2930, EIP-1559)."""


class InvalidTransaction(LedgerError):
    """A transaction that may not enter a block."""

    code = "transaction.invalid"


def decode(raw: bytes) -> SignedTransactionAPI:
    """Read a signed transaction: legacy, EIP-2930 or EIP-1559. Only the one encoding of it is taken.

    Raises:
        InvalidTransaction: the bytes are none of these.
    """
    if raw[:1] == BLOB_TYPE:
        raise InvalidTransaction("Blob transactions are not taken.", hint="Send a transaction without blobs.")
    try:
        transaction: SignedTransactionAPI = CancunTransactionBuilder.decode(raw)
        plain = _is_plain(raw)
    except (rlp.exceptions.RLPException, ValidationError, UnrecognizedTransactionType) as error:
        raise InvalidTransaction("The bytes are no transaction.", hint="Send the raw signed bytes.") from error
    except (ValueError, TypeError, IndexError) as error:
        raise InvalidTransaction("The bytes are no transaction.", hint="Send the raw signed bytes.") from error
    if not plain:
        raise InvalidTransaction("The bytes are no transaction.", hint="Send the raw signed bytes.")
    return transaction


def _is_plain(raw: bytes) -> bool:
    """Whether every field is a byte string: rlp 5.0 reads an empty list as the number 0, other clients refuse it."""
    typed = raw[0] < LIST
    lists = [place for place, item in enumerate(items_of(raw[1:] if typed else raw)) if item[0] >= LIST]
    return lists == ([ACCESS_LIST[raw[0]]] if typed else [])
