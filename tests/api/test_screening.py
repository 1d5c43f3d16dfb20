"""Screening at a real gateway: each filing scored once, a sample that the audit recomputes, whatever dies between."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from api.screening import screening as at_work
from api.screening.reasons import committed
from api.screening.scorer import Score
from clients.sample.plan import START
from ledger.chain.sampling import DAY, ONE, REVEAL_AFTER, REVEAL_LATEST, day_end, day_of
from ledger.domain.kinds import KindNumber as K
from ledger.payloads import Spool
from ledger.store import screenings
from ledger.store.database import Database
from ledger.store.tables.history import ReferralRow
from ledger.store.tables.screening import RecordRow, ResultRow, SamplingDayRow, ScreeningRow
from tests.api.screened import SHIRT, Desk, cheaper
from tests.api.test_submitter import KEYRING, Killed

on_sqlite = pytest.mark.parametrize("empty", ["sqlite"], indirect=True)
"""For tests of what no database can change."""
PASSED, REFERRED = Counter(SCREENED_PASSED=1), Counter(SCREENED_REFERRED=1)


@pytest.fixture
def desk(database: Database, tmp_path: Path) -> Desk:
    return Desk(database, tmp_path)


def reasons(desk: Desk, parcel: int) -> list[list[str]]:
    """Return the sealed reasons of each result, opened as an officer would see them."""
    subject = parcel.to_bytes(32, "big")
    with desk.gateway.database.read() as session:
        rows = screenings.results_of(session, [subject])
        return [desk.seals.open(row.sealed or b"", subject)["reasons"] for row in rows]


def test_each_filing_is_scored_once(desk: Desk) -> None:
    parcels = [desk.file(f"H{number}") for number in range(3)]
    desk.run()
    desk.run(desk.fresh())
    assert [desk.said(parcel) for parcel in parcels] == [PASSED] * 3
    assert all(desk.row(parcel).outcome == "passed" for parcel in parcels)


@on_sqlite
def test_a_member_shop_without_order_is_referred(desk: Desk) -> None:
    parcel = desk.file("H1", shop=" Shop-01 ")
    desk.run()
    assert desk.said(parcel) == REFERRED
    assert "SCREENING_REFERRED" in desk.findings(parcel)
    assert reasons(desk, parcel) == [["order-withheld"]]


def test_the_second_parcel_under_a_house_bill_is_referred_and_the_first_is_not(desk: Desk) -> None:
    first = desk.file("H1")
    desk.courier._secret = b"another secret of the same courier"  # other salts make another parcel of it
    second = desk.file("H1")
    desk.run()
    desk.correct("H1")
    desk.run()
    assert desk.said(first) == PASSED
    assert desk.said(second) == Counter(SCREENED_REFERRED=2), "corrected, it is still the second"


def test_the_first_parcel_keeps_its_house_bill_though_it_is_scored_later(desk: Desk) -> None:
    first = desk.file("H1", spooled=False)
    payload = desk.courier._payload(desk.courier.parcels["H1"].shipment, 0)
    desk.courier._secret = b"another secret of the same courier"
    second = desk.file("H1")
    desk.run()
    assert desk.said(second) == PASSED, "nothing is known of the first yet"
    Spool(desk.home).put(payload.digest, payload.sealed([KEYRING.opener("screening").public_key()]))
    desk.node.move_to(START + 3_600)
    desk.run()
    assert desk.said(first) == PASSED
    assert desk.said(second) == PASSED + REFERRED
    assert desk.row(second).outcome == "referred"


def test_a_filing_without_its_payload_waits_for_it(desk: Desk) -> None:
    parcel = desk.file("H1", spooled=False)
    desk.run()
    assert desk.said(parcel) == Counter()
    assert desk.row(parcel).outcome == "waiting"
    payload = desk.courier._payload(desk.courier.parcels["H1"].shipment, 0)
    Spool(desk.home).put(payload.digest, payload.sealed([KEYRING.opener("screening").public_key()]))
    desk.node.move_to(START + 3_600)
    desk.run()
    assert desk.said(parcel) == PASSED


@on_sqlite
@pytest.mark.parametrize("reader", ["identity", "screening"])
def test_a_payload_that_does_not_open_is_referred(desk: Desk, reader: str) -> None:
    parcel = desk.file("H1", spooled=False)
    payload = desk.courier._payload(desk.courier.parcels["H1"].shipment, 0)
    envelope = payload.sealed([KEYRING.opener(reader).public_key()])
    damaged = envelope if reader == "identity" else envelope[:-1] + bytes([envelope[-1] ^ 1])
    Spool(desk.home).put(payload.digest, damaged)
    desk.node.move_to(START + 3_600)
    desk.run()
    assert reasons(desk, parcel) == [["unreadable"]]
    assert desk.said(parcel) == REFERRED


def test_a_corrected_filing_is_scored_again_with_what_it_changed(desk: Desk) -> None:
    parcel = desk.file("H1")
    desk.run()
    desk.correct("H1", goods=cheaper(SHIRT, 1_000), pccc="P990000000002")
    desk.run()
    assert desk.said(parcel) == PASSED + REFERRED
    assert reasons(desk, parcel)[1] == ["price-lowered", "consignee-changed"]
    named = [each.entry.names for each in desk.entries(parcel)]
    assert named[1] == desk.node.filing(parcel) != named[0]
    assert desk.row(parcel).score == 500


def test_many_numbers_at_one_telephone(desk: Desk) -> None:
    parcels = [desk.file(f"H{number}", pccc=f"P99000000000{number}") for number in range(5)]
    own = desk.file("H9", pccc="P990000000009", phone="01000000009")
    desk.run()
    assert [desk.said(parcel) for parcel in parcels] == [PASSED] * 4 + [REFERRED]
    assert desk.said(own) == PASSED


@on_sqlite
def test_contacts_are_forgotten_after_a_while(desk: Desk) -> None:
    parcels = [desk.file(f"H{number}", pccc=f"P99000000000{number}") for number in range(4)]
    desk.run()
    desk.node.move_to(START + 91 * DAY)
    parcels.append(desk.file("H4", pccc="P990000000004"))
    desk.run()
    desk.run()
    assert desk.said(parcels[4]) == PASSED
    assert [desk.row(parcel).phone for parcel in parcels[:4]] == [None] * 4


def test_records_follow_decisions_once(desk: Desk) -> None:
    refused, cleared = desk.file("H1", shop="shop-01"), desk.file("H2", shop="shop-01")
    desk.run()
    for parcel in (refused, cleared):
        desk.says(K.CARRIED_IN, parcel)
    desk.says(K.DECIDED_REFUSE, refused, ground=1)
    desk.says(K.DECIDED_CLEAR, cleared, ground=1)
    desk.run()
    desk.says(K.RELEASED, cleared)
    desk.run(desk.fresh())
    with desk.gateway.database.read() as session:
        assert {(row.decided, row.refused) for row in session.exec(select(RecordRow))} == {(2, 1)}
        assert len(session.exec(select(RecordRow)).all()) == 2, "the shop's and the courier's"


def test_what_the_authority_found_is_taken_up_once_and_outlives_a_correction(desk: Desk) -> None:
    before, after = desk.file("H1"), desk.file("H2", spooled=False)
    desk.run()
    with desk.gateway.database.write() as session:
        for parcel in (before, after):
            filing = desk.node.filing(parcel).to_bytes(20, "big")
            session.add(ReferralRow(parcel=parcel.to_bytes(32, "big"), filing=filing, cause="split_orders",
                                    reasons="same-bill", found_at=desk.gateway.chain_now()))  # fmt: skip
    desk.run()
    desk.run(desk.fresh())
    assert desk.said(before) == PASSED + REFERRED
    assert reasons(desk, before)[1] == ["split_orders", "same-bill"]
    with desk.gateway.database.read() as session:
        assert all(row.taken_at for row in session.exec(select(ReferralRow)))
    assert desk.said(after) == REFERRED, "that is known though its payload is not here"
    desk.correct("H1")
    desk.run()
    assert desk.said(before) == PASSED + Counter(SCREENED_REFERRED=2)


@pytest.mark.parametrize("at", ["say", "advance", "shuffle", "accept", "after scoring", "after the cut"])
def test_a_crash_between_any_two_steps(desk: Desk, at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = desk.file("H1"), desk.file("H2", shop="shop-02")
    desk.screening.take_up() if desk.screening._signatory.hold() else None

    def dies(*_: object, **__: object) -> None:
        raise Killed

    def and_die(plain: Any) -> Any:
        def done() -> int:
            plain()
            raise Killed

        return done

    with monkeypatch.context() as broken:
        if at in ("say", "advance"):
            broken.setattr(f"api.screening.screening.screenings.{at}", dies)
        elif at == "shuffle":
            broken.setattr(desk.screening._dice, "shuffle", dies)
        elif at == "accept":
            broken.setattr("api.signatory.submissions.accept", dies)
        else:
            name = "score" if at == "after scoring" else "cut"
            broken.setattr(desk.screening, name, and_die(getattr(desk.screening, name)))
        with pytest.raises(Killed):
            desk.screening.step()
    desk.later(11)  # its lease is over
    desk.run(desk.fresh(seed=2))
    assert desk.said(good) == PASSED
    assert desk.said(bad) == REFERRED


def test_a_dead_batch_is_said_again(desk: Desk) -> None:
    parcel = desk.file("H1")
    desk.screening.step()
    desk.node.move_to(START + 90_000)  # its notAfter passes before anybody hands it over
    desk.run()
    assert desk.said(parcel) == PASSED


def test_one_process_screens_at_a_time(desk: Desk) -> None:
    desk.file("H1")
    other = desk.fresh()
    assert desk.screening.step()
    desk.file("H2")
    with desk.gateway.database.write() as session:
        held = desk.gateway.now() + dt.timedelta(minutes=1)
        screenings_lease(session, held)
    assert other.step() == 0


def screenings_lease(session: Any, until: dt.datetime) -> None:
    from ledger.store.tables.outbox import LeaseRow  # noqa: PLC0415

    row = session.exec(select(LeaseRow).where(LeaseRow.job == at_work.JOB)).one()
    row.until = until
    session.add(row)


@on_sqlite
def test_the_chain_holds_a_commitment_to_the_reasons_and_not_the_reasons(desk: Desk) -> None:
    parcel = desk.file("H1", shop="shop-01")
    desk.run()
    subject = parcel.to_bytes(32, "big")
    with desk.gateway.database.read() as session:
        (row,) = screenings.results_of(session, [subject])
    note = desk.seals.open(row.sealed or b"", subject)
    (entry,) = desk.entries(parcel)
    assert entry.entry.digest == committed(note)
    assert committed(note | {"salt": bytes(32).hex()}) != entry.entry.digest
    assert b"order-withheld" not in (row.sealed or b"")


@on_sqlite
def test_a_trained_scorer_takes_the_rules_place(desk: Desk) -> None:
    class Everything:
        name = "everything/1"

        def score(self, seen: object) -> Score:
            return Score(1.0, ("detour",), refers=True)

    parcel = desk.file("H1")
    desk.run(desk.fresh(scorer=Everything()))
    assert desk.said(parcel) == REFERRED
    assert desk.row(parcel).scorer == "everything/1"


# ---------------------------------------------------------------------------------------------------- the random sample
@on_sqlite
def test_nothing_is_drawn_at_rate_zero_and_that_can_be_checked(desk: Desk) -> None:
    desk.run()
    parcels = [desk.file(f"H{number}") for number in range(4)]
    desk.run()
    desk.node.move_to(day_end(day_of(START)) + REVEAL_AFTER)
    desk.run()
    history = desk.audited()
    assert list(history.check()) == []
    assert history.picked() == frozenset()
    assert history.summary() | {"days_revealed": 1, "parcels": 4, "picked": 0} == history.summary()
    assert [desk.said(parcel) for parcel in parcels] == [PASSED] * 4


def test_the_sample_is_what_the_audit_recomputes(database: Database, tmp_path: Path) -> None:
    desk = Desk(database, tmp_path, rate=ONE // 2)
    desk.run()
    parcels = [desk.file(f"H{number}", shop="shop-01" if number == 0 else "a shop") for number in range(12)]
    desk.run()
    desk.correct("H1")
    desk.run()
    desk.node.move_to(day_end(day_of(START)) + REVEAL_AFTER)
    desk.run()
    assert not revealed(desk), "those picked are not decided"
    picked = {parcel for parcel in parcels if ["picked-by-sample"] in reasons(desk, parcel)}
    for parcel in parcels:
        if desk.row(parcel).outcome == "referred":
            desk.says(K.CARRIED_IN, parcel)
            desk.says(K.DECIDED_CLEAR, parcel, ground=1)
    desk.run()
    assert revealed(desk) == [day_of(START)]
    history = desk.audited()
    assert list(history.check()) == []
    assert history.picked() == picked
    assert 0 < len(picked) < 12
    assert all(each.rejection is None for parcel in parcels for each in desk.entries(parcel))


def revealed(desk: Desk) -> list[int]:
    with desk.gateway.database.read() as session:
        return [row.day for row in session.exec(select(SamplingDayRow)) if row.revealed]


@on_sqlite
def test_a_filing_before_its_days_commitment_is_not_drawn(database: Database, tmp_path: Path) -> None:
    desk = Desk(database, tmp_path, rate=ONE)
    early = desk.file("H1")
    desk.run()
    late = desk.file("H2")
    desk.run()
    assert desk.said(early) == PASSED
    assert desk.said(late) == REFERRED


@on_sqlite
def test_an_open_case_does_not_hide_its_day_for_ever(database: Database, tmp_path: Path) -> None:
    desk = Desk(database, tmp_path, rate=ONE)
    desk.run()
    desk.file("H1")
    desk.run()
    desk.node.move_to(day_end(day_of(START)) + REVEAL_LATEST - DAY - 1)
    desk.run()
    assert day_of(START) not in revealed(desk)
    desk.node.move_to(day_end(day_of(START)) + REVEAL_LATEST - DAY)
    desk.run()
    assert day_of(START) in revealed(desk)
    assert list(desk.audited().check()) == []


@on_sqlite
def test_days_are_committed_to_a_week_ahead_and_once(desk: Desk) -> None:
    desk.run()
    desk.run(desk.fresh())
    desk.node.move_to(START + DAY)
    desk.run(desk.fresh(rate=ONE))
    with desk.gateway.database.read() as session:
        days = {row.day: row.rate for row in session.exec(select(SamplingDayRow))}
    today = day_of(START)
    assert days == {today + ahead: 0 for ahead in range(8)} | {today + 8: ONE}, (
        "a new rate holds for days not bound yet"
    )


def test_a_restored_database_takes_its_commitments_from_the_chain(database: Database, tmp_path: Path) -> None:
    desk = Desk(database, tmp_path, rate=ONE)
    desk.run()
    parcel = desk.file("H1")
    with database.write() as session:
        for row in (*session.exec(select(SamplingDayRow)), *session.exec(select(ResultRow))):
            session.delete(row)
    desk.run(desk.fresh())
    assert desk.said(parcel) == REFERRED
    commitments = [said for said in desk.audited().statements if not said.revealed]
    assert len(commitments) == 8, "none of them said again"


@on_sqlite
def test_rows_hold_no_name_number_or_address_in_clear(desk: Desk) -> None:
    parcel = desk.file("H1", address="서울 어딘가 1")
    desk.run()
    kept = desk.row(parcel)
    assert all(len(value or b"") == 32 for value in (kept.bill, kept.shop, kept.number, kept.phone, kept.address))
    assert len({kept.bill, kept.shop, kept.number, kept.phone, kept.address}) == 5
    told = b"".join(value for value in ScreeningRow.model_dump(kept).values() if isinstance(value, bytes))
    assert not any(secret.encode() in told for secret in ("H1", "P990000000001", "01000000001", "서울", "a shop"))
