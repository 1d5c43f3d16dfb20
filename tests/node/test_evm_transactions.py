"""Which transactions may enter a block, and that the others leave everything as it was."""

from __future__ import annotations

from typing import Any

import pytest
import rlp
from hypothesis import given
from hypothesis import strategies as st

from ledger.chain.transaction import BATCH_GAS
from ledger.genesis import CONTRACT as LEDGER
from ledger.keys import CURVE_ORDER
from node.evm.builder import OTHER_GAS, BlockBuilder
from node.evm.executor import Driver
from node.evm.transactions import InvalidTransaction
from tests.node.evm_world import ACCOUNTS, ADDRESSES, CHAIN_ID, CONTRACT, GAS, T0, WEI, World, creation

FIELDS: dict[str, Any] = {"nonce": 0, "gas": GAS, "value": 0, "data": b"", "to": CONTRACT, "gasPrice": 0}


def signed(**fields: Any) -> bytes:
    """Return a signed transaction of ada's."""
    body = FIELDS | {"chainId": CHAIN_ID} | fields
    for name in [name for name, value in body.items() if value is None]:
        del body[name]
    return bytes(ACCOUNTS["ada"].sign_transaction(body).raw_transaction)


def high_s(raw: bytes) -> bytes:
    """Return the same transaction under the other s, which recovers to the same sender."""
    *fields, v, r, s = rlp.decode(raw)
    base = 35 + 2 * CHAIN_ID
    other = CURVE_ORDER - int.from_bytes(s, "big")
    flipped: bytes = rlp.encode([*fields, base + 1 - (int.from_bytes(v, "big") - base), r, other])
    return flipped


def with_field(raw: bytes, place: int, value: bytes | list[bytes]) -> bytes:
    items = rlp.decode(raw)
    items[place] = value
    encoded: bytes = rlp.encode(items)
    return encoded


def blob() -> bytes:
    """Return a transaction of type 3 (EIP-4844); only its first byte is looked at."""
    body = [CHAIN_ID, 0, 0, 0, GAS, CONTRACT, 0, b"", [], 0, [b"\x01" + bytes(31)], 0, 1, 1]
    encoded: bytes = rlp.encode(body)
    return b"\x03" + encoded


REFUSED = {
    "nonce gap": (signed(nonce=1), "nonce"),
    "nonce over EIP-2681": (signed(nonce=2**64 - 1), "Nonce"),
    "other chain": (signed(chainId=CHAIN_ID + 1), "chain"),
    "no chain": (signed(chainId=None), "chain None"),
    "other chain, EIP-1559": (
        signed(chainId=1, gasPrice=None, maxFeePerGas=0, maxPriorityFeePerGas=0, type=2),
        "chain 1",
    ),
    "blobs": (blob(), "Blob"),
    "type 4": (b"\x04" + blob()[1:], "no transaction"),
    "type 0x7f": (b"\x7f\xc0", "no transaction"),
    "nothing": (b"", "no transaction"),
    "a string": (rlp.encode(b"text"), "no transaction"),
    "too few fields": (rlp.encode([b""] * 8), "no transaction"),
    "bytes behind": (signed() + b"\0", "no transaction"),
    "a list for a number": (with_field(signed(), 0, []), "no transaction"),
    "a list for bytes": (with_field(signed(), 5, []), "no transaction"),
    "leading zero": (with_field(signed(), 2, b"\0\x10"), "no transaction"),
    "address of 19 bytes": (with_field(signed(), 3, bytes(19)), "no transaction"),
    "high s": (high_s(signed()), "."),
    "r zero": (with_field(signed(), 7, b""), "."),
    "s zero": (with_field(signed(), 8, b""), "."),
    "r over the order": (with_field(signed(), 7, b"\xff" * 32), "."),
    "gas below the bytes": (signed(gas=20_999), "gas"),
    "creation gas": (signed(to=None, data=creation(), gas=60_000), "gas"),
    "creation over 49,152 bytes": (signed(to=None, data=bytes(49_153)), "49152"),
    "too much gas": (signed(gas=OTHER_GAS + 1), "asks for"),
    "too much gas for a batch": (signed(gas=BATCH_GAS + 1, to=LEDGER), "asks for"),
    "too much gas for a creation": (signed(gas=OTHER_GAS + 1, to=None, data=creation()), "asks for"),
    "fee nobody can pay": (signed(gasPrice=WEI), "afford"),
    "value nobody has": (signed(value=2 * WEI), "balance"),
    "tip over the cap": (
        signed(gasPrice=None, maxFeePerGas=1, maxPriorityFeePerGas=2, type=2, gas=21_000, to=ADDRESSES["ben"]),
        "tip",
    ),
}


@pytest.mark.parametrize("driver", Driver)
@pytest.mark.parametrize("name", REFUSED)
def test_refused_before_anything_is_executed(name: str, driver: Driver) -> None:
    raw, why = REFUSED[name]
    world = World(driver)
    builder = world.executor.build(world.head, T0 + 1)
    with pytest.raises(InvalidTransaction) as refusal:
        builder.check(raw)
    with pytest.raises(InvalidTransaction):
        builder.apply(raw)
    assert why in refusal.value.detail
    assert refusal.value.code == "transaction.invalid"
    assert refusal.value.hint
    assert builder.close() == world.executor.execute(world.head, T0 + 1, [])


@pytest.mark.parametrize("driver", Driver)
@pytest.mark.parametrize("kind", [0, 1, 2])
def test_zero_fee_transactions_of_three_types_are_taken(kind: int, driver: Driver) -> None:
    world = World(driver)
    executed = world.run([world.note("ada", 3, 4, kind=kind)])
    assert executed.block.transactions[0][0] == (kind or executed.block.transactions[0][0])
    assert world.word(3) == 4
    assert world.executor.account(world.head, ADDRESSES["ada"])[:2] == (1, WEI)


def test_fees_go_to_the_coinbase_when_somebody_pays_them() -> None:
    world = World()
    executed = world.run([world.note("ada", 3, 4, gasPrice=2)])
    spent = 2 * executed.block.header.gas_used
    assert world.executor.account(world.head, ADDRESSES["ada"])[1] == WEI - spent
    assert world.executor.account(world.head, executed.block.header.coinbase)[1] == 1 + spent


def test_nonces_count_within_a_block() -> None:
    world = World()
    first, second, third = (world.note("ada", slot, 1) for slot in (3, 4, 5))
    builder = world.executor.build(world.head, T0 + 1)
    for raw in (first, second, third):
        builder.apply(raw)
        with pytest.raises(InvalidTransaction, match="nonce"):
            builder.check(raw)
    assert builder.nonce(ADDRESSES["ada"]) == 3


def test_a_block_takes_no_more_gas_than_it_has() -> None:
    world = World()
    builder: BlockBuilder = world.executor.build(world.head, T0 + 1)
    builder._gas = builder.header.gas_limit - GAS  # as if the others had used it
    with pytest.raises(InvalidTransaction, match="full"):
        builder.check(signed(gas=GAS + 1))
    builder.check(signed())


VALID = {kind: World().note("ada", 3, 4, b"fuzz", kind=kind) for kind in (0, 1, 2)}
WORLD, FAST = World(), World(Driver.FAST)


@given(st.data())
def test_no_bytes_crash_it(data: st.DataObject) -> None:
    raw = bytearray(VALID[data.draw(st.integers(0, 2))])
    for _ in range(data.draw(st.integers(1, 3))):
        match data.draw(st.sampled_from(["flip", "cut", "insert"])):
            case "flip" if raw:
                raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
            case "cut" if raw:
                del raw[data.draw(st.integers(0, len(raw) - 1)) :]
            case _:
                at = data.draw(st.integers(0, len(raw)))
                raw[at:at] = data.draw(st.binary(min_size=1, max_size=5))
    builder = WORLD.executor.build(WORLD.head, T0 + 1)
    faster = FAST.executor.build(FAST.head, T0 + 1)
    try:
        builder.apply(bytes(raw))
    except InvalidTransaction:
        assert builder.size == 0
        with pytest.raises(InvalidTransaction):
            faster.apply(bytes(raw))
        return
    faster.apply(bytes(raw))
    executed = builder.close()
    assert faster.close().block == executed.block  # a flipped bit may leave a valid transaction of another sender
    assert WORLD.executor.validate(WORLD.head, executed.block).block == executed.block
    assert executed.block.decode(executed.block.encode()) == executed.block
