"""What happens to the service: kills inside commits and anywhere, leaving and joining, clocks, disks, slow syncs."""

from __future__ import annotations

import random
import shutil
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from node.home import Home
from tests.soak.child import BEGUN, DONE, WRITTEN
from tests.soak.machine import FOLLOWERS, Machine

CLOCK_STEP = 25.0
"""Seconds, less than half of what a follower lets a block lie ahead."""
SLOW = (0.05, 0.4)
ROOM = (4_096, 60_000)
JOIN_BELOW = 1_500
"""Height above which no follower begins anew: it would have to execute all of it."""
KILL_WAIT = 1.5
CALM = 0.4
KILLS_A_DECK = 10
"""Rounds of kills to one of each other trouble."""


@dataclass
class Troubles:
    """Rolls the dice, and counts."""

    machine: Machine
    dice: random.Random
    most: int
    kills: Counter[str] = field(default_factory=Counter)
    inside: Counter[str] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)
    _deck: list[Callable[[], None]] = field(default_factory=list)

    def happen(self) -> None:
        """Let the next trouble of the deck happen; afterwards everything serves again."""
        if not self._deck:
            others = [self._leave, self._step_clock, self._fill_disk, self._slow_syncs]
            self._deck = [self._kills] * KILLS_A_DECK + others
            self.dice.shuffle(self._deck)
        self._deck.pop()()
        for process in self.machine.processes.values():
            process.listen()
        self.others["healed"] += self.machine.heal()
        self.machine.wait_ready(list(self.machine.processes))
        time.sleep(self.dice.uniform(0, CALM))

    def _kills(self) -> None:
        """Kill some at once, most of them at a step of a commit."""
        count = min(self.most - self.kills.total(), self.dice.choice((1, 2, 3, 4, 4, 4)))
        victims = self.dice.sample(list(self.machine.processes.values()), count)
        if self.dice.random() < 0.7:  # else one whose sealer is dead has nothing to commit
            victims.sort(key=lambda each: each.name)
        for victim in victims:
            if self.dice.random() < 0.8:
                step = self.dice.choice((BEGUN, BEGUN, WRITTEN, DONE))
                inside = victim.kill_at(step, self.dice.randint(1, 4), self.dice.uniform(0, KILL_WAIT))
            else:
                time.sleep(self.dice.uniform(0, 0.2))
                inside = victim.kill()
            self.kills[victim.name] += 1
            self.inside[victim.name] += inside
        self.dice.shuffle(victims)
        for victim in victims:
            victim.launch()

    def _leave(self) -> None:
        """A follower leaves for a while; early on it sometimes comes back with nothing and joins anew."""
        name = self.dice.choice(FOLLOWERS)
        process = self.machine.processes[name]
        process.stop()
        self.others["left"] += 1
        time.sleep(self.dice.uniform(0.2, 2.5))
        if self.dice.random() < 0.5 and self.machine.nodes["sealer"].status()["height"] < JOIN_BELOW:
            shutil.rmtree(Home(process.home).store)
            self.others["joined anew"] += 1
        process.launch()

    def _step_clock(self) -> None:
        """Step the clock of one process; it stays wrong until it is stepped again, over restarts too."""
        process = self.dice.choice(list(self.machine.processes.values()))
        process.bend("clock", self.dice.uniform(-CLOCK_STEP, CLOCK_STEP))
        self.others["clock steps"] += 1

    def _fill_disk(self) -> None:
        """Fill the disk of one process under load, then make room."""
        process = self.dice.choice(list(self.machine.processes.values()))
        process.fill(self.dice.choice(ROOM))
        self.others["full disks"] += 1
        end = time.monotonic() + self.dice.uniform(0.5, 3)
        while time.monotonic() < end and not self.machine.trouble(process.name):
            time.sleep(0.05)
        self.others["full disks noticed"] += bool(self.machine.trouble(process.name))
        process.fill()

    def _slow_syncs(self) -> None:
        """Make every commit of one process slow for a while."""
        process = self.dice.choice(list(self.machine.processes.values()))
        process.bend("slow", self.dice.uniform(*SLOW))
        self.others["slow syncs"] += 1
        time.sleep(self.dice.uniform(0.5, 2))
        process.bend("slow", 0)
