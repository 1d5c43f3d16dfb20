"""How fast the machine is just now: what py-evm needs for one plain opcode. Every run of figures stands beside it."""

from __future__ import annotations

import os
import platform
import time
from typing import Any, Final

from node.blocks import EMPTY_ROOT

LOOP: Final = bytes.fromhex("5b" + "6001600101" * 20 + "50" * 20 + "600056")
"""Additions in an endless loop, which ends when the gas does."""
LOOP_GAS: Final = 600_000


def microseconds_an_opcode(rounds: int = 3) -> float:
    """Return what py-evm needs for a plain opcode on this machine now, the best of some rounds."""
    from eth.db.atomic import AtomicDB
    from eth.vm.execution_context import ExecutionContext
    from eth.vm.forks.cancun.state import CancunState
    from eth.vm.message import Message
    from eth.vm.transaction_context import BaseTransactionContext

    best = float("inf")
    for _ in range(rounds):
        state = CancunState(AtomicDB(), ExecutionContext(bytes(20), 1, 1, 0, bytes(32), 10**9, [], 1, 0, 0), EMPTY_ROOT)
        message = Message(gas=LOOP_GAS, to=bytes(20), sender=bytes(20), value=0, data=b"", code=LOOP)
        began = time.perf_counter()
        state.computation_class.apply_computation(state, message, BaseTransactionContext(0, bytes(20), []))
        best = min(best, time.perf_counter() - began)
    turns = LOOP_GAS / (1 + 20 * 9 + 20 * 2 + 3 + 8)  # gas of one turn: JUMPDEST, 2 PUSH and ADD, POP, PUSH and JUMP
    return best * 1e6 / (turns * (1 + 20 * 3 + 20 + 2))


def machine() -> dict[str, Any]:
    """Return what the figures were measured on."""
    return {"python": platform.python_version(), "cpus": os.cpu_count(), "system": platform.platform()}
