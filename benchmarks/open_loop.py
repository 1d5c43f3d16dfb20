"""An open loop of posts: what is sent when, whatever came back before, and when it came back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from benchmarks.mix import TRACES, Signer
from benchmarks.private_parcels import PrivateParcel
from benchmarks.rig import PUSHED_BACK, Writer, body_of
from ledger.chain.batch import Entry
from ledger.domain.kinds import KindNumber
from ledger.domain.limits import TRACE_LANE

K = KindNumber
BATCH = 10
RELEASED_AFTER = 5.0
Said = tuple[float, str, int, Entry]
"""When somebody says something: seconds into the loop, name, lane, entry."""


@dataclass(slots=True)
class Shot:
    """One post. Times are those of `time.perf_counter`.

    Attributes:
        at: intended, seconds into the loop.
        subject: the parcel, if the post is one carry-in.
        intended, answered: when it should have gone out, and when its 202 came.
    """

    at: float
    writer: str
    lane: int
    entries: list[Entry]
    subject: int = 0
    body: bytes = field(default=b"", repr=False)
    intended: float = 0.0
    answered: float = 0.0


@dataclass(frozen=True, slots=True)
class Day:
    """Parcels of a loop by what happens to them in it: so many of each a second.

    Attributes:
        carried: filed and checked beforehand; carried in, traced and released.
        filed: ordered beforehand; their payloads are sent and they are filed; the gateway checks and screens them.
        ordered: their orders are recorded.
    """

    carried: Sequence[PrivateParcel]
    filed: Sequence[PrivateParcel]
    ordered: Sequence[PrivateParcel]


def shots(day: Day, rate: float, now: int, signer: Signer) -> list[Shot]:
    """Return the posts of a loop in the order of their times, signed; `rate` in parcels a second."""
    beat = [number / rate for number in range(len(day.carried))]
    carried = [
        Shot(at, each.yard, 1, [each.entry(K.CARRIED_IN, now)], each.id)
        for at, each in zip(beat, day.carried, strict=True)
    ]
    traced = [
        (at, each.courier, TRACE_LANE, Entry(each.id, kind, now))
        for at, each in zip(beat, day.carried, strict=True)
        for kind in range(1, TRACES + 1)
    ]
    released = [
        (at + RELEASED_AFTER, each.yard, 1, each.entry(K.RELEASED, now))
        for at, each in zip(beat, day.carried, strict=True)
    ]
    by_shop = sorted(day.ordered, key=lambda each: each.shop)  # so that batches fill as fast as entries come
    ordered = [(at, each.shop, 1, each.order) for at, each in zip(beat, by_shop, strict=True)]
    filed = [(at, each.courier, 1, each.filed) for at, each in zip(beat, day.filed, strict=True)]
    found = sorted([*carried, *gathered([*traced, *released, *ordered, *filed])], key=lambda shot: shot.at)
    found = [shot for shot in found if shot.at < len(beat) / rate]
    for shot in found:
        shot.body = body_of(signer.sign(shot.writer, shot.lane, shot.entries))
    return found


def gathered(said: Iterable[Said]) -> list[Shot]:
    """Gather what each says in a lane into full batches, sent when their last entry comes up."""
    waiting: dict[tuple[str, int], list[Entry]] = {}
    found = []
    for at, name, lane, entry in sorted(said, key=lambda each: each[0]):
        listed = waiting.setdefault((name, lane), [])
        listed.append(entry)
        if len(listed) == BATCH:
            found.append(Shot(at, name, lane, waiting.pop((name, lane))))
    return found


async def fire(listed: Sequence[Shot], writers: dict[str, Writer], start: float) -> None:
    """Post everything at its time; a lane's posts one after another, as their numbers demand."""
    lanes: dict[tuple[str, int], list[Shot]] = {}
    for shot in listed:
        lanes.setdefault((shot.writer, shot.lane), []).append(shot)

    async def lane(mine: list[Shot]) -> None:
        for shot in mine:
            shot.intended = start + shot.at
            await asyncio.sleep(max(0.0, shot.intended - time.perf_counter()))
            await writers[shot.writer].post(shot.body)
            shot.answered = time.perf_counter()

    await asyncio.gather(*(lane(mine) for mine in lanes.values()))


async def send_payloads(listed: Sequence[PrivateParcel], writers: dict[str, Writer], start: float, rate: float) -> None:
    """Put payloads into the vault at a rate, each at its time."""

    async def one(at: float, parcel: PrivateParcel) -> None:
        await asyncio.sleep(max(0.0, at - time.perf_counter()))
        await put_payload(writers[parcel.courier], parcel)

    await asyncio.gather(*(one(start + number / rate, each) for number, each in enumerate(listed)))


async def put_payload(writer: Writer, parcel: PrivateParcel) -> None:
    """Put one payload into the vault."""
    while True:
        answer = await writer.http.put(
            f"/v1/payloads/0x{parcel.filed.digest.hex()}", content=parcel.envelope,
            headers={"Content-Type": "application/octet-stream"},
        )  # fmt: skip
        if answer.status_code == 204:
            return
        if answer.status_code not in PUSHED_BACK:
            raise SystemExit(f"a payload was refused: {answer.text}")
        await asyncio.sleep(writer.pushed.note(answer))
