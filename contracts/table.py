"""Renders the domain's tables as the Vyper module `contracts/src/table.vy`: one source, two languages."""

from __future__ import annotations

from typing import Final

from ledger.domain import limits, words
from ledger.domain.findings import FROM_FACTS, Finding
from ledger.domain.kinds import (
    ALL_FINDINGS,
    CLEAR_BARS,
    CLEAR_NEEDS,
    KEPT_BY_CORRECTION,
    KINDS,
    NO_WORDS_FIT,
    Flag,
    Kind,
    KindNumber,
    Status,
    Writer,
)
from ledger.domain.rejections import Effect, Rejection
from ledger.domain.roles import STOP_LANE_ROLES, Role

ROWS: Final = 32
"""Length of the guard table."""
UNASSIGNED: Final = words.GUARD["extra"].put(NO_WORDS_FIT)

STOP_ELSEWHERE: Final = words.GUARD["flags"].put(int(Flag.STOP))


def guard_word(kind: Kind) -> int:
    """Pack a row of the table as the contract's guard word (see `words.GUARD`)."""
    own = kind.writer in (Writer.OPENER, Writer.OPENER_OR_CUSTOMS)
    flags = kind.flags | (Flag.CUSTOMS_TOO if kind.writer is Writer.OPENER_OR_CUSTOMS else Flag(0))
    guard = words.GUARD
    return (
        guard["mask"].put(int(kind.needs | kind.bars))
        | (guard["own"].mask if own else 0)
        | (guard["office"].mask if kind.writer is Writer.OFFICE else 0)
        | guard["needs"].put(int(kind.needs))
        | guard["sets"].put(int(kind.sets))
        | guard["extra"].put(kind.extra)
        | guard["roles"].put(int(kind.roles))
        | guard["flags"].put(int(flags))
    )


def guard_words() -> tuple[int, ...]:
    """Return the guard table of the ordinary lanes: in them nobody may write a stop, whatever its state."""
    table = [UNASSIGNED] * ROWS
    for number, kind in KINDS.items():
        table[number] = STOP_ELSEWHERE if Flag.STOP in kind.flags else guard_word(kind)
    return tuple(table)


def _constants() -> dict[str, int]:
    named: dict[str, int] = {f"B_{status.name}": int(status) for status in Status}
    named |= {f"F_{finding.name}": finding.bit for finding in Finding}
    named |= {f"K_{number.name}": int(number) for number in KindNumber}
    named |= {f"C_{code.name}": int(code) for code in (*Rejection, *Effect)}
    named |= {f"R_{role.name}": int(role) for role in Role}
    named |= {f"G_{flag.name}": words.GUARD["flags"].put(int(flag)) for flag in Flag}
    named |= {f"STOP_{kind.name}": guard_word(kind) for kind in KINDS.values() if Flag.STOP in kind.flags}
    named |= {
        "CLEAR_NEEDS": int(CLEAR_NEEDS),
        "CLEAR_MASK": int(CLEAR_NEEDS | CLEAR_BARS) | ALL_FINDINGS,
        "FINDINGS": ALL_FINDINGS,
        "FROM_FACTS": sum(finding.bit for finding in FROM_FACTS),
        "KEPT": int(KEPT_BY_CORRECTION),
        "STOP_LANE_ROLES": int(STOP_LANE_ROLES),
        "NO_WORDS_FIT": NO_WORDS_FIT,
        "MAX_ENTRIES": limits.MAX_ENTRIES,
        "MAX_BATCH_BYTES": limits.MAX_BATCH_BYTES,
        "MAX_ORDERS": limits.MAX_ORDERS,
        "MAX_HOLDS": limits.MAX_HOLDS,
        "MAX_GENERATION": limits.MAX_GENERATION,
        "CLOCK_BEHIND": limits.CLOCK_BEHIND,
        "CLAIM_AHEAD": limits.CLAIM_AHEAD,
        "LATE_ORDER_LEAD": limits.LATE_ORDER_LEAD,
        "GOVERNANCE_DELAY": limits.GOVERNANCE_DELAY,
        "OVERLAY_SECONDS": limits.OVERLAY_DAYS * 86_400,
        "TRACE_LANE": limits.TRACE_LANE,
    }
    return named


def render() -> str:
    """Return the text of `contracts/src/table.vy`."""
    lines = [
        "# pragma version ~=0.4.3",
        "# pragma evm-version cancun",
        '"""',
        "@title Tables of the ledger's domain",
        "@license Apache-2.0",
        "@notice Made by contracts/table.py from ledger/domain; do not edit.",
        '"""',
        "",
    ]
    lines += [f"{name}: constant(uint256) = {value}" for name, value in _constants().items()]
    lines += [f'DOMAIN_NAME: constant(String[32]) = "{limits.DOMAIN_NAME}"']
    lines += [f'DOMAIN_VERSION: constant(String[8]) = "{limits.DOMAIN_VERSION}"']
    rows = ",\n".join(f"    {word}" for word in guard_words())
    lines += [f"GUARDS: constant(uint256[{ROWS}]) = [\n{rows},\n]"]
    return "\n".join(lines) + "\n"
