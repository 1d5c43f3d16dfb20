"""Calldata of the ledger's contract and its two logs: encoding and decoding without a node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_hash.auto import keccak

from contracts.artifact import load_artifact
from ledger.chain.batch import Batch, BatchFault
from ledger.domain.rejections import Effect, Rejection

SUBMIT_TYPES: Final = ("uint64", "uint64", "uint64", "uint256", "uint256", "uint256", "uint256", "bytes")
SUBMIT: Final = keccak(f"submit({','.join(SUBMIT_TYPES)})".encode())[:4]
RECORDED: Final = keccak(b"Recorded(address,uint256,uint256[])")
"""Topic of the log that every accepted batch leaves."""
CHANGED: Final = keccak(b"Changed(uint256,address,uint256,uint256)")
"""Topic of the log that every change of members and rules leaves."""
ADDRESS: Final = (1 << 160) - 1


def submit_data(batch: Batch, t: int) -> bytes:
    """Return the calldata that carries a batch, wrapped at time `t`."""
    r, s, v = batch.signature[:32], batch.signature[32:64], batch.signature[64]
    values = (
        batch.lane,
        batch.seq,
        batch.not_after,
        t,
        v,
        int.from_bytes(r, "big"),
        int.from_bytes(s, "big"),
        batch.entries,
    )
    return SUBMIT + encode(SUBMIT_TYPES, values)


def read_submit(data: bytes) -> tuple[Batch, int] | None:
    """Return the batch and its `t`, or None if the calldata is no `submit`.

    Raises:
        BatchFault: the calldata is a `submit` but malformed.
    """
    if data[:4] != SUBMIT:
        return None
    try:
        lane, seq, not_after, t, v, r, s, entries = decode(SUBMIT_TYPES, data[4:])
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([v])
    except (ValueError, OverflowError, DecodingError) as error:
        raise BatchFault("the calldata of submit is malformed", hint="Encode it by the contract's ABI.") from error
    return Batch(lane, seq, not_after, entries, signature), t


def call_data(name: str, *arguments: Any) -> bytes:
    """Return the calldata of any function of the contract, by name.

    Raises:
        KeyError: the contract has no such function.
    """
    for item in load_artifact().abi:
        if item["type"] == "function" and item["name"] == name:
            types = [argument["type"] for argument in item["inputs"]]
            return keccak(f"{name}({','.join(types)})".encode())[:4] + encode(types, arguments)
    raise KeyError(name)


def constructor_data(quorum: int, *pairs: list[tuple[int, int]]) -> bytes:
    """Return the constructor's arguments: quorum, then pairs of orgs, keys, rule rows and rates."""
    return encode(("uint256", *["uint256[2][]"] * 4), (quorum, *[[list(pair) for pair in each] for each in pairs]))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one entry came to, where it is not plainly recorded.

    Attributes:
        index: place of the entry in its batch.
        code: rejection or effect.
        value: handle of a master, number of a hold.
    """

    index: int
    code: Rejection | Effect
    value: int = 0


@dataclass(frozen=True, slots=True)
class Recorded:
    """The log of one batch."""

    key: bytes
    org: int
    lane: int
    seq: int
    t: int
    outcomes: tuple[Outcome, ...]

    @property
    def rejected(self) -> dict[int, Rejection]:
        """Rejections by index of the entry."""
        return {o.index: o.code for o in self.outcomes if isinstance(o.code, Rejection)}


def read_recorded(topics: tuple[bytes, ...], data: bytes) -> Recorded | None:
    """Return the decoded log, or None if it is another one."""
    if not topics or topics[0] != RECORDED:
        return None
    place = int.from_bytes(topics[2], "big")
    (words,) = decode(("uint256[]",), data)
    mask = (1 << 64) - 1
    return Recorded(
        key=topics[1][12:],
        org=place >> 192,
        lane=place >> 128 & mask,
        seq=place >> 64 & mask,
        t=place & mask,
        outcomes=tuple(_outcome(each) for each in words),
    )


def _outcome(packed: int) -> Outcome:
    code = packed & 0xFF
    kind = Effect(code) if code >= Effect.CLEARED else Rejection(code)
    return Outcome(index=packed >> 8 & 0xFFFFFF, code=kind, value=packed >> 32)


class What(IntEnum):
    """`what` of the contract's Changed log (contracts/src/members.vy)."""

    ORG = 1
    KEY = 2
    QUORUM = 3
    RULE = 4
    RATE = 5
    OFFICE_TARGET = 6
    KEY_SUSPENDED = 7
    ORG_SUSPENDED = 8
    KEY_ENROLLED = 9
    KEY_RETIRED = 10
    ORG_LET = 11

    @property
    def words(self) -> str:
        """What it is, for people."""
        return self.name.lower().replace("_", " ")


@dataclass(frozen=True, slots=True)
class Change:
    """One change of members or rules; `a` and `b` as the contract logs them."""

    what: What
    by: bytes
    a: int
    b: int

    @property
    def key(self) -> bytes:
        """Address of the key that a change of keys is about."""
        return (self.a & ADDRESS).to_bytes(20, "big")


def read_changed(topics: Sequence[bytes], data: bytes) -> Change | None:
    """Return the change that a log tells of, or None if it is another log."""
    if not topics or topics[0] != CHANGED:
        return None
    what, by = What(int.from_bytes(topics[1], "big")), topics[2][12:]
    return Change(what, by, int.from_bytes(data[:32], "big"), int.from_bytes(data[32:], "big"))
