"""Signed transactions: which are taken, and how a refusal reads."""

from __future__ import annotations

from typing import Final

import rlp
from eth.abc import SignedTransactionAPI
from eth.exceptions import UnrecognizedTransactionType
from eth.vm.forks.cancun.transactions import CancunTransactionBuilder
from eth_utils.exceptions import ValidationError

from ledger.domain.errors import LedgerError

BLOB_TYPE: Final = 3


class InvalidTransaction(LedgerError):
    """A transaction that may not enter a block."""

    code = "transaction.invalid"


def decode(raw: bytes) -> SignedTransactionAPI:
    """Read a signed transaction: legacy with EIP-155, EIP-2930 or EIP-1559.

    Raises:
        InvalidTransaction: the bytes are none of these.
    """
    try:
        if raw[:1] == bytes([BLOB_TYPE]):
            raise InvalidTransaction("Blob transactions are not taken.", hint="Send a transaction without blobs.")
        return CancunTransactionBuilder.decode(raw)
    except (rlp.DecodingError, rlp.exceptions.RLPException, ValidationError, UnrecognizedTransactionType) as error:
        raise InvalidTransaction("The bytes are no transaction.", hint="Send the raw signed bytes.") from error
    except (ValueError, TypeError, IndexError) as error:
        raise InvalidTransaction("The bytes are no transaction.", hint="Send the raw signed bytes.") from error
