"""Well-shaped entries whose content is drawn at random: half plausible, half noise."""

from __future__ import annotations

import random
from collections.abc import Sequence

from eth_hash.auto import keccak

from ledger.chain.batch import Entry
from ledger.commitments import order_commitment, word
from ledger.domain.facts import Goods, Mode, Track, Transport, country_number
from ledger.domain.kinds import KINDS, Flag, KindNumber, Status
from ledger.domain.words import DETAIL
from tests.contract.world import HANDLES, MEMBERS, OFFICE, USD, World, digest_of

K = KindNumber
KIND_NUMBERS = [number for number in KINDS if number is not K.TRACED]
OPENINGS = (K.ORDER_OPENED, K.MASTER_OPENED, K.OBSERVED_OPENED, K.FILED)
TYPES = {Status.ORDER: K.ORDER_OPENED, Status.MASTER: K.MASTER_OPENED, Status.OBSERVED: K.OBSERVED_OPENED}
US, CN = country_number("US"), country_number("CN")


class EntryDealer:
    """Draws entries, and remembers the ids, filings and orders it made up."""

    def __init__(self, seed: str, world: World) -> None:
        """Draw from a seed, for a world."""
        self.draw = random.Random(seed)
        self._world = world
        self._ids = [0, 1, 2**256 - 1]
        self._opened: dict[KindNumber, list[int]] = {kind: [0] for kind in OPENINGS}
        self._names = [0]
        self._orders: list[tuple[int, int, int, int]] = []

    def _word(self) -> int:
        return self.draw.getrandbits(256) >> self.draw.choice((0, 0, 64, 160, 248))

    def _recent(self, listed: Sequence[int]) -> int:
        return listed[-1 - min(int(self.draw.expovariate(0.4)), len(listed) - 1)]

    def adopt(self, kind: KindNumber, subject: int) -> None:
        """Know of a subject that was opened before."""
        self._opened[kind].append(subject)
        self._ids.append(subject)
        self._names.append(self._world.view("filings", subject))

    def entries(self, who: str, count: int) -> list[Entry]:
        """Draw entries of one writer."""
        return [self.entry(who) for _ in range(count)]

    def forget(self, entries: Sequence[Entry]) -> None:
        """Hear which entries opened nothing; most of the next ones are about what does exist."""
        for entry in entries:
            opened = self._opened.get(KindNumber(entry.kind), [])
            if entry.subject in opened[1:]:
                opened.remove(entry.subject)

    def entry(self, who: str, kind: KindNumber | None = None) -> Entry:
        """Draw one entry; its shape is right whatever it says."""
        draw = self.draw
        kind = self._kind(who) if kind is None else kind
        digest = keccak(draw.randbytes(32))
        subject = self._subject(kind)
        words = self._filing_words() if Flag.FILING in KINDS[kind].flags else [self._word()] * KINDS[kind].extra
        opener = HANDLES[who]
        if kind is K.ORDER_OPENED:
            digest = self._new_order(opener)
        if kind in OPENINGS and draw.random() < 0.85:
            subject = self._world.domain.subject_id(kind, opener, digest)
            self._ids.append(subject)
            self._opened[kind].append(subject)
        claimed = self._world.now - draw.randrange(400_000) if draw.random() < 0.9 else draw.getrandbits(40)
        names = self._recent(self._names) if draw.random() < 0.8 else draw.getrandbits(160)
        entry = Entry(subject, kind, claimed, digest, self._detail(kind), names, tuple(words))
        if Flag.FILING in KINDS[kind].flags:
            self._names.append(digest_of(entry, draw.choice((0, 0, 0, 1, 2))))
        return entry

    def _kind(self, who: str) -> KindNumber:
        """Two in three are of a kind that the writer's role may write."""
        fitting = [number for number in KIND_NUMBERS if KINDS[number].roles & MEMBERS[who][0]]
        return self.draw.choice(fitting if self.draw.random() < 0.7 else KIND_NUMBERS)

    def _subject(self, kind: KindNumber) -> int:
        """Mostly one of the type that the kind is about, else any that was opened, else noise."""
        needs, chance = KINDS[kind].needs, self.draw.random()
        opening = next((o for bit, o in TYPES.items() if bit & needs), K.FILED)
        if chance < 0.8:
            return self._recent(self._opened[opening])
        return self._recent(self._ids) if chance < 0.95 else self._word()

    def _detail(self, kind: KindNumber) -> int:
        if self.draw.random() < 0.2:
            return self.draw.getrandbits(40) << 56
        values = {"handed": 2, "opener": 0, "kind": self.draw.choice((2, 7, 14, 17, 30, 40))}
        return sum(
            place.put(values.get(name.partition(".")[2], self.draw.choice((0, 0, 0, 1))))
            for name, place in DETAIL.items()
            if name.startswith(f"{kind.name}.")
        )

    def _goods(self) -> int:
        if self.draw.random() < 0.1:
            return self._word()
        return Goods(self.draw.randrange(30_000), USD, self.draw.choice((1, 6, 13)), self.draw.randrange(9)).word()

    def _new_order(self, opener: int) -> bytes:
        """Return the commitment of an order, and keep what a filing presents of it."""
        goods, rest, salt = self._goods(), self._word(), self._word()
        commitment = order_commitment(goods, word(rest), word(salt))
        self._orders = self._orders[-30:]
        self._orders.append((self._world.domain.subject_id(K.ORDER_OPENED, opener, commitment), goods, rest, salt))
        return commitment

    def _filing_words(self) -> list[int]:
        draw = self.draw
        country = draw.choice((US, CN))
        plain = Transport(country, country, draw.choice(list(Mode)), OFFICE, draw.choice(list(Track)),
                          master=draw.choice((0, 0, 0, 1, 2)))  # fmt: skip
        travel = plain.word() if draw.random() < 0.9 else self._word()
        count = draw.choice((0, 0, 1, 1, 1, 2, 8))
        if count == 0:
            return [travel, self._goods()]
        known = [order for order in self._orders if order[0] in self._opened[K.ORDER_OPENED][-6:]]
        presented = draw.sample(known, min(count, len(known))) if draw.random() < 0.9 else []
        if not presented or draw.random() < 0.05:
            presented += [self._noise()]
        presented.sort(reverse=draw.random() < 0.1)
        return [travel, *(word for order in presented for word in order)]

    def _noise(self) -> tuple[int, int, int, int]:
        return self._word(), self._word(), self._word(), self._word()
