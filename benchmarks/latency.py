"""From the 202 of a carry-in to "cleared" at its buyer's GET, in an open loop at 130 entries a second.

The sample day's mix goes on all the time: orders, filings with payloads that the gateway's identity authority and
screening open, carry-ins, releases and traces. Everything is sent at its intended time whatever came back before,
and the time from there is told too, so that a stall counts for all that should have been sent during it. Carry-ins go
one in a batch, as they are scanned, all else ten in a batch.

The read model is watched in its database; as soon as a parcel's row says cleared, its buyer asks for the use, and the
clock stops when the answer says so. A buyer who asked all the time would see it as soon, but load the service.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
from sqlmodel import col, select

from benchmarks.mix import ENTRIES_A_PARCEL, Signer, cut
from benchmarks.open_loop import BATCH, Day, Shot, fire, put_payload, send_payloads, shots
from benchmarks.private_parcels import PrivateParcel, private_parcels
from benchmarks.rig import Service, Writer, body_of, close_all, milliseconds, running, sign_in_all
from ledger.chain.batch import Entry
from ledger.commitments import word
from ledger.domain.kinds import KindNumber, Status
from ledger.store import buyers
from ledger.store.database import Database
from ledger.store.projector import cursor_height
from ledger.store.tables.chain import ParcelRow
from ledger.store.tables.identity import UseRow

K = KindNumber
RATE: Final = 130
"""Entries a second: Korea's mean in season."""
LIFE: Final = 7_200
WARM_UP: Final = 3.0
"""Seconds of the loop that are not counted: connections are opened, caches are filled."""
LOOK: Final = 0.005
LOOK_AT_NODE: Final = 0.02
CUTS: Final = "500"
"""Milliseconds between two cuts of authority and screening: what a real chain's have."""
CHECKED: Final = Status.IDENTITY_OK | Status.SCREENED
PATIENCE: Final = 120.0


@dataclass(slots=True)
class Seen:
    """What became of a carry-in, in times of `time.perf_counter`.

    Attributes:
        height: of its block.
        row: when its row said cleared.
        shown: when its buyer's GET had said so.
    """

    height: int = 0
    row: float = 0.0
    shown: float = 0.0


@dataclass(slots=True)
class Watch:
    """Watches the read model, and asks as the buyer when a parcel's row says cleared."""

    service: Service
    database: Database
    holders: dict[int, tuple[str, str]]
    """Token and use of the buyer, by parcel."""
    seen: dict[int, Seen] = field(default_factory=dict)
    over: bool = False

    async def run(self) -> None:
        """Watch until it is over and everything was shown."""
        height, asking = 0, []
        async with httpx.AsyncClient(base_url=self.service.url, trust_env=False, timeout=60) as http:
            end = float("inf")
            while not (self.over and len(self.seen) == len(self.holders)) and time.perf_counter() < end:
                height, found = await asyncio.to_thread(self._look, height)
                for parcel, block in found:
                    if parcel in self.holders and parcel not in self.seen:
                        self.seen[parcel] = Seen(block, time.perf_counter())
                        asking.append(asyncio.create_task(self._ask(http, parcel)))
                if self.over and end == float("inf"):
                    end = time.perf_counter() + PATIENCE
                await asyncio.sleep(LOOK)
            await asyncio.gather(*asking)

    def _look(self, above: int) -> tuple[int, list[tuple[int, int]]]:
        with self.database.read() as session:
            height = cursor_height(session)
            if height == above:
                return height, []
            cleared = select(ParcelRow.id, ParcelRow.changed_height).where(
                col(ParcelRow.changed_height) > above, ParcelRow.clearance == "cleared"
            )
            return height, [(int.from_bytes(name, "big"), block) for name, block in session.exec(cleared)]

    async def _ask(self, http: httpx.AsyncClient, parcel: int) -> None:
        token, use = self.holders[parcel]
        answer = await http.get(f"/v1/buyer/uses/{use}", headers={"Authorization": f"Bearer {token}"})
        if answer.status_code != 200 or answer.json()["status"] not in ("cleared", "released"):
            raise SystemExit(f"the buyer does not see that his parcel is cleared: {answer.text}")
        self.seen[parcel].shown = time.perf_counter()


class NodeWatch(threading.Thread):
    """Notes when the sealer had each block, and when it was final."""

    def __init__(self, service: Service) -> None:
        """Take the service."""
        super().__init__(daemon=True)
        self._node, self._stop_asked = service.node, threading.Event()
        self.sealed: list[tuple[int, float]] = []
        self.final: list[tuple[int, float]] = []

    def run(self) -> None:
        """Look until told to stop."""
        while not self._stop_asked.wait(LOOK_AT_NODE):
            told, now = self._node.status(), time.perf_counter()
            for height, noted in ((int(told["height"]), self.sealed), (int(told["final"]), self.final)):
                if not noted or noted[-1][0] < height:
                    noted.append((height, now))

    def stop(self) -> None:
        """Stop looking."""
        self._stop_asked.set()
        self.join()

    @staticmethod
    def when(noted: Sequence[tuple[int, float]], height: int) -> float:
        """Return when a height was first reached."""
        return next((moment for reached, moment in noted if reached >= height), float("nan"))


async def open_loop(service: Service, seconds: int, rate: int, *, stages: bool) -> dict[str, Any]:
    """Prepare parcels, run the loop, and time the carry-ins."""
    parcels_a_second = rate / ENTRIES_A_PARCEL
    count = int(parcels_a_second * seconds)
    at = int(time.time())
    signer = Signer(service.keyring, service.genesis.domain, at + LIFE)
    made = private_parcels(service.keyring, service.genesis.domain, range(3 * count), at)
    day = Day(made[:count], made[count : 2 * count], made[2 * count :])
    names = {name for each in made for name in (each.shop, each.courier, each.yard)}
    writers = await sign_in_all(service, sorted(names))
    database = Database(service.database)
    await prepare(day, signer, writers, database)
    watch = Watch(service, database, holders(database, day.carried))
    listed = shots(day, parcels_a_second, at, signer)
    node = NodeWatch(service) if stages else None
    spent, start = service.cpu_seconds(), time.perf_counter() + 0.5
    watching = asyncio.create_task(watch.run())
    if node:
        node.start()
    await asyncio.gather(
        fire(listed, writers, start), send_payloads(day.filed, writers, start, parcels_a_second)
    )  # fmt: skip
    taken, watch.over = time.perf_counter() - start, True
    await watching
    if node:
        node.stop()
    cpu = {name: round(after - spent[name], 1) for name, after in service.cpu_seconds().items()}
    await close_all(writers)
    database.close()
    entries = sum(len(shot.entries) for shot in listed) + 2 * len(day.filed)  # the gateway's own beside what was sent
    figures = {"rate": rate, "seconds": round(taken, 1), "entries": entries, "cpu_seconds": cpu}
    return figures | told([shot for shot in listed if shot.subject and shot.at >= WARM_UP], watch.seen, node)


async def prepare(day: Day, signer: Signer, writers: dict[str, Writer], database: Database) -> None:
    """Record the orders, file and check what is carried in later, and record the orders of what is filed later."""
    orders = [(each.shop, each.order) for each in (*day.carried, *day.filed)]
    await post(signer, writers, orders)
    for at_once in range(0, len(day.carried), BATCH):
        await asyncio.gather(
            *(put_payload(writers[each.courier], each) for each in day.carried[at_once : at_once + BATCH])
        )
    await post(signer, writers, [(each.courier, each.filed) for each in day.carried])
    end = time.perf_counter() + PATIENCE
    while await asyncio.to_thread(unchecked, database, day.carried):
        if time.perf_counter() > end:
            raise SystemExit("the gateway does not check and screen what was filed")
        await asyncio.sleep(0.1)


async def post(signer: Signer, writers: dict[str, Writer], said: Sequence[tuple[str, Entry]]) -> None:
    """Post entries in batches of 100, every writer at once, and wait until they are visible."""
    by_name: dict[str, list[Entry]] = {}
    for name, entry in said:
        by_name.setdefault(name, []).append(entry)

    async def one(name: str, entries: list[Entry]) -> None:
        last = await writers[name].post_all([body_of(signer.sign(name, 1, part)) for part in cut(entries, 10 * BATCH)])
        await writers[name].visible(last)

    await asyncio.gather(*(one(name, entries) for name, entries in by_name.items()))


def unchecked(database: Database, listed: Sequence[PrivateParcel]) -> int:
    """Return how many parcels lack identity check or screening."""
    with database.read() as session:
        words = {row.id: row.word for row in session.exec(select(ParcelRow))}
    return sum(int.from_bytes(words.get(word(each.id), b""), "big") & CHECKED != CHECKED for each in listed)


def holders(database: Database, listed: Sequence[PrivateParcel]) -> dict[int, tuple[str, str]]:
    """Open a session for each parcel's buyer; return token and use by parcel."""
    from datetime import UTC, datetime

    mine = {each.id for each in listed}
    found = {}
    with database.write() as session:
        for use in session.exec(select(UseRow)).all():
            if int.from_bytes(use.parcel, "big") in mine:
                token = buyers.open_session(session, use.person, None, datetime.now(UTC))
                found[int.from_bytes(use.parcel, "big")] = (token, use.id)
    return found


def told(carried: Sequence[Shot], seen: dict[int, Seen], node: NodeWatch | None) -> dict[str, Any]:
    """Return the figures of the carry-ins."""
    lost = [shot for shot in carried if shot.subject not in seen or not seen[shot.subject].shown]
    if lost:
        raise SystemExit(f"{len(lost)} of {len(carried)} carried-in parcels were not shown as cleared")
    pairs = [(shot, seen[shot.subject]) for shot in carried]
    found: dict[str, Any] = {
        "carry_ins": len(pairs),
        "cleared_ms": milliseconds([each.shown - shot.answered for shot, each in pairs]),
        "from_intended_ms": milliseconds([each.shown - shot.intended for shot, each in pairs]),
        "accepted_ms": milliseconds([shot.answered - shot.intended for shot, _ in pairs]),
        "asked_ms": milliseconds([each.shown - each.row for _, each in pairs]),
    }
    if node:
        times = [
            (shot.answered, node.when(node.sealed, each.height), node.when(node.final, each.height), each.row)
            for shot, each in pairs
        ]
        found["stages_ms"] = {
            "sealed": milliseconds([sealed - answered for answered, sealed, _, _ in times]),
            "final": milliseconds([final - sealed for _, sealed, final, _ in times]),
            "row": milliseconds([row - final for _, _, final, row in times]),
        }
    return found


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what this part can be told."""
    parser.add_argument("--latency-seconds", type=int, default=60, help="length of the open loop")
    parser.add_argument("--latency-rate", type=int, default=RATE, help="entries a second there")
    parser.add_argument("--latency-stages", action="store_true", help="ask the sealer all the time, to tell stages")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Return `latency`."""
    people = 2 * 3 * (options.latency_rate * options.latency_seconds // ENTRIES_A_PARCEL + 1)
    demo = ("--demo-seed", "1", "--demo-parcels", str(people), "--demo-pause", CUTS)
    with (
        tempfile.TemporaryDirectory(prefix="clearance-bench-") as home,
        running(Path(home), options.database, *demo, machine_clock=True) as service,
    ):
        loop = open_loop(service, options.latency_seconds, options.latency_rate, stages=options.latency_stages)
        return {"latency": asyncio.run(loop)}
