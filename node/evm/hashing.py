"""Keccak-256 for what hashes millions of times: the wheel's function where there is one, without the layers on it."""

from __future__ import annotations

try:
    from sha3 import keccak_256  # type: ignore[import-untyped,unused-ignore]

    def keccak(data: bytes) -> bytes:
        """Return the Keccak-256 hash."""
        digest: bytes = keccak_256(data).digest()
        return digest

except ImportError:  # no wheel for this machine; the hash is the same
    from eth_hash.auto import keccak as _keccak

    def keccak(data: bytes) -> bytes:
        """Return the Keccak-256 hash."""
        return _keccak(data)
