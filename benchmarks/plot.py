"""`make bench-plot`: throughput, disk and memory from an empty chain to two million parcels, as docs/images/scale.svg.

Each point is a chain prefilled with so many parcels, then the mix of `prefilled` on it. Throughput is by the processor
time of the node's process, so that points of one long run can be compared whatever else the machine does.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.mix import SEED
from benchmarks.prefilled import MEGA, apart, mix, silent, used
from clients.sample.prefilled import make_home

FILE: Final = Path("docs/images/scale.svg")
WIDTH, HEIGHT, LEFT, GAP, TOP = 520, 120, 70, 66, 44
PANELS: Final = (
    ("entries_per_cpu_second", "entries a second of processor time"),
    ("disk_mb", "state on disk, MB"),
    ("rss_mb", "memory of the process, MB"),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what this part can be told."""
    points = [0, 250_000, 500_000, 1_000_000, 2_000_000]
    parser.add_argument("--points", type=int, nargs="+", default=points, help="parcels of the plot's points")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Return `plot`, the rows by parcels, and write the picture."""
    rows = [point(parcels, options.parcels) for parcels in sorted(options.points)]
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(svg(rows))
    return {"plot": rows}


def point(parcels: int, measured: int) -> dict[str, float]:
    """Prefill a chain, run the mix on it, return the figures; the chain is deleted."""
    with tempfile.TemporaryDirectory(prefix="clearance-bench-") as folder:
        home = Path(folder) / "home"
        if parcels:
            apart(make_home, home, parcels, SEED, silent)
        disk = used(home) if parcels else 0
        row = apart(mix, home, measured)
        shutil.rmtree(home)
    return {"parcels": parcels, "disk_mb": round(disk / MEGA)} | {
        name: row[name] for name in ("entries_per_cpu_second", "entries_per_second", "rss_mb")
    }


def svg(rows: Sequence[dict[str, float]]) -> str:
    """Return one panel for each figure, over the number of parcels."""
    total = TOP + len(PANELS) * (HEIGHT + GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 30} {total}" '
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for number, (name, title) in enumerate(PANELS):
        parts += panel(rows, name, title, TOP + number * (HEIGHT + GAP))
    return "\n".join([*parts, "</svg>", ""])


def panel(rows: Sequence[dict[str, float]], name: str, title: str, top: int) -> list[str]:
    """Return the lines of one panel; its scale begins at zero."""
    most = max(row[name] for row in rows) or 1
    widest = max(row["parcels"] for row in rows) or 1
    base = top + HEIGHT
    places = [(LEFT + WIDTH * row["parcels"] / widest, base - HEIGHT * row[name] / most, row) for row in rows]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in places)
    found = [
        f'<text x="{LEFT}" y="{top - 26}" font-weight="bold">{title}</text>',
        f'<path d="M{LEFT} {top}V{base}H{LEFT + WIDTH}" fill="none" stroke="#888"/>',
        f'<polyline points="{line}" fill="none" stroke="#1f5fa8" stroke-width="2"/>',
    ]
    for x, y, row in places:
        found.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="#1f5fa8"/>')
        found.append(f'<text x="{x:.1f}" y="{y - 7:.1f}" text-anchor="middle">{row[name]:,.0f}</text>')
        found.append(f'<text x="{x:.1f}" y="{base + 15}" text-anchor="middle">{short(row["parcels"])}</text>')
    return found


def short(parcels: float) -> str:
    """Return a number of parcels as an axis shows it."""
    if parcels >= MEGA:
        return f"{parcels / MEGA:g} M"
    return f"{parcels / 1_000:g} k" if parcels else "empty"
