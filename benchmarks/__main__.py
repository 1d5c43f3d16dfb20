"""`make bench`: figures as tables and `bench.json`. `python -m benchmarks [PART...]` measures some parts only.

A part is a module with `add_options(parser)`, `measure(options)` and, if it has more to show than the summary,
`table(document)`. What `measure` returns is merged into bench.json key by key; what other parts wrote stays.
"""

from __future__ import annotations

import argparse
import importlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from benchmarks.machine import machine, microseconds_an_opcode

PARTS: Final = {
    "embedded": "benchmarks.embedded",
    "prefilled": "benchmarks.prefilled",
    "catch_up": "benchmarks.catch_up",
    "baselines": "benchmarks.baselines",
    "databases": "benchmarks.databases",
    "service": "benchmarks.service",
    "hashchain-api": "benchmarks.hashchain_api",
    "latency": "benchmarks.latency",
    "buyers": "benchmarks.buyers",
    "pushback": "benchmarks.pushback",
    "plot": "benchmarks.plot",
}
"""Modules by the name they are asked for, in the order they run."""
ON_REQUEST: Final[frozenset[str]] = frozenset({"plot"})
"""Parts that run only if they are named."""
FILE: Final = Path("bench.json")

BARS: Final = (
    ("signed batch in, durable block, entries/s", "embedded.entries_per_second", "12,000", "25,000"),
    ("the same, unmodified py-evm", "baselines.unmodified_driver_entries_per_second", "1,500", ""),
    ("prefilled against empty", "prefilled.ratio", "0.75", "0.9"),
    ("parcels prefilled", "prefilled.parcels", "1,000,000", ""),
    ("disk there, bytes an entry", "prefilled.disk_bytes_per_entry", "1,500", "500"),
    ("memory there, MB", "prefilled.rss_mb", "1,000", "300"),
    ("follower's catch-up against the sealer's writing", "catch_up.ratio", "1", ""),
    ("against one transaction an entry", "per_entry_ratio", "5", "10"),
    ("signed batch at the API, visible row, entries/s", "service.entries_per_second", "3,000", "8,000"),
    ("carry-in's 202 to cleared at the buyer's GET, p99, ms", "latency.cleared_ms.p99", "1,000", "500"),
    ("buyer's read over 1 M parcels, p99, ms", "buyer_reads.p99_ms", "50", "15"),
)
"""What design and issue ask for: first bar, aim."""


def merged(kept: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document with another one laid over it, dictionaries key by key."""
    found = dict(kept)
    for key, value in more.items():
        old = found.get(key)
        found[key] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return found


def at(document: Any, path: str) -> Any:
    """Return what stands under a dotted path, or None."""
    for name in path.split("."):
        document = document.get(name) if isinstance(document, dict) else None
    return document


def summary(document: Mapping[str, Any]) -> Table:
    """Return the figures beside what is asked for, then every baseline."""
    shown = Table(title="Figures", title_justify="left")
    for column in ("what", "measured", "first bar", "aim"):
        shown.add_column(column, justify="left" if column == "what" else "right")
    for what, path, bar, aim in BARS:
        value = at(document, path)
        shown.add_row(what, "-" if value is None else f"{value:,}", bar, aim)
    for name, value in document.get("baselines", {}).items():
        if isinstance(value, int | float):
            shown.add_row(f"baseline: {name.replace('_', ' ')}", f"{value:,}", "", "")
    return shown


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the parts asked for, all unless told; print tables and write bench.json."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; without one, those of `make bench`")
    modules = {name: importlib.import_module(module) for name, module in PARTS.items()}
    for module in modules.values():
        module.add_options(parser)
    options = parser.parse_args(arguments)
    if unknown := set(options.parts) - PARTS.keys():
        parser.error(f"no part {', '.join(sorted(unknown))}")
    document = json.loads(FILE.read_text()) if FILE.exists() else {}
    console = Console(width=140, highlight=False)
    for name in options.parts or [each for each in PARTS if each not in ON_REQUEST]:
        before = microseconds_an_opcode()
        found = modules[name].measure(options)
        opcode = round((before + microseconds_an_opcode()) / 2, 2)  # before and after, so that a slow moment shows
        own = {"machine": machine() | {"microseconds_an_opcode": {name: opcode}}}
        document = merged(merged(document, found), own)
        FILE.write_text(json.dumps(document, indent=1) + "\n")
        if hasattr(modules[name], "table"):
            console.print(modules[name].table(document))
        console.print(f"{name}: py-evm needed {opcode} microseconds for a plain opcode")
    console.print(summary(document))


if __name__ == "__main__":
    main()
