"""Sends events to webhooks: from entries to deliveries, from deliveries to attempts, until each has an end.

What is to be sent stands in the database together with the place it reaches to, and an attempt is noted when it is
over: a process that dies in between sends once more, under the same `webhook-id`. One process does it at a time.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import logging
import queue
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidTag

from api.events import envelope
from api.gateway import Gateway, Hooks
from api.metrics import ATTEMPTS
from api.webhooks import signing
from api.webhooks.guard import Guard
from api.webhooks.sending import Outcome, next_due, send
from ledger.store import events, leases, webhooks
from ledger.store.access import Caller
from ledger.store.events import Event
from ledger.store.projector import cursor_height
from ledger.store.tables.webhooks import DeliveryRow, WebhookRow

log = logging.getLogger("clearance.webhooks")

JOB: Final = "webhooks"
LEASE: Final = dt.timedelta(seconds=60)
"""Longer than an attempt: who holds it hears how its attempts went."""
RENEW: Final = dt.timedelta(seconds=10)
AT_ONCE: Final = 16
"""Attempts in the air at once."""
EACH: Final = 2
"""Of these to one webhook: a slow one keeps nobody else waiting."""
PAGE: Final = 100
"""Entries that become deliveries in one transaction."""
LOOK: Final = 0.1
"""Seconds between two looks for work."""
TRUST: Final = 30.0
"""Seconds that the rights of a key are taken for granted."""
KEPT: Final = dt.timedelta(days=14)
"""How long deliveries stay in the log after their end."""
PURGE: Final = 3_600.0

Send = Callable[[Guard, str, Mapping[str, str], str], Outcome]


@dataclass(frozen=True, slots=True)
class Attempt:
    """Something in the air."""

    serial: int
    webhook: str
    number: int
    at: dt.datetime


class Dispatcher:
    """Queues and sends for all webhooks of a gateway."""

    def __init__(
        self, gateway: Gateway, hooks: Hooks, *, sender: Send = send, dice: random.Random | None = None
    ) -> None:
        """Take the gateway and what webhooks need; `dice` shifts the times of retries."""
        self._gateway, self._hooks, self._send = gateway, hooks, sender
        self._dice = dice or random.Random()
        self._lease = leases.Lease(gateway.database, JOB, LEASE, RENEW)
        self._flying: dict[int, Attempt] = {}
        self._over: queue.SimpleQueue[tuple[Attempt, Outcome]] = queue.SimpleQueue()
        self._rights: dict[tuple[bytes, int], tuple[float, Caller | None]] = {}
        self._paused: dict[str, float] = {}
        self._next_look = self._next_purge = 0.0

    def step(self) -> int:
        """Note what is over, start what is due, queue what is new; return how much was done.

        Raises:
            LedgerError: database or node do not answer.
        """
        noted = self._note_all()
        if not noted and time.monotonic() < self._next_look:
            return 0
        self._next_look = time.monotonic() + LOOK
        busy = [name for name, count in Counter(a.webhook for a in self._flying.values()).items() if count >= EACH]
        with self._gateway.database.read() as session:  # most looks find nothing: they take no lock
            room = AT_ONCE - len(self._flying)
            ready = webhooks.due(session, self._gateway.now(), room, busy=busy, flying=self._flying) if room else []
            behind = webhooks.behind(session, cursor_height(session), AT_ONCE, but=self._at_pause())
        if not (ready or behind) or not self._lease.hold(self._gateway.now()):
            return noted
        started = sum(self._start(*each) for each in ready)
        queued = sum(self._queue(row) for row in behind)
        if queued:
            self._next_look = 0.0
        self._purge()
        return noted + started + queued

    def rest(self, seconds: float = 20.0) -> None:
        """Wait until nothing is in the air, and note it."""
        end = time.monotonic() + seconds
        while self._flying and time.monotonic() < end:
            self._note_all()
            time.sleep(0.005)

    def _purge(self) -> None:
        if time.monotonic() >= self._next_purge:
            self._next_purge = time.monotonic() + PURGE
            with self._gateway.database.write() as session:
                self._lease.check(session)
                webhooks.purge(session, self._gateway.now() - KEPT)

    # -------------------------------------------------------------------------------------------------------- queueing
    def _at_pause(self) -> set[str]:
        """Return webhooks whose key was out of standing a moment ago: they must not crowd out the others."""
        self._paused = {name: until for name, until in self._paused.items() if until > time.monotonic()}
        return set(self._paused)

    def _queue(self, seen: WebhookRow) -> int:
        """Make deliveries of the next events of a webhook; return how far that went, 0 if nowhere."""
        caller = self._caller(seen)
        if caller is None:
            self._paused[seen.id] = time.monotonic() + TRUST
            return 0
        wanted = set(json.loads(seen.types))
        with self._gateway.database.write() as session:
            self._lease.check(session)
            row = webhooks.lock(session, seen.id)
            if row is None:
                return 0
            before = webhooks.place_of(row)
            page = events.events(session, caller, before, PAGE)
            made = [self._delivery(row, each) for each in page.events if not wanted or each.type in wanted]
            webhooks.queue(session, row, made, page.through)
        return int(page.through != before)

    def _delivery(self, row: WebhookRow, event: Event) -> dict[str, Any]:
        shown = envelope(self._gateway, row.org, event)
        body = json.dumps(shown | {"timestamp": shown["time"]}, separators=(",", ":"), ensure_ascii=False)
        told = f"{row.id} {self._gateway.genesis_hash.hex()} {event.place}"
        return {
            "id": "msg_" + hashlib.sha256(told.encode()).hexdigest()[:32],
            "type": event.type,
            "subject": event.entry.subject,
            "body": body,
            "now": self._gateway.now(),
        }

    def _caller(self, row: WebhookRow) -> Caller | None:
        """Return whose rights a webhook has; None while its key is out of standing, or another org's."""
        known, found = self._rights.get((row.key, row.org), (float("-inf"), None))
        if time.monotonic() - known > TRUST:
            member = self._gateway.node.state().member(row.key)
            stands = member is not None and member.org == row.org and member.is_member_at(self._gateway.chain_time())
            found = Caller(row.key, row.org, member.roles, member.office) if member is not None and stands else None
            self._rights[row.key, row.org] = time.monotonic(), found
        return found

    # --------------------------------------------------------------------------------------------------------- sending
    def _start(self, delivery: DeliveryRow, webhook: WebhookRow) -> int:
        """Begin an attempt on a thread of its own, if the webhook is not busy."""
        flying = sum(each.webhook == webhook.id for each in self._flying.values())
        if flying >= EACH or delivery.serial is None:
            return 0
        now = self._gateway.now()
        attempt = Attempt(delivery.serial, webhook.id, delivery.attempts + 1, now)
        self._flying[attempt.serial] = attempt
        try:
            keys = signing.unseal(self._hooks.seals, webhook.id, webhook.secrets, now)
        except InvalidTag:
            log.error("the secrets of webhook %s were sealed under another key: rotate them", webhook.id)
            self._over.put((attempt, Outcome("secret")))
            return 1
        headers = signing.headers(keys, delivery.id, now, delivery.body)
        work = (attempt, webhook.url, headers, delivery.body)
        threading.Thread(target=self._fly, args=work, name="webhook", daemon=True).start()
        return 1

    def _fly(self, attempt: Attempt, url: str, headers: Mapping[str, str], body: str) -> None:
        outcome = Outcome("fault")
        try:
            outcome = self._send(self._hooks.guard, url, headers, body)
        except Exception:  # a fault of ours: it is tried again like any other
            log.exception("an attempt for webhook %s failed", attempt.webhook)
        finally:
            self._over.put((attempt, outcome))

    def _note_all(self) -> int:
        noted = 0
        while not self._over.empty():
            attempt, outcome = self._over.get()
            del self._flying[attempt.serial]
            ATTEMPTS.labels(outcome.code).inc()
            if self._lease.hold(self._gateway.now()):  # else another process has taken over, and sends it again
                self._note(attempt, outcome)
            noted += 1
        return noted

    def _note(self, attempt: Attempt, outcome: Outcome) -> None:
        now = self._gateway.now()
        due = None
        if outcome.code not in ("delivered", "gone"):
            due = next_due(attempt.number, now, outcome.retry_after, self._dice)
        state = "waiting" if due else ("delivered" if outcome.code == "delivered" else "dead")
        with self._gateway.database.write() as session:
            self._lease.check(session)
            kept = webhooks.note_attempt(
                session, attempt.serial, at=attempt.at, milliseconds=outcome.milliseconds, status=outcome.status,
                outcome=outcome.code, state=state, due=due,
            )  # fmt: skip
            row = webhooks.lock(session, attempt.webhook) if kept and outcome.code == "gone" else None
            if row is not None:
                log.warning("webhook %s is gone and disabled", row.id)
                webhooks.disable(session, row, "gone", now)
