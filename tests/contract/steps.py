"""Steps that tests of the decision share: each sends one entry and returns what came of it, by index."""

from __future__ import annotations

from ledger.chain.batch import Entry, detail
from ledger.domain.kinds import KindNumber as K
from tests.contract.world import Result, World

RESULTS = (("identity", K.IDENTITY_CHECKED), ("screening", K.SCREENED_PASSED))


def check(world: World, parcel: int) -> list[dict[int, list[str]]]:
    """Give both results on the newest filing."""
    return [world.send(who, world.result(kind, parcel)).codes for who, kind in RESULTS]


def carry(world: World, parcel: int) -> dict[int, list[str]]:
    return world.send("courier", Entry(parcel, K.CARRIED_IN, world.now)).codes


def ready(world: World) -> int:
    """Return a parcel that lacks the carry-in only."""
    parcel = world.filed()
    assert check(world, parcel) == [{}, {}]
    return parcel


def release(world: World, parcel: int) -> dict[int, list[str]]:
    return world.send("courier", Entry(parcel, K.RELEASED, world.now)).codes


def stop(world: World, parcel: int) -> dict[int, list[str]]:
    return world.send("identity", Entry(parcel, K.IDENTITY_STOPPED, world.now), lane=0).codes


def hold(world: World, parcel: int, who: str = "officer") -> Result:
    return world.send(who, Entry(parcel, K.HELD, world.now, detail=detail(K.HELD, ground=1)), lane=0)


def lift(world: World, parcel: int, number: int) -> dict[int, list[str]]:
    entry = Entry(parcel, K.HOLD_LIFTED, world.now, detail=detail(K.HOLD_LIFTED, number=number))
    return world.send("officer", entry).codes


def decide(
    world: World, parcel: int, kind: K = K.DECIDED_CLEAR, who: str = "officer", **v: int
) -> dict[int, list[str]]:
    return world.send(who, world.result(kind, parcel, **v)).codes


def sweep(world: World, parcel: int, who: str = "oversight") -> dict[int, list[str]]:
    return world.send(who, Entry(parcel, K.SWEPT, world.now)).codes


CLEARED, REFERRED, BARRED, MISSING = ({0: [name]} for name in ("CLEARED", "REFERRED", "STATE_BARRED", "STATE_MISSING"))
NOT_YOURS, STALE_FILING, STALE_DECISION = ({0: [name]} for name in ("NOT_YOURS", "STALE_FILING", "STALE_DECISION"))
TOO_EARLY, HOLD_UNKNOWN, LIMIT = ({0: [name]} for name in ("TOO_EARLY", "HOLD_UNKNOWN", "LIMIT"))
