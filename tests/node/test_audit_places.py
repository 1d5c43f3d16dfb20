"""Roles change between two transactions of one block: each audit judges by the place, as the read model does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from sqlmodel import select

from clients.sample.members import HANDLES
from clients.sample.plan import START
from ledger.answers import AnswerReceipt
from ledger.chain.calls import call_data
from ledger.chain.sampling import DAY, ONE, commit_entry, day_of
from ledger.chain.transaction import sign_legacy
from ledger.domain.kinds import KindNumber as K
from ledger.domain.limits import TRACE_LANE
from ledger.domain.rejections import Rejection
from ledger.domain.roles import Role
from ledger.genesis import CONTRACT, MemberKey
from ledger.keys import LocalSigner
from ledger.store.database import Database
from ledger.store.projector import Projector
from ledger.store.tables.chain import EntryRow
from node.audit.answers import StopIndex, check_answers
from node.audit.chain import audit_chain, blocks_of_chain
from node.audit.members import MemberHistory
from tests.node.audit_world import KEYRING, AuditWorld, audit

UNTIL: Final = START + 30 * DAY
BOTH: Final = int(Role.SELLER | Role.COURIER)
WIDE, ONCE, NEVER = (LocalSigner.from_seed(b"places", name) for name in ("wide", "once", "never"))
"""A key with more roles than its shop has, one that was the identity authority's, and a stranger's."""
GOODS: Final = (5_000 | 840 << 40 | 1 << 56 | 1 << 72,)


def key_word(signer: LocalSigner, org: str, roles: int) -> tuple[str, tuple[int, ...]]:
    """Return the governors' proposal that a key acts for an org in some roles."""
    key = MemberKey(signer.hex_address, HANDLES[org], roles)
    return "govern", (2, int(key.address, 16), key.word())


def carried_out(world: AuditWorld, governor: str, proposal: tuple[str, tuple[int, ...]]) -> None:
    """Hand over what carries a ripe proposal out, without making a block."""
    name, arguments = proposal
    signer = KEYRING.signer(governor)
    data = call_data(name, world.clock.now(), UNTIL, *arguments)
    nonce, chain_id = world.node.nonce(signer.address), world.genesis.chain_id
    world.node.send_raw(sign_legacy(signer, nonce=nonce, to=CONTRACT, data=data, chain_id=chain_id, gas=1_000_000))


@pytest.fixture
def world(tmp_path: Path) -> AuditWorld:
    """One block in which shop-04 becomes a courier too and screening's key ceases to be screening's.

    Before and behind each change its key says the same: a delivery; a commitment to a day's key.
    """
    made = AuditWorld(tmp_path / "node")
    shop = next(each for each in made.genesis.orgs if each.name == "shop-04")
    grows = key_word(KEYRING.signer("shop-04"), "shop-04", BOTH)
    shrinks = key_word(KEYRING.signer("screening"), "screening", 0)
    made.vote(("govern", (1, shop.handle, replace(shop, roles=BOTH).word())))
    for governor in ("governor-1", "governor-2"):
        for name, arguments in (grows, shrinks):
            made.change(KEYRING.signer(governor), name, UNTIL, *arguments)
    made.clock.move_to(made.clock.now() + DAY + 60)
    today = day_of(made.clock.now())
    commit(made, today - 1, b"y")
    made.seal()

    filing = made.filing(K.FILED, b"p" * 32, GOODS)
    made.subjects["parcel"] = filing.subject
    made.trace("shop-04", filing.subject, "DELIVERED")
    commit(made, today, b"k")
    carried_out(made, "governor-1", grows)
    carried_out(made, "governor-2", shrinks)
    made.trace("shop-04", filing.subject, "DELIVERED")
    commit(made, today, b"o")
    made.heights["changed"] = made.seal()
    assert [each.status for each in made.chain.receipts(made.heights["changed"])] == [1] * 6
    made.send("courier-1", filing)
    made.seal()
    return made


def commit(world: AuditWorld, day: int, key: bytes) -> None:
    """Let screening commit to a day's key."""
    entry = commit_entry(world.genesis.domain, day, ONE, key * 32, world.clock.now())
    world.send("screening", entry, lane=TRACE_LANE)


def test_audits_and_read_model_judge_by_the_place_in_the_block(world: AuditWorld, database: Database) -> None:
    Projector(database, world.node, world.genesis.domain).catch_up()
    with database.read() as session:
        traces = select(EntryRow).where(EntryRow.trace, EntryRow.height == world.heights["changed"])
        rows = [(row.org, row.rejection) for row in session.exec(traces.order_by(EntryRow.height, EntryRow.place))]
    role = int(Rejection.ROLE)
    shop, screening = HANDLES["shop-04"], HANDLES["screening"]
    assert rows == [(shop, role), (screening, None), (shop, None), (screening, role)]
    world.chain.store.close()

    parcel = audit(world.home, "parcel", f"0x{world.subjects['parcel']:064x}")["subject"]["events"]
    assert [each["outcome"] for each in parcel if each["trace"]] == ["ROLE", "recorded"]
    assert of_key(world, "shop-04") == ["ROLE", "recorded"]
    assert of_key(world, "screening") == ["recorded", "recorded", "ROLE"]
    sample = audit(world.home, "samples")
    assert (sample["findings"], sample["subject"]["parcels_of_secret_days"]) == ([], 1)


def of_key(world: AuditWorld, name: str) -> list[str]:
    """Return what became of all that a key said, by `audit key`; its own change is told beside it."""
    subject: dict[str, Any] = audit(world.home, "key", KEYRING.signer(name).hex_address)["subject"]
    assert [each["what"] for each in subject["history"]] == ["set by vote"]
    return [each["outcome"] for each in subject["said"]]


def test_a_receipt_counts_from_who_acts_or_acted_for_an_identity_authority(tmp_path: Path) -> None:
    world = AuditWorld(tmp_path / "node")
    authority = int(Role.IDENTITY_AUTHORITY)
    world.vote(key_word(WIDE, "shop-04", int(Role.SELLER) | authority), key_word(ONCE, "identity", authority))
    world.vote(key_word(ONCE, "identity", 0))
    members, index = MemberHistory(world.genesis), StopIndex()
    assert audit_chain(world.genesis, blocks_of_chain(world.chain), seen=members.add).ok
    receipt = AnswerReceipt("{}", START, None, (), 0)
    digest = receipt.digest(world.genesis.domain)
    signers = {"identity": KEYRING.signer("identity"), "once": ONCE, "wide": WIDE, "never": NEVER}
    kept = [(name, replace(receipt, signature=signer.sign_digest(digest))) for name, signer in signers.items()]
    found = [(each.code, each.sentence.split(":")[0]) for each in check_answers(index, members, kept)]
    assert found == [("answer.signer", "wide"), ("answer.signer", "never")]
