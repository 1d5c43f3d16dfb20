"""Header rules, validation, and what may stand in a block."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
import rlp
from eth.vm.forks.cancun.blocks import CancunBlock, CancunBlockHeader
from eth_hash.auto import keccak
from hypothesis import given
from hypothesis import strategies as st

from node.blocks import (
    COINBASE,
    GAS_LIMIT,
    Block,
    Header,
    MalformedBlock,
    Receipt,
    WrongField,
    WrongTransaction,
)
from node.evm.builder import OTHER_GAS, trie_root
from tests.node.evm_world import ADDRESSES, CHAIN_ID, CONTRACT, NOBODY, T0, World, data_of, words_of


def two_blocks() -> tuple[World, Header, Block]:
    """Return a world, a parent and a block on it with logs, a revert and a transfer."""
    world = World()
    world.run([world.note("ada", 3, 4)])
    parent = world.head
    raws = [
        world.note("ada", 5, 6),
        world.sign("ben", CONTRACT, data_of("undone(uint256)", 9)),
        world.sign("cho", ADDRESSES["duc"], value=5, kind=2),
    ]
    return world, parent, world.executor.execute(parent, parent.timestamp + 7, raws).block


def altered(value: bytes | int) -> bytes | int:
    return value + 1 if isinstance(value, int) else bytes([1]) if not value else bytes([value[0] ^ 1]) + value[1:]


def test_a_block_validates_and_gives_what_executing_gave() -> None:
    world, parent, block = two_blocks()
    executed = world.executor.validate(parent, block)
    assert executed.block == block
    assert [receipt.status for receipt in executed.receipts] == [1, 0, 1]
    assert executed.receipts[-1].cumulative_gas == block.header.gas_used == sum(r.gas_used for r in executed.receipts)
    assert [len(receipt.logs) for receipt in executed.receipts] == [1, 0, 0]


@pytest.mark.parametrize("name", [field.name for field in fields(Header)])
def test_every_altered_header_field_is_refused_by_name(name: str) -> None:
    world, parent, block = two_blocks()
    if name == "timestamp":  # a later time is the sealer's to choose; an earlier one is not
        header = replace(block.header, timestamp=parent.timestamp - 1)
    else:
        header = replace(block.header, **{name: altered(getattr(block.header, name))})
    with pytest.raises(WrongField) as refusal:
        world.executor.validate(parent, Block(header, block.transactions))
    assert refusal.value.field == name
    assert name in refusal.value.detail
    assert refusal.value.height == block.height
    assert refusal.value.code == "block.field"


def test_ruled_fields_are_compared_before_anything_is_executed() -> None:
    world, parent, block = two_blocks()
    junk = (b"\x02junk",)
    header = replace(block.header, gas_limit=GAS_LIMIT - 1, transactions_root=trie_root(junk))
    with pytest.raises(WrongField, match="gas_limit"):
        world.executor.validate(parent, Block(header, junk))


@pytest.mark.parametrize("kind", ["dropped", "doubled", "swapped", "altered", "added"])
def test_an_altered_body_is_named_as_such(kind: str) -> None:
    world, parent, block = two_blocks()
    first, second, third = block.transactions
    bodies = {
        "dropped": (first, second),
        "doubled": (first, second, third, third),
        "swapped": (second, first, third),
        "altered": (first, second, third[:-1] + bytes([third[-1] ^ 1])),
        "added": (first, second, third, world.note("eva", 1, 1)),
    }
    with pytest.raises(WrongField, match="transactions_root"):
        world.executor.validate(parent, Block(block.header, bodies[kind]))


def test_a_body_whose_root_was_made_again_is_refused_by_what_it_does() -> None:
    world, parent, block = two_blocks()
    first, second, third = block.transactions
    doubled = (first, second, third, third)
    with pytest.raises(WrongTransaction) as refusal:
        world.executor.validate(parent, Block(replace(block.header, transactions_root=trie_root(doubled)), doubled))
    assert (refusal.value.index, refusal.value.code) == (3, "block.transaction")
    dropped = (first, third)
    with pytest.raises(WrongField, match="gas_used"):
        world.executor.validate(parent, Block(replace(block.header, transactions_root=trie_root(dropped)), dropped))


def test_header_is_cancuns_with_what_this_chain_fixes() -> None:
    _, parent, block = two_blocks()
    header = block.header
    assert header.parent_hash == parent.hash
    assert (header.base_fee, header.difficulty, header.blob_gas_used, header.excess_blob_gas) == (0, 0, 0, 0)
    assert (header.gas_limit, header.coinbase, header.extra_data) == (GAS_LIMIT, COINBASE, b"")
    assert (header.mix_hash, header.nonce, header.parent_beacon_root) == (bytes(32), bytes(8), bytes(32))
    assert header.withdrawals_root == header.__class__(parent_hash=bytes(32)).transactions_root
    assert header.hash == keccak(rlp.encode([getattr(header, field.name) for field in fields(Header)]))


def test_header_hash_is_py_evms() -> None:
    _, _, block = two_blocks()
    decoded = rlp.decode(block.header.rlp, CancunBlockHeader)
    assert decoded.hash == block.hash
    assert decoded.base_fee_per_gas == 0


def test_block_is_py_evms_block() -> None:
    _, _, block = two_blocks()
    decoded = rlp.decode(block.encode(), CancunBlock)
    assert decoded.header.hash == block.hash
    assert [each.hash for each in decoded.transactions] == [keccak(raw) for raw in block.transactions]
    assert Block.decode(block.encode()) == block


def test_equal_times_are_allowed_and_no_time_runs_back() -> None:
    world = World()
    same = world.run([world.note("ada", 3, 4)], T0)
    assert same.block.header.timestamp == T0
    behind = world.run([world.note("ada", 3, 5)], T0 - 500)
    assert behind.block.header.timestamp == T0
    assert world.executor.validate(same.block.header, behind.block).block == behind.block


def test_base_fee_stays_zero_after_a_full_block() -> None:
    world = World()
    fill = [world.sign("ada", CONTRACT, data_of("spin()"), gas=OTHER_GAS) for _ in range(2)]
    builder = world.executor.build(world.head, T0 + 1)
    builder.header = replace(builder.header, gas_limit=3 * OTHER_GAS)  # full at two thirds, without minutes of looping
    for raw in fill:
        assert builder.apply(raw).reason == "OutOfGas"
    full = world.keep(builder.close())
    assert full.header.gas_used == 2 * OTHER_GAS > full.header.gas_limit // 2
    after = world.run([world.note("ben", 1, 1)])
    assert after.block.header.base_fee == 0
    assert after.receipts[0].status == 1
    around = world.executor.call(world.head, CONTRACT, data_of("around()"))
    assert words_of(around.output, *["uint256"] * 2, "address", "uint256")[3] == 0


def test_opcodes_see_the_header_and_the_hashes_of_ancestors() -> None:
    world = World()
    for _ in range(3):
        world.run([world.note("ada", 3, 4)])
    around = world.executor.call(world.head, CONTRACT, data_of("around()"))
    types = ("uint256", "uint256", "address", "uint256", "uint256", "bytes32", "uint256")
    assert words_of(around.output, *types) == (
        world.head.timestamp, 3, "0x" + COINBASE.hex(), 0, GAS_LIMIT, world.headers[2].hash, CHAIN_ID,
    )  # fmt: skip
    for height, wanted in ((0, world.headers[0].hash), (2, world.headers[2].hash)):
        found = world.executor.call(world.head, CONTRACT, data_of("ancestor(uint256)", height))
        assert found.output == wanted


def test_nothing_is_written_before_it_is_kept() -> None:
    world = World()
    before = dict(world.writes)
    executed = world.executor.execute(world.head, T0 + 1, [world.note("ada", 3, 4)])
    world.executor.call(world.head, CONTRACT, data_of("note(uint256,uint256,bytes)", 1, 2, b""))
    world.executor.validate(world.head, executed.block)
    assert world.writes == before
    assert executed.writes.keys() - before.keys()


def test_old_states_stay_readable() -> None:
    world = World()
    for value in (4, 5, 0, 6):
        world.run([world.note("ada", 3, value)])
    assert [world.word(3, header) for header in world.headers] == [0, 4, 5, 0, 6]


def test_a_dropped_transaction_leaves_no_trace() -> None:
    plain, dropping = World(), World()
    raws = [plain.note("ada", 3, 4), plain.note("ada", 4, 5), plain.note("ben", 3, 6)]
    for name in ("ada", "ada", "ben"):
        dropping.nonces[name] += 1
    bad = [
        dropping.sign("cho", CONTRACT, data_of("undone(uint256)", 3)),
        dropping.sign("duc", CONTRACT, data_of("spin()"), gas=150_000),
        dropping.sign("eva", CONTRACT, data_of("undone(uint256)", 77), value=0, kind=2),
    ]
    builder = dropping.executor.build(dropping.head, T0 + 1)
    for good, refused in zip(raws, bad, strict=True):
        result = builder.apply(refused, keep_reverted=False)
        assert result.reason in ("note: undone", "OutOfGas")
        builder.apply(good)
    assert builder.nonce(ADDRESSES["cho"]) == 0
    assert builder.close() == plain.run(raws, T0 + 1)


def test_an_empty_account_that_is_touched_leaves_the_state() -> None:
    world = World()
    world.run([world.sign("ada", NOBODY, value=0)])
    assert world.executor.proof(world.head, NOBODY, []).code_hash == keccak(b"")
    assert world.executor.account(world.head, NOBODY) == (0, 0, b"")
    world.run([world.sign("ada", NOBODY, value=1)])
    assert world.executor.account(world.head, NOBODY) == (0, 1, b"")
    assert world.executor.account(world.head, COINBASE) == (0, 1, b"")


def test_receipts_survive_the_disk() -> None:
    world = World()
    executed = world.run([world.note("ada", 3, 4, b"text"), world.sign("ben", CONTRACT, data_of("undone(uint256)", 1))])
    for receipt in executed.receipts:
        assert Receipt.of(rlp.decode(rlp.encode(receipt.to_rlp()))) == receipt


@given(st.data())
def test_only_the_one_encoding_of_a_block_is_taken(data: st.DataObject) -> None:
    block = SAMPLE
    encoded = bytearray(block.encode())
    match data.draw(st.sampled_from(["flip", "cut", "grow", "insert"])):
        case "flip":
            encoded[data.draw(st.integers(0, len(encoded) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        case "cut":
            del encoded[data.draw(st.integers(0, len(encoded) - 1)) :]
        case "grow":
            encoded += data.draw(st.binary(min_size=1, max_size=9))
        case _:
            at = data.draw(st.integers(0, len(encoded)))
            encoded[at:at] = data.draw(st.binary(min_size=1, max_size=9))
    try:
        read = Block.decode(bytes(encoded))
    except MalformedBlock:
        return
    assert read.encode() == bytes(encoded)
    assert read != block


SAMPLE = two_blocks()[2]
