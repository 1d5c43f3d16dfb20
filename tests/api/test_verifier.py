"""The verifier against real HTTP servers: what answers, what answers wrongly, slowly, too much or not at all."""

from __future__ import annotations

import datetime as dt
import logging
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from api.identity.judgement import Cause, Verified, judge
from api.identity.verifier import ATTEMPTS, Answer, Claim, Outcome, OwnRegister, UnipassRegister, Verifier
from clients.cli.verifier import KEY, KEY_FILE, api_key, chosen
from clients.sample.plan import START
from clients.sample.register_server import StandIn, serving
from ledger.domain.errors import LedgerError
from ledger.store import people
from ledger.store.database import Database
from ledger.store.sealing import Seals
from ledger.unipass.identity import FAULT, MATCH, MISMATCH, Reason, number_answer_xml, read_number_answer, reason_of
from tests.api.journey import SYNTHETIC, Journey
from tests.api.test_authority import PERSON, Desk
from tests.api.world import world as service

NUMBER, NAME, PHONE = PERSON["pccc"], PERSON["name"], PERSON["phone"]
OTHER = "P990000000002"
REGISTER = {
    NUMBER: {"name": NAME, "phone": PHONE, "zip": "04524"},
    OTHER: {"name": "표본인 00002", "phone": "01000000002", "retired": "yes"},
}
CLAIM = Claim(NUMBER, NAME, PHONE)
Reply = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def scripted(reply: Reply) -> Iterator[str]:
    """Serve what a test says; yield the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            reply(self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with serving(server):
        yield f"http://127.0.0.1:{server.server_address[1]}"


def says(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200) -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def ask(url: str, *claims: Claim, timeout: float = 2.0, patience: float = 4.0, key: str = "k") -> list[Answer]:
    register = UnipassRegister(url, key, timeout=timeout, patience=patience)
    try:
        return register.verify(claims or [CLAIM])
    finally:
        register.close()


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    server = StandIn(0, REGISTER, "k")
    with serving(server):
        yield server


CLAIMS = (
    (CLAIM, Outcome.CHECKED, ()),
    (Claim(" p990000000001 ", NAME, "010-0000-0001"), Outcome.CHECKED, ()),
    (Claim(NUMBER, NAME, PHONE, "04524"), Outcome.CHECKED, ()),
    (Claim(NUMBER, NAME, PHONE, "99999"), Outcome.MISMATCH, (Reason.POSTCODE,)),
    (Claim(NUMBER, "다른 사람", PHONE), Outcome.MISMATCH, (Reason.NAME,)),
    (Claim(NUMBER, NAME, "01099999999"), Outcome.MISMATCH, (Reason.PHONE,)),
    (Claim("P990000009999", NAME, PHONE), Outcome.MISMATCH, (Reason.NOT_FOUND,)),
    (Claim(OTHER, "표본인 00002", "01000000002"), Outcome.MISMATCH, (Reason.SUSPENDED,)),
)


def test_the_own_register_and_the_service_answer_alike(stand_in: StandIn, database: Database) -> None:
    seals = Seals(bytes(32))
    with database.write() as session:
        people.register(session, seals, NUMBER, NAME, PHONE, "04524")
        people.register(session, seals, OTHER, "표본인 00002", "01000000002")
        people.reissue(session, seals, OTHER, "P990000000003")
    claims = [claim for claim, _, _ in CLAIMS]
    expected = [Answer(outcome, reasons) for _, outcome, reasons in CLAIMS]
    assert OwnRegister(database, seals).verify(claims) == expected
    assert ask(stand_in.url, *claims) == expected


def test_many_claims_keep_their_order(stand_in: StandIn) -> None:
    wrong = Claim(NUMBER, "다른 사람", PHONE)
    found = ask(stand_in.url, *[CLAIM, wrong] * 40)
    assert [each.outcome for each in found] == [Outcome.CHECKED, Outcome.MISMATCH] * 40


@pytest.mark.parametrize(
    "body",
    [
        number_answer_xml(FAULT, notice="시스템 오류"),
        b"",
        b"<html>busy</html>",
        b"<persEcmQryRtnVo><tCnt>2</tCnt></persEcmQryRtnVo>",
        b"<persEcmQryRtnVo></persEcmQryRtnVo>",
        b"<persEcmQryRtnVo><tCnt>1</tCnt>",
        b'<!DOCTYPE a [<!ENTITY b "1">]><persEcmQryRtnVo><tCnt>&b;</tCnt></persEcmQryRtnVo>',
        b"\xff\xfe\x00",
        number_answer_xml(MATCH, notice="x" * 70_000),
    ],
)  # fmt: skip
def test_a_fault_or_garbage_is_unknown_and_asked_a_bounded_number_of_times(body: bytes) -> None:
    asked: Counter[str] = Counter()

    def reply(handler: BaseHTTPRequestHandler) -> None:
        asked["times"] += 1
        says(handler, body)

    with scripted(reply) as url:
        assert ask(url) == [Answer(Outcome.UNKNOWN)]
    assert asked["times"] == ATTEMPTS


@pytest.mark.parametrize("status", [301, 401, 404, 429, 500, 503])
def test_another_status_is_unknown_whatever_stands_in_it(status: int) -> None:
    with scripted(lambda handler: says(handler, number_answer_xml(MISMATCH, [Reason.NAME]), status)) as url:
        assert ask(url) == [Answer(Outcome.UNKNOWN)]


def test_a_second_attempt_may_answer() -> None:
    replies = [number_answer_xml(FAULT), number_answer_xml(MATCH)]
    with scripted(lambda handler: says(handler, replies.pop(0))) as url:
        assert ask(url) == [Answer(Outcome.CHECKED)]


def test_a_wrong_key_is_unknown(stand_in: StandIn) -> None:
    assert ask(stand_in.url, key="another") == [Answer(Outcome.UNKNOWN)]


def test_a_silent_server_holds_nobody_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        found = ask(f"http://127.0.0.1:{silent.getsockname()[1]}", *[CLAIM] * 100, timeout=0.2, patience=0.5)
        assert found == [Answer(Outcome.UNKNOWN)] * 100
        assert time.monotonic() - began < 5


def test_a_server_that_drips_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.identity.verifier.LONGEST", 0.3)

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for letter in number_answer_xml(MATCH) * 100:
            handler.wfile.write(bytes([letter]))
            time.sleep(0.05)

    def reply(handler: BaseHTTPRequestHandler) -> None:
        with suppress(OSError):
            drip(handler)

    with scripted(reply) as url:
        began = time.monotonic()
        assert ask(url, timeout=0.2) == [Answer(Outcome.UNKNOWN)]
        assert time.monotonic() - began < 3


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert ask(f"http://127.0.0.1:{port}") == [Answer(Outcome.UNKNOWN)]


def test_no_number_name_or_telephone_in_logs_or_texts(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with scripted(lambda handler: says(handler, f"<{NUMBER}/>".encode())) as url:
        found = ask(url, CLAIM, Claim("no number", NAME, PHONE))
    assert [each.outcome for each in found] == [Outcome.UNKNOWN, Outcome.MISMATCH]
    told = caplog.text + repr(found) + repr(CLAIM)
    assert "gave no answer" in told
    assert not any(text in told for text in (NUMBER, NAME, PHONE))


def test_an_address_that_is_none_is_said_at_once() -> None:
    with pytest.raises(LedgerError, match="no http address"):
        UnipassRegister("unipass.example", "k")


@pytest.mark.parametrize("reason", [each for each in Reason if each is not Reason.OTHER])
def test_every_reason_is_read_as_it_is_written(reason: Reason) -> None:
    assert read_number_answer(number_answer_xml(MISMATCH, [reason])).reasons == (reason,)


def test_a_sentence_nobody_knows_is_a_mismatch_without_reason() -> None:
    assert reason_of("무슨 말인지 모르겠습니다") is Reason.OTHER


UNKNOWN, CHECKED, WRONG = (Answer(each) for each in (Outcome.UNKNOWN, Outcome.CHECKED, Outcome.MISMATCH))


@pytest.mark.parametrize(
    ("consignee", "buyer", "outcome", "cause"),
    [
        (CHECKED, None, "checked", Cause.CHECKED),
        (WRONG, CHECKED, "checked", Cause.CHECKED),
        (UNKNOWN, CHECKED, "checked", Cause.CHECKED),
        (UNKNOWN, None, "waiting", Cause.UNKNOWN),
        (UNKNOWN, WRONG, "waiting", Cause.UNKNOWN),
        (WRONG, UNKNOWN, "waiting", Cause.UNKNOWN),
        (WRONG, None, "stopped", Cause.MISMATCH),
        (WRONG, WRONG, "stopped", Cause.MISMATCH),
        (Answer(Outcome.MISMATCH, (Reason.NOT_FOUND,)), None, "stopped", Cause.NOT_FOUND),
        (Answer(Outcome.MISMATCH, (Reason.EXPIRED,)), None, "stopped", Cause.RETIRED),
    ],
)  # fmt: skip
def test_unknown_is_never_a_mismatch(consignee: Answer, buyer: Answer | None, outcome: str, cause: Cause) -> None:
    found = judge(Verified(consignee, buyer), None, None, dt.datetime(2025, 10, 20, tzinfo=dt.UTC))
    assert (found.outcome, found.cause) == (outcome, cause)


def test_a_filing_waits_for_the_service_and_is_judged_when_it_answers(database: Database, tmp_path: Path) -> None:
    replies = {"body": number_answer_xml(FAULT)}
    with scripted(lambda handler: says(handler, replies["body"])) as url:
        desk = Desk(database, tmp_path)
        register = UnipassRegister(url, "k")
        desk.authority._verifier = register
        parcel = desk.file("H1")
        desk.run()
        assert desk.said(parcel) == Counter()
        replies["body"] = number_answer_xml(MATCH)
        desk.node.move_to(START + 3_600)
        desk.run()
        register.close()
    assert desk.said(parcel) == Counter(IDENTITY_CHECKED=1)


def test_a_number_that_only_the_service_knows_is_taken_up_at_its_first_use(
    stand_in: StandIn, database: Database, tmp_path: Path
) -> None:
    stand_in.register = REGISTER | {"P990000000077": {"name": "표본인 00077", "phone": "01000000077"}}
    desk = Desk(database, tmp_path)
    register = UnipassRegister(stand_in.url, "k")
    desk.authority._verifier = register
    stranger = desk.file("H1", pccc="P990000000077", name="다른 사람", phone="01000000077")
    parcel = desk.file("H2", pccc="P990000000077", name="표본인 00077", phone="01000000077")
    desk.run()
    register.close()
    assert desk.said(stranger) == Counter(IDENTITY_STOPPED=1)
    assert desk.said(parcel) == Counter(IDENTITY_CHECKED=1)
    with database.read() as session:
        known = people.holder(session, desk.seals, "P990000000077")
    assert known is not None
    assert known.name == "표본인 00077"


def test_the_key_comes_from_the_environment_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY, raising=False)
    with pytest.raises(LedgerError, match="key is missing"):
        api_key(tmp_path)
    (tmp_path / KEY_FILE).write_text("from the file\n")
    assert api_key(tmp_path) == "from the file"
    monkeypatch.setenv(KEY, "from the environment")
    assert api_key(tmp_path) == "from the environment"
    with chosen("", tmp_path) as none:
        assert none is None


def test_a_whole_gateway_asks_the_register_it_was_given(stand_in: StandIn, tmp_path: Path) -> None:
    stand_in.register = {SYNTHETIC["pccc"]: SYNTHETIC}
    with chosen_of(stand_in, tmp_path) as register, service(tmp_path, register) as world:
        known = Journey(world, "KNOWN-1").ordered().filed()
        known.settled("IDENTITY_CHECKED")
        own = {"name": "표본인 00029", "phone": "01000000029", "pccc": "P990000000029"}  # the own register knows it
        Journey(world, "UNKNOWN-1", own).ordered().filed().settled("IDENTITY_STOPPED")


@contextmanager
def chosen_of(server: StandIn, home: Path) -> Iterator[Verifier]:
    """Choose a register as the command does, its key in the gateway's folder."""
    (home / KEY_FILE).write_text(server.key + "\n")
    with chosen(server.url, home) as register:
        yield register
