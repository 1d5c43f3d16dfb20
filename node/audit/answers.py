"""`audit answers`: whether the stops that an identity authority promised the holder of a number stand on chain.

For each receipt it establishes (1) a key signed it that acts or once acted as identity authority (role of key and of
its organisation), (2) every stop it owes is an accepted entry on that parcel, with the digest that was promised, (3)
its block is no later than the promise says. Until the promise falls due nothing is missing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ledger.answers import AnswerReceipt, BadReceipt, parcel_text
from ledger.domain.kinds import KindNumber
from ledger.domain.roles import Role
from ledger.keys import BadSignature
from node.audit.batches import batches_of
from node.audit.members import MemberHistory
from node.audit.report import Found
from node.blocks import ExecutedBlock


@dataclass(slots=True)
class StopIndex:
    """The stops of an audited chain: height and block time (seconds UTC) of each first one, by parcel and digest.

    `newest` is the time of the newest block.
    """

    places: dict[tuple[int, bytes], tuple[int, int]] = field(default_factory=dict)
    newest: int = 0

    def add(self, executed: ExecutedBlock) -> None:
        """Take an executed block."""
        self.newest = executed.block.header.timestamp
        for batch in batches_of(executed):
            for each in batch.entries() if not batch.batch.is_trace else ():
                if each.kind is KindNumber.IDENTITY_STOPPED and each.rejection is None:
                    self.places.setdefault((each.entry.subject, each.entry.digest), (batch.height, self.newest))


def load_answers(paths: Iterable[Path]) -> Iterator[tuple[str, AnswerReceipt]]:
    """Read receipts, as pages give them or `clearance buyer` keeps them: files, or folders of them.

    Raises:
        BadReceipt: a file is none.
    """
    for path in paths:
        for file in sorted(path.glob("*.json")) if path.is_dir() else [path]:
            try:
                document = json.loads(file.read_text())
                yield file.name, AnswerReceipt.of(document.get("receipt", document))
            except (OSError, ValueError, AttributeError, BadReceipt) as error:
                raise BadReceipt(f"{file} is no receipt of an answer.", hint="Give the file that was kept.") from error


def check_answers(
    index: StopIndex, members: MemberHistory, receipts: Iterable[tuple[str, AnswerReceipt]]
) -> Iterator[Found]:
    """Compare receipts, each by its name, with the chain."""
    for name, receipt in receipts:
        try:
            signer = receipt.signer(members.genesis.domain)
        except BadSignature:
            signer = b""
        if not members.held.get(signer, 0) & Role.IDENTITY_AUTHORITY:
            yield Found("answer.signer", None, f"{name}: not signed by an identity authority of this chain.")
            continue
        for stop in receipt.stops if index.newest > receipt.stops_by else ():
            place = index.places.get((stop.parcel, stop.digest))
            if place is None:
                yield Found("answer.dropped", None, f"{name}: no stop of {parcel_text(stop.parcel)} is on chain.")
            elif place[1] > receipt.stops_by:
                late = f"{name}: the stop of {parcel_text(stop.parcel)} came {place[1] - receipt.stops_by} s too late."
                yield Found("answer.late", place[0], late)
