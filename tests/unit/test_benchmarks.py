"""The benchmarks measure what they say: whole cohorts, a table that really is chained, a file with its keys."""

from __future__ import annotations

import sqlite3
from hashlib import sha256
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks.__main__ import BARS, PARTS, at, merged
from benchmarks.hashchain import in_sqlite
from benchmarks.mix import Signer, stages, stream
from benchmarks.plot import svg
from clients.sample.members import Keyring, sample_genesis
from clients.sample.plan import START

KEYRING = Keyring(1)


def test_a_stream_sends_every_stage_of_every_cohort_in_its_order() -> None:
    """No round has two stages of one cohort, and none comes before the one it needs."""
    rounds = [
        [stage.name for stage in each] for each in stream([list(stages(2, KEYRING, start)) for start in (0, 2, 4)])
    ]
    order = [stage.name for stage in stages(2, KEYRING)]
    assert rounds == [
        [order[number - cohort] for cohort in range(3) if 0 <= number - cohort < len(order)]
        for number in range(len(order) + 2)
    ]


def test_rows_of_the_baseline_are_chained_and_its_numbers_kept(tmp_path: Path) -> None:
    """Each row's hash is over the row before; a batch out of sequence is refused whole."""
    domain = sample_genesis(KEYRING, START, 1).domain
    chain, signer = in_sqlite(tmp_path / "chain.db", domain), Signer(KEYRING, domain)
    batches = [
        batch for stage in stages(3, KEYRING) for listed in signer.batches(stage, 2).values() for batch in listed
    ]
    count = max(chain.append(batch) for batch in batches)
    assert count == 3 * 12
    with pytest.raises(ValueError, match="not the next"):
        chain.append(batches[0])
    rows = sqlite3.connect(tmp_path / "chain.db").execute("SELECT * FROM entries ORDER BY number").fetchall()
    assert len(rows) == count
    head = bytes(32)
    for _, previous, hashed, subject, _, header, digest, words, writer in rows:
        assert previous == head
        assert hashed == sha256(previous + writer + subject + header + digest + words).digest()
        head = hashed


def test_parts_write_over_one_another_key_by_key() -> None:
    """What a part did not measure stays."""
    kept = {"embedded": {"syncs": 1}, "baselines": {"a": 1}}
    assert merged(kept, {"baselines": {"b": 2}, "embedded": {"syncs": 3}}) == {
        "embedded": {"syncs": 3}, "baselines": {"a": 1, "b": 2},
    }  # fmt: skip
    assert at(kept, "baselines.a") == 1
    assert at(kept, "baselines.a.b") is None
    assert {path.split(".")[0] for _, path, _, _ in BARS} >= {"embedded", "prefilled", "per_entry_ratio", "service"}
    assert "prefilled" in PARTS


def test_the_plot_is_a_picture_with_a_point_for_each_run() -> None:
    """Three panels, each with its points."""
    rows = [
        {"parcels": parcels, "entries_per_cpu_second": 9_000, "disk_mb": parcels / 2_000, "rss_mb": 130}
        for parcels in (0, 1_000, 2_000_000)
    ]
    drawn = ET.fromstring(svg(rows))
    assert len(drawn.findall("{http://www.w3.org/2000/svg}circle")) == 9
