"""What memory and storage cost the fast driver, in gas: shared by the loop and by the code made of hot programs."""

from __future__ import annotations

from typing import Any, Final

from eth.exceptions import OutOfGas, WriteProtection
from eth.vm.forks.berlin.constants import COLD_SLOAD_COST, WARM_STORAGE_READ_COST
from eth.vm.forks.london.storage import GAS_SCHEDULE_EIP3529

from node.evm.slots import Slots

STIPEND: Final = 2300
"""Gas that must be more than left for a store (EIP-2200)."""
WARM: Final[int] = WARM_STORAGE_READ_COST
COLD: Final[int] = COLD_SLOAD_COST
SAME: Final[int] = GAS_SCHEDULE_EIP3529.sload_gas
SET: Final[int] = GAS_SCHEDULE_EIP3529.sstore_set_gas
RESET: Final[int] = GAS_SCHEDULE_EIP3529.sstore_reset_gas
CLEARS: Final[int] = GAS_SCHEDULE_EIP3529.sstore_clears_schedule
"""Gas of a store whose word is as before, new, changed; refund of one that clears (EIP-3529)."""


def _expansion_gas(size: int, end: int) -> int:
    """Return the gas for memory that grows from `size` to hold `end` bytes (yellow paper, appendix H)."""
    before, after = size >> 5, (end + 31) >> 5
    return 3 * (after - before) + after * after // 512 - before * before // 512


def grow(computation: Any, end: int, gas: int) -> tuple[bytearray, int, int]:
    """Grow the memory to whole words that hold `end` bytes; return it, its size and the gas left.

    Raises:
        OutOfGas: it cannot be paid.
    """
    memory: bytearray = computation._memory._bytes
    gas -= _expansion_gas(len(memory), end)
    if gas < 0:
        raise OutOfGas("Out of gas: memory")
    more = bytes(((end + 31) >> 5 << 5) - len(memory))
    try:
        memory += more
    except BufferError:  # a view of it is still held, so it cannot move; py-evm makes a copy then too
        memory = bytearray(memory) + more
        computation._memory._bytes = memory
    return memory, len(memory), gas


def store(computation: Any, slots: Slots, slot: int, value: int) -> int:
    """Write a word of storage; return the gas it costs (EIP-2200, 2929, 3529). The caller checks that it is there."""
    before = slots.values.get(slot)
    if before is None:
        before = slots.load(slot)
    if slot in slots.warm:
        gas = 0
    else:
        gas = COLD
        slots.warm.add(slot)
        computation.state._account_db.warmed.append((slots.warm, slot))
    if before == value:
        return gas + SAME
    original, refund = slots.originals.get(slot, before), 0
    if original == before:
        if original == 0:
            gas += SET
        else:
            gas += RESET
            if value == 0:
                refund = CLEARS
    else:
        gas += SAME
        if original:
            refund = CLEARS * ((value == 0) - (before == 0))
        if original == value:
            refund += (RESET if original else SET) - SAME
    if refund:
        computation.refund_gas(refund)
    computation.state._account_db._dirty_accounts.add(computation.msg.storage_address)
    slots.write(slot, before, value)
    return gas


def grown(computation: Any, end: int, gas: int, kept: int) -> tuple[bytearray, int]:
    """Grow the memory; leave as much gas as the run's plain opcodes need."""
    memory, _, left = grow(computation, end, gas - kept)
    return memory, left + kept


def copied(
    computation: Any, source: bytes | None, target: int, start: int, length: int, gas: int, kept: int
) -> tuple[bytearray, int]:
    """Copy into memory from code or calldata, or within memory (None)."""
    memory: bytearray = computation._memory._bytes
    gas -= 3 * ((length + 31) >> 5)
    if gas < kept:
        raise OutOfGas("Out of gas: copy")
    if length:
        end = (max(target, start) if source is None else target) + length
        if len(memory) < end:
            memory, gas = grown(computation, end, gas, kept)
        taken = memory if source is None else source
        memory[target : target + length] = taken[start : start + length].ljust(length, b"\0")
    return memory, gas


def stored(computation: Any, slots: Any, slot: int, value: int, gas: int, kept: int) -> int:
    """Write a word of storage; return the gas left."""
    if computation.msg.is_static:
        raise WriteProtection("Cannot modify state while inside of a STATICCALL context")
    if gas - kept <= STIPEND:
        raise OutOfGas("Out of gas: SSTORE")
    gas -= store(computation, slots, slot, value)
    if gas < kept:
        raise OutOfGas("Out of gas: SSTORE")
    return gas


def cold(computation: Any, slots: Any, slot: int, gas: int) -> int:
    """Warm a slot; return the gas left."""
    slots.warm.add(slot)
    computation.state._account_db.warmed.append((slots.warm, slot))
    return gas - COLD
