"""From entries to attempts: no crash loses an event, retries keep their id and their schedule, on both databases."""

from __future__ import annotations

import datetime as dt
import json
import random
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest
from sqlmodel import select
from standardwebhooks import Webhook

from api.gateway import Gateway, Hooks
from api.webhooks import dispatcher as module
from api.webhooks import signing
from api.webhooks.dispatcher import Dispatcher
from api.webhooks.guard import Guard
from api.webhooks.sending import DELAYS, JITTER, next_due, wait_of
from clients.sample.members import HANDLES
from clients.sample.plan import START
from ledger.chain.batch import Batch, Entry
from ledger.domain.kinds import KindNumber as K
from ledger.store import webhooks
from ledger.store.events import START as FROM_START
from ledger.store.sealing import Seals
from ledger.store.tables.webhooks import AttemptRow, DeliveryRow, WebhookRow
from node.service import wait_until
from tests.api.receiver import Receiver, receiving
from tests.api.test_submitter import KEYRING, SHOP, Killed, World, world

__all__ = ["world"]
LOOPBACK = Guard((ip_network("127.0.0.0/8"),), plain=True)


class Hooked:
    """A gateway with one webhook, and entries to tell it of."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.hooks = Hooks(Seals(bytes(32)), LOOPBACK)
        self.gateway: Gateway = replace(world.gateway, hooks=self.hooks)
        self.secret = signing.new_secret()
        self.seq = 0

    def register(self, url: str, *, key: bytes = b"", types: tuple[str, ...] = ()) -> str:
        with self.gateway.database.write() as session:
            row = webhooks.register(
                session, org=HANDLES[SHOP], key=key or self.world.caller.key, url=url, types=types,
                now=self.gateway.now(), place=FROM_START,
            )  # fmt: skip
            row.secrets = signing.seal(self.hooks.seals, row.id, [self.secret])
            return row.id

    def entries(self, count: int) -> None:
        """Put entries into a block; all are rejected, which is an event like any other."""
        batch = Batch.signed(
            self.gateway.genesis.domain, KEYRING.signer(SHOP), lane=1, seq=self.seq, not_after=START + 7_200,
            entries=[Entry(number + 1, K.CARRIED_IN, START) for number in range(count)],
        )  # fmt: skip
        self.seq += 1
        self.world.node.send_batch(batch)
        self.world.node.seal()
        self.world.project()

    def dispatcher(self) -> Dispatcher:
        return Dispatcher(self.gateway, self.hooks, dice=random.Random(1))

    def rows(self) -> list[DeliveryRow]:
        with self.gateway.database.read() as session:
            return list(session.exec(select(DeliveryRow).order_by(DeliveryRow.serial)))  # type: ignore[arg-type]


def drain(sending: Dispatcher) -> None:
    """Step until nothing is due and nothing is in the air."""
    while True:
        sending._next_look = 0.0
        moved = sending.step()
        sending.rest()
        if not moved:
            return


@pytest.fixture
def hooked(world: World) -> Hooked:
    return Hooked(world)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


def test_every_event_arrives_signed_and_once(hooked: Hooked, receiver: Receiver) -> None:
    name = hooked.register(receiver.url)
    hooked.entries(120)
    hooked.entries(3)
    hooked.world.time = dt.datetime.now(dt.UTC)  # receivers compare with their own clock
    drain(hooked.dispatcher())
    assert len(set(receiver.ids())) == len(receiver.ids()) == 123
    for headers, body in receiver.came:
        told = Webhook(hooked.secret.text).verify(body, headers)
        assert told["timestamp"] == told["time"]
        assert told["type"] == "entry.rejected"
        assert told["data"]["org"] == HANDLES[SHOP]
        assert headers["path"] == "/hooks?for=us"
    assert {row.state for row in hooked.rows()} == {"delivered"}
    assert {row.webhook for row in hooked.rows()} == {name}
    assert receiver.most <= module.EACH


@pytest.mark.parametrize(
    "where", ["before queueing", "after queueing", "before sending", "before noting", "after noting"]
)
def test_killed_between_any_two_steps_nothing_is_lost(
    hooked: Hooked, receiver: Receiver, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooked.register(receiver.url)
    hooked.entries(7)
    first = hooked.dispatcher()

    def dies(*_: Any, **__: Any) -> Any:
        raise Killed

    def then_dies(real: Any) -> Any:
        def both(*args: Any, **options: Any) -> Any:
            real(*args, **options)
            raise Killed

        return both

    with monkeypatch.context() as broken:
        if where == "before queueing":
            broken.setattr(webhooks, "queue", dies)
        elif where == "after queueing":
            broken.setattr(first, "_start", dies)
        elif where == "before sending":
            broken.setattr(signing, "headers", dies)
        elif where == "before noting":
            broken.setattr(webhooks, "note_attempt", dies)
        else:
            broken.setattr(first, "_note", then_dies(first._note))
        with pytest.raises(Killed):
            drain(first)
    hooked.world.later(61)
    hooked.entries(2)
    drain(hooked.dispatcher())
    assert {row.state for row in hooked.rows()} == {"delivered"}
    assert len(hooked.rows()) == len(set(receiver.ids())) == 9
    bodies: dict[str, set[str]] = {}
    for headers, body in receiver.came:
        bodies.setdefault(headers["webhook-id"], set()).add(body)
    assert all(len(each) == 1 for each in bodies.values()), "sent twice, it is the same message"


def test_two_processes_send_nothing_twice(hooked: Hooked, receiver: Receiver) -> None:
    hooked.register(receiver.url)
    hooked.entries(30)
    first, second = hooked.dispatcher(), hooked.dispatcher()
    for _ in range(60):
        for each in (first, second):
            each._next_look = 0.0
            each.step()
            each.rest()
    assert len(receiver.ids()) == len(set(receiver.ids())) == 30


def test_a_failing_receiver_is_tried_by_the_schedule_and_then_no_more(hooked: Hooked, receiver: Receiver) -> None:
    hooked.register(receiver.url)
    hooked.entries(1)
    receiver.answers = [(500, {})]
    sending, waits = hooked.dispatcher(), []
    for _ in range(len(DELAYS)):
        drain(sending)
        (row,) = hooked.rows()
        if row.due is not None:
            waits.append((row.due - hooked.world.time).total_seconds())
            hooked.world.later(waits[-1] - 0.5)
            drain(sending)
            assert len(receiver.came) == row.attempts, "not before its time"
            hooked.world.later(1)
    assert len(receiver.came) == len(DELAYS) == 10
    for wait, base in zip(waits, DELAYS[1:], strict=True):
        assert base <= wait <= base * (1 + JITTER)
    (row,) = hooked.rows()
    assert (row.state, row.due) == ("dead", None)
    assert len({*receiver.ids()}) == 1
    with hooked.gateway.database.read() as session:
        assert [each.status for each in session.exec(select(AttemptRow))] == [500] * 10
    receiver.answers = [(204, {})]
    with hooked.gateway.database.write() as session:
        assert webhooks.resend(session, row.webhook, row.id, hooked.gateway.now())
    drain(sending)
    assert [row.state for row in hooked.rows()] == ["delivered"]
    assert len({*receiver.ids()}) == 1


def test_retry_after_is_honoured(hooked: Hooked, receiver: Receiver) -> None:
    hooked.register(receiver.url)
    hooked.entries(1)
    receiver.answers = [(503, {"Retry-After": "3600"}), (204, {})]
    sending = hooked.dispatcher()
    drain(sending)
    (row,) = hooked.rows()
    assert row.due is not None
    assert (row.due - hooked.world.time).total_seconds() == pytest.approx(3_600, abs=1)
    hooked.world.later(3_602)
    drain(sending)
    assert [row.state for row in hooked.rows()] == ["delivered"]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", None), ("120", 120.0), (" 7 ", 7.0), ("-1", None), ("soon", None), ("99999999", 86_400.0),
        ("Mon, 23 Nov 2026 00:01:00 GMT", 60.0), ("Mon, 23 Nov 2020 00:01:00 GMT", 0.0), ("١٢", 12.0),
    ],
)  # fmt: skip
def test_what_retry_after_says(header: str, seconds: float | None) -> None:
    assert wait_of(header, dt.datetime(2026, 11, 23, tzinfo=dt.UTC)) == seconds


def test_after_the_last_time_there_is_none() -> None:
    now = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
    assert next_due(len(DELAYS), now, 5.0, random.Random(1)) is None


def test_gone_disables(hooked: Hooked, receiver: Receiver) -> None:
    name = hooked.register(receiver.url)
    hooked.entries(20)
    receiver.answers = [(410, {})]
    sending = hooked.dispatcher()
    drain(sending)
    with hooked.gateway.database.read() as session:
        row = session.get(WebhookRow, name)
        assert row is not None
        assert (row.state, row.reason) == ("disabled", "gone")
    assert {row.state for row in hooked.rows()} == {"dead"}
    came = len(receiver.came)
    assert came <= module.EACH
    hooked.entries(2)
    drain(sending)
    assert len(receiver.came) == came


def test_a_slow_receiver_keeps_nobody_waiting(hooked: Hooked, receiver: Receiver) -> None:
    with receiving(delay=1.0) as slow:
        hooked.register(slow.url)
        hooked.register(receiver.url)
        hooked.entries(40)
        sending = hooked.dispatcher()

        def quick_one_has_all() -> bool:
            sending._next_look = 0.0
            sending.step()
            return len(receiver.came) == 40

        assert wait_until(quick_one_has_all, 20)
        assert len(slow.came) < 40
        assert slow.most <= module.EACH
        sending.rest()


def test_a_full_queue_waits_in_the_chain(hooked: Hooked, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "MAX_WAITING", 5)
    monkeypatch.setattr(module, "PAGE", 4)
    hooked.register(receiver.url)
    hooked.entries(50)
    receiver.answers = [(500, {})]
    sending = hooked.dispatcher()
    drain(sending)
    assert len(hooked.rows()) <= 8
    receiver.answers = [(204, {})]
    for _ in range(3):
        hooked.world.later(10)
        drain(sending)
    assert len(hooked.rows()) == 50
    assert {row.state for row in hooked.rows()} == {"delivered"}


def test_a_key_out_of_standing_is_told_nothing_and_others_go_on(hooked: Hooked, receiver: Receiver) -> None:
    for number in range(module.AT_ONCE + 1):
        hooked.register(f"http://127.0.0.1:1/{number}", key=bytes([number]) * 20)
    hooked.register(receiver.url, types=("entry.rejected",))
    hooked.register(receiver.url + "&x", types=("parcel.cleared",))
    hooked.entries(3)
    sending = hooked.dispatcher()
    for _ in range(4):
        drain(sending)
    assert receiver.types() == ["entry.rejected"] * 3
    assert len(hooked.rows()) == 3


def test_under_another_key_nothing_is_sent_until_it_is_rotated(hooked: Hooked, receiver: Receiver) -> None:
    name = hooked.register(receiver.url)
    hooked.entries(1)
    other = Hooks(type(hooked.hooks.seals)(b"\1" * 32), LOOPBACK)
    drain(Dispatcher(hooked.gateway, other))
    assert receiver.came == []
    with hooked.gateway.database.read() as session:
        assert [each.outcome for each in session.exec(select(AttemptRow))] == ["secret"]
        assert hooked.secret.text.encode() not in session.get(WebhookRow, name).secrets  # type: ignore[union-attr]
    with hooked.gateway.database.read() as session:
        assert json.loads(session.get(WebhookRow, name).types) == []  # type: ignore[union-attr]


def test_what_is_old_is_dropped_from_the_log(hooked: Hooked, receiver: Receiver) -> None:
    hooked.register(receiver.url)
    hooked.entries(2)
    drain(hooked.dispatcher())
    hooked.world.later(15 * 86_400)
    hooked.entries(1)
    drain(hooked.dispatcher())
    assert len(hooked.rows()) == 1
