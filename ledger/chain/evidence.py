"""What a node shows of its newest final block to those who do not believe it; `ledger.certificate` is made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Self

from ledger.domain.errors import LedgerError

MOST_LATER: Final = 256
"""Headers at most from the block that is shown to the head that a follower countersigned."""


class NotFinal(LedgerError):
    """There is no final block yet that shows it."""

    code = "certificate.not-final"


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A follower's countersignature under a height (`Head` of docs/protocol.md)."""

    follower: bytes
    height: int
    signature: bytes

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"follower": hexed(self.follower), "height": self.height, "signature": hexed(self.signature)}

    @classmethod
    def of(cls, document: Any) -> Self:
        """Read what :meth:`as_dict` gave.

        Raises:
            ValueError, TypeError, KeyError: it is not that.
        """
        return cls(unhexed(document["follower"]), document["height"], unhexed(document["signature"]))


@dataclass(frozen=True, slots=True)
class ProvenWord:
    """A storage word of the contract, with the trie's nodes that lead to it from the storage root (EIP-1186)."""

    value: int
    nodes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Words of the contract at a final block, and who stands for the block.

    Attributes:
        header: RLP of the block's header.
        seal: the sealer's signature under the block.
        later: headers that follow the block, up to the highest of `heads`.
        heads: one for each follower, in rising order of their addresses.
        account: nodes that lead to the contract's account from the state root.
        words: the words asked for, in their order.
    """

    header: bytes
    seal: bytes
    later: tuple[bytes, ...]
    heads: tuple[SignedHead, ...]
    account: tuple[bytes, ...]
    words: tuple[ProvenWord, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "header": hexed(self.header),
            "seal": hexed(self.seal),
            "later": [hexed(each) for each in self.later],
            "heads": [each.as_dict() for each in self.heads],
            "account": [hexed(each) for each in self.account],
            "words": [{"value": hex(each.value), "nodes": [hexed(n) for n in each.nodes]} for each in self.words],
        }

    @classmethod
    def of(cls, document: dict[str, Any]) -> Self:
        """Read what :meth:`as_dict` gave.

        Raises:
            ValueError, TypeError, KeyError: it is not that.
        """
        return cls(
            unhexed(document["header"]),
            unhexed(document["seal"]),
            all_unhexed(document["later"]),
            tuple(SignedHead.of(each) for each in document["heads"]),
            all_unhexed(document["account"]),
            tuple(ProvenWord(int(each["value"], 16), all_unhexed(each["nodes"])) for each in document["words"]),
        )


def hexed(data: bytes) -> str:
    """Return bytes as 0x hex."""
    return "0x" + data.hex()


def unhexed(text: Any) -> bytes:
    """Read bytes as :func:`hexed` writes them.

    Raises:
        ValueError: it is not that.
    """
    if not isinstance(text, str) or text[:2] != "0x":
        raise ValueError("bytes are written as 0x and hex digits")
    return bytes.fromhex(text[2:])


def all_unhexed(texts: Any) -> tuple[bytes, ...]:
    """Read a list of bytes.

    Raises:
        ValueError: it is not that.
    """
    if not isinstance(texts, list):
        raise ValueError("no list")
    return tuple(unhexed(each) for each in texts)
