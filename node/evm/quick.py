"""Legacy transactions as the fast driver takes them: read by cutting, signed bytes made once, sender recovered once.

py-evm decodes calldata item by item in a codec that is slow for long strings, makes the signed bytes for every look at
the signature, and checks each transaction twice. What is not plainly a legacy transaction is left to it, so that the
same bytes are taken and refused (`tests/node/test_evm_transactions.py`).
"""

from __future__ import annotations

from typing import Any

from eth.abc import SignedTransactionAPI
from eth.vm.forks.cancun.state import CancunTransactionExecutor
from eth.vm.forks.cancun.transactions import CancunLegacyTransaction
from eth_keys import keys
from eth_keys.exceptions import BadSignature
from eth_utils.exceptions import ValidationError
from rlp.exceptions import RLPException

from node.blocks import LIST, content_of, items_of
from node.evm.hashing import keccak
from node.evm.nodes import list_of, string
from node.evm.transactions import decode

ADDRESS_LENGTHS = (0, 20)
FIELDS = 9


class QuickTransaction(CancunLegacyTransaction):  # type: ignore[misc]  # py-evm's classes are untyped
    """py-evm's legacy transaction whose signature is looked at once."""

    def __repr__(self) -> str:
        """Show little: py-evm makes this text for every transaction, for a log that is off."""
        return f"QuickTransaction({self.nonce})"

    def get_message_for_signing(self) -> bytes:
        """Return the signed bytes (EIP-155)."""
        numbers = (self.nonce, self.gas_price, self.gas)
        fields = [*map(_number, numbers), self.to, _number(self.value), self.data]
        if self.chain_id is not None:
            fields += [_number(self.chain_id), b"", b""]
        return list_of(b"".join(map(string, fields)))

    def get_sender(self) -> bytes:
        """Return who signed; py-evm keeps it."""
        signature = keys.Signature(vrs=(self.y_parity, self.r, self.s))
        public = signature.recover_public_key_from_msg_hash(keccak(self.get_message_for_signing()))
        sender: bytes = public.to_canonical_address()
        return sender

    def check_signature_validity(self) -> None:
        """Check that somebody signed: a key that is recovered is one that verifies.

        Raises:
            ValidationError: the signature recovers to nobody.
        """
        try:
            _ = self.sender
        except BadSignature as error:
            raise ValidationError(f"Bad Signature: {error}") from error


class QuickExecutor(CancunTransactionExecutor):  # type: ignore[misc]
    """py-evm's executor, which does not check again what the block builder has just checked."""

    def validate_transaction(self, transaction: Any) -> None:
        """Check a transaction unless it is the one that was checked on this state."""
        checked, self.vm_state.checked = self.vm_state.checked, None
        if transaction is not checked:
            super().validate_transaction(transaction)


def read(raw: bytes) -> SignedTransactionAPI:
    """Read a signed transaction, a plain legacy one the short way.

    Raises:
        InvalidTransaction: the bytes are none.
    """
    if raw[:1] < bytes([LIST]):
        return decode(raw)
    try:
        fields = [content_of(item) for item in items_of(raw)]
    except (RLPException, ValueError, IndexError):
        return decode(raw)
    if len(fields) != FIELDS or len(fields[3]) not in ADDRESS_LENGTHS:
        return decode(raw)
    to, data = fields[3], fields[5]
    numbers = fields[:3] + fields[4:5] + fields[6:]
    if any(number[:1] == b"\0" for number in numbers):
        return decode(raw)
    nonce, price, gas, value, v, r, s = (int.from_bytes(number, "big") for number in numbers)
    return QuickTransaction(nonce, price, gas, to, value, data, v, r, s)


def _number(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")
