"""Twice the load that the service can sustain: what it answers, what memory it takes, what becomes of what it accepted.

First the sustainable rate is measured; then orders are offered in an open loop at twice that rate, by many lanes of
many shops, which wait push-back out and go on. At the end nothing that was answered 202 may be missing or stand twice.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sqlalchemy import func
from sqlmodel import col, select

from benchmarks.mix import Signer
from benchmarks.rig import Service, Writer, body_of, close_all, running, sign_in_all
from clients.sample.members import COURIERS, HANDLES, MEMBER_SHOPS
from clients.sample.plan import START
from ledger.chain.batch import Entry, detail
from ledger.commitments import order_commitment
from ledger.domain.facts import Goods
from ledger.domain.kinds import KindNumber
from ledger.store import submissions
from ledger.store.database import Database
from ledger.store.tables.chain import EntryRow
from ledger.store.tables.outbox import SubmissionRow

BATCH: Final = 100
LANES: Final = 8
"""Lanes a shop writes in at once."""
CALIBRATED: Final = 60
"""Batches by which the sustainable rate is measured."""
ROUNDS: Final = 3
"""Loads offered at most: one that is not pushed back was sustainable, and the next is twice that."""
MAX_BATCHES, MAX_REQUESTS = 40, 24
"""Bounds of the gateway: low, so that a short run reaches them."""
SAMPLE: Final = 0.5
PATIENCE: Final = 180.0


class Memory(threading.Thread):
    """Samples the resident memory of every process of a service."""

    def __init__(self, service: Service) -> None:
        """Take the service."""
        super().__init__(daemon=True)
        self._service, self._over = service, threading.Event()
        self.samples: list[dict[str, float]] = [service.resident_mb()]

    def run(self) -> None:
        """Sample until told to stop."""
        while not self._over.wait(SAMPLE):
            self.samples.append(self._service.resident_mb())

    def told(self) -> dict[str, dict[str, float]]:
        """Stop; return memory before, at half time and at most, MB."""
        self._over.set()
        self.join()
        half = len(self.samples) // 2
        return {
            name: {
                "before": self.samples[0][name],
                "first_half": max(each[name] for each in self.samples[: half + 1]),
                "most": max(each[name] for each in self.samples),
            }
            for name in self.samples[0]
        }


@dataclass(slots=True)
class Offer:
    """Batches of orders for every lane of every shop, made as they are needed."""

    service: Service
    made: int = 0
    signer: Signer = field(init=False)

    def __post_init__(self) -> None:
        """Start with the first number of every lane."""
        self.signer = Signer(self.service.keyring, self.service.genesis.domain)

    def next(self, lane: int = 0) -> tuple[tuple[str, int], bytes]:
        """Return shop and lane of the next batch, in turn or in a lane, and the request that posts it."""
        shop, lane = f"shop-{self.made % MEMBER_SHOPS + 1:02}", lane or 1 + self.made // MEMBER_SHOPS % LANES
        first = self.made * BATCH
        batch = self.signer.sign(shop, lane, [self._order(shop, number) for number in range(first, first + BATCH)])
        self.made += 1
        return (shop, lane), body_of(batch)

    def _order(self, shop: str, number: int) -> Entry:
        goods = Goods(1_000 + number % 9_000, 840, 1 + number % 14, 1)
        commitment = order_commitment(goods.word(), number.to_bytes(32, "big"), bytes(32))
        order = self.service.genesis.domain.subject_id(KindNumber.ORDER_OPENED, HANDLES[shop], commitment)
        handed = detail(KindNumber.ORDER_OPENED, handed=HANDLES[COURIERS[number % len(COURIERS)]])
        return Entry(order, KindNumber.ORDER_OPENED, START, commitment, handed, extra=(1,))


Lanes = dict[tuple[str, int], list[tuple[float, bytes]]]


def schedule(offer: Offer, batches: int, rate: float) -> Lanes:
    """Return batches by lane, each with its time in the loop; `rate` in batches a second, 0 for at once."""
    lanes: Lanes = {}
    for number in range(batches):
        lane, body = offer.next()
        lanes.setdefault(lane, []).append((number / rate if rate else 0.0, body))
    return lanes


async def send(lanes: Lanes, writers: dict[str, Writer], end: float = float("inf")) -> list[str]:
    """Post every lane's batches in order, none before its time and none begun after `end`; return what was accepted."""
    start, accepted = time.perf_counter(), list[str]()

    async def one(name: str, listed: Sequence[tuple[float, bytes]]) -> None:
        for at, body in listed:
            await asyncio.sleep(max(0.0, start + at - time.perf_counter()))
            if time.perf_counter() - start > end:
                return
            accepted.append(await writers[name].post(body))

    await asyncio.gather(*(one(name, listed) for (name, _), listed in lanes.items()))
    return accepted


async def settled(database: Database) -> None:
    """Wait until nothing is on its way."""
    end = time.perf_counter() + PATIENCE
    while await asyncio.to_thread(on_their_way, database):
        if time.perf_counter() > end:
            raise SystemExit("what was accepted does not become visible")
        await asyncio.sleep(0.05)


def on_their_way(database: Database) -> int:
    """Return how many batches are accepted and not visible yet."""
    with database.read() as session:
        return submissions.waiting(session)


def judged(database: Database, accepted: Sequence[str]) -> dict[str, int]:
    """Return how much of what was accepted is missing, and how many entries stand twice."""
    with database.read() as session:
        rows = {row.id: row for row in session.exec(select(SubmissionRow))}
        places = select(EntryRow.height, EntryRow.place, func.count()).group_by(
            col(EntryRow.height), col(EntryRow.place)
        )
        counts = {(height, place): count for height, place, count in session.exec(places)}
        twice = session.exec(
            select(EntryRow.subject).where(EntryRow.kind == int(KindNumber.ORDER_OPENED)).group_by(
                col(EntryRow.subject)
            ).having(func.count() > 1)
        ).all()  # fmt: skip
    lost = 0
    for name in accepted:
        row = rows.get(name)
        whole = row is not None and row.state == "visible" and counts.get((row.height or 0, row.place or 0)) == BATCH
        lost += not whole
    return {"accepted": len(accepted), "lost": lost, "doubled": len(twice) + len(accepted) - len(set(accepted))}


async def overload(service: Service, seconds: float) -> dict[str, Any]:
    """Measure the sustainable rate, offer twice as much, and see what comes of it."""
    offer, database = Offer(service), Database(service.database)
    writers = await sign_in_all(service, [f"shop-{number:02}" for number in range(1, MEMBER_SHOPS + 1)])
    prepared = schedule(offer, CALIBRATED, 0.0)
    began = time.perf_counter()
    accepted = await send(prepared, writers)
    await settled(database)
    sustainable = CALIBRATED / (time.perf_counter() - began)
    for writer in writers.values():
        writer.pushed.codes.clear()
    memory = Memory(service)
    memory.start()
    for _ in range(ROUNDS):
        prepared = schedule(offer, int(2 * sustainable * seconds), 2 * sustainable)
        began = time.perf_counter()
        accepted += await send(prepared, writers, seconds)
        overloaded = time.perf_counter()
        if any(writer.pushed.codes for writer in writers.values()):
            break
        sustainable *= 2
    await settled(database)
    emptied = time.perf_counter() - overloaded
    (shop, _), body = offer.next(LANES + 1)
    began_again = time.perf_counter()
    again = await writers[shop].post(body)
    await writers[shop].visible(again)
    healed = time.perf_counter() - began_again
    found = judged(database, [*accepted, again])
    codes = sum((Counter(writer.pushed.codes) for writer in writers.values()), Counter[str]())
    bare = sum(writer.pushed.bare for writer in writers.values())
    await close_all(writers)
    database.close()
    return {
        "sustainable_entries_per_second": round(sustainable * BATCH, 1),
        "offered_entries_per_second": round(2 * sustainable * BATCH, 1),
        "seconds": round(overloaded - began, 1),
        "pushed_back": dict(codes),
        "pushed_back_without_code_or_time": bare,
        **found,
        "emptied_seconds": round(emptied, 1),
        "fresh_batch_visible_seconds": round(healed, 2),
        "bounds": {"batches": MAX_BATCHES, "requests": MAX_REQUESTS},
        "resident_mb": memory.told(),
    }


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what this part can be told."""
    parser.add_argument("--pushback-seconds", type=float, default=40.0, help="length of the overload")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Return `push_back`."""
    bounds = ("--max-batches", str(MAX_BATCHES), "--max-requests", str(MAX_REQUESTS))
    with (
        tempfile.TemporaryDirectory(prefix="clearance-bench-") as home,
        running(Path(home), options.database, *bounds) as service,
    ):
        return {"push_back": asyncio.run(overload(service, options.pushback_seconds))}
